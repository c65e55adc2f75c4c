"""Warm restarts: half cosines without an end, and any schedule repeated a number of times."""

import functools
from typing import Annotated

from lrsched._arrays.namespace import MAX_COUNT, is_array, real, take
from lrsched._arrays.scalars import SCALARS, is_scalar
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Refusal, Whole, integer
from lrsched._core.decorator import Inner, recipe, schedule
from lrsched._core.kinds import Multiple, PhaseNumber, Power, Rate, StepNumber, Steps, Value
from lrsched._core.schedule import Schedule
from lrsched._numerics.elementary import geometric, is_literal
from lrsched._numerics.pieces import segment_index
from lrsched._numerics.shapes import interpolate
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.stretch import stretch


@schedule
def cosine_restarts(
    xp: Namespace,
    count: Array,
    init_value: Value,
    first_steps: Steps,
    period_mult: Multiple = 1,
    end_value: Value = 0.0,
    peak_mult: Rate = 1.0,
) -> Array:
    """Half cosines down, each starting again from the top, without an end: warm restarts.

        value(t) = end_value + (top - end_value) * (1 + cos(pi * r / n)) / 2

        top = init_value * peak_mult ** i
        n = first_steps * period_mult ** i
        r = t - first_steps * (1 + period_mult + ... + period_mult ** (i - 1))

    t is the count of updates made so far, i the number of the cycle that it lies in (from 0), n the
    length of the cycle, and r the step within it. The boundaries are found in whole numbers.

    Args:
        init_value: the value at count 0, the top of the first cycle.
        first_steps: the length of the first cycle in steps, at least 1.
        period_mult: the ratio of each cycle's length to that of the one before, an integer >= 1.
        end_value: the value that every cycle decays towards; the next cycle starts at the step
            where it would be reached.
        peak_mult: the ratio of each cycle's top to that of the one before, 0 or more. Above 1 the
            growth stops at 2**64.

    Raises:
        TypeError: a value or `peak_mult` is not a number, or `first_steps` or `period_mult` is not
            an integer.
        ValueError: a number is not finite, `first_steps` or `period_mult` < 1, or `peak_mult` < 0.

    Source: Loshchilov and Hutter 2016, "SGDR", arXiv:1608.03983, equation 5.

    Elsewhere: torch's `CosineAnnealingWarmRestarts(T_0, T_mult, eta_min)`, whose `step(epoch)`
    misses some restarts for `T_mult=3`; Keras' `CosineDecayRestarts(first_decay_steps, t_mul,
    m_mul, alpha)`; `optax.sgdr_schedule` for a given list of cycles.

    >>> sgdr = cosine_restarts(1.0, 10, period_mult=2)
    >>> [round(sgdr(count), 4) for count in (0, 5, 9, 10, 20, 30)]
    [1.0, 0.5, 0.0245, 1.0, 0.5, 1.0]
    """
    cycle, done, remaining, beyond = _geometric_cycle(xp, count, first_steps, period_mult)
    equal = is_literal(peak_mult, 1.0)
    peak = init_value if equal else geometric(xp, init_value, peak_mult, cycle)
    lengths = done, remaining, done + remaining
    if not is_literal(beyond, 0.0):
        lengths = (done, 0.0), (remaining, beyond), (done + remaining, beyond)
    return interpolate(xp, peak, end_value, *lengths, "cosine")


def _geometric_cycle(xp: Namespace, count: Array, first: Array, mult: Array) -> tuple[Array, ...]:
    """The cycle that `count` lies in: its number, and its steps done, remaining and in excess.

    The remaining steps stop at MAX_COUNT. The excess is the part of the cycle beyond that.
    """
    cycle = count // first
    position = count - cycle * first
    equal = cycle, position, first - position, 0.0
    if not is_array(mult) and mult == 1:
        return equal
    if is_scalar(xp):
        starts, ends, beyond = _cached_cycles(first, mult)
    elif not (is_array(first) or is_array(mult)):
        starts, ends, beyond = _cycles(SCALARS, first, mult)
    else:
        starts, ends, beyond = _cycles(xp, first, mult)
        count = xp.minimum(count, MAX_COUNT - 1)  # traced starts saturate at MAX_COUNT
    cycle = segment_index(xp, count, starts[1:])
    dtype = None if is_scalar(xp) else count.dtype
    done = count - take(xp, starts, cycle, dtype)
    remaining = take(xp, ends, cycle, dtype) - count
    growing = cycle, done, remaining, take(xp, beyond, cycle)
    if not is_array(mult):
        return growing
    growing = (xp.astype(cycle, count.dtype), *growing[1:])
    return tuple(xp.where(mult > 1, x, y) for x, y in zip(growing, equal, strict=True))


