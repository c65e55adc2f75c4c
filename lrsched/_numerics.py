"""Building blocks that stay exact in float32 at any count: progress, half cosines, powers, pieces.

A count has 31 bits and a float32 24, so phases and what is left of them are formed as integers
and made real last.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from lrsched import _pairs as pairs
from lrsched._namespace import (
    SCALARS,
    default_dtype,
    is_array,
    is_single,
    look_up,
    real,
    table,
)

LARGEST = 1e38  # where a product of schedules saturates: just below the largest float32


def progress(xp: Any, count: Any, steps: Any) -> tuple[Any, Any]:
    """How many of `steps` are done and how many are left, from (0, steps) to (steps, 0)."""
    done = xp.minimum(count, steps)
    return done, steps - done


def share(xp: Any, part: Any, whole: Any) -> Any:
    """part / whole, from 0 to 1. What is left has a share of its own: `1 - done` would cancel."""
    return real(xp, part) / real(xp, whole)


def half_cosine(xp: Any, part: Any, whole: Any) -> Any:
    """(1 - cos(pi part / whole)) / 2, from 0 to 1, as a square: `1 - cos` would cancel."""
    if xp is SCALARS or not is_single(xp, part):
        root = xp.sin(math.pi / 2 * share(xp, part, whole))
    else:
        # Squaring doubles the error of the sine, so its argument is not rounded to one float.
        angle, rest = pairs.product(pairs.ratio(xp, part, whole), pairs.pair(xp, math.pi / 2))
        root = xp.sin(angle) + rest * xp.cos(angle)
    return root * root


def geometric(xp: Any, value: Any, rate: Any, n: Any, steps: Any = 1) -> Any:
    """value * rate ** (n / steps), the growth by a rate above 1 saturating at 2**64."""
    if xp is SCALARS or not is_single(xp, n):
        exponent = xp.minimum(real(xp, n) / real(xp, steps), _saturating_exponent(xp, rate))
        return value * rate**exponent
    return pairs.times_power_of_2(xp, value, pairs.ratio(xp, n, steps), pairs.log2_of(xp, rate))


def exponential(xp: Any, value: Any, exponent: Any, n: Any, steps: Any = 1) -> Any:
    """value * e ** (exponent * n / steps), for what grows no further than 2**64."""
    if xp is SCALARS or not is_single(xp, n):
        return value * xp.exp(exponent * (real(xp, n) / real(xp, steps)))
    log2 = pairs.pair(xp, exponent / math.log(2))
    return pairs.times_power_of_2(xp, value, pairs.ratio(xp, n, steps), log2)


def gaussian(xp: Any, exponent: Any, n: Any, steps: Any) -> Any:
    """e ** (-exponent * (n / steps) ** 2)."""
    if xp is SCALARS or not is_single(xp, n):
        return xp.exp(-1.0 * exponent * share(xp, n, steps) ** 2)
    ratio = pairs.ratio(xp, n, steps)
    log2 = pairs.pair(xp, -1.0 * exponent / math.log(2))
    return pairs.times_power_of_2(xp, 1.0, pairs.product(ratio, ratio), log2)


def lost(xp: Any, rate: Any, n: Any) -> Any:
    """1 - rate ** n, which near n = 0 or a rate of 1 keeps its digits."""
    log = pairs.natural_log(xp, rate)
    return -xp.expm1(xp.minimum(log * real(xp, n), pairs.SATURATION * math.log(2)))


def times_power_left(xp: Any, value: Any, count: Any, steps: Any, power: Any) -> Any:
    """value * left ** power, for the part `left` of `steps` that is not yet done."""
    _, left = progress(xp, count, steps)
    if xp is SCALARS or not is_single(xp, count):
        return value * share(xp, left, steps) ** power
    # Rounding the share changes its power by `power` times as much, so it is kept as a pair.
    log = pairs.log2(xp, pairs.ratio(xp, xp.where(left > 0, left, 1), steps))
    powered = pairs.times_power_of_2(xp, value, log, pairs.pair(xp, power))
    return xp.where(left > 0, powered, 0.0 * powered)


def power_lost(xp: Any, count: Any, steps: Any, power: Any) -> Any:
    """1 - left ** power, for the part `left` of `steps` that is not yet done."""
    done, left = progress(xp, count, steps)
    done, left = share(xp, done, steps), share(xp, left, steps)
    # The logarithm of what is left, from the smaller of the two parts; at the end of nothing.
    near_end = left < 0.5
    log_of_left = xp.log(xp.where(left > 0, left, 1.0))
    log = xp.where(near_end, log_of_left, xp.log1p(-xp.where(near_end, 0.0 * done, done)))
    return xp.where(left > 0, -xp.expm1(power * log), 1.0 + 0.0 * done)


def count_reached(xp: Any, count: Any, boundaries: Sequence[Any]) -> Any:
    """How many of the ascending `boundaries` are at or before `count`."""
    if xp is SCALARS:
        return bisect_right(boundaries, count)
    reached = count[..., None] >= table(xp, boundaries, count.dtype, like=count)
    return xp.sum(xp.astype(reached, default_dtype(xp, "integral")), axis=-1)


def pick(xp: Any, values: Sequence[Any], index: Any, like: Any = None) -> Any:
    """The values at an integer `index` of any shape, in the dtype of `like` or the default real."""
    if xp is SCALARS:
        return values[index]
    dtype = default_dtype(xp, "real floating") if like is None else like.dtype
    return look_up(xp, table(xp, values, dtype, like=index), index)


def piecewise(
    xp: Any, count: Any, boundaries: Sequence[Any], pieces: Sequence[Callable[[Any], Any]]
) -> Any:
    """The piece that `count` lies in, as a function of the count since the piece began.

    A piece that is not chosen is evaluated, where it must be, inside its own stretch, so that it
    can neither overflow nor divide by zero there: a masked infinity would make gradients NaN.
    """
    if xp is SCALARS:
        index = bisect_right(boundaries, count)
        return pieces[index](count - boundaries[index - 1] if index else count)
    if not boundaries:
        return pieces[0](count)
    value = pieces[0](xp.minimum(count, boundaries[0]))
    for index, (begin, piece) in enumerate(zip(boundaries, pieces[1:], strict=True), start=1):
        elapsed = xp.maximum(count - begin, 0)
        if index < len(boundaries):
            elapsed = xp.minimum(elapsed, boundaries[index] - begin)
        value = xp.where(count < begin, value, piece(elapsed))
    return value


def _saturating_exponent(xp: Any, rate: Any) -> Any:
    """The exponent at which `rate` has grown by 2**64."""
    if not is_array(rate):
        return pairs.SATURATION / math.log2(rate) if rate > 1 else math.inf
    growing = rate > 1
    return xp.where(growing, pairs.SATURATION / xp.log2(xp.where(growing, rate, 2.0)), math.inf)
