"""The named recipes against their published formulas."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from tests.backends import jax_x64
from tests.optional import needs

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
        (
            lambda: recipes.warmup_stable_decay(1, 5, -1, 5),
            "decay: stable_steps must",
        ),
        (
            lambda: recipes.warmup_stable_decay(1, 5, 5, 5, shape="x"),
            "stable_decay: shape must",
        ),
        (lambda: recipes.tri_stage(1, 5, 5, 5, end_scale=0), "tri_stage: end_scale must be a num"),
        (lambda: recipes.slanted_triangular(1, 5, 1.5), "slanted_triangular: cut_fraction must"),
        (lambda: recipes.noam(0, 5), r"noam: model_size must be an integer >= 1 \(units\), got 0"),
        (
            lambda: recipes.infinite(1, 5, 0, 0.1, 5, 5, 0.01),
            "infinite: cosine_steps must be a number",
        ),
        (
            lambda: recipes.scale_for_batch_size(lrsched.constant(1), 5, 5, "cubic"),
            "scale_for_batch_size: rule must be 'linear' or 'sqrt', got 'cubic'",
        ),
    ],
)
def test_bad_input_is_refused(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


@given(peaks, st.integers(2, 500), st.floats(0, 0.99), counts)
def test_warmup_cosine_is_optax_s(peak: float, total: int, share: float, t: int) -> None:
    optax = needs("optax")
    up = int(total * share)
    with jax_x64():
        theirs = optax.warmup_cosine_decay_schedule(0.0, peak, up, total, peak / 10)(t)
    recipe = lrsched.warmup_cosine(peak, total, up, peak / 10)
    assert recipe(t) == pytest.approx(float(theirs), rel=1e-10)


@given(peaks, st.integers(10, 10**5).map(lambda tenth: 10 * tenth), st.floats(0, 0.7))
def test_deepseek(peak: float, total: int, share: float) -> None:
    up = int(total * share)
    recipe = lrsched.deepseek(peak, total, up)
    for t, factor in ((0.8, 0.316), (0.9, 0.1)):
        first = round(t * total)
        assert recipe(first) == close(peak * factor)
        assert recipe(first - 1) == close(peak * (1.0 if t == 0.8 else 0.316))
    assert recipe(up // 2) == close(peak * (up // 2) / up if up else peak)


@given(peaks, st.integers(1, 50), st.integers(1, 6), st.floats(0.3, 3.0), st.floats(0.0, 1.5))
def test_with_restarts(peak: float, first: int, cycles: int, growth: float, shrink: float) -> None:
    lengths = [first * growth**i for i in range(cycles)]
    floor = peak / 100
    cycle = lrsched.cosine_decay(peak, first, floor)
    if min(lengths) < 1:
        with pytest.raises(ValueError, match="period_mult must be large enough to leave a step"):
            lrsched.with_restarts(cycle, first, cycles, growth, shrink)
        return
    recipe = lrsched.with_restarts(cycle, first, cycles, growth, shrink, 3, floor)
    begin = 0.0
    for i, length in enumerate(lengths):
        top = peak * shrink**i
        for t in range(math.ceil(begin - 1e-9), math.ceil(begin + 3 + length - 1e-9)):
            n = t - begin
            if n < 3:
                wanted = floor + (top - floor) * n / 3
            else:
                wanted = floor + (top - floor) * (1 + math.cos(math.pi * (n - 3) / length)) / 2
            assert recipe(t) == pytest.approx(wanted, rel=1e-8, abs=1e-8 * peak)
        begin += 3 + length
    assert recipe(math.ceil(begin)) == recipe(math.ceil(begin) + 1000) == close(floor)


def test_with_restarts_is_optax_s_sgdr() -> None:
    optax = needs("optax")
    lengths, tops = [8, 12, 18, 27], [1.0, 0.5, 0.25, 0.125]
    cycles = [
        {
            "init_value": 0.0,
            "peak_value": top,
            "warmup_steps": 4,
            "decay_steps": 4 + length,
            "end_value": 0.0,
        }
        for length, top in zip(lengths, tops, strict=True)
    ]
    with jax_x64():
        theirs = optax.sgdr_schedule(cycles)
        recipe = lrsched.with_restarts(lrsched.cosine_decay(1.0, 8), 8, 4, 1.5, 0.5, 4)
        for count in range(sum(lengths) + 4 * 4 + 5):
            assert recipe(count) == pytest.approx(float(theirs(count)), abs=1e-9)


def test_endless_restarts_begin_the_same_way() -> None:
    limited = lrsched.with_restarts(lrsched.cosine_decay(1.0, 7), 7, 4, 3, 0.5)
    endless = lrsched.cosine_restarts(1.0, 7, period_mult=3, peak_mult=0.5)
    for count in range(7 * (1 + 3 + 9 + 27)):
        assert limited(count) == pytest.approx(endless(count), rel=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: lrsched.deepseek(0.1, 1000),
            "deepseek: warmup_steps must be below 80 % of total_steps, got 2000",
        ),
        (
            lambda: lrsched.deepseek(0.1, 1000, 800),
            "deepseek: warmup_steps must be below 80 % of total_steps, got 800",
        ),
        (
            lambda: lrsched.untuned_linear_warmup(1.0),
            "untuned_linear_warmup: beta2 must be a number >= 0 and < 1, got 1.0",
        ),
        (
            lambda: lrsched.with_restarts(lrsched.constant(0.1), 10, 2, peak_mult=0.5),
            "with_restarts: schedule must be a schedule with an init_value (for peak_mult), "
            "got constant(value=0.1)",
        ),
        (
            lambda: lrsched.with_restarts(lrsched.cosine_decay(0.1, 10), 10, 0),
            "with_restarts: cycles must be an integer >= 1 (cycles), got 0",
        ),
        (
            lambda: lrsched.with_restarts(0.1, 10, 2),  # type: ignore[arg-type]
            "with_restarts: schedule must be a schedule, got 0.1",
        ),
        (
            lambda: lrsched.fractal_chebyshev(1.0, 0.1, 12),
            "fractal_chebyshev: steps must be a power of 2 from 1 to 536870912 (steps), got 12",
        ),
        (
            lambda: lrsched.fractal_chebyshev(0.1, 1.0, 8),
            "fractal_chebyshev: lowest_value must be <= peak_value (0.1), got 1.0",
        ),
        (
            lambda: lrsched.deepseek("0.1", 10_000),  # type: ignore[arg-type]
            "deepseek: peak_value must be a finite number, got '0.1'",
        ),
        (
            lambda: lrsched.tri_stage("0.1", 1, 2, 3),  # type: ignore[arg-type]
            "tri_stage: peak_value must be a number >= 1e-18, got '0.1'",
        ),
        (
            lambda: lrsched.slanted_triangular("0.1", 100),  # type: ignore[arg-type]
            "slanted_triangular: peak_value must be a finite number, got '0.1'",
        ),
    ],
)
def test_refusals(make: Callable[[], Schedule], message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        make()
    assert str(refused.value) == message


@given(peaks, steps, st.integers(0, 50), st.integers(1, 50), st.integers(1, 20))
def test_lengths_may_be_in_other_units(
    peak: float, up: int, cosine: int, down: int, per_epoch: int
) -> None:
    recipes: tuple[tuple[Callable[..., Schedule], tuple[int, ...]], ...] = (
        (lambda a, b: lrsched.warmup_cosine(peak, a + b, a), (up, cosine + 1)),
        (lambda *n: lrsched.warmup_stable_decay(peak, *n), (up, cosine, down)),
        (lambda *n: lrsched.tri_stage(peak, *n), (up, cosine + 1, down)),
        (lambda a, b, c, d: lrsched.infinite(peak, a, b, 1.0, c, d, 0.1), (up, 5, cosine, 3)),
    )
    for make, lengths in recipes:
        written = make(*map(lrsched.epochs, lengths)).resolve(steps_per_epoch=per_epoch)
        assert written == make(*(n * per_epoch for n in lengths))


def test_a_recipe_keeps_its_name() -> None:
    recipe = lrsched.warmup_cosine(0.1, 1000, 100)
    text = "warmup_cosine(peak_value=0.1, total_steps=1000, warmup_steps=100)"
    assert repr(recipe) == text
    assert recipe.name == "warmup_cosine"
    assert recipe.replace(peak_value=0.2) == lrsched.warmup_cosine(0.2, 1000, 100)
    assert lrsched.from_repr(text) == lrsched.from_json(recipe.to_json()) == recipe
    assert recipe.to_dict()["schedule"] == "warmup_cosine"


def test_its_durations_are_resolved_by_name() -> None:
    begin = lrsched.run_fraction(0.1, round="up")
    recipe = lrsched.warmup_cosine(0.1, lrsched.run_fraction(1.0), begin)
    assert recipe.resolve(total_steps=1234) == lrsched.warmup_cosine(0.1, 1234, 124)
    with pytest.raises(ValueError, match=r"^warmup_cosine: total_steps is run_fraction\(1.0\); r"):
        recipe(5)
    with pytest.raises(ValueError, match="warmup_cosine: total_steps is"):
        recipe.expand()
    eden = lrsched.eden(0.045, 7500, 3.5)
    assert eden.resolve(steps_per_epoch=1000) == eden.replace(epoch_steps=1000)


def test_expand_shows_the_parts_at_every_depth() -> None:
    inner = lrsched.warmup_cosine(0.1, 1000, 100)
    schedule = lrsched.scale_for_batch_size(lrsched.delay(inner, 5), 512, 256) + inner
    parts = lrsched.warmup(lrsched.cosine_decay(0.1, 900), 100)
    assert schedule.expand() == lrsched.delay(parts, 5) * 2.0 + parts
    assert parts.expand() is parts


def test_a_refusal_of_resolve_names_recipe_and_duration() -> None:
    recipe = lrsched.deepseek(0.1, lrsched.tokens(9e6), warmup_steps=8000)
    assert recipe.resolve(tokens_per_step=100).is_resolved
    with pytest.raises(ValueError, match=r"^deepseek: .*resolved from total_steps=tokens"):
        recipe.resolve(tokens_per_step=1000)
