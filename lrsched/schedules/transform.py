"""Schedules changed: in their values, in their time, at their end."""

from lrsched._arrays.namespace import MAX_COUNT
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import ordered
from lrsched._core.decorator import Inner, schedule
from lrsched._core.kinds import Phase, Steps, Value
from lrsched._numerics.elementary import MAX_PRODUCT, progress
from lrsched._numerics.shapes import Shape, interpolate


@schedule(check=ordered("low", "high"))
def clip(xp: Namespace, count: Array, schedule: Inner, low: Value, high: Value) -> Array:
    r"""A schedule kept between two values.

    .. math:: \eta(t) = \min(\max(s(t), l), h)

    Args:
        schedule: s.
        low: l, the least value.
        high: h, the largest value, not below `low`.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Elsewhere: the `min_lr` of Megatron and others.

    >>> from lrsched import linear
    >>> clip(linear(1.0, 0.0, 10), 0.1, 0.5)(10)
    0.1
    """
    return xp.minimum(xp.maximum(schedule(count), low), high)


@schedule
def add(xp: Namespace, count: Array, first: Inner, second: Inner) -> Array:
    r"""Two schedules added, both on the same clock: `first + second`.

    .. math:: \eta(t) = s_1(t) + s_2(t)

    Args:
        first: s_1.
        second: s_2. The sum saturates at 1e38, just inside float32.

    Raises:
        TypeError: one of them is not a schedule.

    >>> from lrsched import constant, linear
    >>> (linear(1.0, 0.0, 10) + constant(0.5))(5)
    1.0
    """
    return xp.clip(first(count) + second(count), -MAX_PRODUCT, MAX_PRODUCT)


@schedule
def minimum(xp: Namespace, count: Array, first: Inner, second: Inner) -> Array:
    r"""The lower of two schedules at each step, both on the same clock.

    .. math:: \eta(t) = \min(s_1(t), s_2(t))

    Raises:
        TypeError: one of them is not a schedule.

    >>> from lrsched import constant, linear
    >>> minimum(linear(1.0, 0.0, 10), constant(0.3))(5)
    0.3
    """
    return xp.minimum(first(count), second(count))


@schedule
def maximum(xp: Namespace, count: Array, first: Inner, second: Inner) -> Array:
    r"""The higher of two schedules at each step, both on the same clock.

    .. math:: \eta(t) = \max(s_1(t), s_2(t))

    Raises:
        TypeError: one of them is not a schedule.

    >>> from lrsched import constant, linear
    >>> maximum(linear(1.0, 0.0, 10), constant(0.3))(9)
    0.3
    """
    return xp.maximum(first(count), second(count))


@schedule
def delay(xp: Namespace, count: Array, schedule: Inner, steps: Phase) -> Array:
    r"""A schedule that begins later, at its first value until then.

    .. math:: \eta(t) = s(\max(t - n, 0))

    Args:
        schedule: s.
        steps: n, in steps, at least 0.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Elsewhere: optax's `transition_begin`.

    >>> from lrsched import linear
    >>> delay(linear(1.0, 0.0, 10), 5)(10)
    0.5
    """
    return schedule(xp.maximum(count - steps, 0))


@schedule
def advance(xp: Namespace, count: Array, schedule: Inner, steps: Phase) -> Array:
    r"""A schedule from a later step on, as if that many updates had been made.

    .. math:: \eta(t) = s(t + n)

    Args:
        schedule: s.
        steps: n, in steps, at least 0.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Elsewhere: torch's `last_epoch`.

    >>> from lrsched import linear
    >>> advance(linear(1.0, 0.0, 10), 5)(0)
    0.5
    """
    return schedule(xp.minimum(count, MAX_COUNT - steps) + steps)


@schedule
def repeat(xp: Namespace, count: Array, schedule: Inner, steps: Steps) -> Array:
    r"""The beginning of a schedule again and again.

    .. math:: \eta(t) = s(t \bmod n)

    Args:
        schedule: s.
        steps: n, the length that is repeated in steps, at least 1.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Elsewhere: ignite's `CyclicalScheduler`s, timm's `cycle_limit`.

    >>> from lrsched import linear
    >>> repeat(linear(1.0, 0.0, 4), 4)(6)
    0.5
    """
    return schedule(count - count // steps * steps)


@schedule
def reverse(xp: Namespace, count: Array, schedule: Inner, steps: Steps) -> Array:
    r"""The beginning of a schedule backwards, held at its first value.

    .. math:: \eta(t) = s(\max(n - t, 0))

    Args:
        schedule: s.
        steps: n, the step to begin from, at least 1.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    >>> from lrsched import linear
    >>> reverse(linear(1.0, 0.0, 4), 4)(1)
    0.25
    """
    _, remaining = progress(xp, count, steps)
    return schedule(remaining)


@schedule
def staircase(xp: Namespace, count: Array, schedule: Inner, steps: Steps) -> Array:
    r"""A schedule in stairs: its value changes only every so many steps.

    .. math:: \eta(t) = s(n \lfloor t / n \rfloor)

    Args:
        schedule: s.
        steps: n, the length of a stair in steps, at least 1.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Elsewhere: a torch scheduler that is stepped once an epoch.

    >>> from lrsched import linear
    >>> staircase(linear(1.0, 0.0, 10), 5)(7)
    0.5
    """
    return schedule(count // steps * steps)


@schedule
def cooldown(
    xp: Namespace,
    count: Array,
    schedule: Inner,
    begin: Phase,
    steps: Steps,
    end_value: Value = 0.0,
    shape: Shape = "linear",
) -> Array:
    r"""A schedule up to a step, and from its value there down to an end, held there.

    .. math:: \eta(t) = \begin{cases} s(t) & t \le b \\
        v_1 + (s(b) - v_1)\, g\left(\min\left(\tfrac{t - b}{n}, 1\right)\right) & t > b
        \end{cases}

    with the shapes :math:`g` of `anneal`. It cools a run that is under way or finished as well:
    `begin` is then the step that it has reached.

    Args:
        schedule: s.
        begin: b, the last step at which the schedule is followed.
        steps: n, the length of the cooldown in steps, at least 1.
        end_value: v_1, the value at count `begin + steps` and after.
        shape: "linear", "cosine", "1-sqrt", "square", "exponential" or "lowered-linear".

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Source: Zhai et al. 2021, arXiv:2106.04560; Hägele et al. 2024, arXiv:2405.18392.

    Elsewhere: scenic's `linear_cooldown`, OLMo's `CosWithWarmupAndLinearDecay`. big_vision's
    multiplies the schedule, which goes on.

    >>> from lrsched import constant
    >>> cooldown(constant(1.0), begin=80, steps=20)(90)
    0.5
    """
    done, remaining = progress(xp, xp.maximum(count - begin, 0), steps)
    return interpolate(
        xp, schedule(xp.minimum(count, begin)), end_value, done, remaining, steps, shape
    )
