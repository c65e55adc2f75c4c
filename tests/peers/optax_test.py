"""Each schedule against the same one of optax, transformers and Keras, their conventions mapped.

The tolerances are relative to the value where the peer's formula allows it, and else to the largest
rate involved: `1 + cos` and `(start - end) * left + end` cancel where the value is small.
"""

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import torch
import transformers.optimization as hf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import lrsched
from lrsched import Schedule

LAST = 2**31 - 1
NUMBER = 12  # of counts at a time, the same for all so that JAX compiles once

many = settings(max_examples=150)
some = settings(max_examples=50)

rates = st.floats(-8.0, 2.0).map(lambda exponent: 10.0**exponent)
floors = st.just(0.0) | rates
decays = st.floats(0.01, 1.0) | st.floats(1e-9, 1e-3).map(lambda x: 1.0 - x)
durations = st.integers(1, 60) | st.integers(1, 10**5) | st.integers(1, LAST)
phases = st.integers(1, 50)
keras_schedules = keras.optimizers.schedules


@pytest.fixture(autouse=True)
def _x64() -> Iterator[None]:
    """JAX computes in float64."""
    with jax.enable_x64(True):
        yield


def counts_around(*marks: int) -> st.SearchStrategy[list[int]]:
    """Counts from 0 to twice the largest mark, those at the marks among them."""
    limit = min(2 * max(marks), LAST)
    near = [n for mark in marks for n in (mark - 1, mark, mark + 1) if 0 <= n <= LAST]
    drawn = st.lists(st.integers(0, limit), min_size=NUMBER, max_size=NUMBER)
    return drawn.map(lambda found: [0, *near, *found][:NUMBER])


def check(
    schedule: Schedule,
    theirs: Callable[[Any], Any],
    counts: Sequence[int],
    rel: float = 0.0,
    of: tuple[float, float] | None = None,
) -> None:
    """The peer's values equal ours to `rel`, or to a part `of[0]` of the rate `of[1]`."""
    ours = [schedule(count) for count in counts]
    peers = np.broadcast_to(np.asarray(theirs(jnp.asarray(counts)), np.float64), (len(counts),))
    absolute = of[0] * of[1] if of else 1e-290  # below it XLA flushes to zero
    np.testing.assert_allclose(peers, ours, rtol=rel, atol=absolute)


def one_by_one(theirs: Callable[[int], Any]) -> Callable[[Any], Any]:
    """A peer at each count alone, where count / S is a division.

    Over arrays and under jit XLA multiplies by 1 / S: stairs come late and ends are missed, as
    known_issues_test.py shows.
    """
    return lambda counts: [float(theirs(int(count))) for count in counts]


# optax, in float64. Its clocks and endpoints are ours.


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


# transformers: factors of a torch LambdaLR, whose warmup starts at 0 and whose
# `num_training_steps` count the warmup.


