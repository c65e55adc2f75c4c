"""Random noise on a schedule, computed from the step, so that a run can be repeated and resumed."""

from typing import Annotated

from lrsched._arrays.namespace import real
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Whole
from lrsched._core.decorator import Inner, schedule
from lrsched._core.kinds import Fraction, OptionalPhase, Phase, Steps
from lrsched._core.number_kinds import integer
from lrsched._numerics.elementary import MAX_PRODUCT
from lrsched._numerics.steps import cycle, less, whole_part

Key = Annotated[Whole, integer(0, "a key of the noise")]

_BITS = 23  # of a draw, so that 2 * draw + 1 is exact in float32
# The factor and the salt of each round of the hash. The factors are odd numbers below 2**15, so
# that the product with 16 bits stays below 2**31. The salts are consecutive 16-bit pieces of the
# hexadecimal digits of e = 2.B7E1 5162 8AED 2A6A BF71 5880...
# tests/schedules/noise_test.py measures their quality: uniformity by chi-squared, correlation of
# lags, avalanche of each bit of step and key.
_ROUNDS = (
    (0x6A7D, 0xB7E1),
    (0x5EB3, 0x5162),
    (0x73C5, 0x8AED),
    (0x4D2B, 0x2A6A),
    (0x7919, 0xBF71),
    (0x62E9, 0x5880),
)


@schedule
def noise(
    xp: Namespace,
    count: Array,
    schedule: Inner,
    amount: Fraction,
    key: Key = 0,
    every: Steps = 1,
    begin: Phase = 0,
    end: OptionalPhase = None,
) -> Array:
    """A schedule times random factors around 1, the same at every call and in every framework.

        value(t) = schedule(t) * (1 + amount * u)    for begin <= t < end
                   schedule(t)                       elsewhere

        u = hash(floor(t / every), key)

    t is the count of updates made so far. The hash is spread evenly over (-1, 1) and has 23
    bits. The product saturates at 1e38, just inside float32.

    Args:
        schedule: the schedule without noise.
        amount: the largest relative change, from 0 to 1.
        key: selects the noise: each integer from 0 to 2**31 - 1 gives a different one.
        every: the number of steps that share a factor, at least 1.
        begin: the first step with noise, at least 0.
        end: the step from which there is no more noise, at least 0; None for noise without an end.

    Raises:
        TypeError: `schedule` is not a schedule, `amount` is not a number, or `key` or a step is not
            an integer.
        ValueError: `amount` is not from 0 to 1, `key` is not from 0 to 2**31 - 1, `every` < 1, or
            `begin` or `end` < 0.

    Elsewhere: timm's `noise_range_t`, `noise_pct` and `noise_seed` with `noise_type="uniform"`,
    which takes its numbers from torch's generator.

    >>> from lrsched import constant
    >>> noisy = noise(constant(1.0), 0.1, key=7)
    >>> [round(noisy(count), 4) for count in range(4)] == [round(noisy(n), 4) for n in range(4)]
    True
    """
    draw = _draw(whole_part(xp, cycle(xp, count, every)[0]), key)
    # above is 1 + u: the factor is then a sum of two positive numbers, in which nothing cancels.
    above = (2.0 * real(xp, draw) + 1.0) / 2.0**_BITS
    factor = (1.0 - amount) + amount * above
    factor = xp.where(less(xp, count, begin), 1.0, factor)
    if end is not None:
        factor = xp.where(less(xp, count, end), factor, 1.0)
    return xp.clip(schedule(count) * factor, -MAX_PRODUCT, MAX_PRODUCT)


def _draw(n: Array, key: Array) -> Array:
    """A number of 23 bits from n and key: a Feistel network over the two 16-bit halves of n.

    Its integers stay below 2**31, so Python and every array library give the same number. Shifts
    are written as quotients, because TensorFlow's tensors have no shift operators.
    """
    left, right = n // 2**16, n % 2**16
    halves = key % 2**16, key // 2**16
    for index, (factor, salt) in enumerate(_ROUNDS):
        mixed = (right ^ halves[index % 2] ^ salt) * factor
        mixed = mixed ^ (mixed // 2**15)
        left, right = right, left ^ (mixed // 2**4 % 2**16)
    return right * 2 ** (_BITS - 16) + left // 2 ** (32 - _BITS)
