"""Chebyshev step sizes for gradient descent, in the fractal order that keeps the descent stable."""

from typing import Annotated, Any

from lrsched._arrays.namespace import is_array
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Whole, ordered
from lrsched._core.decorator import counts_steps, schedule
from lrsched._core.kinds import WHOLE_STEPS, Positive
from lrsched._numerics.elementary import half_cosine
from lrsched._numerics.steps import whole_part

_BITS = 29  # of the longest round: the formula needs 2 * steps <= 2**31 - 1


def _power_of_2(value: Any) -> Any:
    value = WHOLE_STEPS.convert(value)
    if isinstance(value, int) and (value & (value - 1) or value > 2**_BITS):
        raise ValueError
    return value


_expected = f"a power of 2 from 1 to {2**_BITS} (steps)"
PowerOf2 = Annotated[Whole, WHOLE_STEPS._replace(expected=_expected, convert=_power_of_2)]


@counts_steps
@schedule(check=ordered("lowest_value", "peak_value"))
def fractal_chebyshev(
    xp: Namespace, count: Array, peak_value: Positive, lowest_value: Positive, steps: PowerOf2
) -> Array:
    """Chebyshev step sizes in fractal order, round after round: high values among low ones.

        value(t) = 1 / (cos(a) ** 2 / peak_value + sin(a) ** 2 / lowest_value)

        a = pi * (2 * order[t mod steps] + 1) / (4 * steps)

    t is the count of updates made so far. `order` is a permutation of 0, ..., steps - 1. For 1
    step it is (0). For 2 n steps it has each entry k of the order for n steps, followed by
    2 n - 1 - k: (0, 1) for 2 steps, (0, 3, 1, 2) for 4.

    For a quadratic with curvatures from 1 / peak_value to 1 / lowest_value, a round is the best
    that `steps` steps of gradient descent can do.

    Args:
        peak_value: the upper bound of the values, which the highest comes near, at least 1e-18.
        lowest_value: the lower bound of the values, which the lowest comes near, at least 1e-18, at
            most `peak_value`.
        steps: the length of a round in steps, a power of 2 from 1 to 2**29; all rounds are equal.

    Raises:
        TypeError: a value is not a number, or `steps` is not an integer.
        ValueError: a value is not finite or < 1e-18, `lowest_value` > `peak_value`, or `steps` is
            not a power of 2 from 1 to 2**29.

    Source: Agarwal, Goel and Zhang 2021, arXiv:2103.01338.

    Elsewhere: pytorch_optimizer's `get_chebyshev_schedule`, with `small_m=0.05` and `big_m=1`.

    >>> rates = fractal_chebyshev(peak_value=20.0, lowest_value=1.0, steps=4)
    >>> [round(rates(count), 3) for count in range(5)]
    [11.607, 1.038, 2.914, 1.415, 11.607]
    """
    position = whole_part(xp, count)
    twice = 2 * _fractal_order(xp, position - position // steps * steps, steps) + 1
    rest = 2 * steps - twice
    high = half_cosine(xp, rest, twice, 2 * steps)
    low = half_cosine(xp, twice, rest, 2 * steps)
    return 1.0 / (high / peak_value + low / lowest_value)


def _fractal_order(xp: Namespace, position: Array, steps: Array) -> Array:
    """The entry of the fractal order at a position.

    A set bit of the position mirrors the entry, k -> size - 1 - k, which inverts its low bits.
    """
    bits = _BITS if is_array(steps) else steps.bit_length() - 1
    entry = 0 * position
    for level in range(bits):
        size = steps // 2**level  # no shift: TensorFlow's tensors have none
        mirror = xp.maximum(size - 1, 0) if is_array(steps) else size - 1
        entry = entry ^ (position // 2**level % 2 * mirror)
    return entry
