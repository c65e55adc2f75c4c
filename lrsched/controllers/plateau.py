"""Reduce the learning rate when a metric stops improving."""

import math
from typing import Annotated, Any, Literal, NamedTuple

from lrsched._arrays.types import Namespace
from lrsched._core.checks import Real, Refusal, Whole, choice, is_traced
from lrsched._core.controller import Controller, register
from lrsched._core.controller_decorator import controller
from lrsched._core.controller_definition import CONTROLLERS
from lrsched._core.kinds import Rate
from lrsched._core.number_kinds import integer, number

Cut = Annotated[Real, number(">= 0", "< 1")]
Observations = Annotated[Whole, integer(0, "observations")]
Mode = Annotated[Literal["min", "max"], choice("min", "max")]
ThresholdMode = Annotated[Literal["rel", "abs"], choice("rel", "abs")]


class PlateauState(NamedTuple):
    """What a plateau remembers between observations: numbers, or arrays of one shape.

    `value` is the learning rate, or the factor. `best` is the best metric so far, infinite before
    the first observation. `bad_steps` counts the observations in a row that were no better than
    `best`, since the last cut. `cooldown_left` counts the observations after a cut that will not
    yet count as bad.
    """

    value: Any
    best: Any
    bad_steps: Any
    cooldown_left: Any


class Plateau(Controller):
    """The controller that `reduce_on_plateau` makes."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, list):  # a pickle written before 2026-12, when it was a dataclass
            state = (CONTROLLERS["reduce_on_plateau"].factory, tuple(state))
        super().__setstate__(state)


register(Plateau)


def worst(mode: str) -> float:
    """The metric that every other one betters."""
    return math.inf if mode == "min" else -math.inf


def is_better(metric: Any, best: Any, mode: str, threshold: Any, threshold_mode: str) -> Any:
    """Whether a metric betters the best one by more than a threshold; NaN never does."""
    margin = -threshold if mode == "min" else threshold
    bar = best * (1.0 + margin) if threshold_mode == "rel" else best + margin
    return metric < bar if mode == "min" else metric > bar


def below_1(refuse: Refusal, params: dict[str, Any]) -> None:
    """Refuse a relative threshold that no positive metric can better."""
    threshold, modes = params["threshold"], (params["mode"], params["threshold_mode"])
    if modes == ("min", "rel") and not is_traced(threshold) and threshold >= 1:
        refuse("threshold", "a number < 1 with mode 'min' and threshold_mode 'rel'", threshold)


@controller(
    lambda init_value, mode: PlateauState(init_value, worst(mode), 0, 0),
    check=below_1,
    kind=Plateau,
)
def reduce_on_plateau(
    xp: Namespace,
    state: PlateauState,
    metric: Any,
    init_value: Rate = 1.0,
    decay_rate: Cut = 0.1,
    patience: Observations = 10,
    mode: Mode = "min",
    threshold: Rate = 1e-4,
    threshold_mode: ThresholdMode = "rel",
    cooldown: Observations = 0,
    end_value: Rate = 0.0,
    eps: Rate = 1e-8,
) -> PlateauState:
    """Constant until a metric stops improving, then lower by a factor, again and again.

        better = metric < best * (1 - threshold)    with "min" and "rel"
                 metric < best - threshold          with "min" and "abs"
                 metric > best * (1 + threshold)    with "max" and "rel"
                 metric > best + threshold          with "max" and "abs"

        value <- max(value * decay_rate, end_value)

    The value is cut after more than `patience` observations in a row that are not better, if that
    lowers it by more than `eps`. `best` is the best metric so far. NaN is never better.

    With "rel" the threshold of a negative `best` lies on its wrong side: with "min", a best of -1
    is "bettered" by -0.99995. Use "abs" for metrics that can be negative.

    Args:
        init_value: the value before the first cut, 0 or more: the learning rate, or 1.0 for a
            factor of a schedule.
        decay_rate: the factor of each cut, at least 0 and below 1.
        patience: how many observations in a row may be no better before the next one cuts, 0 or
            more. With a metric that never changes, the first cut comes at observation
            `patience + 2`, because the very first observation counts as better.
        mode: "min" if a lower metric is better (a loss), "max" if a higher one is (an accuracy).
        threshold: how much better a metric must be to count, 0 or more: a fraction of the best
            metric ("rel"), or in the units of the metric ("abs"). Below 1 with "rel" and "min".
        threshold_mode: "rel" or "abs".
        cooldown: the number of observations after a cut that do not count as bad, 0 or more.
        end_value: the lowest value that a cut reaches, 0 or more; an `init_value` below it stays.
        eps: a cut must lower the value by more than this, 0 or more.

    Raises:
        TypeError: a number is of the wrong type, `patience` or `cooldown` is not an integer, or a
            mode is not a string.
        ValueError: a number is not finite or negative, `decay_rate` >= 1, `mode` or
            `threshold_mode` is none of its names, or `threshold` >= 1 with "min" and "rel".

    Source: PyTorch's `ReduceLROnPlateau`, whose every decision this makes.

    Elsewhere: torch's `ReduceLROnPlateau(mode, factor, patience, threshold, threshold_mode,
    cooldown, min_lr, eps)`, which allows a relative threshold of 1 and more with "min" (no metric
    above 0 is then ever better). Keras' `ReduceLROnPlateau(factor=f, patience=p, mode=m,
    min_delta=d, cooldown=c, min_lr=low)` is `reduce_on_plateau(lr, f, max(p - 1, 0), m, d, "abs",
    max(c - 1, 0), low, 0.0)` if the first metric is finite; it compares in float32, and rounds the
    rate to float32 at each cut.
    `optax.contrib.reduce_on_plateau(factor, patience, rtol, atol, cooldown, min_scale)` also cuts
    one observation earlier; with a patience of 0 it cuts at every better metric and at no other. It
    has no "max" and no eps.

    >>> plateau = reduce_on_plateau(0.1, decay_rate=0.5, patience=1)
    >>> plateau
    reduce_on_plateau(init_value=0.1, decay_rate=0.5, patience=1)
    >>> state = plateau.init()
    >>> for loss in (3.0, 2.0, 2.0, 2.5, 1.0):
    ...     state = plateau.update(state, loss)
    ...     print(state.value, state.bad_steps)
    0.1 0
    0.1 0
    0.1 1
    0.05 0
    0.05 0
    """
    del init_value
    value, best, bad_steps, cooldown_left = state
    # torch's rule, in its order, with `where` instead of `if`.
    better = is_better(metric, best, mode, threshold, threshold_mode)
    best = xp.where(better, metric, best)
    bad_steps = xp.where(better, 0, bad_steps + 1)

    cooling = cooldown_left > 0
    cooldown_left = xp.where(cooling, cooldown_left - 1, cooldown_left)
    bad_steps = xp.where(cooling, 0, bad_steps)

    out_of_patience = bad_steps > patience
    lower = xp.maximum(value * decay_rate, end_value)
    worth_it = value - lower > eps
    value = xp.where(xp.logical_and(out_of_patience, worth_it), lower, value)
    cooldown_left = xp.where(out_of_patience, cooldown, cooldown_left)
    bad_steps = xp.where(out_of_patience, 0, bad_steps)
    return PlateauState(value, best, bad_steps, cooldown_left)
