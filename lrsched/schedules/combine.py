"""Schedules made of schedules."""

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
    r"""A straight line up to where a schedule begins, then that schedule on its own clock.

    .. math:: \eta(t) = \begin{cases}
        v_0 \frac{W - t}{W} + s(0) \frac{t}{W} & t < W \\ s(t - W) & t \ge W \end{cases}

    In another shape than "linear", the way up is that shape of `anneal` backwards.

    Args:
        schedule: s, what follows; its count 0 is at `warmup_steps`.
        warmup_steps: W, the length of the line in steps; 0 is no warmup.
        init_value: the value at count 0. At 0.0, the first update changes nothing.
        shape: "linear", "cosine", "1-sqrt", "square", "exponential" or "lowered-linear".

    Raises:
        TypeError, ValueError: `schedule` is not a schedule, `warmup_steps` not an integer >= 0,
            `init_value` not a finite number, or `shape` none of these.

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
        wanted = f"{len(boundaries) + 1} schedules (one more than boundaries)"
        refuse("schedules", wanted, schedules)


@schedule(check=_one_schedule_more)
def join(xp: Namespace, count: Array, schedules: Inners, boundaries: Boundaries) -> Array:
    r"""Schedules one after the other, each on its own clock.

    .. math:: \eta(t) = s_k(t - b_k), \quad k = \#\{b : b \le t\}, \quad b_0 = 0

    Args:
        schedules: the schedules, one more than `boundaries`.
        boundaries: the steps at which the next one begins, at its count 0, strictly ascending.

    Raises:
        TypeError, ValueError: `schedules` are not schedules, `boundaries` not strictly ascending
            integers >= 1, or their lengths do not fit.

    Elsewhere: `optax.join_schedules(schedules, boundaries)`, which does not check the lengths and
    has NaN gradients where a masked piece has; torch's `SequentialLR(schedulers, milestones)`.

    >>> from lrsched import constant, linear
    >>> trapezoid = join([linear(0.0, 1.0, 4), constant(1.0), linear(1.0, 0.0, 4)], [4, 10])
    >>> [trapezoid(count) for count in (2, 4, 9, 12, 14)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    return piecewise_schedules(xp, count, boundaries, schedules)


@schedule
def then_scale(xp: Namespace, count: Array, schedule: Inner, begin: Phase, factor: Inner) -> Array:
    r"""A schedule up to a step, and from its value there on by a factor with a curve of its own.

    .. math:: \eta(t) = \begin{cases} s(t) & t < b \\ s(b)\, f(t - b) & t \ge b \end{cases}

    What follows so begins where the schedule has come to, whatever that is: it continues a run
    that is under way, or one that was stopped. A factor that is 1 at its count 0 makes no jump.

    Args:
        schedule: s.
        begin: b, the step from which the factor acts, at its count 0.
        factor: f, a schedule. The product saturates at 1e38, just inside float32.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Elsewhere: OLMo's `SequentialScheduler`, marin's `previous_end`; torch's `MultiplicativeLR` in
    a `SequentialLR`. `join` begins each schedule at its own value.

    >>> from lrsched import cosine_decay, linear
    >>> recipe = then_scale(cosine_decay(1.0, 100), 50, linear(1.0, 0.0, 10))
    >>> [round(recipe(count), 6) for count in (0, 50, 55, 60)]
    [1.0, 0.5, 0.25, 0.0]
    """
    value = schedule(xp.minimum(count, begin)) * factor(xp.maximum(count - begin, 0))
    return xp.clip(xp.where(count < begin, schedule(count), value), -MAX_PRODUCT, MAX_PRODUCT)


@schedule
def scale(xp: Namespace, count: Array, schedule: Inner, factor: Value) -> Array:
    r"""A schedule times a number: `schedule * factor`.

    .. math:: \eta(t) = f\, s(t)

    Args:
        schedule: s.
        factor: f. The product saturates at 1e38, just inside float32.

    Raises:
        TypeError, ValueError: `schedule` is not a schedule or `factor` not a finite number.

    Elsewhere: `optax.scale` beside a schedule; a factor of torch's `LambdaLR`.

    >>> from lrsched import linear
    >>> (linear(1.0, 0.0, 10) * 0.5)(5)
    0.25
    """
    return xp.clip(factor * schedule(count), -MAX_PRODUCT, MAX_PRODUCT)


@schedule
def product(xp: Namespace, count: Array, first: Inner, second: Inner) -> Array:
    r"""Two schedules multiplied, both on the same clock: `first * second`.

    .. math:: \eta(t) = s_1(t)\, s_2(t)

    Args:
        first: s_1.
        second: s_2. The product saturates at 1e38, just inside float32.

    Raises:
        TypeError: one of them is not a schedule.

    Elsewhere: torch's `ChainedScheduler`, which is a product only where each member scales
    what it finds (and `eta_min` is 0); T5X's `"constant*linear_warmup*rsqrt_decay"`.

    >>> from lrsched import linear
    >>> (linear(1.0, 0.0, 10) * linear(0.0, 1.0, 10))(5)
    0.25
    """
    return xp.clip(first(count) * second(count), -MAX_PRODUCT, MAX_PRODUCT)
