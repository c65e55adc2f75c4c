"""Warm restarts: half cosines without an end, and any schedule repeated a number of times."""

import functools
from typing import Annotated, Any

from lrsched._arrays.namespace import MAX_COUNT, default_dtype, is_array, real, take
from lrsched._arrays.scalars import is_scalar
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Kind, Real, Refusal, Whole, static
from lrsched._core.decorator import Inner, counts_steps, recipe, schedule
from lrsched._core.kinds import POWER, RATE, Rate, StaticPhase, StaticSteps, Steps, Value
from lrsched._core.number_kinds import amount, integer, whole_as_integer
from lrsched._core.schedule import Schedule
from lrsched._numerics.elementary import geometric, is_literal
from lrsched._numerics.pieces import segment_index
from lrsched._numerics.shapes import interpolate
from lrsched._numerics.steps import (
    ROUNDING,
    as_real,
    less,
    minus,
    plus,
    take_steps,
    times,
    total,
    where,
)
from lrsched._numerics.steps import Steps as NumberOfSteps
from lrsched._numerics.steps import cycle as cycle_of
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.stretch import stretch


def _period_mult(value: Any) -> Any:
    value = _POSITIVE.convert(value)
    if not (value == 1 or value <= 0.99 or value >= 1.01):
        raise ValueError
    return whole_as_integer(value)


_POSITIVE = amount("> 0")
_SCHEMA = {"type": "number", "exclusiveMinimum": 0}
_EXPECTED = "a number > 0 (1, <= 0.99 or >= 1.01)"
PeriodMult = Annotated[
    Real, Kind(_EXPECTED, _period_mult, traced=False, unit="times", schema=_SCHEMA, item_type=float)
]


@counts_steps(when=lambda params: params["period_mult"] < 1)
@schedule
def cosine_restarts(
    xp: Namespace,
    count: Array,
    init_value: Value,
    first_steps: Steps,
    period_mult: PeriodMult = 1,
    end_value: Value = 0.0,
    peak_mult: Rate = 1.0,
) -> Array:
    """Half cosines down, each starting again from the top, without an end: warm restarts.

        value(t) = end_value + (top - end_value) * (1 + cos(pi * r / n)) / 2

        top = init_value * peak_mult ** i
        n = first_steps * period_mult ** i
        r = t - first_steps * (1 + period_mult + ... + period_mult ** (i - 1))

    t is the count of updates made so far, i the number of the cycle that it lies in (from 0), n the
    length of the cycle, and r the step within it. The boundaries are exact.

    Args:
        init_value: the value at count 0, the top of the first cycle.
        first_steps: the length of the first cycle in steps, at least 1.
        period_mult: the ratio of each cycle's length to that of the one before, above 0: 1, or a
            number that differs from 1 by at least 0.01. It is static to JAX. Below 1 the cycles
            end before one would be shorter than a step, and `end_value` is held.
        end_value: the value that every cycle decays towards; the next cycle starts at the step
            where it would be reached.
        peak_mult: the ratio of each cycle's top to that of the one before, 0 or more. Above 1 the
            growth stops at 2**64.

    Raises:
        TypeError: a parameter is not a number.
        ValueError: a number is not finite, `first_steps` < 1, `period_mult` is not above 0 or too
            close to 1, or `peak_mult` < 0.

    Source: Loshchilov and Hutter 2016, "SGDR", arXiv:1608.03983, equation 5.

    Elsewhere: torch's `CosineAnnealingWarmRestarts(T_0, T_mult, eta_min)`, whose `step(epoch)`
    misses some restarts for `T_mult=3`; Keras' `CosineDecayRestarts(first_decay_steps, t_mul,
    m_mul, alpha)`; `optax.sgdr_schedule` for a given list of cycles.

    >>> sgdr = cosine_restarts(1.0, 10, period_mult=2)
    >>> [round(sgdr(count), 4) for count in (0, 5, 9, 10, 20, 30)]
    [1.0, 0.5, 0.0245, 1.0, 0.5, 1.0]
    """
    cycle, done, remaining = _geometric_cycle(xp, count, first_steps, period_mult)
    equal = is_literal(peak_mult, 1.0)
    peak = init_value if equal else geometric(xp, init_value, peak_mult, cycle)
    length = plus(xp, done, remaining)
    return interpolate(xp, peak, end_value, done, remaining, length, "cosine")


