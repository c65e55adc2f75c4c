"""Schedules made of other schedules: warmup, join, scale, product."""

from typing import Annotated, Any, Literal

from lrsched._arrays.namespace import MAX_COUNT
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Real, Refusal, choice, static
from lrsched._core.decorator import Inner, Inners, counts_steps, schedule
from lrsched._core.kinds import POWER, Boundaries, Phase, Value
from lrsched._core.number_kinds import number_choice
from lrsched._numerics.complement import complement_of, interpolate_power
from lrsched._numerics.elementary import MAX_PRODUCT, is_literal
from lrsched._numerics.shapes import Shape, interpolate
from lrsched._numerics.steps import least, less, most, phase_progress, plus, since, where
from lrsched.schedules._grouped_join import piecewise_schedules

Mode = Annotated[
    Literal["before", "over", "into", "times"], choice("before", "over", "into", "times")
]
CountFrom = Annotated[Literal[0, 1], number_choice(0, 1)]
_Power = Annotated[Real, static(POWER)]


def _a_power_of_a_line(refuse: Refusal, params: dict[str, Any]) -> None:
    if params["shape"] != "linear" and not is_literal(params["power"], 1.0):
        refuse("power", "1 unless shape is 'linear'", params["power"])


@counts_steps(when=lambda params: params["count_from"] == 1)
@schedule(check=_a_power_of_a_line)
def warmup(
    xp: Namespace,
    count: Array,
    schedule: Inner,
    warmup_steps: Phase,
    init_value: Value = 0.0,
    shape: Shape = "linear",
    power: _Power = 1.0,
    count_from: CountFrom = 0,
    mode: Mode = "before",
) -> Array:
    """A rise (by default a straight line) before a schedule, or in place of its beginning.

        value(t) = init_value + (target - init_value) * r    for t < W
                   the schedule                              for t >= W

        r = g(1 - p),  p = (t + count_from) / W

    t is the count of updates made so far, W is `warmup_steps`. `shape` selects g, as in `anneal`:

        "linear"            g(x) = 1 - x,  r = p ** power
        "cosine"            g(x) = (1 + cos(pi * x)) / 2
        "quarter-cosine"    g(x) = cos(pi * x / 2)
        "1-sqrt"            g(x) = 1 - sqrt(x)
        "1-square"          g(x) = 1 - x ** 2
        "exponential"       g(x) = 2 ** (1 - x) - 1
        "lowered-linear"    g(x) = 0.7 * (1 - x)    for x > 0
                                   1                for x = 0

    `mode` selects the target, and how the schedule is counted:

        "before"    target = schedule(0),  value(t) = schedule(t - W)               for t >= W
        "over"      target = schedule(0),  value(t) = schedule(t)                   for t >= W
        "into"      target = schedule(W),  value(t) = schedule(t)                   for t >= W
        "times"     value(t) = schedule(t) * (init_value + (1 - init_value) * r)    for t < W
                               schedule(t)                                          for t >= W

    With "over" the value jumps at count W, if the schedule is not flat.

    Args:
        schedule: the schedule after the warmup.
        warmup_steps: the length of the warmup in steps, 0 or at least 1; 0 is no warmup.
        init_value: the value at p = 0; with the mode "times", the factor. At 0.0, with
            `count_from=0`, the first update changes nothing.
        shape: "linear", "cosine", "quarter-cosine", "1-sqrt", "1-square", "exponential" or
            "lowered-linear".
        power: the power of a line, above 0: 2 is a quadratic warmup.
        count_from: 0 or 1. With 1 the first update has 1 / W of the way, and the target is
            reached at count W - 1.
        mode: "before", "over", "into" or "times".

    Raises:
        TypeError: `schedule` is not a schedule, `warmup_steps`, `init_value` or `power` is not a
            number, or `shape` or `mode` is not a string.
        ValueError: `warmup_steps` is neither 0 nor at least 1, `init_value` is not finite, `power`
            is not above 0 or not 1 beside another shape than a line, `count_from` is neither 0 nor
            1, or `shape` or `mode` is none of these names.

    Elsewhere: `optax.warmup_cosine_decay_schedule(init_value, peak_value, warmup_steps,
    decay_steps)` is `warmup(cosine_decay(peak_value, decay_steps - warmup_steps), warmup_steps)`;
    torch's `LinearLR` in a `SequentialLR`; transformers' `get_cosine_schedule_with_warmup(
    num_warmup_steps, num_training_steps)`. torchtitan, llm.c and open_clip count from 1. BERT's
    `create_optimizer` warms up "over" its decay, detectron2's `WarmupParamScheduler` "into" it,
    ELECTRA's "times" it. axolotl's `lr_quadratic_warmup` is `power=2`.

    >>> from lrsched import cosine_decay, linear
    >>> recipe = warmup(cosine_decay(1.0, 10), 4)
    >>> [recipe(count) for count in (0, 2, 4)]
    [0.0, 0.5, 1.0]
    >>> bert = warmup(linear(1.0, 0.0, 10), 4, mode="over")
    >>> [bert(count) for count in (0, 2, 4, 5)]
    [0.0, 0.5, 0.6, 0.5]
    """
    passed = plus(xp, least(xp, count, MAX_COUNT - 1), 1) if count_from else count
    done, remaining, steps = phase_progress(xp, passed, warmup_steps)
    if mode == "before":
        following = schedule(since(xp, count, warmup_steps))
    elif mode == "over":
        before = less(xp, count, warmup_steps)
        following = schedule(where(xp, before, 0, count))
    elif mode == "into":
        following = schedule(most(xp, count, warmup_steps))
    else:
        following = schedule(count)
    target: Any = 1.0 if mode == "times" else following
    if is_literal(power, 1.0):
        risen = interpolate(xp, target, init_value, remaining, done, steps, shape)
    else:
        parts = complement_of(xp, done, remaining, steps)
        risen = interpolate_power(xp, target, init_value, parts, power)
    if mode != "times":
        return risen
    return xp.clip(following * risen, -MAX_PRODUCT, MAX_PRODUCT)


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
        b = boundaries[k - 1]    for k > 0
            0                    for k = 0

    t is the count of updates made so far. After a boundary between two steps, the next schedule
    has a count that is no whole number.

    Args:
        schedules: the schedules, one more than there are boundaries.
        boundaries: the steps at which the next schedule begins, at its count 0; at least 1, in
            strictly ascending order.

    Raises:
        TypeError: `schedules` is not a sequence of schedules, or `boundaries` not one of numbers.
        ValueError: `boundaries` are below 1 or not strictly ascending, or there is not exactly
            one more schedule than there are boundaries.

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

        value(t) = schedule(t)                            for t < begin
                   schedule(begin) * factor(t - begin)    for t >= begin

    t is the count of updates made so far. The factor starts from whatever value the schedule has
    reached, so it can continue a run that is under way or was stopped. A factor that is 1 at its
    count 0 makes no jump. The product saturates at 1e38, just inside float32.

    Args:
        schedule: the schedule before `begin`.
        begin: the step from which the factor acts, at its count 0; at least 0.
        factor: the schedule that multiplies the value reached.

    Raises:
        TypeError: `schedule` or `factor` is not a schedule, or `begin` is not a number.
        ValueError: `begin` < 0.

    Elsewhere: OLMo's `SequentialScheduler`, marin's `previous_end`; torch's `MultiplicativeLR` in
    a `SequentialLR`. `join`, in contrast, begins each schedule at that schedule's own value.

    >>> from lrsched import cosine_decay, linear
    >>> recipe = then_scale(cosine_decay(1.0, 100), 50, linear(1.0, 0.0, 10))
    >>> [round(recipe(count), 6) for count in (0, 50, 55, 60)]
    [1.0, 0.5, 0.25, 0.0]
    """
    reached = schedule(least(xp, count, begin))
    following = reached * factor(since(xp, count, begin))
    return xp.clip(xp.where(less(xp, count, begin), reached, following), -MAX_PRODUCT, MAX_PRODUCT)


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
