"""Reduce the learning rate when a metric stops improving."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Annotated, Any, Literal, NamedTuple

from lrsched._arrays.namespace import (
    default_dtype,
    device_of,
    in_default_dtypes,
    is_array,
    namespace_of,
)
from lrsched._arrays.scalars import SCALARS
from lrsched._arrays.types import Namespace
from lrsched._core.checks import Real, Refusal, Whole, choice, is_traced
from lrsched._core.controller import Controller, controller
from lrsched._core.kinds import Rate
from lrsched._core.number_kinds import integer, number

Cut = Annotated[Real, number(">= 0", "< 1")]
Observations = Annotated[Whole, integer(0, "observations")]
Mode = Annotated[Literal["min", "max"], choice("min", "max")]
ThresholdMode = Annotated[Literal["rel", "abs"], choice("rel", "abs")]

_refuse = Refusal("reduce_on_plateau")


class PlateauState(NamedTuple):
    """What a plateau remembers between observations: numbers, or arrays of one shape.

    `value` is the learning rate. `best` is the best metric so far, infinite before the first
    observation. `bad_steps` counts the observations in a row that were no better than `best`, since
    the last cut. `cooldown_left` counts the observations after a cut that will not yet count as
    bad.
    """

    value: Any
    best: Any
    bad_steps: Any
    cooldown_left: Any


@dataclasses.dataclass(frozen=True, eq=False, repr=False, slots=True, weakref_slot=True)
class Plateau(Controller):
    """A learning rate's response to a metric, as a value; `reduce_on_plateau` makes it.

    `init()` returns the state before the first observation, `update(state, metric)` the state after
    the next one. Both are pure functions, so the state can be logged, checkpointed and carried by
    `scan`. `state.value` is the learning rate.

    Plateaus are immutable. They compare and hash by their hyperparameters, `repr` evaluates back,
    they pickle, and to JAX they are pytrees whose leaves are the numeric hyperparameters.

    >>> plateau = reduce_on_plateau(0.1, patience=0)
    >>> plateau.update(plateau.init(), 3.0).value
    0.1
    """

    # `__init__` never validates: JAX fills the fields with tracers, placeholders and batches.

    init_value: Any
    decay_rate: Any
    patience: Any
    mode: str
    threshold: Any
    threshold_mode: str
    cooldown: Any
    end_value: Any
    eps: Any

    def init(self, like: Any = None) -> PlateauState:
        """The state before the first observation.

        The state holds Python numbers unless `like` is an array. `update` takes either, but a
        compiled function is compiled again when its arguments turn from numbers into arrays.

        Args:
            like: an array whose library and shape the state takes, each element a plateau of its
                own; or None.

        >>> reduce_on_plateau(0.1).init()
        PlateauState(value=0.1, best=inf, bad_steps=0, cooldown_left=0)
        """
        worst = math.inf if self.mode == "min" else -math.inf
        state = PlateauState(self.init_value, worst, 0, 0)
        arrays = [x for x in (like, *self.params.values()) if is_array(x)]
        if not arrays:
            return state
        xp = namespace_of(arrays)
        state = _as_arrays(xp, state, arrays[0])
        if not is_array(like):
            return state
        return PlateauState(*(xp.broadcast_to(x, like.shape) for x in state))

    def update(self, state: PlateauState, metric: Any) -> PlateauState:
        """The state after observing one more metric.

        On Python numbers the state is Python numbers, and the learning rate equals torch's to the
        last bit. If the state or the metric has an array, the result is arrays: float64 for NumPy,
        float32 for JAX (float64 under x64), and for tensors float32, or float64 if one of them or
        torch's default dtype is float64. They are on the metric's device and detached from
        autograd. A metric in a narrower type is compared as what it holds.

        In float64 all libraries give the same numbers. In float32 the rule is applied to rounded
        numbers: a metric within rounding of the threshold (5e-7 of the numbers involved), or a
        decrease of the rate within rounding of `eps`, may be decided the other way.

        Args:
            state: the state before, of `init` or `update`.
            metric: the metric observed, a number or an array of numbers.

        Raises:
            TypeError: `metric` is not a number or an array of numbers.

        >>> plateau = reduce_on_plateau(0.1, decay_rate=0.5, patience=0)
        >>> state = plateau.update(plateau.init(), 3.0)
        >>> plateau.update(state, 3.0)
        PlateauState(value=0.05, best=3.0, bad_steps=0, cooldown_left=0)
        """
        arrays = [x for x in (metric, *state, *self.params.values()) if is_array(x)]
        if not arrays:
            if not isinstance(metric, numbers.Real) or isinstance(metric, bool):
                _refuse("metric", "a number or an array of numbers", metric, TypeError)
            return _observe(SCALARS, state, float(metric), self)
        xp = namespace_of(arrays)
        if is_array(metric):
            if not xp.isdtype(metric.dtype, ("integral", "real floating")):
                _refuse("metric", "a number or an array of numbers", metric, TypeError)
            if hasattr(metric, "detach"):  # `best` would keep the whole graph of a loss
                metric = metric.detach()
        dtype = default_dtype(xp, "real floating")
        metric = xp.asarray(metric, dtype=dtype, device=device_of(arrays[0]))
        plateau = Plateau(*in_default_dtypes(xp, tuple(self.params.values())))
        return _observe(xp, _as_arrays(xp, state, arrays[0]), metric, plateau)


def _below_1(refuse: Refusal, params: dict[str, Any]) -> None:
    threshold, modes = params["threshold"], (params["mode"], params["threshold_mode"])
    if modes == ("min", "rel") and not is_traced(threshold) and threshold >= 1:
        refuse("threshold", "a number < 1 with mode 'min' and threshold_mode 'rel'", threshold)


@controller(Plateau, check=_below_1)
def reduce_on_plateau(
    init_value: Rate,
    decay_rate: Cut = 0.1,
    patience: Observations = 10,
    mode: Mode = "min",
    threshold: Rate = 1e-4,
    threshold_mode: ThresholdMode = "rel",
    cooldown: Observations = 0,
    end_value: Rate = 0.0,
    eps: Rate = 1e-8,
) -> Plateau:
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
        init_value: the learning rate before the first cut, 0 or more.
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
    above 0 is then ever better). Keras' `ReduceLROnPlateau(factor, patience, mode, min_delta,
    cooldown, min_lr)` has an absolute threshold and cuts one observation earlier.
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
    modes = mode, threshold, threshold_mode
    return Plateau(init_value, decay_rate, patience, *modes, cooldown, end_value, eps)


def _observe(xp: Namespace, state: PlateauState, metric: Any, plateau: Plateau) -> PlateauState:
    """The rule, on numbers or arrays: torch's, in its order, with `where` instead of `if`."""
    value, best, bad_steps, cooldown_left = state
    sign = -1 if plateau.mode == "min" else 1
    margin = sign * plateau.threshold
    bar = best * (1.0 + margin) if plateau.threshold_mode == "rel" else best + margin
    better = metric < bar if plateau.mode == "min" else metric > bar
    best = xp.where(better, metric, best)
    bad_steps = xp.where(better, 0, bad_steps + 1)

    cooling = cooldown_left > 0
    cooldown_left = xp.where(cooling, cooldown_left - 1, cooldown_left)
    bad_steps = xp.where(cooling, 0, bad_steps)

    out_of_patience = bad_steps > plateau.patience
    lower = xp.maximum(value * plateau.decay_rate, plateau.end_value)
    worth_it = value - lower > plateau.eps
    value = xp.where(xp.logical_and(out_of_patience, worth_it), lower, value)
    cooldown_left = xp.where(out_of_patience, plateau.cooldown, cooldown_left)
    bad_steps = xp.where(out_of_patience, 0, bad_steps)
    return PlateauState(value, best, bad_steps, cooldown_left)


def _as_arrays(xp: Namespace, state: PlateauState, like: Any) -> PlateauState:
    """The state as arrays of the default dtypes, on the device of `like`."""
    real, integral = default_dtype(xp, "real floating"), default_dtype(xp, "integral")
    dtypes = real, real, integral, integral
    device = device_of(like)
    pairs = zip(state, dtypes, strict=True)
    return PlateauState(*(xp.asarray(x, dtype=dtype, device=device) for x, dtype in pairs))
