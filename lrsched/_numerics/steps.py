"""Numbers of steps, whole or not: counts, durations, and what remains of them.

Whole ones are integers, which lose no digit. Others are floats in float64 and on Python numbers. In
float32, which has no place for the fraction of a late count, they are pairs of floats.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from lrsched._arrays.compiler import defer
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
from lrsched._numerics import double_float as pairs
from lrsched._numerics.double_float import Pair

Steps: TypeAlias = Any  # an integer, a float, an array of these, or a Pair

LAST_FLOAT32 = 2.0**31 - 128  # the largest that is below 2**31

# A cycle begins at a count that misses its boundary by no more than this part of the count: what
# rounding makes of 11 steps in ten cycles of 1.1.
ROUNDING = 2.0**-44


def is_whole(xp: Namespace, n: Steps) -> bool:
    """Whether a number of steps is whole by its type."""
    if type(n) is tuple:
        return False
    return is_integral(xp, n) if is_array(n) else type(n) is int


def alike(xp: Namespace, *numbers: Steps) -> tuple[Steps, ...]:
    """The numbers in a common form: as they are if all are whole, else as floats or as pairs."""
    if is_scalar(xp) or all(is_whole(xp, n) for n in numbers):
        return numbers
    arrays = [n for n in numbers if is_array(n)]
    if len(arrays) < len(numbers) and any(type(n) is tuple for n in numbers):
        return tuple(as_pair(xp, n) for n in numbers)
    if any(is_single(xp, n) for n in arrays):
        return tuple(as_pair(xp, n) for n in numbers)
    return tuple(float(n) if type(n) is int else real(xp, n) for n in numbers)


def in_pairs(xp: Namespace, n: Steps) -> bool:
    """Whether formulas of this number compute in float32, where only a pair keeps all digits."""
    return type(n) is tuple or pairs.needs_pairs(xp, n)


def as_pair(xp: Namespace, n: Steps) -> Pair:
    return n if type(n) is tuple else pairs.pair(xp, n)


def as_real(xp: Namespace, n: Steps) -> Array:
    """The number as one float."""
    return n[0] if type(n) is tuple else real(xp, n)


def minus(xp: Namespace, n: Steps, other: Steps) -> Steps:
    """n - other. The whole parts are subtracted as integers where they are known apart."""
    first, second = alike(xp, n, other)
    if type(first) is not tuple:
        return first - second
    if type(n) is tuple or type(other) is tuple:
        return pairs.difference(first, second)
    (n_whole, n_rest), (other_whole, other_rest) = _split(xp, n), _split(xp, other)
    rest = n_rest - other_rest
    return pairs.total(pairs.pair(xp, n_whole - other_whole), pairs.pair(xp, rest))


def plus(xp: Namespace, n: Steps, other: Steps) -> Steps:
    """n + other."""
    return minus(xp, n, negative(other))


def total(xp: Namespace, *numbers: Steps) -> Steps:
    """The sum as a float or a pair, which need not fit an integer."""
    if is_scalar(xp):
        return sum(numbers)
    if any(type(n) is tuple or (is_array(n) and is_single(xp, n)) for n in numbers):
        first, *others = (as_pair(xp, n) for n in numbers)
        for other in others:
            first = pairs.total(first, other)
        return first
    return sum(real(xp, n) for n in numbers)


def times(xp: Namespace, n: Steps, factor: Steps) -> Steps:
    """n * factor, which is no whole number by its type."""
    if type(n) is tuple or type(factor) is tuple:
        return pairs.product(xp, as_pair(xp, n), as_pair(xp, factor))
    return real(xp, n) * real(xp, factor)


def divided_by(xp: Namespace, n: Steps, divisor: float) -> Steps:
    """n / divisor, for a Python number."""
    if divisor == 1:
        return n
    if type(n) is not tuple:
        return n / divisor
    if math.frexp(divisor)[0] == 0.5:  # a power of 2, by which division is exact
        return n[0] / divisor, n[1] / divisor
    return pairs.ratio(xp, n, pairs.pair(xp, divisor))


def take_steps(xp: Namespace, numbers: Sequence[float], index: Array, like: Steps) -> Steps:
    """The numbers at an index, in pairs where `like` has or needs them."""
    if not in_pairs(xp, like):
        return take(xp, numbers, index)
    highs, lows = zip(*(pairs.pair(xp, number) for number in numbers), strict=True)
    return take(xp, highs, index), take(xp, lows, index)


def whole_part(xp: Namespace, n: Steps) -> Array:
    """The number without its fraction, as an integer."""
    if is_scalar(xp):
        return xp.trunc(n)
    if type(n) is not tuple:
        return _split(xp, n)[0]
    below = xp.minimum(n[0], LAST_FLOAT32)  # the next float32 is no int32
    whole, rest = _split(xp, below)
    return whole + _split(xp, (n[0] - below) + rest + n[1])[0]


def steps_since(xp: Namespace, count: Steps, moment: Array) -> Array:
    """count - moment as one float."""
    if type(count) is tuple:
        return as_real(xp, minus(xp, count, moment))
    whole, rest = _split(xp, moment)
    if is_array(whole):
        whole = xp.astype(whole, count.dtype)
    return real(xp, count - whole) - rest


def _split(xp: Namespace, n: Array) -> tuple[Array, Array]:
    """The whole part of a number, as an integer, and the rest, from 0 to 1."""
    if is_whole(xp, n):
        return n, 0.0
    if not is_array(n):
        return math.floor(n), n - math.floor(n)
    whole = xp.floor(n)
    return xp.astype(whole, default_dtype(xp, "integral")), n - whole


def less(xp: Namespace, n: Steps, other: Steps) -> Array:
    """n < other."""
    first, second = alike(xp, n, other)
    if type(first) is not tuple:
        return first < second
    return as_real(xp, minus(xp, n, other)) < 0


def where(xp: Namespace, condition: Array, n: Steps, other: Steps) -> Steps:
    """n where the condition holds, else other."""
    n, other = alike(xp, n, other)
    if type(n) is not tuple:
        return xp.where(condition, n, other)
    high, other_high = n[0], other[0]
    if not (is_array(high) or is_array(other_high)):
        high = high + xp.astype(condition, default_dtype(xp, "real floating")) * 0.0
    high = xp.where(condition, high, other_high)
    low, other_low = n[1], other[1]
    if not (is_array(low) or is_array(other_low)):
        low = low + 0.0 * high
    return high, xp.where(condition, low, other_low)


def since_entry(xp: Namespace, count: Steps, moments: Sequence[Array], index: Array) -> Steps:
    """count - moments[index]."""
    wholes, rests = zip(*(_split(xp, moment) for moment in moments), strict=True)
    dtype = None if is_scalar(xp) else default_dtype(xp, "integral")
    since = minus(xp, count, take(xp, wholes, index, dtype))
    if all(type(rest) is float and rest == 0.0 for rest in rests):
        return since
    return minus(xp, since, take(xp, rests, index))


def negative(n: Steps) -> Steps:
    return (-n[0], -n[1]) if type(n) is tuple else -n


def least(xp: Namespace, n: Steps, other: Steps) -> Steps:
    """The lesser of the two."""
    first, second = alike(xp, n, other)
    if type(first) is not tuple:
        return xp.minimum(first, second)
    return where(xp, less(xp, n, other), n, other)


def most(xp: Namespace, n: Steps, other: Steps) -> Steps:
    """The greater of the two."""
    first, second = alike(xp, n, other)
    if type(first) is not tuple:
        return xp.maximum(first, second)
    return where(xp, less(xp, n, other), other, n)


def since(xp: Namespace, count: Steps, moment: Steps) -> Steps:
    """The steps from a moment to a count, 0 before it."""
    return _at_least_0(xp, minus(xp, count, moment))


def _at_least_0(xp: Namespace, n: Steps) -> Steps:
    return where(xp, n[0] > 0, n, (0.0, 0.0)) if type(n) is tuple else xp.maximum(n, 0)


def progress(xp: Namespace, count: Steps, steps: Steps) -> tuple[Steps, Steps]:
    """How many of `steps` are done and how many remain, from (0, steps) to (steps, 0)."""
    done = least(xp, count, steps)
    if type(done) is tuple:
        return done, since(xp, steps, count)
    return done, steps - done


def phase_progress(xp: Namespace, count: Steps, steps: Steps) -> tuple[Steps, Steps, Steps]:
    """`progress` through a phase that may have no steps, and the length to divide by.

    A phase of 0 steps is one of length 1 that is done.
    """
    if is_array(steps) or steps == 0:
        empty = xp.where(steps == 0, 1, 0 * steps) if is_array(steps) else 1
        count, steps = most(xp, count, empty), steps + empty
    return *progress(xp, count, steps), steps


def cycle(xp: Namespace, count: Steps, period: Steps) -> tuple[Array, Steps, Steps]:
    """The cycle that a count lies in, from 0, and the steps of it that are done and that remain.

    A count that misses a boundary by no more than `ROUNDING` is at it.
    """
    if is_scalar(xp) and type(period) is float:
        index, done = defer(_index, count, period), defer(_done, count, period)
    elif is_scalar(xp) or (is_whole(xp, count) and is_whole(xp, period)):
        index = count // period
        done = count - index * period
    else:
        index, done = _divide(xp, count, period)
    return index, done, minus(xp, period, done)


def _index(count: float, period: float) -> int:
    index, done = divmod(count, period)  # both are exact
    return int(index) + (period - done <= ROUNDING * count)


def _done(count: float, period: float) -> float:
    done = count % period
    rounding = ROUNDING * count
    return 0.0 if done <= rounding or period - done <= rounding else done


def _divide(xp: Namespace, count: Steps, period: Steps) -> tuple[Array, Steps]:
    """`cycle` on arrays of which one is not whole."""
    first, second = alike(xp, count, period)
    whole = default_dtype(xp, "integral")
    if type(first) is tuple:
        index, done = xp.astype(0 * first[0], whole), first
        # The first quotient has 24 bits, the second as many more; then it may be one off.
        for _ in range(2):
            index = index + xp.astype(xp.floor(done[0] / second[0]), whole)
            done = _without(xp, count, index, period)
        early, late = as_real(xp, done) < 0, xp.logical_not(less(xp, done, second))
        index = index - xp.astype(early, whole) + xp.astype(late, whole)
        done = _without(xp, count, index, period)
    else:
        done = xp.remainder(first, second)
        index = xp.astype(xp.round((first - done) / second), whole)
    rounding = ROUNDING * as_real(xp, first)
    at_end = as_real(xp, minus(xp, second, done)) <= rounding
    at_boundary = at_end | (as_real(xp, done) <= rounding)
    return index + xp.astype(at_end, whole), where(xp, at_boundary, 0, done)


def _without(xp: Namespace, count: Steps, index: Array, period: Steps) -> Pair:
    """count - index * period; the whole part of the period is multiplied as an integer."""
    if type(period) is tuple:
        return pairs.difference(
            as_pair(xp, count), pairs.product(xp, pairs.pair(xp, index), period)
        )
    whole, rest = _split(xp, period)
    if type(count) is tuple:
        left = pairs.difference(
            count, pairs.product(xp, pairs.pair(xp, index), pairs.pair(xp, whole))
        )
    else:  # where the product overflows, the difference wraps back
        left = as_pair(xp, minus(xp, count, index * whole))
    return pairs.difference(left, pairs.product(xp, pairs.pair(xp, index), pairs.pair(xp, rest)))
