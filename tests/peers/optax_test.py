"""Each schedule against the same one of optax, in float64. optax's clocks and endpoints are ours.

The tolerances are relative to the value where the peer's formula allows it, and else to the largest
rate involved: `1 + cos` and `(start - end) * left + end` cancel where the value is small.
"""

import itertools
import math
import operator
from typing import Literal

from tests.optional import needs

needs("jax")
needs("optax")

import optax
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from tests.peers.compare import (
    LAST,
    check,
    counts_around,
    decays,
    durations,
    floors,
    many,
    one_by_one,
    phases,
    rates,
    some,
)

pytestmark = pytest.mark.usefixtures("float64_in_jax")


@many
@given(value=floors, data=st.data())
def test_optax_constant_schedule(value: float, data: st.DataObject) -> None:
    counts = data.draw(counts_around(LAST))
    check(lrsched.constant(value), optax.constant_schedule(value), counts, rel=0.0)


@many
@given(init=floors, end=floors, steps=durations, data=st.data())
def test_optax_linear_schedule(init: float, end: float, steps: int, data: st.DataObject) -> None:
    check(
        lrsched.linear(init, end, steps),
        optax.linear_schedule(init, end, steps),
        data.draw(counts_around(steps)),
        of=(5e-16, max(init, end)),
    )


@many
@given(init=floors, end=floors, steps=phases, begin=phases, data=st.data())
def test_optax_linear_schedule_that_begins_later(
    init: float, end: float, steps: int, begin: int, data: st.DataObject
) -> None:
    """`transition_begin` is a constant joined before."""
    check(
        lrsched.join([lrsched.constant(init), lrsched.linear(init, end, steps)], [begin]),
        optax.linear_schedule(init, end, steps, transition_begin=begin),
        data.draw(counts_around(begin, begin + steps)),
        of=(5e-16, max(init, end)),
    )


@many
@given(
    init=floors,
    end=floors,
    power=st.floats(0.1, 10.0) | st.integers(1, 4),
    steps=durations,
    data=st.data(),
)
def test_optax_polynomial_schedule(
    init: float, end: float, power: float, steps: int, data: st.DataObject
) -> None:
    """`1 - t / T` is right to 1e-16 of 1, and its power is the less so the less is left."""
    counts = data.draw(counts_around(steps))
    left = min((steps - count) / steps for count in counts if count < steps)
    lost = 1e-15 if power >= 1 else 1e-15 * left ** (power - 1)
    check(
        lrsched.polynomial(init, end, steps, power),
        one_by_one(optax.polynomial_schedule(init, end, power, steps)),
        counts,
        of=(max(power, 1.0) * lost, max(init, end)),
    )


