"""Schedules that go down: by a rate, at boundaries, along a half cosine."""

from typing import Any

from lrsched._arrays.namespace import is_array, take
from lrsched._arrays.scalars import SCALARS, is_scalar
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Refusal
from lrsched._core.decorator import schedule
from lrsched._core.kinds import Boundaries, Flag, Milestones, Rate, Steps, Value, Values
from lrsched._numerics.elementary import geometric, progress
from lrsched._numerics.pieces import segment_index
from lrsched._numerics.shapes import interpolate


@schedule
def exponential_decay(
    xp: Namespace,
    count: Array,
    init_value: Value,
    decay_rate: Rate,
    decay_steps: Steps = 1,
    staircase: Flag = False,
) -> Array:
    r"""A constant rate of decay, smooth or in stairs, without an end.

    .. math:: \eta(t) = v_0 \gamma^{t / S}, \quad
        \text{in stairs } \eta(t) = v_0 \gamma^{\lfloor t / S \rfloor}

    Args:
        init_value: the value at count 0.
        decay_rate: gamma, the factor of `decay_steps` steps, 0 or more. A rate above 1 makes the
            value grow, by 2**64 at most, where it stays.
        decay_steps: S, in steps, at least 1.
        staircase: whether the value changes only at every multiple of `decay_steps`.

    Raises:
        TypeError, ValueError: `init_value` is not a finite number, `decay_rate` not a number
            >= 0, `decay_steps` not an integer >= 1, or `staircase` not a bool.

    Elsewhere: `optax.exponential_decay(init_value, transition_steps, decay_rate)`; torch's
    `ExponentialLR(gamma)` for `decay_steps=1`; Keras' `ExponentialDecay`.

    >>> exponential_decay(0.1, 0.5, decay_steps=10)(20)
    0.025
    >>> exponential_decay(0.1, 0.5, decay_steps=10, staircase=True)(19)
    0.05
    """
    if staircase:
        return geometric(xp, init_value, decay_rate, count // decay_steps)
    return geometric(xp, init_value, decay_rate, count, decay_steps)


@schedule
def step_decay(
    xp: Namespace, count: Array, init_value: Value, decay_rate: Rate, step_size: Steps
) -> Array:
    r"""Stairs of equal length, each lower by the same factor.

    .. math:: \eta(t) = v_0 \gamma^{\lfloor t / S \rfloor}

    Args:
        init_value: the value at count 0.
        decay_rate: gamma, the factor from one stair to the next, 0 or more (above 1 the growth
            stops at 2**64).
        step_size: S, the length of a stair in steps, at least 1.

    Raises:
        TypeError, ValueError: `init_value` is not a finite number, `decay_rate` not a number
            >= 0, or `step_size` not an integer >= 1.

    Elsewhere: torch's `StepLR(step_size, gamma)`; `optax.exponential_decay(..., staircase=True)`.

    >>> [step_decay(1.0, 0.1, 3)(count) for count in range(5)]
    [1.0, 1.0, 1.0, 0.1, 0.1]
    """
    return geometric(xp, init_value, decay_rate, count // step_size)


@schedule
def multi_step_decay(
    xp: Namespace, count: Array, init_value: Value, decay_rate: Rate, boundaries: Milestones
) -> Array:
    r"""Stairs that begin at given steps, each lower by the same factor.

    .. math:: \eta(t) = v_0 \gamma^{\#\{b : b \le t\}}

    Args:
        init_value: the value before the first boundary.
        decay_rate: gamma, 0 or more (above 1 the growth stops at 2**64).
        boundaries: the steps at which the value is multiplied by `decay_rate`, ascending; one
            that stands there twice acts twice, and one at 0 acts from the start.

    Raises:
        TypeError, ValueError: `init_value` is not a finite number, `decay_rate` not a number
            >= 0, or `boundaries` not ascending integers >= 0.

    Elsewhere: torch's `MultiStepLR(milestones, gamma)`; `optax.piecewise_constant_schedule(
    init_value, {boundary: decay_rate, ...})`. timm's counts one step earlier, Keras'
    `PiecewiseConstantDecay` one later.

    >>> [multi_step_decay(1.0, 0.1, (2, 4))(count) for count in (1, 2, 3)]
    [1.0, 0.1, 0.1]
    """
    reached = segment_index(xp, count, boundaries)
    if is_scalar(xp) or is_array(init_value) or is_array(decay_rate):
        return geometric(xp, init_value, decay_rate, reached)
    stairs = [geometric(SCALARS, init_value, decay_rate, n) for n in range(len(boundaries) + 1)]
    return take(xp, stairs, reached)


def _one_value_more(refuse: Refusal, params: dict[str, Any]) -> None:
    values, boundaries = params["values"], params["boundaries"]
    if len(values) != len(boundaries) + 1:
        refuse("values", f"{len(boundaries) + 1} numbers (one more than boundaries)", values)


@schedule(check=_one_value_more)
def piecewise_constant(
    xp: Namespace, count: Array, values: Values, boundaries: Boundaries
) -> Array:
    r"""A value for each stretch between given steps.

    .. math:: \eta(t) = v_k, \quad k = \#\{b : b \le t\}

    Args:
        values: the values, one more than `boundaries`.
        boundaries: the steps at which the next value begins, strictly ascending, at least 1.

    Raises:
        TypeError, ValueError: `values` are not finite numbers, `boundaries` not strictly
            ascending integers >= 1, or their lengths do not fit.

    Elsewhere: `optax.piecewise_constant_schedule`, which takes factors; Keras'
    `PiecewiseConstantDecay(boundaries, values)`, which begins the next value one step later;
    torch's `ConstantLR` (two values).

    >>> stairs = piecewise_constant((1.0, 0.3, 0.1), (100, 150))
    >>> [stairs(count) for count in (99, 100, 150)]
    [1.0, 0.3, 0.1]
    """
    return take(xp, values, segment_index(xp, count, boundaries))


@schedule
def cosine_decay(
    xp: Namespace, count: Array, init_value: Value, decay_steps: Steps, end_value: Value = 0.0
) -> Array:
    r"""Half a cosine from one value down to another, held at the end.

    .. math:: \eta(t) = v_1 + (v_0 - v_1) \frac{1 + \cos(\pi t / T)}{2},
        \quad t = \min(\text{count}, T)

    computed so that no digits are lost near the end.

    Args:
        init_value: the value at count 0.
        decay_steps: T, the length in steps, at least 1.
        end_value: the value at count `decay_steps` and after (a value, not optax's ratio `alpha`).

    Raises:
        TypeError, ValueError: a value is not a finite number, or `decay_steps` not an
            integer >= 1.

    Source: Loshchilov and Hutter 2016, "SGDR", arXiv:1608.03983, equation 5, without restarts.

    Elsewhere: `optax.cosine_decay_schedule(init_value, decay_steps, alpha)`, Keras' `CosineDecay`;
    torch's `CosineAnnealingLR(T_max, eta_min)` up to `T_max`, after which torch climbs back:
    `cyclic(init_value, end_value, T_max, shape="cosine")` is that.

    >>> decay = cosine_decay(0.01, 10)
    >>> [f"{decay(count):.8f}" for count in (1, 5, 9, 10, 11)]
    ['0.00975528', '0.00500000', '0.00024472', '0.00000000', '0.00000000']
    """
    done, remaining = progress(xp, count, decay_steps)
    return interpolate(xp, init_value, end_value, done, remaining, decay_steps, "cosine")
