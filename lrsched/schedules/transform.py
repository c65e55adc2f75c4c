"""Changes of a schedule: of its values, of its time, of its end."""

from typing import cast

from lrsched._arrays.namespace import MAX_COUNT
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Real, ordered
from lrsched._core.decorator import Inner, InnerOrNumber, schedule
from lrsched._core.kinds import Phase, Steps, Value
from lrsched._core.schedule import Schedule
from lrsched._numerics.elementary import MAX_PRODUCT
from lrsched._numerics.shapes import Shape, interpolate
from lrsched._numerics.steps import cycle, least, minus, plus, progress, since


@schedule(check=ordered("low", "high"))
def clip(xp: Namespace, count: Array, schedule: Inner, low: Value, high: Value) -> Array:
    """A schedule limited to values between two bounds.

        value(t) = min(max(schedule(t), low), high)

    t is the count of updates made so far.

    Args:
        schedule: the schedule.
        low: the lowest value.
        high: the highest value, at least `low`.

    Raises:
        TypeError: `schedule` is not a schedule, or a bound is not a number.
        ValueError: a bound is not finite, or `low` > `high`.

    Elsewhere: the `min_lr` of Megatron and others.

    >>> from lrsched import linear
    >>> clip(linear(1.0, 0.0, 10), 0.1, 0.5)(10)
    0.1
    """
    return xp.minimum(xp.maximum(schedule(count), low), high)


def _at(schedule: Schedule | Real, count: Array) -> Array:
    """The value of a schedule, which a number has been made into."""
    return cast(Schedule, schedule)(count)


@schedule
def add(xp: Namespace, count: Array, first: InnerOrNumber, second: InnerOrNumber) -> Array:
    """The sum of two schedules at each step: `first + second`; `first - second` is one, too.

        value(t) = first(t) + second(t)

    t is the count of updates made so far, the same for both. The sum saturates at 1e38, just inside
    float32.

    Args:
        first: one schedule, or a number, which is a constant.
        second: the other.

    Raises:
        TypeError: one of them is neither a schedule nor a number.
        ValueError: a number is not finite.

    >>> from lrsched import linear
    >>> (linear(1.0, 0.0, 10) + 0.5)(5)
    1.0
    >>> (1 - linear(1.0, 0.0, 10))(3)
    0.30000000000000004
    """
    return xp.clip(_at(first, count) + _at(second, count), -MAX_PRODUCT, MAX_PRODUCT)


@schedule
def minimum(xp: Namespace, count: Array, first: InnerOrNumber, second: InnerOrNumber) -> Array:
    """The lower of two schedules at each step.

        value(t) = min(first(t), second(t))

    t is the count of updates made so far, the same for both.

    Args:
        first: one schedule, or a number, which is a constant.
        second: the other.

    Raises:
        TypeError: one of them is neither a schedule nor a number.
        ValueError: a number is not finite.

    >>> from lrsched import linear
    >>> minimum(linear(1.0, 0.0, 10), 0.3)(5)
    0.3
    """
    return xp.minimum(_at(first, count), _at(second, count))


@schedule
def maximum(xp: Namespace, count: Array, first: InnerOrNumber, second: InnerOrNumber) -> Array:
    """The higher of two schedules at each step.

        value(t) = max(first(t), second(t))

    t is the count of updates made so far, the same for both.

    Args:
        first: one schedule, or a number, which is a constant.
        second: the other.

    Raises:
        TypeError: one of them is neither a schedule nor a number.
        ValueError: a number is not finite.

    >>> from lrsched import linear
    >>> maximum(linear(1.0, 0.0, 10), 0.3)(9)
    0.3
    """
    return xp.maximum(_at(first, count), _at(second, count))


@schedule
def delay(xp: Namespace, count: Array, schedule: Inner, steps: Phase) -> Array:
    """A schedule that starts later, held at its first value until then.

        value(t) = schedule(max(t - steps, 0))

    t is the count of updates made so far.

    Args:
        schedule: the schedule.
        steps: the delay in steps, at least 0.

    Raises:
        TypeError: `schedule` is not a schedule, or `steps` is not a number.
        ValueError: `steps` < 0.

    Elsewhere: optax's `transition_begin`.

    >>> from lrsched import linear
    >>> delay(linear(1.0, 0.0, 10), 5)(10)
    0.5
    """
    return schedule(since(xp, count, steps))


