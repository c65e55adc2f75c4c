"""Two numbers that add up to 1, both with all their digits.

`1 - p` has no digits left where p is nearly 1, and a power multiplies the relative error of its
base. So p and q = 1 - p are carried along together, in float32 each as a pair of floats.
"""

import math
from typing import NamedTuple

from lrsched._arrays.namespace import is_array, real
from lrsched._arrays.types import Array, Namespace
from lrsched._numerics import double_float as pairs
from lrsched._numerics.double_float import Pair, needs_pairs
from lrsched._numerics.elementary import is_literal
from lrsched._numerics.steps import Steps, as_real, in_pairs


class Complement(NamedTuple):
    """p and q, which add up to 1."""

    p: Pair
    q: Pair


def complement_of(
    xp: Namespace, first: Steps, second: Steps, steps: Steps, times: Array = 1
) -> Complement:
    """first / (times * steps) and second / (times * steps), for two that add up to the divisor."""

    arrays = [n for n in (first, second, steps) if type(n) is tuple or is_array(n)]
    pairwise = any(in_pairs(xp, n) for n in arrays)

    def fraction(n: Steps) -> Pair:
        if pairwise:
            return pairs.ratio(xp, pairs.ratio(xp, n, steps), times)
        return as_real(xp, n) / as_real(xp, steps) / real(xp, times), 0.0

    return Complement(fraction(first), fraction(second))


def complement_power(xp: Namespace, of: Complement, exponent: Array) -> Complement:
    """p ** exponent and 1 - p ** exponent."""
    if is_literal(exponent, 1.0):
        return of
    if not needs_pairs(xp, of.p[0]):
        return Complement((of.p[0] ** exponent, 0.0), (_one_minus_power(xp, of, exponent), 0.0))
    log = pairs.product(xp, _log2(xp, of), pairs.pair(xp, exponent))
    grown = _with_ends(xp, of, pairs.power_of_2(xp, log), at_zero=0.0, at_one=1.0)
    rest = _with_ends(xp, of, pairs.one_minus_exp2(xp, log), at_zero=1.0, at_one=0.0)
    return Complement(grown, rest)


def half_cosines(xp: Namespace, of: Complement) -> Complement:
    """(1 - cos(pi p)) / 2 and (1 + cos(pi p)) / 2, as squares of sines."""

    def squared_sine(x: Pair) -> Pair:
        if not needs_pairs(xp, x[0]):
            return xp.sin(math.pi / 2 * x[0]) ** 2, 0.0
        root = pairs.quarter_sine(xp, x)
        return pairs.product(xp, root, root)

    return Complement(squared_sine(of.p), squared_sine(of.q))


def interpolate_power(
    xp: Namespace, first: Array, second: Array, of: Complement, exponent: Array
) -> Array:
    """first * p ** exponent + second * (1 - p ** exponent).

    A `second` that is the literal 0.0 is skipped, and its weight never computed.
    """
    p, q = of
    skip = is_literal(second, 0.0)
    if is_literal(exponent, 1.0):
        return first * p[0] if skip else first * p[0] + second * q[0]
    if not needs_pairs(xp, p[0]):
        value = first * p[0] ** exponent
        return value if skip else value + second * _one_minus_power(xp, of, exponent)
    if type(exponent) is float and exponent in (2.0, 3.0, 4.0):
        # 1 - p**n = q (1 + p + ... + p**(n - 1))
        value, series = first * p[0], 1.0
        for _ in range(int(exponent) - 1):
            value, series = value * p[0], 1.0 + p[0] * series
        return value if skip else value + second * (q[0] * series)
    log, times = _log2(xp, of), pairs.pair(xp, exponent)
    # `first` is scaled together with the power, which alone might be too small for a float.
    value = pairs.times_power_of_2(xp, first, log, times)
    value = xp.where(p[0] > 0, value, 0.0 * value)
    if skip:
        return value
    weight = pairs.one_minus_exp2(xp, pairs.product(xp, log, times))
    return value + second * _with_ends(xp, of, weight, at_zero=1.0, at_one=0.0)[0]


def _with_ends(xp: Namespace, of: Complement, x: Pair, at_zero: float, at_one: float) -> Pair:
    """`x`, except where p is exactly 0 or exactly 1."""
    is_zero, is_one = of.p[0] == 0, of.q[0] == 0
    high = xp.where(is_one, at_one, xp.where(is_zero, at_zero, x[0]))
    return high, xp.where(is_one | is_zero, 0.0, x[1])


def _log2(xp: Namespace, of: Complement) -> Pair:
    """log2(p) as a pair, from q where that is small; 0 where p is 0."""
    p, (q, q_low) = of
    positive = p[0] > 0
    log = pairs.log2(xp, (xp.where(positive, p[0], 1.0), xp.where(positive, p[1], 0.0)))
    near_1 = q < 2.0**-8
    x = xp.where(near_1, q, 0.0 * q)
    # -log1p(-x) - x to x**5: the first term left out, x**6 / 6, is below 2**-42 of x.
    series = x * x * (1 / 2 + x * (1 / 3 + x * (1 / 4 + x / 5)))
    near = pairs.product(xp, pairs.normal(-x, -q_low - series), pairs.pair(xp, 1 / math.log(2)))
    return xp.where(near_1, near[0], log[0]), xp.where(near_1, near[1], log[1])


def _log(xp: Namespace, of: Complement) -> Array:
    """ln(p), from the smaller of p and q; 0 where p is 0."""
    (p, _), (q, _) = of
    near_1 = q < 0.5
    of_p = xp.log(xp.where(near_1 | (p == 0), 1.0 + 0.0 * p, p))
    return xp.where(near_1, xp.log1p(-xp.where(near_1, q, 0.0 * q)), of_p)


def _one_minus_power(xp: Namespace, of: Complement, exponent: Array) -> Array:
    """1 - p ** exponent, which is 1 where p is 0."""
    (p, _), _ = of
    return xp.where(p > 0, -xp.expm1(exponent * _log(xp, of)), 1.0 + 0.0 * p)
