"""Chebyshev's step sizes for gradient descent, in the fractal order that keeps it stable."""

import dataclasses
from typing import Annotated, Any

from lrsched._arrays.namespace import is_array, whole
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Whole, ordered
from lrsched._core.decorator import schedule
from lrsched._core.kinds import STEPS, Positive
from lrsched._numerics.elementary import half_cosine

_BITS = 29  # of the largest length: the formula counts in half steps, and then twice that


def _power_of_2(value: Any) -> Any:
    value = STEPS.convert(value)
    if isinstance(value, int) and (value & (value - 1) or value > 2**_BITS):
        raise ValueError
    return value


_expected = f"a power of 2 from 1 to {2**_BITS} (steps)"
PowerOf2 = Annotated[Whole, dataclasses.replace(STEPS, expected=_expected, convert=_power_of_2)]


@schedule(check=ordered("lowest_value", "peak_value"))
def fractal_chebyshev(
    xp: Namespace, count: Array, peak_value: Positive, lowest_value: Positive, steps: PowerOf2
) -> Array:
    r"""Chebyshev's step sizes in fractal order, again and again: high ones among low ones.

    .. math:: \eta(t) = \left(\frac{\cos^2 \theta}{v_{max}} + \frac{\sin^2 \theta}{v_{min}}
        \right)^{-1}, \quad \theta = \frac{\pi (2 \sigma(t) + 1)}{4 T}

    where :math:`\sigma` orders the T steps of a round: :math:`\sigma_1 = (0)`, and
    :math:`\sigma_{2T}` has each entry s of :math:`\sigma_T` followed by :math:`2T - 1 - s`. For a
    quadratic with curvatures from m to M, with :math:`v_{max} = 1 / m` and :math:`v_{min} = 1 / M`,
    a round is the best that T steps of gradient descent can do.

    Args:
        peak_value: v_max, which the highest step size nears, at least 1e-18.
        lowest_value: v_min, which the lowest nears, at least 1e-18, not above `peak_value`.
        steps: T, the length of a round in steps, a power of 2 up to 2**29; the next round is the
            same.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Source: Agarwal, Goel and Zhang 2021, arXiv:2103.01338.

    Elsewhere: pytorch_optimizer's `get_chebyshev_schedule`, with `small_m=0.05` and `big_m=1`.

    >>> rates = fractal_chebyshev(peak_value=20.0, lowest_value=1.0, steps=4)
    >>> [round(rates(count), 3) for count in range(5)]
    [11.607, 1.038, 2.914, 1.415, 11.607]
    """
    position = whole(xp, count)
    twice = 2 * _fractal_order(position - position // steps * steps, steps) + 1
    rest = 2 * steps - twice
    high = half_cosine(xp, rest, twice, 2 * steps)
    low = half_cosine(xp, twice, rest, 2 * steps)
    return 1.0 / (high / peak_value + low / lowest_value)


def _fractal_order(position: Any, steps: Any) -> Any:
    """sigma: each set bit of the position mirrors all entries of its level and of those below."""
    bits = _BITS if is_array(steps) else steps.bit_length() - 1
    entry = 0 * position
    for level in range(bits):
        size = steps // 2**level  # TensorFlow's tensors have no shifts
        mirror = size - 1 if bits < _BITS else (size - 1) * (size > 0)
        entry = entry ^ (position // 2**level % 2 * mirror)
    return entry