@schedule
def advance(xp: Namespace, count: Array, schedule: Inner, steps: Phase) -> Array:
    """A schedule from a later step on, as if that many updates had already been made.

        value(t) = schedule(t + steps)

    t is the count of updates made so far.

    Args:
        schedule: the schedule.
        steps: the steps skipped, at least 0.

    Raises:
        TypeError: `schedule` is not a schedule, or `steps` is not a number.
        ValueError: `steps` < 0.

    Elsewhere: torch's `last_epoch`.

    >>> from lrsched import linear
    >>> advance(linear(1.0, 0.0, 10), 5)(0)
    0.5
    """
    return schedule(plus(xp, least(xp, count, minus(xp, MAX_COUNT, steps)), steps))


@schedule
def repeat(xp: Namespace, count: Array, schedule: Inner, steps: Steps) -> Array:
    """The beginning of a schedule again and again.

        value(t) = schedule(t mod steps)

    t is the count of updates made so far.

    Args:
        schedule: the schedule.
        steps: the length of the repeated part in steps, at least 1.

    Raises:
        TypeError: `schedule` is not a schedule, or `steps` is not a number.
        ValueError: `steps` < 1.

    Elsewhere: ignite's `CyclicalScheduler`s, timm's `cycle_limit`.

    >>> from lrsched import linear
    >>> repeat(linear(1.0, 0.0, 4), 4)(6)
    0.5
    """
    return schedule(cycle(xp, count, steps)[1])


@schedule
def reverse(xp: Namespace, count: Array, schedule: Inner, steps: Steps) -> Array:
    """The beginning of a schedule backwards, then held at the schedule's first value.

        value(t) = schedule(max(steps - t, 0))

    t is the count of updates made so far.

    Args:
        schedule: the schedule.
        steps: the step of the schedule to start from, at least 1.

    Raises:
        TypeError: `schedule` is not a schedule, or `steps` is not a number.
        ValueError: `steps` < 1.

    >>> from lrsched import linear
    >>> reverse(linear(1.0, 0.0, 4), 4)(1)
    0.25
    """
    _, remaining = progress(xp, count, steps)
    return schedule(remaining)


@schedule
def staircase(xp: Namespace, count: Array, schedule: Inner, steps: Steps) -> Array:
    """A schedule in stairs: its value changes only once in a given number of steps.

        value(t) = schedule(steps * floor(t / steps))

    t is the count of updates made so far.

    Args:
        schedule: the schedule.
        steps: the length of a stair in steps, at least 1.

    Raises:
        TypeError: `schedule` is not a schedule, or `steps` is not a number.
        ValueError: `steps` < 1.

    Elsewhere: a torch scheduler that is stepped once an epoch.

    >>> from lrsched import linear
    >>> staircase(linear(1.0, 0.0, 10), 5)(7)
    0.5
    """
    return schedule(minus(xp, count, cycle(xp, count, steps)[1]))


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
    """A schedule up to a step, then from its value there to an end value, held there.

        value(t) = schedule(t)                                          for t <= begin
                   end_value + (schedule(begin) - end_value) * g(p)     for t > begin

        p = min((t - begin) / steps, 1)

    t is the count of updates made so far. `shape` selects g, as in `anneal`:

        "linear"            g(p) = 1 - p
        "cosine"            g(p) = (1 + cos(pi * p)) / 2
        "quarter-cosine"    g(p) = cos(pi * p / 2)
        "1-sqrt"            g(p) = 1 - sqrt(p)
        "1-square"          g(p) = 1 - p ** 2
        "exponential"       g(p) = 2 ** (1 - p) - 1
        "lowered-linear"    g(p) = 0.7 * (1 - p)    for p > 0
                                   1                for p = 0

    To cool down a run that is under way or finished, set `begin` to the step it has reached.

    Args:
        schedule: the schedule before the cooldown.
        begin: the last step at which the schedule is followed, at least 0.
        steps: the length of the cooldown in steps, at least 1.
        end_value: the value at count `begin + steps` and after.
        shape: "linear", "cosine", "quarter-cosine", "1-sqrt", "1-square", "exponential" or
            "lowered-linear".

    Raises:
        TypeError: `schedule` is not a schedule, `begin` or `steps` is not a number, `end_value`
            is not a number, or `shape` is not a string.
        ValueError: `begin` < 0, `steps` < 1, `end_value` is not finite, or `shape` is not one of
            the seven.

    Source: Zhai et al. 2021, arXiv:2106.04560; Hägele et al. 2024, arXiv:2405.18392.

    Elsewhere: scenic's `linear_cooldown`, OLMo's `CosWithWarmupAndLinearDecay`. big_vision's
    cooldown multiplies the schedule, which goes on.

    >>> from lrsched import constant
    >>> cooldown(constant(1.0), begin=80, steps=20)(90)
    0.5
    """
    done, remaining = progress(xp, since(xp, count, begin), steps)
    return interpolate(
        xp, schedule(least(xp, count, begin)), end_value, done, remaining, steps, shape
    )