def _geometric_cycle(
    xp: Namespace, count: NumberOfSteps, first: NumberOfSteps, mult: Any
) -> tuple[Array, NumberOfSteps, NumberOfSteps]:
    """The cycle that `count` lies in, and its steps that are done and that remain."""
    if mult == 1:
        return cycle_of(xp, count, first)
    if is_array(first):
        return _traced_cycle(xp, count, first, mult)
    wholes, rests = (_cached_boundaries if is_scalar(xp) else _boundaries)(first, mult)
    last = len(wholes) - 2
    starts = [x + y for x, y in zip(wholes, rests, strict=True)]
    cycle = segment_index(xp, count, [x for x in starts[1:] if x <= MAX_COUNT])
    at = xp.minimum(cycle, last) if mult < 1 else cycle
    dtype = None if is_scalar(xp) else default_dtype(xp, "integral")
    done = minus(xp, count, take(xp, wholes, at, dtype))
    remaining = minus(xp, take(xp, wholes[1:], at, dtype), count)
    if any(rests):
        done = minus(xp, done, take_steps(xp, rests, at, like=count))
        # It may pass any integer.
        remaining = total(xp, remaining, take_steps(xp, rests[1:], at, like=count))
    if mult > 1:
        return cycle, done, remaining
    return _until(xp, cycle <= last, cycle, done, remaining)


def _until(
    xp: Namespace, running: Array, cycle: Array, done: NumberOfSteps, remaining: NumberOfSteps
) -> tuple[Array, NumberOfSteps, NumberOfSteps]:
    """The cycle while cycles run; then one that is over."""
    return cycle, where(xp, running, done, 1), where(xp, running, remaining, 0)


_ONE = 2**96  # a step in the fixed-point numbers of `_boundaries`


def _boundaries(first: float, mult: float, least: float = 1.0) -> tuple[list[int], list[float]]:
    """The boundaries up to the first beyond MAX_COUNT, each as an integer and the rest.

    Cycles that shrink end with the last one that has the least length.
    """
    (numerator, denominator), (over, under) = first.as_integer_ratio(), mult.as_integer_ratio()
    boundary, length = 0, numerator * _ONE // denominator
    wholes, rests = [0], [0.0]
    while wholes[-1] + rests[-1] <= MAX_COUNT and length >= least * _ONE:
        boundary, length = boundary + length, length * over // under
        whole, rest = boundary // _ONE, boundary % _ONE
        rounding = boundary * ROUNDING
        if rest <= rounding:
            rest = 0
        elif _ONE - rest <= rounding:
            whole, rest = whole + 1, 0
        beyond = max(whole - MAX_COUNT, 0)
        wholes.append(whole - beyond)
        rests.append(beyond + rest / _ONE)
    return wholes, rests


_cached_boundaries = functools.lru_cache(maxsize=256)(_boundaries)


def _traced_cycle(
    xp: Namespace, count: NumberOfSteps, first: Array, mult: float
) -> tuple[Array, NumberOfSteps, NumberOfSteps]:
    """The cycle for a first cycle whose length is an array: boundaries are multiples of it."""
    wholes, rests = _boundaries(1.0, mult, least=1 / MAX_COUNT)
    multiples = [x + y for x, y in zip(wholes, rests, strict=True)]
    last = len(multiples) - 2

    def boundary(index: Array) -> NumberOfSteps:
        return times(xp, first, take_steps(xp, multiples, index, like=count))

    integral = default_dtype(xp, "integral")
    found = segment_index(xp, as_real(xp, count) / real(xp, first), multiples[1:-1])
    # The quotient is rounded: the cycle may be one of its neighbours.
    cycle = xp.maximum(xp.astype(found, integral) - 1, 0)
    for _ in range(2):
        late = xp.logical_not(less(xp, count, boundary(xp.minimum(cycle, last) + 1)))
        cycle = xp.minimum(cycle + xp.astype(late, integral), last)
    done = minus(xp, count, boundary(cycle))
    remaining = minus(xp, boundary(cycle + 1), count)
    if mult > 1:
        return cycle, done, remaining
    length = as_real(xp, minus(xp, boundary(cycle + 1), boundary(cycle)))
    running = (length >= 1) & (as_real(xp, remaining) > 0)
    return _until(xp, running, cycle, done, remaining)


