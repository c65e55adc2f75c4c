"""Powers, sines and quotients in float32, right to the last digits, from pairs of floats.

A power is 2 to the exponent's product with a logarithm. That product may be a hundred, so in one
float32 it would be off by 2**-18 and the power by a hundred units in its last place. Here each
factor is a pair (high, low), the unevaluated sum of two float32 with `high` the rounded sum, and
the product is split exactly into its whole part and a fraction.
"""

import math
import struct
from collections.abc import Sequence

from lrsched._arrays.namespace import (
    default_dtype,
    is_array,
    is_integral,
    is_single,
    real,
    take,
)
from lrsched._arrays.scalars import is_scalar
from lrsched._arrays.types import Array, Namespace

SATURATION = 64  # growth stops at a factor of 2**64, so that values stay finite in float32

Pair = tuple[Array, Array]


def needs_pairs(xp: Namespace, x: Array) -> bool:
    """Whether numbers like `x` are computed in float32, in which only a pair keeps all digits."""
    return not is_scalar(xp) and is_single(xp, x)


def pair(xp: Namespace, n: Array) -> Pair:
    """A number as a pair: exact for an integer of 31 bits, to 48 bits for a Python float."""
    if not is_array(n):
        high = struct.unpack("f", struct.pack("f", n))[0]
        return high, n - high
    if not is_integral(xp, n):
        return n, 0.0
    low = n & 127
    return normal(real(xp, n - low), real(xp, low))


def normal(a: Array, b: Array) -> Pair:
    """a + b as a pair exactly, where |a| >= |b| or a is 0."""
    high = a + b
    return high, b - (high - a)


def plus(x: Pair, y: Array) -> Pair:
    """x + y for one float, whichever is the larger."""
    high, low = _sum(x[0], y)
    return normal(high, low + x[1])


def total(x: Pair, y: Pair) -> Pair:
    """x + y."""
    high, low = _sum(x[0], y[0])
    return _sum(high, low + (x[1] + y[1]))


def difference(x: Pair, y: Pair) -> Pair:
    """x - y."""
    return total(x, (-y[0], -y[1]))


def _sum(a: Array, b: Array) -> Pair:
    """a + b as a pair exactly, whichever is the larger (Knuth's sum)."""
    if not is_array(a):
        a, b = b, a  # XLA simplifies the difference of a sum and its constant
    high = a + b
    part = high - a
    return high, (a - (high - part)) + (b - part)


def product(xp: Namespace, x: Pair, y: Pair) -> Pair:
    """x * y, the product of the highs exactly (Dekker 1971): that of 12-bit halves never rounds."""

    def halves(x: Array) -> Pair:
        if not is_array(x):
            mantissa, exponent = math.frexp(x)
            high = math.ldexp(round(mantissa * 4096), exponent - 12)
        else:
            scaled = _rounded(xp, 4097.0 * x)
            high = scaled - (scaled - x)
        return high, x - high

    high = _rounded(xp, x[0] * y[0])
    (a, b), (c, d) = halves(x[0]), halves(y[0])
    low = ((a * c - high) + a * d + b * c) + b * d
    for one, other in ((x[0], y[1]), (x[1], y[0])):
        low = low if _is_zero(one) or _is_zero(other) else low + one * other
    return high, low


def _is_zero(x: Array) -> bool:
    """Whether x is a Python 0; compilers cannot drop `0 * y`, as y may be NaN."""
    return not is_array(x) and x == 0


def _rounded(xp: Namespace, product: Array) -> Array:
    """A product that the compiler must round before it is used.

    Compilers fuse a product and a sum into one multiply-add, which does not round the product. In
    one use of it and not in another, that would make its low part wrong. They cannot see through a
    choice.
    """
    return xp.where(product == product, product, 0.0) if is_array(product) else product