def _cycles(xp: Namespace, first: Array, mult: Array) -> tuple[list[Array], ...]:
    """The starts and ends of all cycles up to MAX_COUNT, and how far each end would lie beyond it.

    Each cycle is at least twice as long as the one before, so 32 of them pass any count.
    """
    start, length, exact_length = 0 * first, real(xp, first) * 1.0, first
    starts, ends, beyond = [], [], []
    for _ in range(32):
        room = MAX_COUNT - start
        fits = exact_length <= room
        end = xp.where(fits, start + xp.minimum(exact_length, room), MAX_COUNT)
        starts.append(start)
        ends.append(end)
        beyond.append(xp.where(fits, 0.0, length - real(xp, room)))
        if xp is SCALARS and not fits:
            break
        too_long = exact_length > MAX_COUNT // mult
        exact_length = xp.where(too_long, MAX_COUNT, exact_length * mult)
        start, length = end, xp.minimum(length * real(xp, mult), 1e19)
    return starts, ends, beyond


@functools.lru_cache(maxsize=256)
def _cached_cycles(first: int, mult: int) -> tuple[list[Array], ...]:
    return _cycles(SCALARS, first, mult)


_Cycles = Annotated[Whole, integer(1, "cycles")]


@recipe
def with_restarts(
    schedule: Inner,
    steps: StepNumber,
    cycles: _Cycles,
    period_mult: Power = 1.0,
    peak_mult: Rate = 1.0,
    warmup_steps: PhaseNumber = 0,
    init_value: Value = 0.0,
) -> Schedule:
    """A schedule a given number of times, each cycle scaled in length and height.

        value(t) = cycle i at t - start(i)     for start(i) <= t < start(i + 1)

        cycle i = schedule stretched by period_mult ** i, its `init_value` times peak_mult ** i,
                  after a linear warmup from `init_value`
        start(0) = 0
        start(i + 1) = start(i) + warmup_steps + round(steps * period_mult ** i)

    t is the count of updates made so far. The durations of a stretched cycle are rounded to whole
    steps; the warmup is not stretched. The last cycle is not cut off: where the schedule holds its
    end value, so does the result.

    Args:
        schedule: the first cycle, without a warmup.
        steps: the length of the first cycle in steps, at least 1.
        cycles: the number of cycles, at least 1.
        period_mult: the ratio of each cycle's length to that of the one before, above 0.
        peak_mult: the ratio of each cycle's initial value to that of the one before, 0 or more.
        warmup_steps: the length of the warmup of each cycle in steps, at least 0.
        init_value: the value at which each warmup begins.

    Raises:
        TypeError: `schedule` is not a schedule, a length or `cycles` is not an integer, or another
            parameter is not a number.
        ValueError: `steps` or `cycles` < 1, `period_mult` <= 0 or so small that a cycle has no step
            left, `peak_mult` or `warmup_steps` < 0, a number is not finite, or `peak_mult` is not 1
            and the schedule has no `init_value`.

    Elsewhere: timm's `cycle_mul`, `cycle_decay`, `cycle_limit`, whose cycles may begin between two
    steps; `optax.sgdr_schedule`; mmengine's `CosineRestartLR`. With whole multiples and no end, use
    `cosine_restarts`.

    >>> from lrsched import cosine_decay
    >>> recipe = with_restarts(cosine_decay(1.0, 10), 10, cycles=3, period_mult=1.5, peak_mult=0.5)
    >>> [round(recipe(count), 6) for count in (0, 5, 10, 25, 36, 47, 48)]
    [1.0, 0.5, 0.5, 0.25, 0.125, 0.0, 0.0]
    """
    refuse = Refusal("with_restarts")
    if peak_mult != 1 and "init_value" not in schedule.params:
        refuse("schedule", "a schedule with an init_value (for peak_mult)", schedule)
    pieces, boundaries = [], [0]
    before, growth, shrink = int(warmup_steps), float(period_mult), float(peak_mult)
    for cycle in range(int(cycles)):
        length = round(int(steps) * growth**cycle)
        if length < 1:
            refuse("period_mult", f"large enough to leave a step to cycle {cycle}", period_mult)
        piece = stretch(schedule, growth**cycle)
        if shrink != 1:
            piece = piece.replace(init_value=schedule.params["init_value"] * shrink**cycle)
        pieces.append(warmup(piece, before, init_value) if before else piece)
        boundaries.append(boundaries[-1] + before + length)
    return join(pieces, boundaries[1:-1])