_Cycles = Annotated[Whole, static(integer(1, "cycles"))]
_PeriodMult = Annotated[Real, static(POWER)]
_PeakMult = Annotated[Real, static(RATE)]


def _with_init_value(refuse: Refusal, params: dict[str, Any]) -> None:
    if params["peak_mult"] != 1 and "init_value" not in params["schedule"].params:
        refuse("schedule", "a schedule with an init_value (for peak_mult)", params["schedule"])


@recipe(
    check=_with_init_value,
    is_scalable=False,
    blame={"boundaries": "steps", "init_value": "peak_mult", "*": "period_mult"},
)
def with_restarts(
    schedule: Inner,
    steps: StaticSteps,
    cycles: _Cycles,
    period_mult: _PeriodMult = 1.0,
    peak_mult: _PeakMult = 1.0,
    warmup_steps: StaticPhase = 0,
    init_value: Value = 0.0,
) -> Schedule:
    """A schedule a given number of times, each cycle scaled in length and height.

        value(t) = cycle(i, t - start(i))    for start(i) <= t < start(i + 1)

        start(0) = 0
        start(i + 1) = start(i) + warmup_steps + steps * period_mult ** i

    t is the count of updates made so far. Cycle i is the schedule stretched by period_mult ** i,
    its `init_value` times peak_mult ** i, after a linear warmup from the `init_value` of this
    recipe. A cycle may begin between two steps. The warmup is not stretched. The last cycle is not
    cut off: where the schedule holds its end value, so does the result.

    Args:
        schedule: the first cycle, without a warmup.
        steps: the length of the first cycle in steps, at least 1.
        cycles: the number of cycles, at least 1.
        period_mult: the ratio of each cycle's length to that of the one before, above 0.
        peak_mult: the ratio of each cycle's initial value to that of the one before, 0 or more.
        warmup_steps: the length of the warmup of each cycle in steps, at least 0.
        init_value: the value at which each warmup begins.

    Raises:
        TypeError: `schedule` is not a schedule, `cycles` is not an integer, or another parameter
            is not a number.
        ValueError: `steps` or `cycles` < 1, `period_mult` <= 0 or so small that a cycle has no step
            left, `peak_mult` or `warmup_steps` < 0, a number is not finite, or `peak_mult` is not 1
            and the schedule has no `init_value`.

    Elsewhere: timm's `cycle_mul`, `cycle_decay`, `cycle_limit`; `optax.sgdr_schedule`; mmengine's
    `CosineRestartLR`. For half cosines without an end, use `cosine_restarts`.

    >>> from lrsched import cosine_decay
    >>> recipe = with_restarts(cosine_decay(1.0, 10), 10, cycles=3, period_mult=1.5, peak_mult=0.5)
    >>> [round(recipe(count), 6) for count in (0, 5, 10, 25, 36, 47, 48)]
    [1.0, 0.5, 0.5, 0.25, 0.129362, 0.000304, 0.0]
    """
    pieces, boundaries = [], [0.0]
    for cycle in range(cycles):
        growth = float(period_mult) ** cycle
        length = steps * growth
        if length < 1:
            expected = f"large enough to leave a step to cycle {cycle}"
            Refusal("with_restarts")("period_mult", expected, period_mult)
        piece = stretch(schedule, growth)
        if peak_mult != 1:
            piece = piece.replace(
                init_value=schedule.params["init_value"] * float(peak_mult) ** cycle
            )
        pieces.append(warmup(piece, warmup_steps, init_value) if warmup_steps else piece)
        boundaries.append(boundaries[-1] + warmup_steps + length)
    return join(pieces, boundaries[1:-1])
