"""Warm restarts: half cosines without an end, and any schedule a number of times."""

import functools
from typing import Any

from lrsched._arrays.namespace import MAX_COUNT, is_array, real, take
from lrsched._arrays.scalars import SCALARS, is_scalar
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Refusal, Whole, integer, number
from lrsched._core.decorator import schedule
from lrsched._core.kinds import Multiple, Rate, Steps, Value
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
    r"""Half cosines down, each starting anew from the top: warm restarts.

    .. math:: \eta(t) = v_1 + (v_0\, p^i - v_1) \frac{1 + \cos(\pi T_{cur} / T_i)}{2},
        \quad T_i = T_0\, m^i

    where cycle :math:`i` begins at :math:`T_0 (m^i - 1) / (m - 1)`, found in whole numbers, and
    :math:`T_{cur}` counts from there.

    Args:
        init_value: the value at count 0, the top of the first cycle.
        first_steps: T_0, the length of the first cycle in steps, at least 1.
        period_mult: m, how many times longer each cycle is than the one before, an integer >= 1.
        end_value: what every cycle decays towards; the restart comes at the step where it would
            be reached.
        peak_mult: p, the factor from one cycle's top to the next, 0 or more (above 1 the growth
            stops at 2**64).

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

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
    ways = done, remaining, done + remaining
    if not is_literal(beyond, 0.0):
        ways = (done, 0.0), (remaining, beyond), (done + remaining, beyond)
    return interpolate(xp, peak, end_value, *ways, "cosine")


def _geometric_cycle(xp: Namespace, count: Array, first: Any, mult: Any) -> tuple[Any, ...]:
    """The cycle that `count` lies in, its steps that are done, left, and left beyond any count."""
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
        count = xp.minimum(count, MAX_COUNT - 1)  # traced starts saturate one above
    cycle = segment_index(xp, count, starts[1:])
    dtype = None if is_scalar(xp) else count.dtype
    done = count - take(xp, starts, cycle, dtype)
    remaining = take(xp, ends, cycle, dtype) - count
    growing = cycle, done, remaining, take(xp, beyond, cycle)
    if not is_array(mult):
        return growing
    return tuple(xp.where(mult > 1, x, y) for x, y in zip(growing, equal, strict=True))


def _cycles(xp: Namespace, first: Any, mult: Any) -> tuple[list[Any], ...]:
    """Starts and ends of the cycles up to the last count, and what the ends lie beyond it.

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
def _cached_cycles(first: int, mult: int) -> tuple[list[Any], ...]:
    return _cycles(SCALARS, first, mult)


def with_restarts(
    schedule: Schedule,
    steps: Whole,
    cycles: Whole,
    period_mult: float = 1.0,
    peak_mult: float = 1.0,
    warmup_steps: Whole = 0,
    init_value: float = 0.0,
) -> Schedule:
    """A schedule a number of times, each cycle longer or shorter and higher or lower than the last.

    Cycle i (from 0) is the schedule with all its durations times `period_mult**i`, rounded to whole
    steps, and its `init_value` times `peak_mult**i`; before it comes a warmup from `init_value`,
    of `warmup_steps` in every cycle. After the last cycle its end is held.

    Args:
        schedule: the first cycle, with no warmup.
        steps: its length in steps.
        cycles: how many there are.
        period_mult: how many times as long a cycle is as the one before, above 0; below 1 it is
            shorter, and is refused where nothing would be left of it.
        peak_mult: how many times as high it begins, 0 or more.
        warmup_steps: the length of the warmup of each cycle, in steps.
        init_value: where each warmup begins.

    Elsewhere: timm's `cycle_mul`, `cycle_decay`, `cycle_limit` (whose cycles may begin between two
    steps); `optax.sgdr_schedule`; mmengine's `CosineRestartLR`. With whole multiples and no end,
    `cosine_restarts`.

    >>> from lrsched import cosine_decay
    >>> recipe = with_restarts(cosine_decay(1.0, 10), 10, cycles=3, period_mult=1.5, peak_mult=0.5)
    >>> [round(recipe(count), 6) for count in (0, 5, 10, 25, 36, 47, 48)]
    [1.0, 0.5, 0.5, 0.25, 0.125, 0.0, 0.0]
    """
    refuse = Refusal("with_restarts")
    length, number_of, growth, shrink, before = refuse.checked(
        steps=(integer(1, "steps"), steps),
        cycles=(integer(1, "cycles"), cycles),
        period_mult=(number("> 0"), period_mult),
        peak_mult=(number(">= 0"), peak_mult),
        warmup_steps=(integer(0, "steps"), warmup_steps),
    )
    if not isinstance(schedule, Schedule):
        refuse("schedule", "a schedule", schedule, TypeError)
    if shrink != 1 and "init_value" not in schedule.params:
        refuse("schedule", "a schedule with an init_value (for peak_mult)", schedule)
    pieces, boundaries = [], [0]
    for cycle in range(int(number_of)):
        if round(length * growth**cycle) < 1:
            refuse("period_mult", f"large enough to leave a step to cycle {cycle}", period_mult)
        piece = stretch(schedule, growth**cycle)
        if shrink != 1:
            piece = piece.replace(init_value=schedule.params["init_value"] * shrink**cycle)
        pieces.append(warmup(piece, int(before), init_value) if before else piece)
        boundaries.append(boundaries[-1] + int(before) + round(length * growth**cycle))
    return join(pieces, boundaries[1:-1])
