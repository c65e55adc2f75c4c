"""Schedules made of other schedules: warmup, join, scale, product."""

from typing import Any

from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Refusal
from lrsched._core.decorator import Inner, Inners, schedule
from lrsched._core.kinds import Boundaries, Phase, Value
from lrsched._numerics.elementary import MAX_PRODUCT, phase_progress
from lrsched._numerics.shapes import Shape, interpolate
from lrsched.schedules._grouped_join import (
    piecewise_schedules,
)


@schedule
def warmup(
    xp: Namespace,
    count: Array,
    schedule: Inner,
    warmup_steps: Phase,
    init_value: Value = 0.0,
    shape: Shape = "linear",
) -> Array:
    """A rise (by default a straight line) to a schedule's first value, then the schedule itself.

        value(t) = init_value + (schedule(0) - init_value) * g(1 - t / W)    for t < W
                   schedule(t - W)                                           for t >= W

    t is the count of updates made so far, W is `warmup_steps`. `shape` selects g, as in `anneal`:

        "linear"            g(x) = 1 - x, so g(1 - t / W) = t / W
        "cosine"            g(x) = (1 + cos(pi * x)) / 2
        "1-sqrt"            g(x) = 1 - sqrt(x)
        "square"            g(x) = 1 - x ** 2
        "exponential"       g(x) = 2 ** (1 - x) - 1
        "lowered-linear"    g(x) = 0.7 * (1 - x), and 1 at x = 0

    Args:
        schedule: the schedule after the warmup; its count 0 is at `warmup_steps`.
        warmup_steps: the length of the warmup in steps, at least 0; 0 is no warmup.
        init_value: the value at count 0. At 0.0, the first update changes nothing.
        shape: "linear", "cosine", "1-sqrt", "square", "exponential" or "lowered-linear".

    Raises:
        TypeError: `schedule` is not a schedule, `warmup_steps` is not an integer, `init_value` is
            not a number, or `shape` is not a string.
        ValueError: `warmup_steps` < 0, `init_value` is not finite, or `shape` is not one of the
            six.

    Elsewhere: `optax.warmup_cosine_decay_schedule(init_value, peak_value, warmup_steps,
    decay_steps)` is `warmup(cosine_decay(peak_value, decay_steps - warmup_steps), warmup_steps)`;
    torch's `LinearLR` in a `SequentialLR`; transformers' `get_cosine_schedule_with_warmup(
    num_warmup_steps, num_training_steps)`. torchtitan and others start at t = 1 instead of 0.

    >>> from lrsched import cosine_decay
    >>> recipe = warmup(cosine_decay(1.0, 10), 4)
    >>> [recipe(count) for count in (0, 2, 4)]
    [0.0, 0.5, 1.0]
    """
    done, remaining, steps = phase_progress(xp, count, warmup_steps)
    following = schedule(xp.maximum(count - warmup_steps, 0))
    return interpolate(xp, following, init_value, remaining, done, steps, shape)


def _one_schedule_more(refuse: Refusal, params: dict[str, Any]) -> None:
    schedules, boundaries = params["schedules"], params["boundaries"]
    if len(schedules) != len(boundaries) + 1:
        expected = f"{len(boundaries) + 1} schedules (one more than boundaries)"
        refuse("schedules", expected, schedules)


