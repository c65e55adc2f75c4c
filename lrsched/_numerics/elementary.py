"""Building blocks that stay exact in float32 at any count: progress, half cosines, powers.

A count has 31 bits and a float32 24, so phases and what is left of them are formed as integers
and made real last.
"""

import math
from typing import Any

from lrsched._arrays.namespace import (
    is_array,
    is_single,
    real,
)
from lrsched._arrays.scalars import is_scalar
from lrsched._numerics import double_float as pairs

MAX_PRODUCT = 1e38  # where a product of schedules saturates: just below the largest float32


def is_literal(value: Any, number: float) -> bool:
    """Whether a value is that Python number, so that what it would leave out can be left out."""
    return type(value) is float and value == number


def progress(xp: Any, count: Any, steps: Any) -> tuple[Any, Any]:
    """How many of `steps` are done and how many are left, from (0, steps) to (steps, 0)."""
    done = xp.minimum(count, steps)
    return done, steps - done


def fraction(xp: Any, part: Any, whole: Any) -> Any:
    """part / whole, from 0 to 1. What is left has a share of its own: `1 - done` would cancel."""
    return real(xp, part) / real(xp, whole)


HALF_COSINE = [-((-1) ** k) * math.pi ** (2 * k) / (2 * math.factorial(2 * k)) for k in range(7)]


def half_cosine(xp: Any, part: Any, rest: Any, whole: Any) -> Any:
    """(1 - cos(pi part / whole)) / 2, from 0 to 1, for what adds up to the whole.

    Each of the three is a number, or an integer and a real that add up to it.
    """
    if is_scalar(xp) or not is_single(xp, part[0] if type(part) is tuple else part):
        root = xp.sin(math.pi / 2 * (_as_single(xp, part) / _as_single(xp, whole)))
        return root * root
    # A sine's error would be doubled by squaring. The series of 1 - cos as far as a quarter turn,
    # of which the other half is the mirror image, is right to a unit, and alike on every device.
    first = _as_single(xp, part) < _as_single(xp, rest)
    x, low = pairs.ratio(xp, _as_pair(xp, _where(xp, first, part, rest)), _as_pair(xp, whole))
    square, series = x * x, HALF_COSINE[-1]
    for coefficient in HALF_COSINE[-2:0:-1]:
        series = coefficient + square * series
    risen = square * series + 2.0 * low * (x * series)
    return xp.where(first, risen, 1.0 - risen)


def _where(xp: Any, condition: Any, x: Any, y: Any) -> Any:
    if type(x) is tuple:
        return tuple(_where(xp, condition, *each) for each in zip(x, y, strict=True))
    return xp.where(condition, x, y)


def _as_single(xp: Any, n: Any) -> Any:
    return real(xp, n[0]) + n[1] if type(n) is tuple else real(xp, n)


def _as_pair(xp: Any, n: Any) -> pairs.Pair:
    return pairs.plus(pairs.pair(xp, n[0]), n[1]) if type(n) is tuple else pairs.pair(xp, n)


def geometric(xp: Any, value: Any, rate: Any, n: Any, steps: Any = 1) -> Any:
    """value * rate ** (n / steps), the growth by a rate above 1 saturating at 2**64."""
    if is_scalar(xp) or not is_single(xp, n):
        exponent = fraction(xp, n, steps)
        if is_array(rate) or rate > 1:
            exponent = xp.minimum(exponent, _saturating_exponent(xp, rate))
        return value * rate**exponent
    if is_array(rate) or is_array(steps):
        exponent, log2 = pairs.ratio(xp, n, steps), pairs.log2_of(xp, rate)
    else:
        exponent, log2 = pairs.pair(xp, n), pairs.log2_of(xp, rate, steps)
    return pairs.times_power_of_2(xp, value, exponent, log2)


def exponential(xp: Any, value: Any, exponent: Any, n: Any, steps: Any = 1) -> Any:
    """value * e ** (exponent * n / steps), for what grows no further than 2**64."""
    if is_scalar(xp) or not is_single(xp, n):
        return value * xp.exp(exponent * (real(xp, n) / real(xp, steps)))
    log2 = pairs.pair(xp, exponent / math.log(2))
    return pairs.times_power_of_2(xp, value, pairs.ratio(xp, n, steps), log2)


def gaussian(xp: Any, exponent: Any, n: Any, steps: Any) -> Any:
    """e ** (-exponent * (n / steps) ** 2)."""
    if is_scalar(xp) or not is_single(xp, n):
        return xp.exp(-1.0 * exponent * fraction(xp, n, steps) ** 2)
    ratio = pairs.ratio(xp, n, steps)
    log2 = pairs.pair(xp, -1.0 * exponent / math.log(2))
    return pairs.times_power_of_2(xp, 1.0, pairs.product(xp, ratio, ratio), log2)


def power_of_product(xp: Any, value: Any, count: Any, each: Any, exponent: Any) -> Any:
    """value * n ** exponent for an exponent <= 0, where n is count * each and at least 1."""
    if is_scalar(xp) or not is_single(xp, count):
        return value * xp.maximum(real(xp, count) * each, 1.0) ** exponent
    many = pairs.product(xp, pairs.pair(xp, count), pairs.pair(xp, each))
    few = many[0] < 1
    log = pairs.log2(xp, (xp.where(few, 1.0, many[0]), xp.where(few, 0.0, many[1])))
    return pairs.times_power_of_2(xp, value, log, pairs.pair(xp, exponent))


def langevin(xp: Any, x: Any) -> Any:
    """coth(x) - 1 / x for x from 0 to 1, by its continued fraction: the difference cancels."""
    square, divisor = x * x, 19.0
    for odd in (17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0):
        divisor = odd + square / divisor
    return x / divisor


def one_minus_exp(xp: Any, count: Any, time_constant: Any) -> Any:
    """1 - e ** (-(count + 1) / time_constant)."""
    if is_scalar(xp) or not is_single(xp, count):
        return -xp.expm1(-(real(xp, count) + 1.0) / time_constant)
    high, low = pairs.pair(xp, count)  # of which the low part has room for one more
    x = pairs.ratio(xp, pairs.normal(high, low + 1.0), time_constant)
    return pairs.one_minus_exp2(xp, pairs.product(xp, x, pairs.pair(xp, -1 / math.log(2))))[0]


def one_minus_power(xp: Any, rate: Any, n: Any) -> Any:
    """1 - rate ** n, which near n = 0 or a rate of 1 keeps its digits."""
    if is_literal(rate, 1.0):
        return 0.0
    log = pairs.natural_log(xp, rate)
    return -xp.expm1(xp.minimum(log * real(xp, n), pairs.SATURATION * math.log(2)))


def _saturating_exponent(xp: Any, rate: Any) -> Any:
    """The exponent at which `rate` has grown by 2**64."""
    if not is_array(rate):
        return pairs.SATURATION / math.log2(rate)
    growing = rate > 1
    return xp.where(growing, pairs.SATURATION / xp.log2(xp.where(growing, rate, 2.0)), math.inf)