def ratio(xp: Namespace, n: Array | Pair, steps: Array | Pair) -> Pair:
    """n / steps as a pair, by one step of long division, of numbers or of pairs."""
    n_high, n_low = n if type(n) is tuple else pair(xp, n)
    if not is_array(steps) and steps == 1:
        return n_high, n_low
    steps_high, steps_low = steps if type(steps) is tuple else pair(xp, steps)
    quotient = n_high / steps_high
    high, low = product(xp, (quotient, 0.0), (steps_high, steps_low))
    remainder = (n_high - high) + (n_low - low)
    return normal(quotient, remainder / steps_high)


ZERO_LOG2 = -(2.0**20)  # stands for log2(0): the smallest power of such a rate is 0 already


def log2_of(xp: Namespace, rate: Array, steps: Array = 1) -> Pair:
    """log2(rate) / steps as a pair, for a rate >= 0; an array rate takes 1 step."""
    if is_array(rate):
        return log2(xp, (_positive(xp, rate), 0.0))
    return pair(xp, (math.log2(rate) if rate > 0 else ZERO_LOG2) / steps)


def natural_log(xp: Namespace, rate: Array) -> Array:
    """The natural logarithm of a rate >= 0."""
    if is_array(rate):
        return xp.log(_positive(xp, rate))
    return math.log(rate) if rate > 0 else ZERO_LOG2


def _positive(xp: Namespace, rate: Array) -> Array:
    return xp.maximum(rate, float(xp.finfo(rate.dtype).smallest_normal))


def log2(xp: Namespace, x: Pair) -> Pair:
    """log2 of a positive pair as a pair, by Tang's method of a table (Tang 1990).

    x = 2**k * m with m about 1, and m = c * (1 + r) with c the nearest 64th, so that |r| <= 1/88.
    k is exact and log2(c) is in the table, to 48 bits. At m = 1 the table's entry is 0, so that the
    logarithm of a rate just below 1 keeps all its digits.
    """
    high, low = x
    exponent = xp.round(xp.log2(high))
    m = _scale_by_power_of_2(xp, high, -exponent)
    least, most = 44, 92  # 64ths of sqrt(1/2) and sqrt(2), and one more
    nearest = xp.clip(xp.round(64.0 * m), float(least), float(most))
    log_c, log_c_low = _take_pairs(
        xp, [math.log2(j / 64) for j in range(least, most + 1)], nearest - least
    )
    c = nearest / 64.0
    # JAX divides the gradient of 0 / high by high**2, which overflows.
    m_low = 0.0 if _is_zero(low) else m * (low / high)
    r, r_low = ratio(xp, (m - c, m_low), c)
    # log1p(r) is r (1 + s). The first term of s left out, r**6 / 7, is below 2**-41, and s itself
    # is rounded at 2**-31: r s is then off by 2**-37 at most.
    s = r * (-1 / 2 + r * (1 / 3 + r * (-1 / 4 + r * (1 / 5 - r / 6))))
    log_m = product(xp, normal(r, r_low + r * s), pair(xp, 1 / math.log(2)))
    total, error = normal(exponent, log_c)
    first, second = normal(total, log_m[0])
    alone = total == 0
    return (
        xp.where(alone, log_m[0], first),
        xp.where(alone, log_m[1], second + (error + log_c_low + log_m[1])),
    )


def times_power_of_2(xp: Namespace, value: Array, x: Pair, y: Pair) -> Array:
    """value * 2 ** (x * y): the whole part of the exponent exactly, the fraction by `exp`."""
    exponent, low = product(xp, x, y)
    whole = xp.clip(xp.round(exponent), -200.0, SATURATION - 1.0)
    fraction = xp.clip(exponent - whole + low, -1.0, 1.0)
    return _scale_by_power_of_2(xp, value * xp.exp(math.log(2) * fraction), whole)


