"""Noise on a schedule that is a function of the step, so that a run can be repeated and resumed."""

from typing import Annotated, Any

from lrsched._arrays.namespace import real, whole
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Whole, integer
from lrsched._core.decorator import Inner, schedule
from lrsched._core.kinds import Fraction, OptionalPhase, Phase, Steps
from lrsched._numerics.elementary import MAX_PRODUCT

Key = Annotated[Whole, integer(0, "a key of the noise")]

_BITS = 23  # of a draw: 2 n + 1 is exact in a float32
_ROUNDS = (  # odd factors below 2**15, that a product with 16 bits stays below 2**31; and salts
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
    r"""A schedule times random factors about 1, the same at every call and in every framework.

    .. math:: \eta(t) = s(t)\, (1 + a\, u_{key}(\lfloor t / n \rfloor)), \quad
        b \le t < e, \quad \text{else } s(t)

    with u spread evenly over (-1, 1): the upper 23 bits of a hash of the step and the key.

    Args:
        schedule: s.
        amount: a, from 0 to 1.
        key: which noise: each integer from 0 to 2**31 - 1 gives another.
        every: n, for how many steps a factor stays the same, at least 1.
        begin: b, the first step with noise.
        end: e, the first step after `begin` without; None is never.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Elsewhere: timm's `noise_range_t`, `noise_pct`, `noise_seed` (with `noise_type="uniform"`,
    whose numbers are those of torch's generator).

    >>> from lrsched import constant
    >>> noisy = noise(constant(1.0), 0.1, key=7)
    >>> [round(noisy(count), 4) for count in range(4)] == [round(noisy(n), 4) for n in range(4)]
    True
    """
    draw = _draw(whole(xp, count // every), key)
    # 1 + u, not u: a sum with no cancellation.
    above = (2.0 * real(xp, draw) + 1.0) / 2.0**_BITS
    factor = (1.0 - amount) + amount * above
    noisy = count >= begin
    if end is not None:
        noisy = noisy & (count < end)
    return xp.clip(schedule(count) * xp.where(noisy, factor, 1.0), -MAX_PRODUCT, MAX_PRODUCT)


def _draw(n: Any, key: Any) -> Any:
    """A number of 23 bits, by a Feistel network over the halves of n.

    In integers that never pass 31 bits, so that it is the same with Python's and in any array;
    shifts are quotients, which TensorFlow's operators have.
    """
    left, right = n // 2**16, n % 2**16
    halves = key % 2**16, key // 2**16
    for index, (factor, salt) in enumerate(_ROUNDS):
        mixed = (right ^ halves[index % 2] ^ salt) * factor
        mixed = mixed ^ (mixed // 2**15)
        left, right = right, left ^ (mixed // 2**4 % 2**16)
    return right * 2 ** (_BITS - 16) + left // 2 ** (32 - _BITS)
