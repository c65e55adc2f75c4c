"""Warm restarts: half cosines whose cycles are found in whole numbers."""

import functools
from typing import Any

from lrsched._define import schedule
from lrsched._namespace import LARGEST_COUNT, SCALARS, is_array, real
from lrsched._numerics import count_reached, geometric, half_cosine, pick
from lrsched._validate import Multiple, Rate, Steps, Value


@schedule
def cosine_restarts(
    xp: Any,
    count: Any,
    init_value: Value,
    first_steps: Steps,
    period_mult: Multiple = 1,
    end_value: Value = 0.0,
    peak_mult: Rate = 1.0,
) -> Any:
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
    cycle, done, left, length = _geometric_cycle(xp, count, first_steps, period_mult)
    peak = geometric(xp, init_value, peak_mult, cycle)
    return peak * half_cosine(xp, left, length) + end_value * half_cosine(xp, done, length)


def _geometric_cycle(xp: Any, count: Any, first: Any, mult: Any) -> tuple[Any, ...]:
    """The cycle that `count` lies in, its steps that are done and left, and its length."""
    cycle = count // first
    position = count - cycle * first
    equal = cycle, position, first - position, first
    if not is_array(mult) and mult == 1:
        return equal
    if xp is SCALARS:
        starts, ends, beyond, lengths = _cached_cycles(first, mult)
    elif not (is_array(first) or is_array(mult)):
        starts, ends, beyond, lengths = _cycles(SCALARS, first, mult)
    else:
        starts, ends, beyond, lengths = _cycles(xp, first, mult)
        count = xp.minimum(count, LARGEST_COUNT - 1)  # traced starts saturate one above
    cycle = count_reached(xp, count, starts[1:])
    done = real(xp, count - pick(xp, starts, cycle, like=count))
    left = real(xp, pick(xp, ends, cycle, like=count) - count) + pick(xp, beyond, cycle)
    growing = cycle, done, left, pick(xp, lengths, cycle)
    if not is_array(mult):
        return growing
    return tuple(xp.where(mult > 1, x, y) for x, y in zip(growing, equal, strict=True))


def _cycles(xp: Any, first: Any, mult: Any) -> tuple[list[Any], ...]:
    """Starts and ends of the cycles up to the last count, what the ends lie beyond it, lengths.

    Each cycle is at least twice as long as the one before, so 32 of them pass any count.
    """
    start, length, exact_length = 0 * first, real(xp, first) * 1.0, first
    starts, ends, beyond, lengths = [], [], [], []
    for _ in range(32):
        room = LARGEST_COUNT - start
        fits = exact_length <= room
        end = xp.where(fits, start + xp.minimum(exact_length, room), LARGEST_COUNT)
        starts.append(start)
        ends.append(end)
        beyond.append(xp.where(fits, 0.0, length - real(xp, room)))
        lengths.append(length)
        if xp is SCALARS and not fits:
            break
        too_long = exact_length > LARGEST_COUNT // mult
        exact_length = xp.where(too_long, LARGEST_COUNT, exact_length * mult)
        start, length = end, xp.minimum(length * real(xp, mult), 1e19)
    return starts, ends, beyond, lengths


@functools.lru_cache(maxsize=256)
def _cached_cycles(first: int, mult: int) -> tuple[list[Any], ...]:
    return _cycles(SCALARS, first, mult)
