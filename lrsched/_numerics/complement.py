"""Splits of 1 into a part and the rest, both with all their digits.

`1 - part` has no digits left where the part is nearly 1, and a power multiplies the error of what
it is taken of. So both are carried along, in float32 each as a pair.
"""

import math
from typing import Any

from lrsched._arrays.namespace import is_single, real
from lrsched._arrays.scalars import is_scalar
from lrsched._numerics import double_float as pairs
from lrsched._numerics.double_float import Pair
from lrsched._numerics.elementary import is_literal

Split = tuple[Pair, Pair]


def split(xp: Any, done: Any, left: Any, steps: Any, times: Any = 1) -> Split:
    """done / (times * steps) and left / (times * steps), for what adds up to that."""

    def fraction(n: Any) -> Pair:
        if _in_one_float(xp, n):
            return real(xp, n) / real(xp, steps) / real(xp, times), 0.0
        return pairs.ratio(xp, pairs.ratio(xp, n, steps), times)

    return fraction(done), fraction(left)


def power(xp: Any, parts: Split, exponent: Any) -> Split:
    """part ** exponent and 1 - part ** exponent."""
    if is_literal(exponent, 1.0):
        return parts
    part, _ = parts
    if _in_one_float(xp, part[0]):
        return (part[0] ** exponent, 0.0), (_one_minus_power(xp, parts, exponent), 0.0)
    log = pairs.product(xp, _log2(xp, parts), pairs.pair(xp, exponent))
    grown = _at_ends(xp, parts, pairs.power_of_2(xp, log), 0.0, 1.0)
    return grown, _at_ends(xp, parts, pairs.one_minus_exp2(xp, log), 1.0, 0.0)


def sine(xp: Any, parts: Split) -> Split:
    """(1 - cos(pi part)) / 2 and (1 + cos(pi part)) / 2, as the squares of sines."""

    def squared(x: Pair) -> Pair:
        if _in_one_float(xp, x[0]):
            return xp.sin(math.pi / 2 * x[0]) ** 2, 0.0
        root = pairs.quarter_sine(xp, x)
        return pairs.product(xp, root, root)

    return squared(parts[0]), squared(parts[1])


def weigh_power(xp: Any, first: Any, second: Any, parts: Split, exponent: Any) -> Any:
    """first * part ** exponent + second * (1 - part ** exponent)."""
    part, rest = parts
    nothing = is_literal(second, 0.0)  # which is left out with its weight
    if is_literal(exponent, 1.0):
        return first * part[0] if nothing else first * part[0] + second * rest[0]
    if _in_one_float(xp, part[0]):
        kept = first * part[0] ** exponent
        return kept if nothing else kept + second * _one_minus_power(xp, parts, exponent)
    if type(exponent) is float and exponent in (2.0, 3.0, 4.0):
        kept, series = first * part[0], 1.0
        for _ in range(int(exponent) - 1):
            kept, series = kept * part[0], 1.0 + part[0] * series
        return kept if nothing else kept + second * (rest[0] * series)
    log, times = _log2(xp, parts), pairs.pair(xp, exponent)
    # The value is scaled with the power, which alone might be too small for a float.
    kept = pairs.times_power_of_2(xp, first, log, times)
    kept = xp.where(part[0] > 0, kept, 0.0 * kept)
    if nothing:
        return kept
    remainder = pairs.one_minus_exp2(xp, pairs.product(xp, log, times))
    return kept + second * _at_ends(xp, parts, remainder, 1.0, 0.0)[0]


def _at_ends(xp: Any, parts: Split, x: Pair, at_zero: float, at_one: float) -> Pair:
    """A pair, but the one value where the part is 0 and the other where it is all."""
    nothing, is_one = parts[0][0] == 0, parts[1][0] == 0
    high = xp.where(is_one, at_one, xp.where(nothing, at_zero, x[0]))
    return high, xp.where(is_one | nothing, 0.0, x[1])


def _in_one_float(xp: Any, x: Any) -> bool:
    return is_scalar(xp) or not is_single(xp, x)


def _log2(xp: Any, parts: Split) -> Pair:
    """log2 of the part as a pair, from the rest where that is small; of 1 where there is none."""
    part, (rest, rest_low) = parts
    some = part[0] > 0
    log = pairs.log2(xp, (xp.where(some, part[0], 1.0), xp.where(some, part[1], 0.0)))
    near_1 = rest < 2.0**-8
    x = xp.where(near_1, rest, 0.0 * rest)
    series = x * x * (1 / 2 + x * (1 / 3 + x * (1 / 4 + x / 5)))
    near = pairs.product(xp, pairs.normal(-x, -rest_low - series), pairs.pair(xp, 1 / math.log(2)))
    return xp.where(near_1, near[0], log[0]), xp.where(near_1, near[1], log[1])


def _log(xp: Any, parts: Split) -> Any:
    """The natural logarithm of the part, from the smaller of the two; of 1 where it is 0."""
    (part, _), (rest, _) = parts
    near_1 = rest < 0.5
    of_part = xp.log(xp.where(near_1 | (part == 0), 1.0 + 0.0 * part, part))
    return xp.where(near_1, xp.log1p(-xp.where(near_1, rest, 0.0 * rest)), of_part)


def _one_minus_power(xp: Any, parts: Split, exponent: Any) -> Any:
    """1 - part ** exponent, and 1 where there is no part."""
    (part, _), _ = parts
    return xp.where(part > 0, -xp.expm1(exponent * _log(xp, parts)), 1.0 + 0.0 * part)