def power_of_2(xp: Namespace, x: Pair) -> Pair:
    """2 ** x as a pair, for x from -200 to 63, by Tang's method of a table."""
    nearest = xp.clip(xp.round(64.0 * x[0]), -200.0 * 64, SATURATION * 64 - 1.0)
    fraction = xp.clip((x[0] - nearest / 64) + x[1], -1.0, 1.0)
    whole = xp.floor(nearest / 64)
    root, root_low = _take_pairs(xp, [2.0 ** (j / 64) for j in range(64)], nearest - 64 * whole)
    # The table has 48 bits; growth, at most 0.0055, is rounded at 2**-31.
    growth = xp.expm1(math.log(2) * fraction)
    high, low = normal(root, root_low + root * growth)
    return _scale_by_power_of_2(xp, high, whole), _scale_by_power_of_2(xp, low, whole)


def one_minus_exp2(xp: Namespace, x: Pair) -> Pair:
    """1 - 2 ** x as a pair, for x <= 0."""
    near_0 = x[0] > -1 / 8
    z, z_low = product(
        xp,
        (xp.where(near_0, x[0], 0.0 * x[0]), xp.where(near_0, x[1], 0.0 * x[0])),
        pair(xp, math.log(2)),
    )
    # expm1(z) is z (1 + s), with z from -0.087 to 0. The first term of s left out, z**7 / 40320, is
    # below 2**-39, and s, at most 0.044, is rounded at 2**-28.
    s = z * (1 / 2 + z * (1 / 6 + z * (1 / 24 + z * (1 / 120 + z * (1 / 720 + z / 5040)))))
    near = normal(-z, -z_low - z * s)
    power, power_low = power_of_2(xp, x)
    # As a constant, XLA would take the 1 out of the difference again, with the digits it cost.
    high, low = normal(xp.where(power >= 0, 1.0, power), -power)
    high, low = normal(high, low - power_low)
    return xp.where(near_0, near[0], high), xp.where(near_0, near[1], low)


def quarter_sine(xp: Namespace, x: Pair) -> Pair:
    """sin(pi x / 2) as a pair, for x from 0 to 1, from the sine of the nearest 64th."""
    nearest = xp.clip(xp.round(64.0 * x[0]), 0.0, 64.0)
    angles = [math.pi / 128 * j for j in range(65)]
    sine, sine_low = _take_pairs(xp, [math.sin(angle) for angle in angles], nearest)
    cosine = _take_pairs(xp, [math.cos(angle) for angle in angles], nearest)
    r = product(xp, normal(x[0] - nearest / 64, x[1]), pair(xp, math.pi / 2))
    # sin(a + r) is sin(a) + cos(a) r and a series, with |r| <= pi / 256. The first terms left out,
    # sin(a) r**4 / 24 and cos(a) r**5 / 120, are below 2**-29 of the sine.
    slope, slope_low = product(xp, cosine, r)
    series = -r[0] * r[0] * (sine / 2 + cosine[0] * r[0] / 6)
    high, low = normal(sine, slope)
    return normal(high, low + (sine_low + slope_low + series))


def _take_pairs(xp: Namespace, numbers: Sequence[float], place: Array) -> Pair:
    """The numbers at these places, given as reals, as pairs."""
    index = xp.astype(place, default_dtype(xp, "integral"))
    high, low = (
        take(xp, column, index, place.dtype)
        for column in zip(*(pair(xp, number) for number in numbers), strict=True)
    )
    return high, low


def _scale_by_power_of_2(xp: Namespace, value: Array, whole: Array) -> Array:
    """value * 2**whole for a whole number from -208 to 127; `exp2` is not exact everywhere.

    In factors that are normal numbers, and from a table: XLA reorders products of constants, and
    then they need not be.
    """
    whole = xp.astype(whole, default_dtype(xp, "integral"))
    sixteenth = xp.bitwise_right_shift(whole, 4)
    # Few entries: on a GPU each may be a kernel of its own.
    root = take(xp, [2.0 ** (8 * n) for n in range(-13, 8)], sixteenth + 13)
    ones = xp.bitwise_left_shift(xp.ones_like(whole), whole & 15)
    return value * real(xp, ones) * root * root
