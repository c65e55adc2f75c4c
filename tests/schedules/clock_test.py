"""Durations in examples or tokens where the batch size is a schedule of the step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

import lrsched
from lrsched import Schedule, examples, tokens
from tests import backends
from tests.oracles import exact
from tests.strategies import ascending

Curve = Callable[[Any], Schedule]  # from a function that makes a duration of a number of examples

CURVES: dict[str, Curve] = {
    "linear": lambda n: lrsched.linear(1.0, 0.1, n(40_000)),
    "warmup and cosine": lambda n: lrsched.warmup(lrsched.cosine_decay(1.0, n(30_001)), n(2_999)),
    "warmup in place": lambda n: lrsched.warmup(
        lrsched.inverse_sqrt(1.0, n(2_000)), n(5_000), mode="over", count_from=0
    ),
    "stairs": lambda n: lrsched.step_decay(1.0, 0.5, n(5_000)),
    "levels": lambda n: lrsched.piecewise_constant((3, 2, 1), (n(9_984), n(20_000))),
    "restarts": lambda n: lrsched.cosine_restarts(1.0, n(3_333), period_mult=1.5),
    "triangles": lambda n: lrsched.cyclic(0.1, 1.0, n(1_000), n(700)),
    "join": lambda n: lrsched.join(
        [lrsched.linear(0.0, 1.0, n(640)), lrsched.exponential_decay(1.0, 0.5, n(9_600))], [n(640)]
    ),
    "recipe": lambda n: lrsched.warmup_cosine(1.0, n(50_000), n(1_000)),
    "repeated": lambda n: lrsched.repeat(lrsched.linear(1.0, 0.5, n(2_048)), n(2_048)),
}


@st.composite
def batch_sizes(draw: Any) -> Schedule:
    boundaries = draw(
        ascending(1, st.integers(0, 5), whole=True).filter(lambda b: max(b, default=0) < 999)
    )
    sizes = st.sampled_from([32, 96, 64]) | st.integers(1, 300)
    count = len(boundaries) + 1
    return lrsched.piecewise_constant(
        draw(st.lists(sizes, min_size=count, max_size=count)), boundaries
    )


def seen(sizes: Schedule, last: int) -> list[int]:
    """The examples before each update, added up one by one."""
    found = [0]
    for count in range(last):
        found.append(found[-1] + int(sizes(count)))
    return found


@pytest.mark.parametrize("name", CURVES)
def test_the_value_is_that_at_the_examples_seen(name: str) -> None:
    curve = CURVES[name]
    by_example = curve(lambda n: n)

    @settings(max_examples=12)
    @given(batch_sizes())
    def check(sizes: Schedule) -> None:
        schedule = curve(examples).resolve(batch_size=sizes)
        counts = list(range(0, 1200, 7))
        passed = seen(sizes, counts[-1])
        wanted = [float(exact(by_example, passed[count])) for count in counts]
        close = pytest.approx(wanted, rel=1e-13, abs=1e-15)
        assert [schedule(count) for count in counts] == close
        assert schedule(np.asarray(counts)).tolist() == close

    check()


@pytest.mark.parametrize("backend", backends.params(("jax", "torch")))
@pytest.mark.parametrize("name", CURVES)
def test_float32(name: str, backend: str) -> None:
    """Steps come at their counts, and near 0 only what is left of the way has its digits."""
    sizes = lrsched.piecewise_constant((32, 96, 100, 37), (60, 200, 411))
    counts = list(range(0, 1200, 7))
    passed = seen(sizes, counts[-1])
    wanted = [float(exact(CURVES[name](lambda n: n), passed[count])) for count in counts]
    got = backends.BACKENDS[backend](CURVES[name](examples).resolve(batch_size=sizes), counts)
    np.testing.assert_allclose(got, wanted, rtol=8 * 2.0**-23, atol=1e-12)


def test_a_budget_of_many_tokens() -> None:
    """1e13 tokens are more than there are counts; every update has a million."""
    sizes = 4096 * lrsched.rampup_batch_size(256, 256, 3 * 10**8, 1024)
    recipe = lrsched.warmup_cosine(1.0, tokens(10**13), tokens(10**12))
    schedule = recipe.resolve(tokens_per_step=sizes)
    first = 10**8 // 256  # the updates of the first size, without a rest
    at = first * 256 * 4096 + 5 * 512 * 4096
    assert schedule(first + 5) == pytest.approx(at / 10**12, rel=1e-14)
    after = 3_000_000
    assert 0.0 <= schedule(after) < 1.0
    assert recipe.resolve(tokens_per_step=4 * 2**20)(1000) == pytest.approx(
        1000 * 4 * 2**20 / 10**12, rel=1e-15
    )


def test_a_change_of_the_batch_size_on_resume() -> None:
    """The schedule goes on by examples, and its values are continuous."""
    before = lrsched.cosine_decay(1.0, examples(256_000)).resolve(batch_size=256)
    sizes = lrsched.piecewise_constant((256, 384), (400,))
    after = lrsched.cosine_decay(1.0, examples(256_000)).resolve(batch_size=sizes)
    assert [after(n) for n in range(401)] == [before(n) for n in range(401)]
    assert after(800) == pytest.approx(before(1000), abs=1e-16)
    assert [lrsched.resume(before, 400, batch_size=(256, 384))(n) for n in range(900)] == [
        pytest.approx(after(n), rel=1e-13, abs=1e-16) for n in range(900)
    ]


def test_sizes_that_change_after_so_many_tokens() -> None:
    """Those of Llama 3, in sequences: 512, 1024 after 252M tokens, 2048 after 2.87T."""
    length = 8192
    begins = (tokens(252_000_000), tokens(2.87e12))
    sizes = lrsched.piecewise_constant([n * length for n in (512, 1024, 2048)], begins)
    recipe = lrsched.linear(0.0, 1.0, tokens(2**40))
    schedule = recipe.resolve(tokens_per_step=sizes)
    seen, wanted = 0, []
    for _ in range(200):
        wanted.append(seen / 2**40)
        seen += (512 if seen < 252_000_000 else 1024) * length
    assert [schedule(n) for n in range(200)] == wanted


@pytest.mark.parametrize(
    ("schedule", "sizes", "message"),
    [
        (
            lrsched.warmup(lrsched.linear(1, 0, examples(9)), 10),
            lrsched.constant(3),
            "warmup: warmup_steps must be in examples(...) and not rounded, as are all durations "
            "where batch_size is a schedule, got 10",
        ),
        (
            lrsched.linear(1, 0, lrsched.epochs(9)),
            lrsched.constant(3),
            "linear: steps must be in examples(...) and not rounded, as are all durations where "
            "batch_size is a schedule, got epochs(9)",
        ),
        (
            lrsched.linear(1, 0, examples(9, round="up")),
            lrsched.constant(3),
            "linear: steps must be in examples(...) and not rounded, as are all durations where "
            "batch_size is a schedule, got examples(9, round='up')",
        ),
        (
            lrsched.cyclic(0, 1, examples(9), mode="exp_range", decay_rate=0.9),
            lrsched.constant(3),
            "cyclic: decay_rate must be in examples(...) and not rounded, as are all durations "
            "where batch_size is a schedule, got 0.9",
        ),
        (
            lrsched.linear(1, 0, examples(9)),
            lrsched.cyclic(1, 2, 10),
            "resolve: batch_size must be a schedule that rests after its 10 steps, got "
            "cyclic(init_value=1.0, peak_value=2.0, up_steps=10)",
        ),
        (
            lrsched.linear(1, 0, examples(9)),
            lrsched.linear(5, 0, 10),
            "resolve: batch_size must be a schedule of numbers above 0, got "
            "linear(init_value=5.0, end_value=0.0, steps=10)",
        ),
        (
            lrsched.linear(1, 0, examples(9)),
            lrsched.linear(5, 1, 10**9),
            "resolve: batch_size must be a schedule that rests after 10000000 steps, got "
            "linear(init_value=5.0, end_value=1.0, steps=1000000000)",
        ),
        (
            lrsched.linear(1, 0, examples(9)),
            lrsched.linear(5, 1, lrsched.epochs(3)),
            "resolve: batch_size must be a schedule of plain numbers, in steps, or a "
            "piecewise_constant with all boundaries in examples(...), got "
            "linear(init_value=5.0, end_value=1.0, steps=epochs(3))",
        ),
    ],
)
def test_refusals(schedule: Schedule, sizes: Schedule, message: str) -> None:
    with pytest.raises(ValueError, match="must be") as refused:
        schedule.resolve(batch_size=sizes)
    assert str(refused.value) == message


def test_one_clock_at_a_time() -> None:
    schedule = lrsched.linear(1, 0, examples(9))
    with pytest.raises(ValueError, match="total_steps must be left out where batch_size is a sch"):
        schedule.resolve(total_steps=5, batch_size=lrsched.constant(3))
    with pytest.raises(ValueError, match="tokens_per_step must be left out where batch_size is"):
        schedule.resolve(batch_size=lrsched.constant(3), tokens_per_step=lrsched.constant(3))


@given(batch_sizes(), st.integers(0, 3000))
def test_a_warp_of_time_is_exact(sizes: Schedule, count: int) -> None:
    """Of the count itself, at every count: that is what `linear` shows with a large end."""
    values, boundaries = sizes.params["values"], sizes.params["boundaries"]
    warped = lrsched.time_warp(lrsched.linear(0.0, 2.0**30, 2**30), values, boundaries)
    assert warped(count) == seen(sizes, count)[count]
    halves = lrsched.time_warp(lrsched.linear(0.0, 2.0**30, 2**30), values, boundaries, unit=64)
    assert halves(count) == float(mpf(seen(sizes, count)[count]) / 64)
