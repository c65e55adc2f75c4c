"""Each schedule against the same one of ignite, whose handlers set the rate before each update.

Tolerances are parts of the largest rate: ignite's values are differences times a part of a cycle.
"""

import itertools
from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, StepLR

import lrsched
from lrsched import Schedule
from tests.quiet_ignite import param_scheduler as ignite

many = settings(max_examples=100)

rates = st.floats(-6.0, 1.0).map(lambda exponent: 10.0**exponent)
mults = st.floats(0.1, 1.5)
cycles = st.integers(2, 40)
STEPS = 150


def simulated(kind: Any, *values: float, steps: int = STEPS, **options: Any) -> list[float]:
    """The rates of so many updates, of a cyclical scheduler from one value to another."""
    start, end, size = values
    found = kind.simulate_values(
        steps, param_name="lr", start_value=start, end_value=end, cycle_size=size, **options
    )
    return [rate for _, rate in found]


def driven(scheduler: Any, optimizer: Optimizer, steps: int = STEPS) -> list[float]:
    """The rates of so many updates, of a scheduler that was made for an optimizer."""
    found = []
    for _ in range(steps):
        scheduler(None)
        found.append(float(optimizer.param_groups[0]["lr"]))
    return found


def sgd(lr: float) -> Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def check(schedule: Schedule, theirs: list[float], part: float = 1e-14) -> None:
    ours = [schedule(count) for count in range(len(theirs))]
    np.testing.assert_allclose(theirs, ours, rtol=0.0, atol=part * max(map(abs, ours)))


@many
@given(start=rates, end=rates, half=st.integers(1, 30))
def test_linear_cyclical(start: float, end: float, half: int) -> None:
    """Its `cycle_size` is the way there and back; ours is given by its halves."""
    theirs = simulated(ignite.LinearCyclicalScheduler, start, end, 2 * half)
    check(lrsched.cyclic(start, end, half), theirs)


@many
@given(start=rates, end=rates, half=st.integers(1, 30), mult=mults)
def test_linear_cyclical_with_both_values_shrinking(
    start: float, end: float, half: int, mult: float
) -> None:
    both: dict[str, Any] = {"start_value_mult": mult, "end_value_mult": mult}
    theirs = simulated(ignite.LinearCyclicalScheduler, start, end, 2 * half, **both)
    shrinking = lrsched.cyclic(start, end, half) * lrsched.step_decay(1.0, mult, 2 * half)
    check(shrinking, theirs, part=1e-12)


@many
@given(start=rates, end=rates, size=cycles)
def test_linear_cyclical_in_one_direction(start: float, end: float, size: int) -> None:
    theirs = simulated(ignite.LinearCyclicalScheduler, start, end, size, monotonic=True)
    check(lrsched.repeat(lrsched.linear(start, end, size), size), theirs)


@many
@given(start=rates, end=rates, size=cycles, mult=st.integers(1, 3), shrink=mults)
def test_cosine_annealing(start: float, end: float, size: int, mult: int, shrink: float) -> None:
    theirs = simulated(
        ignite.CosineAnnealingScheduler,
        *(start, end, size),
        cycle_mult=mult,
        start_value_mult=shrink,
    )
    check(lrsched.cosine_restarts(start, size, mult, end, shrink), theirs, part=1e-12)


@many
@given(start=rates, end=rates, size=cycles, shrink=mults)
def test_cosine_annealing_with_both_values_shrinking(
    start: float, end: float, size: int, shrink: float
) -> None:
    both: dict[str, Any] = {"start_value_mult": shrink, "end_value_mult": shrink}
    theirs = simulated(ignite.CosineAnnealingScheduler, start, end, size, **both)
    restarts = lrsched.cosine_restarts(start, size, end_value=end)
    check(restarts * lrsched.step_decay(1.0, shrink, size), theirs, part=1e-12)


@many
@given(
    start=rates,
    end=rates,
    size=st.integers(4, 40),
    mult=st.floats(0.7, 2.5),
    factors=st.tuples(mults, mults),
    monotonic=st.booleans(),
)
def test_cycles_of_other_lengths_and_values_are_a_join(
    start: float,
    end: float,
    size: int,
    mult: float,
    factors: tuple[float, float],
    monotonic: bool,
) -> None:
    """Each cycle's length is cut to whole steps before it is multiplied for the next."""
    lengths = [size]
    while sum(lengths) < 60 and int(lengths[-1] * mult) > 1:
        lengths.append(int(lengths[-1] * mult))
    ends = [(start * factors[0] ** i, end * factors[1] ** i) for i in range(len(lengths))]
    options: dict[str, Any] = {
        "cycle_mult": mult,
        "start_value_mult": factors[0],
        "end_value_mult": factors[1],
    }
    make = lrsched.linear if monotonic else lrsched.cosine_decay
    ours = [
        make(init_value=a, end_value=b, **{"steps" if monotonic else "decay_steps": length})
        for (a, b), length in zip(ends, lengths, strict=True)
    ]
    kind = ignite.LinearCyclicalScheduler if monotonic else ignite.CosineAnnealingScheduler
    options |= {"monotonic": True} if monotonic else {}
    theirs = simulated(kind, start, end, size, steps=sum(lengths), **options)
    boundaries = list(itertools.accumulate(lengths))[:-1]
    check(lrsched.join(ours, boundaries), theirs, part=1e-12)


