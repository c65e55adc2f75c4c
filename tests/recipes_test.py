"""The named recipes against their published formulas."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrsched

peaks = st.floats(1e-6, 10.0)
steps = st.integers(1, 500)
counts = st.integers(0, 2000)


def close(wanted: float) -> Any:
    return pytest.approx(wanted, rel=1e-12, abs=1e-18)


@given(peaks, steps, steps, steps, counts)
def test_warmup_stable_decay(peak: float, up: int, stable: int, down: int, t: int) -> None:
    recipe = lrsched.warmup_stable_decay(peak, up, stable, down, peak / 10, shape="1-sqrt")
    p = min(max(t - up - stable, 0) / down, 1)
    floor = peak / 10
    wanted = peak * t / up if t < up else floor + (peak - floor) * (1 - math.sqrt(p))
    assert recipe(t) == close(wanted)


@given(peaks, steps, st.just(0) | steps, steps, counts)
def test_tri_stage(peak: float, up: int, stable: int, down: int, t: int) -> None:
    p = min(max(t - up - stable, 0) / down, 1)
    wanted = peak * (0.01 + 0.99 * t / up) if t < up else peak * math.exp(math.log(0.01) * p)
    assert lrsched.tri_stage(peak, up, stable, down)(t) == close(wanted)


@given(peaks, st.integers(1, 50), counts)
def test_slanted_triangular(peak: float, tenth: int, t: int) -> None:
    total = 10 * tenth  # where the paper's way down is the rest of the run
    t = min(t, total)
    p = t / tenth if t < tenth else 1 - (t - tenth) / (tenth * 9)
    wanted = peak * (1 + p * 31) / 32
    assert lrsched.slanted_triangular(peak, total)(t) == close(wanted)


@given(st.integers(1, 4096), steps, counts)
def test_noam(size: int, up: int, t: int) -> None:
    wanted = size**-0.5 * min((t + 1) ** -0.5, (t + 1) * up**-1.5)
    assert lrsched.noam(size, up)(t) == close(wanted)


@given(peaks, steps, steps, st.just(0) | steps, steps, counts)
def test_infinite(peak: float, up: int, cosine: int, held: int, down: int, t: int) -> None:
    level, end = peak / 10, peak / 1000
    recipe = lrsched.infinite(peak, up, cosine, level, held, down, end)
    if t < up:
        wanted = peak * t / up
    elif t < up + cosine:
        wanted = level + (peak - level) * (1 + math.cos(math.pi * (t - up) / cosine)) / 2
    else:
        wanted = level * (end / level) ** min(max(t - up - cosine - held, 0) / down, 1)
    assert recipe(t) == pytest.approx(wanted, rel=1e-10)


def test_batch_size_rules() -> None:
    base = lrsched.constant(0.1)
    assert lrsched.scale_for_batch_size(base, 1024, 256, "sqrt")(0) == 0.2
    assert lrsched.scale_for_batch_size(base, 64, 256)(0) == 0.025


recipes: Any = lrsched


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: recipes.warmup_stable_decay(1, 5, -1, 5), "cooldown: begin must be an integer"),
        (lambda: recipes.warmup_stable_decay(1, 5, 5, 5, shape="x"), "cooldown: shape must be"),
        (lambda: recipes.tri_stage(1, 5, 5, 5, end_scale=0), "tri_stage: end_scale must be a num"),
        (lambda: recipes.slanted_triangular(1, 5, 1.5), "slanted_triangular: cut_fraction must"),
        (lambda: recipes.noam(0, 5), r"noam: model_size must be an integer >= 1 \(units\), got 0"),
        (lambda: recipes.infinite(1, 5, 0, 0.1, 5, 5, 0.01), "infinite: cosine_steps must be an"),
        (
            lambda: recipes.scale_for_batch_size(lrsched.constant(1), 5, 5, "cubic"),
            "scale_for_batch_size: rule must be 'linear' or 'sqrt', got 'cubic'",
        ),
    ],
)
def test_bad_input_is_refused(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()