@many
@given(init=rates, rate=decays, steps=durations, staircase=st.booleans(), data=st.data())
def test_optax_exponential_decay(
    init: float, rate: float, steps: int, staircase: bool, data: st.DataObject
) -> None:
    check(
        lrsched.exponential_decay(init, rate, steps, staircase),
        one_by_one(optax.exponential_decay(init, steps, rate, staircase=staircase)),
        data.draw(counts_around(steps, 20 * min(steps, LAST // 40))),
        rel=1e-14,
    )


@many
@given(init=rates, rate=st.floats(1.0, 1.5), steps=phases, begin=phases, data=st.data())
def test_optax_exponential_growth_that_begins_later(
    init: float, rate: float, steps: int, begin: int, data: st.DataObject
) -> None:
    """Up to 1.5**50, far from the 2**64 where ours stops."""
    growth = lrsched.exponential_decay(init, rate, steps)
    check(
        lrsched.join([lrsched.constant(init), growth], [begin]),
        optax.exponential_decay(init, steps, rate, transition_begin=begin),
        data.draw(counts_around(begin)),
        rel=1e-14,
    )


@many
@given(init=rates, rate=decays, step_size=durations, data=st.data())
def test_optax_exponential_decay_in_stairs(
    init: float, rate: float, step_size: int, data: st.DataObject
) -> None:
    check(
        lrsched.step_decay(init, rate, step_size),
        one_by_one(optax.exponential_decay(init, step_size, rate, staircase=True)),
        data.draw(counts_around(step_size, 10 * min(step_size, LAST // 20))),
        rel=1e-14,
    )


@many
@given(init=rates, alpha=floors, steps=durations, data=st.data())
def test_optax_cosine_decay_schedule(
    init: float, alpha: float, steps: int, data: st.DataObject
) -> None:
    """`alpha` is a ratio, `end_value` a value."""
    check(
        lrsched.cosine_decay(init, steps, alpha * init),
        optax.cosine_decay_schedule(init, steps, alpha),
        data.draw(counts_around(steps)),
        of=(5e-16, init * max(1.0, alpha)),
    )


@many
@given(
    init=rates,
    alpha=st.floats(0.0, 2.0),
    exponent=st.floats(0.1, 10.0),
    steps=durations,
    data=st.data(),
)
def test_optax_cosine_decay_schedule_with_an_exponent(
    init: float, alpha: float, exponent: float, steps: int, data: st.DataObject
) -> None:
    """`1 + cos` is right to 1e-16 of 1, and its power is the less so the less is left."""
    counts = data.draw(counts_around(steps))
    left = min(math.sin(math.pi / 2 * (1 - n / steps)) ** 2 for n in counts if n < steps)
    lost = 1e-15 if exponent >= 1 else 1e-15 * left ** (exponent - 1)
    check(
        lrsched.k_decay(init, steps, power=exponent, end_value=alpha * init),
        optax.cosine_decay_schedule(init, steps, alpha, exponent),
        counts,
        of=(max(exponent, 1.0) * lost, init * max(1.0, alpha)),
    )


@many
@given(init=rates, rate=decays, end=st.floats(0.0, 1.0), steps=phases, data=st.data())
def test_optax_exponential_decay_to_an_end(
    init: float, rate: float, end: float, steps: int, data: st.DataObject
) -> None:
    """A decay cut off at its end, and a growth as well."""
    assume(rate < 1)  # from 1 on, optax takes the end for a ceiling
    decay, growth = (lrsched.exponential_decay(init, x, steps) for x in (rate, 1.0 + rate))
    counts = data.draw(counts_around(steps))
    for recipe, theirs in (
        (
            lrsched.maximum(decay, lrsched.constant(end * init)),
            optax.exponential_decay(init, steps, rate, end_value=end * init),
        ),
        (
            lrsched.minimum(growth, lrsched.constant((1.0 + end) * init)),
            optax.exponential_decay(init, steps, 1.0 + rate, end_value=(1.0 + end) * init),
        ),
    ):
        check(recipe, theirs, counts, rel=1e-14)


@some
@given(
    kind=st.sampled_from(["linear", "cosine"]),
    init=rates,
    pieces=st.lists(st.tuples(phases, st.floats(0.0, 4.0)), min_size=2, max_size=4),
    data=st.data(),
)
def test_optax_piecewise_interpolate_schedule(
    kind: Literal["linear", "cosine"],
    init: float,
    pieces: list[tuple[int, float]],
    data: st.DataObject,
) -> None:
    """Factors there, values here; one step at a time, since over arrays it returns garbage."""
    lengths, scales = zip(*pieces, strict=True)
    boundaries = list(itertools.accumulate(lengths))
    values = [*itertools.accumulate(scales, operator.mul, initial=init)]
    theirs = optax.piecewise_interpolate_schedule(
        kind, init, dict(zip(boundaries, scales, strict=True))
    )
    ours = [
        lrsched.anneal(start, end, length, shape=kind)
        for start, end, length in zip(values, values[1:], lengths, strict=False)
    ]
    check(
        lrsched.join(ours, boundaries[:-1]),
        one_by_one(theirs),
        data.draw(counts_around(*boundaries)),
        of=(1e-15, max(values)),
    )


@many
@given(
    init=rates,
    scales=st.lists(st.floats(0.0, 4.0), max_size=4),
    data=st.data(),
)
def test_optax_piecewise_constant_schedule(
    init: float, scales: list[float], data: st.DataObject
) -> None:
    """Factors there, values here."""
    number = len(scales)
    drawn = data.draw(st.sets(durations, min_size=number, max_size=number))
    boundaries = sorted(drawn)
    values = [*itertools.accumulate(scales, operator.mul, initial=init)]
    check(
        lrsched.piecewise_constant(values, boundaries),
        optax.piecewise_constant_schedule(init, dict(zip(boundaries, scales, strict=True))),
        data.draw(counts_around(1, *boundaries)),
        rel=0.0,
    )


@many
@given(init=rates, rate=st.floats(0.0, 4.0), drawn=st.sets(durations, max_size=4), data=st.data())
def test_optax_piecewise_constant_schedule_of_one_rate(
    init: float, rate: float, drawn: set[int], data: st.DataObject
) -> None:
    check(
        lrsched.multi_step_decay(init, rate, sorted(drawn)),
        optax.piecewise_constant_schedule(init, dict.fromkeys(drawn, rate)),
        data.draw(counts_around(1, *drawn)),
        rel=1e-15,
    )


@st.composite
def pieces(draw: st.DrawFn) -> tuple[Schedule, optax.Schedule, float]:
    """A schedule, its counterpart in optax, and their largest value."""
    init, end, steps, rate = draw(rates), draw(rates), draw(durations), draw(decays)
    top = max(init, end)
    known: list[tuple[Schedule, optax.Schedule, float]] = [
        (lrsched.constant(init), optax.constant_schedule(init), init),
        (lrsched.linear(init, end, steps), optax.linear_schedule(init, end, steps), top),
        (
            lrsched.cosine_decay(init, steps, end),
            optax.cosine_decay_schedule(init, steps, end / init),
            top,
        ),
        (
            lrsched.exponential_decay(init, rate, steps),
            optax.exponential_decay(init, steps, rate),
            init,
        ),
    ]
    return known[draw(st.integers(0, len(known) - 1))]
