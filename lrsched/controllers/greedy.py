"""Raise the learning rate while a metric improves, and cut it when it does not."""

from typing import Annotated, Any, NamedTuple

from lrsched._arrays.namespace import real
from lrsched._arrays.types import Namespace
from lrsched._core.checks import Real, Refusal, Whole, optional, static
from lrsched._core.controller_decorator import controller
from lrsched._core.kinds import Rate
from lrsched._core.number_kinds import integer, number
from lrsched.controllers.kl_adaptive import in_order
from lrsched.controllers.plateau import (
    Mode,
    Observations,
    ThresholdMode,
    below_1,
    is_better,
    worst,
)

LONGEST_WINDOW = 10_000  # metrics, all of which are in the state

Ratio = Annotated[Real, number("> 0", "< 1")]
Repeats = Annotated[Whole, integer(1, "cuts")]
Window = Annotated[Whole | None, static(optional(integer(1, "observations")))]


class GreedyState(NamedTuple):
    """What `greedy` remembers between observations.

    `value` is the learning rate, or the factor. `best` is the best metric so far. `good_steps` and
    `bad_steps` count the observations in a row that were better, or no better. `cooldown_left` and
    `growth_cooldown_left` count the observations after a cut and after an increase that will not
    count. `cuts_left` counts the cuts at the lower limit before it begins again. `window` holds the
    last metrics if they are averaged, 0 for those that are still to come, `total` their sum and
    `seen` their number.
    """

    value: Any
    best: Any
    good_steps: Any
    bad_steps: Any
    cooldown_left: Any
    growth_cooldown_left: Any
    cuts_left: Any
    window: tuple[Any, ...]
    total: Any
    seen: Any


def _initial(init_value: Any, mode: str, reset_after: Any, window_size: int | None) -> GreedyState:
    window = (0.0,) * (window_size or 0)
    return GreedyState(init_value, worst(mode), 0, 0, 0, 0, reset_after, window, 0.0, 0)


def _check(refuse: Refusal, params: dict[str, Any]) -> None:
    below_1(refuse, params)
    in_order(refuse, params)
    if (params["window_size"] or 0) > LONGEST_WINDOW:
        refuse("window_size", f"at most {LONGEST_WINDOW} (metrics)", params["window_size"])


@controller(_initial, check=_check)
def greedy(
    xp: Namespace,
    state: GreedyState,
    metric: Any,
    init_value: Rate = 1.0,
    factor: Ratio = 0.95,
    patience: Observations = 10,
    mode: Mode = "min",
    threshold: Rate = 1e-6,
    threshold_mode: ThresholdMode = "abs",
    cooldown: Observations = 0,
    growth_cooldown: Observations = 0,
    min_value: Rate = 1e-3,
    max_value: Rate = 1.0,
    eps: Rate = 1e-8,
    window_size: Window = None,
    reset_after: Repeats = 500,
) -> GreedyState:
    """Higher by a factor while a metric improves, lower by it when the metric stops improving.

        value <- min(value / factor, max_value)    after more than `patience` better ones in a row
                 max(value * factor, min_value)    after more than `patience` others in a row

    The value changes only if it changes by more than `eps`. After `reset_after` cuts at `min_value`
    without an increase between them it begins again, at `init_value` and with no best metric.

    Args:
        init_value: the value before the first observation, 0 or more; 1.0 for a factor of a
            schedule.
        factor: by what the value is multiplied in a cut and divided in an increase, between 0
            and 1.
        patience: how many observations in a row change nothing yet, 0 or more.
        mode: "min" if a lower metric is better (a loss), "max" if a higher one is (an accuracy).
        threshold: how much better a metric must be to count, 0 or more: in the units of the metric
            ("abs"), or a fraction of the best one ("rel").
        threshold_mode: "abs" or "rel".
        cooldown: the number of observations after a cut that do not count, 0 or more.
        growth_cooldown: the number of observations after an increase that do not count, 0 or more.
        min_value: the lowest value that a cut reaches, 0 or more.
        max_value: the highest value that an increase reaches, at least `min_value`.
        eps: a change must be larger than this, 0 or more.
        window_size: if not None, the metric is the mean of the last so many. A NaN among them then
            stays in the mean until it begins again. At most 10000.
        reset_after: how many cuts at `min_value` make it begin again, 1 or more.

    Raises:
        TypeError: a number is of the wrong type, or a mode is not a string.
        ValueError: a number is not finite or is outside of what is said above, or a mode is none of
            its names.

    Source: Subramanian and Ganapathiraman, "Zeroth Order GreedyLR: An Adaptive Learning Rate
    Scheduler for Deep Neural Network Training", 2023, arXiv:2512.14527.

    Elsewhere: transformers' `GreedyLR(factor, patience, mode, threshold, threshold_mode, cooldown,
    warmup, min_lr, max_lr, eps, smooth, window_size, reset_start)`, whose every decision this
    makes; its `warmup` is `growth_cooldown` here, `reset_start` is `reset_after`, and `smooth=True`
    means that there is a `window_size`.

    >>> rate = greedy(0.5, factor=0.5, patience=1)
    >>> state = rate.init()
    >>> for loss in (3.0, 2.0, 2.0, 2.5):
    ...     state = rate.update(state, loss)
    ...     print(state.value)
    0.5
    1.0
    1.0
    0.5
    """
    value, best, good, bad, cooldown_left, growth_left, cuts_left, window, total, seen = state
    if window_size is not None:
        total = total + metric - window[0]
        window = (*window[1:], metric)
        seen = xp.minimum(seen + 1, window_size)
        metric = total / real(xp, seen)

    is_cooling = cooldown_left > 0
    is_growing = xp.logical_and(xp.logical_not(is_cooling), growth_left > 0)
    counts = xp.logical_not(xp.logical_or(is_cooling, is_growing))
    better = xp.logical_and(counts, is_better(metric, best, mode, threshold, threshold_mode))
    worse = xp.logical_and(counts, xp.logical_not(better))
    best = xp.where(better, metric, best)
    good = xp.where(better, good + 1, 0)
    bad = xp.where(worse, bad + 1, 0)
    cooldown_left = xp.where(is_cooling, cooldown_left - 1, cooldown_left)
    growth_left = xp.where(is_growing, growth_left - 1, growth_left)

    is_raised = good > patience
    higher = xp.minimum(value / factor, max_value)
    value = xp.where(xp.logical_and(is_raised, higher - value > eps), higher, value)
    is_cut = bad > patience
    lower = xp.maximum(value * factor, min_value)
    value = xp.where(xp.logical_and(is_cut, value - lower > eps), lower, value)
    good = xp.where(is_raised, 0, good)
    bad = xp.where(is_cut, 0, bad)
    growth_left = xp.where(is_raised, growth_cooldown, growth_left)
    cooldown_left = xp.where(is_cut, cooldown, cooldown_left)

    at_floor = xp.logical_and(is_cut, value <= min_value)
    cuts_left = xp.where(is_raised, reset_after, xp.where(at_floor, cuts_left - 1, cuts_left))
    begins_again = xp.logical_and(at_floor, cuts_left <= 0)
    value = xp.where(begins_again, init_value, value)
    best = xp.where(begins_again, worst(mode), best)
    growth_left = xp.where(begins_again, 0, growth_left)
    cuts_left = xp.where(begins_again, reset_after, cuts_left)
    window = tuple(xp.where(begins_again, 0.0, each) for each in window)
    total = xp.where(begins_again, 0.0, total)
    seen = xp.where(begins_again, 0, seen)
    return GreedyState(
        *(value, best, good, bad, cooldown_left, growth_left, cuts_left, window, total, seen)
    )
