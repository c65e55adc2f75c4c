"""Building blocks that stay exact in float32 at any count: half cosines, powers, exponentials.

A count has 31 bits and a float32 24, so phases and remaining steps are formed as integers and made
real last.
"""

import math
from collections.abc import Sequence

from lrsched._arrays.namespace import is_array, real, take
from lrsched._arrays.scalars import SCALARS
from lrsched._arrays.types import Array, Namespace
from lrsched._numerics import double_float as pairs
from lrsched._numerics.steps import Steps, as_pair, as_real, in_pairs, negative, take_steps, where

MAX_PRODUCT = 1e38  # where a product of schedules saturates: just below the largest float32


def is_literal(value: object, number: float) -> bool:
    """Whether `value` is exactly this Python float, so that its term can be skipped."""
    return type(value) is float and value == number


def fraction(xp: Namespace, part: Steps, total: Steps) -> Array:
    """part / total, from 0 to 1. For the rest use `total - part`: `1 - fraction` would cancel."""
    return as_real(xp, part) / as_real(xp, total)


# Coefficients of x**(2 k) in (1 - cos(pi x)) / 2. With seven, the first term left out is 3.2e-9 at
# x = 1/2, 0.05 ulp of float32; with six it would be 4 ulp.
HALF_COSINE = [-((-1) ** k) * math.pi ** (2 * k) / (2 * math.factorial(2 * k)) for k in range(7)]


def half_cosine(xp: Namespace, part: Steps, rest: Steps, total: Steps) -> Array:
    """(1 - cos(pi part / total)) / 2, from 0 to 1, where part + rest = total."""
    if not in_pairs(xp, part):
        root = xp.sin(math.pi / 2 * fraction(xp, part, total))
        return root * root
    # Squaring a sine would double its error. The series up to a quarter turn, mirrored beyond it,
    # is right to a unit in the last place, and the same on every device.
    first_half = as_real(xp, part) < as_real(xp, rest)
    x, low = pairs.ratio(xp, where(xp, first_half, part, rest), total)
    square, series = x * x, HALF_COSINE[-1]
    for coefficient in HALF_COSINE[-2:0:-1]:
        series = coefficient + square * series
    risen = square * series + 2.0 * low * (x * series)
    return xp.where(first_half, risen, 1.0 - risen)


def geometric(xp: Namespace, value: Array, rate: Array, n: Steps, steps: Steps = 1) -> Array:
    """value * rate ** (n / steps), the growth by a rate above 1 saturating at 2**64."""
    if not in_pairs(xp, n):
        exponent = fraction(xp, n, steps)
        if is_array(rate) or rate > 1:
            exponent = xp.minimum(exponent, _saturating_exponent(xp, rate))
        return value * rate**exponent
    if is_array(rate) or is_array(steps) or type(steps) is tuple:
        exponent, log2 = pairs.ratio(xp, n, steps), pairs.log2_of(xp, rate)
    else:
        exponent, log2 = as_pair(xp, n), pairs.log2_of(xp, rate, steps)
    return pairs.times_power_of_2(xp, value, exponent, log2)


def _saturating_exponent(xp: Namespace, rate: Array) -> Array:
    """The exponent at which `rate` has grown by 2**64."""
    if not is_array(rate):
        return pairs.SATURATION / math.log2(rate)
    growing = rate > 1
    return xp.where(growing, pairs.SATURATION / xp.log2(xp.where(growing, rate, 2.0)), math.inf)


def decay_and_growth(xp: Namespace, rate: Array) -> tuple[Array, Array]:
    """A rate as the product of a decay, at most 1, and a growth, at least 1."""
    if not is_array(rate):
        xp = SCALARS
    return xp.minimum(rate, 1.0), xp.maximum(rate, 1.0)


def exponential(xp: Namespace, value: Array, exponent: Array, n: Steps, steps: Steps = 1) -> Array:
    """value * e ** (exponent * n / steps), for what grows no further than 2**64."""
    if not in_pairs(xp, n):
        return value * xp.exp(exponent * fraction(xp, n, steps))
    log2 = pairs.pair(xp, exponent / math.log(2))
    return pairs.times_power_of_2(xp, value, pairs.ratio(xp, n, steps), log2)


def exponential_between(
    xp: Namespace,
    first: Array,
    second: Array,
    logs: Sequence[Array],
    index: Array,
    done: Steps,
    remaining: Steps,
    steps: Steps,
) -> Array:
    """From `first`, at done = 0, to `second`, at remaining = 0, along an exponential.

    The natural logarithm of second / first is at an index of `logs`. The half that is nearer to an
    end is computed from that end.
    """
    backwards = as_real(xp, done) > as_real(xp, remaining)
    n = where(xp, backwards, negative(remaining), done)
    value = xp.where(backwards, second, first)
    if not in_pairs(xp, n):
        return value * xp.exp(take(xp, logs, index) * fraction(xp, n, steps))
    log2 = take_steps(xp, [log / math.log(2) for log in logs], index, like=n)
    return pairs.times_power_of_2(xp, value, pairs.ratio(xp, n, steps), log2)


def gaussian(xp: Namespace, exponent: Array, n: Steps, steps: Steps) -> Array:
    """e ** (-exponent * (n / steps) ** 2)."""
    if not in_pairs(xp, n):
        return xp.exp(-1.0 * exponent * fraction(xp, n, steps) ** 2)
    ratio = pairs.ratio(xp, n, steps)
    log2 = pairs.pair(xp, -1.0 * exponent / math.log(2))
    return pairs.times_power_of_2(xp, 1.0, pairs.product(xp, ratio, ratio), log2)


def power_of_product(
    xp: Namespace, value: Array, count: Steps, factor: Array, exponent: Array
) -> Array:
    """value * n ** exponent for an exponent <= 0, where n is count * factor and at least 1."""
    if not in_pairs(xp, count):
        return value * xp.maximum(real(xp, count) * factor, 1.0) ** exponent
    n = pairs.product(xp, as_pair(xp, count), pairs.pair(xp, factor))
    below_1 = n[0] < 1
    log = pairs.log2(xp, (xp.where(below_1, 1.0, n[0]), xp.where(below_1, 0.0, n[1])))
    return pairs.times_power_of_2(xp, value, log, pairs.pair(xp, exponent))


def langevin(xp: Namespace, x: Array) -> Array:
    """coth(x) - 1 / x for x from 0 to 1, by its continued fraction: the difference cancels.

    It is off by at most 3e-19 of its value, at x = 1; without the 19 it would be 1.1e-16, half a
    unit in the last place of float64.
    """
    square, divisor = x * x, 19.0
    for odd in (17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0):
        divisor = odd + square / divisor
    return x / divisor


def one_minus_exp(xp: Namespace, count: Steps, time_constant: Array) -> Array:
    """1 - e ** (-(count + 1) / time_constant)."""
    if not in_pairs(xp, count):
        return -xp.expm1(-(real(xp, count) + 1.0) / real(xp, time_constant))
    x = pairs.ratio(xp, pairs.plus(as_pair(xp, count), 1.0), time_constant)
    return pairs.one_minus_exp2(xp, pairs.product(xp, x, pairs.pair(xp, -1 / math.log(2))))[0]


def one_minus_power(xp: Namespace, rate: Array, n: Steps) -> Array:
    """1 - rate ** n, which keeps its digits near n = 0 and near a rate of 1."""
    if is_literal(rate, 1.0):
        return 0.0
    log = pairs.natural_log(xp, rate)
    return -xp.expm1(xp.minimum(log * as_real(xp, n), pairs.SATURATION * math.log(2)))