@many
@given(start=rates, end=rates, size=cycles, rise=st.integers(1, 20))
def test_a_warmup_of_each_cycle_is_at_its_end(
    start: float, end: float, size: int, rise: int
) -> None:
    theirs = simulated(ignite.CosineAnnealingScheduler, start, end, size, warmup_duration=rise)
    decay, warmup = lrsched.cosine_decay(start, size, end), lrsched.linear(end, start, rise)
    check(lrsched.repeat(lrsched.join([decay, warmup], [size]), size + rise), theirs)


@many
@given(
    steps=st.lists(st.integers(1, 25), min_size=1, max_size=5),
    begin=st.integers(0, 10),
    data=st.data(),
)
def test_piecewise_linear(steps: list[int], begin: int, data: st.DataObject) -> None:
    """Level before the first milestone and after the last."""
    number = len(steps) + 1
    values = data.draw(st.lists(rates, min_size=number, max_size=number))
    milestones = [begin, *(begin + passed for passed in itertools.accumulate(steps))]
    optimizer = sgd(1.0)
    theirs = ignite.PiecewiseLinear(optimizer, "lr", list(zip(milestones, values, strict=True)))
    lines = [lrsched.linear(*pair) for pair in zip(values, values[1:], steps, strict=False)]
    boundaries = [milestone - begin for milestone in milestones[1:-1]]
    recipe = lrsched.delay(lrsched.join(lines, boundaries), begin)
    check(recipe, driven(theirs, optimizer))


@many
@given(low=rates, high=rates, first=cycles, second=cycles, rest=cycles)
def test_concat(low: float, high: float, first: int, second: int, rest: int) -> None:
    optimizer = sgd(1.0)
    theirs = ignite.ConcatScheduler(
        [
            ignite.LinearCyclicalScheduler(optimizer, "lr", low, high, 2 * first),
            ignite.CosineAnnealingScheduler(optimizer, "lr", high, low, second),
            ignite.LinearCyclicalScheduler(optimizer, "lr", low, high, 2 * rest),
        ],
        [first, second],
    )
    recipe = lrsched.join(
        [
            lrsched.linear(low, high, first),
            lrsched.cosine_decay(high, second, low),
            lrsched.cyclic(low, high, rest),
        ],
        [first, first + second],
    )
    check(recipe, driven(theirs, optimizer))


@many
@given(lr=rates, low=rates, rise=st.integers(2, 30), size=cycles, data=st.data())
def test_with_warmup(lr: float, low: float, rise: int, size: int, data: st.DataObject) -> None:
    """The warmup's last step is the first of what follows, be that ignite's or torch's."""
    optimizer = sgd(lr)
    known: list[tuple[Callable[[], Any], Schedule]] = [
        (
            lambda: ignite.CosineAnnealingScheduler(optimizer, "lr", lr, low, size),
            lrsched.cosine_restarts(lr, size, end_value=low),
        ),
        (lambda: ExponentialLR(optimizer, 0.9), lrsched.exponential_decay(lr, 0.9)),
        (lambda: StepLR(optimizer, size, 0.5), lrsched.step_decay(lr, 0.5, size)),
        (
            lambda: CosineAnnealingLR(optimizer, size, low),
            lrsched.cyclic(lr, low, size, shape="cosine"),
        ),
    ]
    make, after = known[data.draw(st.integers(0, len(known) - 1))]
    theirs = ignite.create_lr_scheduler_with_warmup(make(), low, rise)
    check(lrsched.warmup(after, rise - 1, low), driven(theirs, optimizer, 90), part=1e-10)


@many
@given(lr=rates, top=rates, rise=st.integers(2, 30))
def test_with_warmup_to_another_rate(lr: float, top: float, rise: int) -> None:
    """Where the warmup ends elsewhere, the schedule begins one step after its end."""
    optimizer = sgd(lr)
    after = ignite.LinearCyclicalScheduler(optimizer, "lr", 2 * top, top, 20)
    theirs = ignite.create_lr_scheduler_with_warmup(after, 0.0, rise, warmup_end_value=top)
    line, cycle = lrsched.linear(0.0, top, rise - 1), lrsched.cyclic(2 * top, top, 10)
    check(lrsched.join([line, cycle], [rise]), driven(theirs, optimizer))


# Where ignite surprises: each test fails when that changes.


def test_ignite_cycles_shrink_to_nothing() -> None:
    """A `cycle_mult` below 1 ends in a division by zero."""
    with pytest.raises(ZeroDivisionError):
        simulated(ignite.CosineAnnealingScheduler, 1.0, 0.0, 8, cycle_mult=0.5)


def test_ignite_odd_cycle_never_reaches_its_end() -> None:
    """The middle of five steps lies between two."""
    rates_of_a_cycle = simulated(ignite.LinearCyclicalScheduler, 0.0, 1.0, 5, steps=5)
    assert rates_of_a_cycle == pytest.approx([0.0, 0.4, 0.8, 0.8, 0.4])
