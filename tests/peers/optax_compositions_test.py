"""Joins, warmups and cycles against the same ones of optax, in float64."""

import itertools

from tests.optional import needs

needs("jax")
needs("optax")

import jax
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


@many
@given(drawn=st.lists(pieces(), min_size=1, max_size=4), data=st.data())
def test_optax_join_schedules(
    drawn: list[tuple[Schedule, optax.Schedule, float]], data: st.DataObject
) -> None:
    schedules, theirs, tops = zip(*drawn, strict=True)
    number = len(drawn) - 1
    boundaries = sorted(data.draw(st.sets(durations, min_size=number, max_size=number)))
    check(
        lrsched.join(schedules, boundaries),
        optax.join_schedules(theirs, boundaries),
        data.draw(counts_around(1, *boundaries)),
        of=(2e-15, max(tops)),
    )


@many
@given(init=floors, peak=rates, warmup=phases, data=st.data())
def test_optax_warmup_constant_schedule(
    init: float, peak: float, warmup: int, data: st.DataObject
) -> None:
    check(
        lrsched.warmup(lrsched.constant(peak), warmup, init),
        optax.warmup_constant_schedule(init, peak, warmup),
        data.draw(counts_around(warmup)),
        of=(5e-16, max(init, peak)),
    )


@many
@given(
    init=floors,
    peak=rates,
    end=floors,
    warmup=st.just(0) | durations,
    decay=durations,
    data=st.data(),
)
def test_optax_warmup_cosine_decay_schedule(
    init: float, peak: float, end: float, warmup: int, decay: int, data: st.DataObject
) -> None:
    """Its `decay_steps` count the warmup too."""
    assume(warmup + decay <= LAST)
    check(
        lrsched.warmup(lrsched.cosine_decay(peak, decay, end), warmup, init),
        optax.warmup_cosine_decay_schedule(init, peak, warmup, warmup + decay, end),
        data.draw(counts_around(warmup, warmup + decay)),
        of=(5e-16, max(init, peak, end)),
    )


@many
@given(
    init=floors,
    peak=rates,
    warmup=st.just(0) | phases,
    steps=phases,
    rate=decays,
    staircase=st.booleans(),
    data=st.data(),
)
def test_optax_warmup_exponential_decay_schedule(
    init: float,
    peak: float,
    warmup: int,
    steps: int,
    rate: float,
    staircase: bool,
    data: st.DataObject,
) -> None:
    """Its `transition_steps` do not count the warmup."""
    decay = lrsched.exponential_decay(peak, rate, steps, staircase)
    theirs = one_by_one(
        optax.warmup_exponential_decay_schedule(
            init, peak, warmup, steps, rate, staircase=staircase
        )
    )
    counts = data.draw(counts_around(warmup, warmup + steps))
    check(lrsched.warmup(decay, warmup, init), theirs, counts, of=(5e-15, max(init, peak)))
    late = [max(count, warmup) for count in counts]
    check(lrsched.warmup(decay, warmup, init), theirs, late, rel=1e-14)


@some
@given(
    peak=rates,
    end=floors,
    first=st.integers(1, 30),
    mult=st.integers(1, 4),
    shrink=st.floats(0.1, 1.5),
    number=st.integers(1, 5),
    data=st.data(),
)
def test_optax_sgdr_schedule(
    peak: float,
    end: float,
    first: int,
    mult: int,
    shrink: float,
    number: int,
    data: st.DataObject,
) -> None:
    """A list of cycles there, which ends with the last; ours goes on for ever."""
    lengths = [first * mult**cycle for cycle in range(number)]
    cycles = [
        {
            "init_value": 0.0,
            "peak_value": peak * shrink**cycle,
            "warmup_steps": 0,
            "decay_steps": length,
            "end_value": end,
        }
        for cycle, length in enumerate(lengths)
    ]
    starts = list(itertools.accumulate(lengths))
    counts = data.draw(counts_around(*starts))
    check(
        lrsched.cosine_restarts(peak, first, mult, end, shrink),
        optax.sgdr_schedule(cycles),
        [min(count, sum(lengths) - 1) for count in counts],
        of=(2e-15, max(peak, peak * shrink**number, end)),
    )


@some
@given(
    cycles=st.lists(
        st.tuples(floors, rates, floors, st.integers(0, 20), phases), min_size=1, max_size=4
    ),
    data=st.data(),
)
def test_optax_sgdr_schedule_with_warmups(
    cycles: list[tuple[float, float, float, int, int]], data: st.DataObject
) -> None:
    """Each cycle's `decay_steps` count its warmup too."""
    ours = [
        lrsched.warmup(lrsched.cosine_decay(peak, decay, end), warmup, init)
        for init, peak, end, warmup, decay in cycles
    ]
    theirs = [
        {
            "init_value": init,
            "peak_value": peak,
            "warmup_steps": warmup,
            "decay_steps": warmup + decay,
            "end_value": end,
        }
        for init, peak, end, warmup, decay in cycles
    ]
    *boundaries, last = itertools.accumulate(warmup + decay for *_, warmup, decay in cycles)
    check(
        lrsched.join(ours, boundaries),
        optax.sgdr_schedule(theirs),
        data.draw(counts_around(*boundaries, last)),
        of=(5e-16, max(max(values[:3]) for values in cycles)),
    )


one_cycles = st.tuples(rates, st.floats(0.5, 1e3), st.floats(0.5, 1e5))


@some
@given(shape=one_cycles, up=st.integers(1, 500), down=st.integers(1, 500), data=st.data())
def test_optax_cosine_onecycle_schedule(
    shape: tuple[float, float, float], up: int, down: int, data: st.DataObject
) -> None:
    """optax's phases end at floor(f N) and N; ours, like torch's, at f N - 1 and N - 1."""
    peak, div, final_div = shape
    steps = up + down
    check(
        lrsched.one_cycle(peak, steps + 1, (up + 1) / (steps + 1), div, final_div),
        jax.vmap(optax.cosine_onecycle_schedule(steps, peak, (up + 0.5) / steps, div, final_div)),
        data.draw(counts_around(up, steps)),
        # The peak of ours is a real moment, right to 1e-16 of the whole.
        of=(steps * 1e-15, peak * max(1.0, 1 / div, 1 / div / final_div)),
    )


@some
@given(shape=one_cycles, up=st.integers(1, 500), down=st.integers(1, 500), data=st.data())
def test_optax_linear_onecycle_schedule(
    shape: tuple[float, float, float], up: int, down: int, data: st.DataObject
) -> None:
    """Three phases, of which the second ends where optax is told to, and ours at twice the peak."""
    peak, div, final_div = shape
    steps = 2 * up + down
    theirs = optax.linear_onecycle_schedule(
        steps, peak, (up + 0.5) / steps, (2 * up + 0.5) / steps, div, final_div
    )
    check(
        lrsched.one_cycle(
            peak,
            steps + 1,
            (up + 1) / (steps + 1),
            div,
            final_div,
            anneal="linear",
            three_phase=True,
        ),
        jax.vmap(theirs),
        data.draw(counts_around(up, 2 * up, steps)),
        of=(steps * 1e-15, peak * max(1.0, 1 / div, 1 / div / final_div)),
    )