def check_stepped(
    schedule: Schedule,
    make: Callable[[Optimizer], LRScheduler],
    lr: float,
    steps: int,
    part: float = 5e-16,
) -> None:
    """The lr of each update equals ours to a part of the optimizer's."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    theirs = []
    for _ in range(steps):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    ours = [schedule(count) for count in range(steps)]
    np.testing.assert_allclose(theirs, ours, rtol=0.0, atol=part * lr)


warmups = st.integers(0, 30)


@some
@given(lr=rates, warmup=warmups)
def test_transformers_constant_with_warmup(lr: float, warmup: int) -> None:
    check_stepped(
        lrsched.warmup(lrsched.constant(lr), warmup),
        lambda o: hf.get_constant_schedule_with_warmup(o, warmup),
        lr,
        steps=warmup + 3,
    )


@some
@given(lr=rates, warmup=warmups, decay=phases)
def test_transformers_linear_with_warmup(lr: float, warmup: int, decay: int) -> None:
    check_stepped(
        lrsched.warmup(lrsched.linear(lr, 0.0, decay), warmup),
        lambda o: hf.get_linear_schedule_with_warmup(  # type: ignore[no-untyped-call]
            o, warmup, warmup + decay
        ),
        lr,
        steps=warmup + decay + 3,
    )


@some
@given(lr=rates, warmup=warmups, decay=phases)
def test_transformers_cosine_with_warmup(lr: float, warmup: int, decay: int) -> None:
    """Up to its end, after which it climbs back."""
    check_stepped(
        lrsched.warmup(lrsched.cosine_decay(lr, decay), warmup),
        lambda o: hf.get_cosine_schedule_with_warmup(o, warmup, warmup + decay),
        lr,
        steps=warmup + decay + 1,
    )


@some
@given(lr=rates, warmup=warmups, half=st.integers(1, 20), halves=st.integers(1, 5))
def test_transformers_cosine_with_warmup_in_waves(
    lr: float, warmup: int, half: int, halves: int
) -> None:
    """`num_cycles` are whole waves, the default a half; at every count it is a cosine cycle."""
    total = warmup + half * halves
    check_stepped(
        lrsched.warmup(lrsched.cyclic(lr, 0.0, half, shape="cosine"), warmup),
        lambda o: hf.get_cosine_schedule_with_warmup(o, warmup, total, num_cycles=halves / 2),
        lr,
        steps=total + 2 * half + 2,
        part=1e-15 * (halves + 2),  # the angle grows with the count
    )


@some
@given(lr=rates, warmup=warmups, length=st.integers(1, 20), cycles=st.integers(1, 6))
def test_transformers_cosine_with_hard_restarts(
    lr: float, warmup: int, length: int, cycles: int
) -> None:
    """Equal cycles, then zero."""
    decay = length * cycles
    restarts = lrsched.cosine_restarts(lr, length)
    check_stepped(
        lrsched.warmup(lrsched.join([restarts, lrsched.constant(0.0)], [decay]), warmup),
        lambda o: hf.get_cosine_with_hard_restarts_schedule_with_warmup(
            o, warmup, warmup + decay, cycles
        ),
        lr,
        steps=warmup + decay + 3,
        part=1e-15 * (cycles + 1),
    )


@some
@given(
    lr=rates,
    ratio=st.floats(0.0, 0.99),
    warmup=warmups,
    decay=phases,
    power=st.floats(1.0, 10.0),
)
def test_transformers_polynomial_with_warmup(
    lr: float, ratio: float, warmup: int, decay: int, power: float
) -> None:
    def make(optimizer: Optimizer) -> LRScheduler:
        scheduler: LRScheduler = hf.get_polynomial_decay_schedule_with_warmup(  # type: ignore[no-untyped-call]
            optimizer, warmup, warmup + decay, lr_end=ratio * lr, power=power
        )
        return scheduler

    recipe = lrsched.warmup(lrsched.polynomial(lr, ratio * lr, decay, power), warmup)
    check_stepped(recipe, make, lr, steps=warmup + decay + 3, part=power * 5e-16)


# Keras on JAX. Its cosine and floor are float32 even under x64.


@some
@given(init=rates, rate=decays, steps=phases, staircase=st.booleans(), data=st.data())
def test_keras_exponential_decay(
    init: float, rate: float, steps: int, staircase: bool, data: st.DataObject
) -> None:
    check(
        lrsched.exponential_decay(init, rate, steps, staircase),
        one_by_one(keras_schedules.ExponentialDecay(np.float64(init), steps, rate, staircase)),
        data.draw(counts_around(steps, 9 * steps)),
        rel=1e-14,
    )


@some
@given(
    init=rates,
    rate=st.just(0.0) | st.floats(1e-6, 10.0),
    steps=phases,
    staircase=st.booleans(),
    data=st.data(),
)
def test_keras_inverse_time_decay(
    init: float, rate: float, steps: int, staircase: bool, data: st.DataObject
) -> None:
    theirs = keras_schedules.InverseTimeDecay(np.float64(init), steps, np.float64(rate), staircase)
    check(
        lrsched.inverse_time(init, rate, steps, staircase),
        one_by_one(theirs),
        data.draw(counts_around(steps, 9 * steps)),
        rel=1e-15,
    )


@some
@given(drawn=st.sets(st.integers(0, LAST - 1), min_size=1, max_size=4), data=st.data())
def test_keras_piecewise_constant_decay(drawn: set[int], data: st.DataObject) -> None:
    """It begins the next value one step after the boundary."""
    boundaries = sorted(drawn)
    number = len(boundaries) + 1
    values = data.draw(st.lists(floors, min_size=number, max_size=number))
    check(
        lrsched.piecewise_constant(values, [boundary + 1 for boundary in boundaries]),
        keras_schedules.PiecewiseConstantDecay(boundaries, [np.float64(x) for x in values]),
        data.draw(counts_around(1, *boundaries)),
        rel=0.0,
    )


@some
@given(init=floors, end=floors, steps=durations, power=st.floats(1.0, 10.0), data=st.data())
def test_keras_polynomial_decay(
    init: float, end: float, steps: int, power: float, data: st.DataObject
) -> None:
    check(
        lrsched.polynomial(init, end, steps, power),
        keras_schedules.PolynomialDecay(np.float64(init), steps, end, power),
        data.draw(counts_around(steps)),
        of=(power * 1e-15, max(init, end)),
    )


@some
@given(init=floors, end=floors, steps=phases, power=st.floats(1.0, 10.0), data=st.data())
def test_keras_polynomial_decay_in_cycles(
    init: float, end: float, steps: int, power: float, data: st.DataObject
) -> None:
    """The end moves on by whole multiples of its distance, each time that it is passed."""
    theirs = keras_schedules.PolynomialDecay(np.float64(init), steps, end, power, cycle=True)
    check(
        lrsched.polynomial(init, end, steps, power, cycle=True),
        one_by_one(theirs),
        data.draw(counts_around(steps, 2 * steps, 5 * steps)),
        of=(power * 1e-15, max(init, end)),
    )


@some
@given(init=rates, alpha=st.floats(0.0, 2.0), steps=durations, data=st.data())
def test_keras_cosine_decay(init: float, alpha: float, steps: int, data: st.DataObject) -> None:
    """`alpha` is a ratio, `end_value` a value."""
    check(
        lrsched.cosine_decay(init, steps, alpha * init),
        keras_schedules.CosineDecay(np.float64(init), steps, alpha),
        data.draw(counts_around(steps)),
        of=(3e-7, init * max(1.0, alpha)),
    )


@settings(max_examples=25)
@given(
    init=floors,
    peak=rates,
    alpha=st.floats(0.0, 2.0),
    warmup=phases,
    steps=phases,
    data=st.data(),
)
def test_keras_cosine_decay_with_warmup(
    init: float, peak: float, alpha: float, warmup: int, steps: int, data: st.DataObject
) -> None:
    """`decay_steps` do not count the warmup, and `alpha` is a ratio to its target."""
    theirs = keras_schedules.CosineDecay(
        np.float64(init), steps, alpha, warmup_target=peak, warmup_steps=warmup
    )
    check(
        lrsched.warmup(lrsched.cosine_decay(peak, steps, alpha * peak), warmup, init),
        jax.vmap(theirs),
        data.draw(counts_around(warmup, warmup + steps)),
        of=(3e-7, max(init, peak * max(1.0, alpha))),
    )


@settings(max_examples=25)
@given(
    init=rates,
    alpha=st.floats(0.0, 2.0),
    first=st.integers(1, 100),
    mult=st.integers(1, 4),
    data=st.data(),
)
def test_keras_cosine_decay_restarts(
    init: float, alpha: float, first: int, mult: int, data: st.DataObject
) -> None:
    """`alpha` is a ratio. At the restarts themselves its logarithm may fall short."""
    starts = list(itertools.accumulate([first * mult**cycle for cycle in range(6)]))
    counts = [n for n in data.draw(counts_around(*starts)) if n not in starts]
    check(
        lrsched.cosine_restarts(init, first, mult, alpha * init),
        jax.vmap(keras_schedules.CosineDecayRestarts(np.float64(init), first, mult, alpha=alpha)),
        counts,
        of=(3e-7, init * max(1.0, alpha)),
    )


@settings(max_examples=25)
@given(
    init=rates,
    shrink=st.floats(0.1, 1.5),
    first=st.integers(1, 100),
    mult=st.integers(1, 4),
    data=st.data(),
)
def test_keras_cosine_decay_restarts_with_other_peaks(
    init: float, shrink: float, first: int, mult: int, data: st.DataObject
) -> None:
    """To zero, where `m_mul` is `peak_mult`; Keras would add a floor to each cosine."""
    starts = list(itertools.accumulate([first * mult**cycle for cycle in range(6)]))
    counts = [n for n in data.draw(counts_around(*starts)) if n not in starts]
    check(
        lrsched.cosine_restarts(init, first, mult, peak_mult=shrink),
        jax.vmap(keras_schedules.CosineDecayRestarts(np.float64(init), first, mult, shrink)),
        counts,
        of=(3e-7, init * max(1.0, shrink) ** 13),
    )