@schedule(check=_one_schedule_more)
def join(xp: Namespace, count: Array, schedules: Inners, boundaries: Boundaries) -> Array:
    """Schedules one after the other, each counted from its own start.

        value(t) = schedules[k](t - b)

        k = the number of `boundaries` that are <= t
        b = boundaries[k - 1], or 0 for k = 0

    t is the count of updates made so far.

    Args:
        schedules: the schedules, one more than there are boundaries.
        boundaries: the steps at which the next schedule begins, at its count 0; at least 1, in
            strictly ascending order.

    Raises:
        TypeError: `schedules` is not a sequence of schedules, or `boundaries` not one of integers.
        ValueError: `boundaries` are below 1 or not strictly ascending, or there is not exactly one
            more schedule than there are boundaries.

    Elsewhere: `optax.join_schedules(schedules, boundaries)`, which does not check the lengths, and
    whose gradient is NaN wherever that of a masked piece is; torch's `SequentialLR(schedulers,
    milestones)`.

    >>> from lrsched import constant, linear
    >>> trapezoid = join([linear(0.0, 1.0, 4), constant(1.0), linear(1.0, 0.0, 4)], [4, 10])
    >>> [trapezoid(count) for count in (2, 4, 9, 12, 14)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    return piecewise_schedules(xp, count, boundaries, schedules)


@schedule
def then_scale(xp: Namespace, count: Array, schedule: Inner, begin: Phase, factor: Inner) -> Array:
    """A schedule up to a step, and from there its last value times a second schedule.

        value(t) = schedule(t)                           for t < begin
                   schedule(begin) * factor(t - begin)   for t >= begin

    t is the count of updates made so far. The factor starts from whatever value the schedule has
    reached, so it can continue a run that is under way or was stopped. A factor that is 1 at its
    count 0 makes no jump. The product saturates at 1e38, just inside float32.

    Args:
        schedule: the schedule before `begin`.
        begin: the step from which the factor acts, at its count 0; at least 0.
        factor: the schedule that multiplies the value reached.

    Raises:
        TypeError: `schedule` or `factor` is not a schedule, or `begin` is not an integer.
        ValueError: `begin` < 0.

    Elsewhere: OLMo's `SequentialScheduler`, marin's `previous_end`; torch's `MultiplicativeLR` in
    a `SequentialLR`. `join`, in contrast, begins each schedule at that schedule's own value.

    >>> from lrsched import cosine_decay, linear
    >>> recipe = then_scale(cosine_decay(1.0, 100), 50, linear(1.0, 0.0, 10))
    >>> [round(recipe(count), 6) for count in (0, 50, 55, 60)]
    [1.0, 0.5, 0.25, 0.0]
    """
    reached = schedule(xp.minimum(count, begin))
    following = reached * factor(xp.maximum(count - begin, 0))
    return xp.clip(xp.where(count < begin, reached, following), -MAX_PRODUCT, MAX_PRODUCT)


@schedule
def scale(xp: Namespace, count: Array, schedule: Inner, factor: Value) -> Array:
    """A schedule times a number: `schedule * factor`.

        value(t) = factor * schedule(t)

    t is the count of updates made so far. The product saturates at 1e38, just inside float32.

    Args:
        schedule: the schedule.
        factor: the number.

    Raises:
        TypeError: `schedule` is not a schedule, or `factor` is not a number.
        ValueError: `factor` is not finite.

    Elsewhere: `optax.scale` beside a schedule; a factor of torch's `LambdaLR`.

    >>> from lrsched import linear
    >>> (linear(1.0, 0.0, 10) * 0.5)(5)
    0.25
    """
    return xp.clip(factor * schedule(count), -MAX_PRODUCT, MAX_PRODUCT)


@schedule
def product(xp: Namespace, count: Array, first: Inner, second: Inner) -> Array:
    """Two schedules multiplied at each step: `first * second`.

        value(t) = first(t) * second(t)

    t is the count of updates made so far, the same for both. The product saturates at 1e38, just
    inside float32.

    Args:
        first: one schedule.
        second: the other.

    Raises:
        TypeError: one of them is not a schedule.

    Elsewhere: torch's `ChainedScheduler`, which is a product only if each member multiplies the
    current learning rate (and `eta_min` is 0); T5X's `"constant*linear_warmup*rsqrt_decay"`.

    >>> from lrsched import linear
    >>> (linear(1.0, 0.0, 10) * linear(0.0, 1.0, 10))(5)
    0.25
    """
    return xp.clip(first(count) * second(count), -MAX_PRODUCT, MAX_PRODUCT)
