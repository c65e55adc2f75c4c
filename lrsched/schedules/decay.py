"""Decays: by a constant rate, by steps at boundaries, along half a cosine."""

from typing import Any

from lrsched._arrays.namespace import is_array, take
from lrsched._arrays.scalars import SCALARS, is_scalar
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Refusal, at_least_a_step_if
from lrsched._core.decorator import schedule
from lrsched._core.kinds import Boundaries, Flag, Milestones, Rate, Steps, Timescale, Value, Values
from lrsched._numerics.elementary import geometric
from lrsched._numerics.pieces import segment_index
from lrsched._numerics.shapes import interpolate
from lrsched._numerics.steps import cycle, progress


@schedule(check=at_least_a_step_if("staircase", "decay_steps"))
def exponential_decay(
    xp: Namespace,
    count: Array,
    init_value: Value,
    decay_rate: Rate,
    decay_steps: Timescale = 1,
    staircase: Flag = False,
) -> Array:
    """A decay by a constant rate, smooth or in stairs, without an end.

        value(t) = init_value * decay_rate ** (t / decay_steps)

        value(t) = init_value * decay_rate ** floor(t / decay_steps)     with `staircase`

    t is the count of updates made so far. A `decay_rate` above 1 makes the value grow, up to
    2**64 times `init_value`, where it stays.

    Args:
        init_value: the value at count 0.
        decay_rate: the factor per `decay_steps` steps, 0 or more.
        decay_steps: the steps in which the value is multiplied by `decay_rate` once, above 0; at
            least 1 with `staircase`.
        staircase: whether the value changes only at every multiple of `decay_steps`.

    Raises:
        TypeError: `init_value`, `decay_rate` or `decay_steps` is not a number, or
            `staircase` is not a bool.
        ValueError: a number is not finite, `decay_rate` < 0, or `decay_steps` <= 0.

    Elsewhere: `optax.exponential_decay(init_value, transition_steps, decay_rate)`; torch's
    `ExponentialLR(gamma)` for `decay_steps=1`; Keras' `ExponentialDecay`.

    >>> exponential_decay(0.1, 0.5, decay_steps=10)(20)
    0.025
    >>> exponential_decay(0.1, 0.5, decay_steps=10, staircase=True)(19)
    0.05
    """
    if staircase:
        return geometric(xp, init_value, decay_rate, cycle(xp, count, decay_steps)[0])
    return geometric(xp, init_value, decay_rate, count, decay_steps)


@schedule
def step_decay(
    xp: Namespace, count: Array, init_value: Value, decay_rate: Rate, step_size: Steps
) -> Array:
    """Stairs of equal length, each lower than the one before by the same factor, without an end.

        value(t) = init_value * decay_rate ** floor(t / step_size)

    t is the count of updates made so far. A `decay_rate` above 1 makes the value grow, up to
    2**64 times `init_value`, where it stays.

    Args:
        init_value: the value at count 0.
        decay_rate: the factor from one stair to the next, 0 or more.
        step_size: the length of a stair in steps, at least 1.

    Raises:
        TypeError: `init_value`, `decay_rate` or `step_size` is not a number.
        ValueError: a number is not finite, `decay_rate` < 0, or `step_size` < 1.

    Elsewhere: torch's `StepLR(step_size, gamma)`; `optax.exponential_decay(..., staircase=True)`.

    >>> [step_decay(1.0, 0.1, 3)(count) for count in range(5)]
    [1.0, 1.0, 1.0, 0.1, 0.1]
    """
    return geometric(xp, init_value, decay_rate, cycle(xp, count, step_size)[0])


@schedule
def multi_step_decay(
    xp: Namespace, count: Array, init_value: Value, decay_rate: Rate, boundaries: Milestones
) -> Array:
    """Stairs that begin at given steps, each lower than the one before by the same factor.

        value(t) = init_value * decay_rate ** k

        k = the number of `boundaries` that are <= t

    t is the count of updates made so far. A `decay_rate` above 1 makes the value grow, up to
    2**64 times `init_value`. The value after the last boundary is held.

    Args:
        init_value: the value before the first boundary.
        decay_rate: the factor at each boundary, 0 or more.
        boundaries: the steps at which the value is multiplied by `decay_rate`, at least 0, in
            ascending order. A boundary that occurs twice acts twice; one at 0 acts from the start.

    Raises:
        TypeError: `init_value` or `decay_rate` is not a number, or `boundaries` is not a sequence
            of numbers.
        ValueError: a number is not finite, `decay_rate` < 0, or `boundaries` are negative or not
            in ascending order.

    Elsewhere: torch's `MultiStepLR(milestones, gamma)`; `optax.piecewise_constant_schedule(
    init_value, {boundary: decay_rate, ...})`. timm's multi-step schedule changes one step earlier,
    Keras' `PiecewiseConstantDecay` one step later.

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
    """A given constant value between each boundary and the next.

        value(t) = values[k]

        k = the number of `boundaries` that are <= t

    t is the count of updates made so far. The last value is held.

    Args:
        values: the values, one more than there are boundaries.
        boundaries: the steps at which the next value begins, at least 1, in strictly ascending
            order.

    Raises:
        TypeError: `values` is not a sequence of numbers, or `boundaries` not one of numbers.
        ValueError: a value is not finite, `boundaries` are below 1 or not strictly ascending,
            or there is not exactly one more value than there are boundaries.

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
    """Half a cosine from one value down to another, held at the end.

        value(t) = end_value + (init_value - end_value) * (1 + cos(pi * p)) / 2

        p = min(t, decay_steps) / decay_steps

    t is the count of updates made so far. The computation loses no digits near the end.

    Args:
        init_value: the value at count 0.
        decay_steps: the length in steps, at least 1.
        end_value: the value at count `decay_steps` and after; a value, not a ratio as optax's
            `alpha`.

    Raises:
        TypeError: a value or `decay_steps` is not a number.
        ValueError: a value is not finite, or `decay_steps` < 1.

    Source: Loshchilov and Hutter 2016, "SGDR", arXiv:1608.03983, equation 5, without restarts.

    Elsewhere: `optax.cosine_decay_schedule(init_value, decay_steps, alpha)`; Keras' `CosineDecay`;
    torch's `CosineAnnealingLR(T_max, eta_min)` up to `T_max`. After `T_max` torch's rises again, as
    does `cyclic(init_value, end_value, T_max, shape="cosine")`.

    >>> decay = cosine_decay(0.01, 10)
    >>> [f"{decay(count):.8f}" for count in (1, 5, 9, 10, 11)]
    ['0.00975528', '0.00500000', '0.00024472', '0.00000000', '0.00000000']
    """
    done, remaining = progress(xp, count, decay_steps)
    return interpolate(xp, init_value, end_value, done, remaining, decay_steps, "cosine")
