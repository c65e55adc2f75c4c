"""A learning rate that follows a metric: cut when the metric stops getting better."""

from __future__ import annotations

import dataclasses
import inspect
import math
import numbers
from typing import Annotated, Any, Literal, NamedTuple

from lrsched._arrays.namespace import default_dtype, device_of, is_array, namespace_of
from lrsched._arrays.scalars import SCALARS
from lrsched._arrays.types import Namespace
from lrsched._core.checks import Real, Refusal, Whole, choice, integer, is_traced, number
from lrsched._core.definition import kinds_of
from lrsched._core.kinds import Rate
from lrsched._core.pytree import when_jax_is_imported

Cut = Annotated[Real, number(">= 0", "< 1")]
Observations = Annotated[Whole, integer(0, "observations")]
Mode = Annotated[Literal["min", "max"], choice("min", "max")]
ThresholdMode = Annotated[Literal["rel", "abs"], choice("rel", "abs")]

_refuse = Refusal("reduce_on_plateau")


class PlateauState(NamedTuple):
    """What a plateau remembers from one observation to the next: numbers, or arrays of one shape.

    `value` is the learning rate, `best` the best metric so far (an infinity before the first),
    `bad_steps` the observations since then or since the last cut that were no better, and
    `cooldown_left` those that do not yet count after a cut.
    """

    value: Any
    best: Any
    bad_steps: Any
    cooldown_left: Any


@dataclasses.dataclass(frozen=True, repr=False, slots=True, weakref_slot=True)
class Plateau:
    """What `reduce_on_plateau` returns: a learning rate's response to a metric, as a value.

    `init()` is the state before the first observation, and `update(state, metric)` the one after
    the next: pure functions, so that the state can be logged, checkpointed and carried by `scan`.
    `state.value` is the learning rate.

    Plateaus are immutable. They compare and hash by their hyperparameters, `repr` evaluates back,
    they pickle, and to JAX they are pytrees whose leaves are the numeric hyperparameters.
    """

    # Making one never validates: JAX puts tracers, placeholders and batches here.

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

        Python numbers; where `like` is an array, arrays of its library and shape, each element a
        plateau of its own. `update` takes either, but a compiled function is compiled again when
        its arguments turn from numbers into arrays.
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

        On Python numbers the state is Python numbers, and the learning rate torch's to the last
        bit. With an array among the state and the metric they are arrays: float64 for NumPy,
        float32 for JAX (float64 under x64), torch's default dtype for tensors, on the metric's
        device and cut off from autograd.

        In float64 all give the same numbers. In float32 the rule is the same but is applied to
        rounded numbers: a metric within rounding of the threshold (5e-7 of the numbers involved),
        or a decrease of the rate within rounding of `eps`, may be decided the other way.

        Raises:
            TypeError: the metric is not a number or an array of numbers.
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
            if hasattr(metric, "detach"):  # a loss, kept as the best, would keep its whole graph
                metric = metric.detach()
        dtype = default_dtype(xp, "real floating")
        metric = xp.asarray(metric, dtype=dtype, device=device_of(arrays[0]))
        return _observe(xp, _as_arrays(xp, state, arrays[0]), metric, self)

    @property
    def params(self) -> dict[str, Any]:
        """The hyperparameters by name (a copy)."""
        return {name: getattr(self, name) for name in KINDS}

    @property
    def is_plain(self) -> bool:
        """Whether every hyperparameter is a Python number, none an array, a tensor or a tracer."""
        return not any(map(is_array, self.params.values()))

    def replace(self, **changes: Any) -> Plateau:
        """The same plateau with other hyperparameters, checked as when it was made."""
        return reduce_on_plateau(**(self.params | changes))

    def __repr__(self) -> str:
        defaults = inspect.signature(reduce_on_plateau).parameters
        shown = [
            f"{name}={value!r}"
            for name, value in self.params.items()
            if is_array(value) or value != defaults[name].default
        ]
        return f"reduce_on_plateau({', '.join(shown)})"


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
    r"""Constant until a metric has stopped getting better, then lower by a factor, again and again.

    A metric :math:`x` is better than the best so far, :math:`b`, if

    .. math:: x < b (1 - \theta) \;\text{or}\; x < b - \theta \;\text{("min", rel or abs)}, \quad
        x > b (1 + \theta) \;\text{or}\; x > b + \theta \;\text{("max")}

    and with more than `patience` observations in a row that were not,

    .. math:: \eta \leftarrow \max(\gamma \eta, v_1) \quad
        \text{if that lowers it by more than } \epsilon.

    NaN is never better. In the relative mode the threshold of a negative best metric lies on its
    wrong side: with "min", a best of -1 is "bettered" by -0.99995. Use "abs" for metrics that can
    be negative.

    Args:
        init_value: the learning rate before the first cut, 0 or more.
        decay_rate: gamma, the factor of each cut, at least 0 and below 1.
        patience: the observations in a row, none of them better, that are put up with: the one
            after them cuts. Of a metric that never changes, observation `patience + 2` is the
            first to cut, the first observation of all being better than none.
        mode: "min" if a lower metric is better (a loss), "max" if a higher one is (an accuracy).
        threshold: theta, by how much a metric must be better to count, 0 or more: a part of the
            best one, or in units of the metric. Below 1 in the relative mode with "min".
        threshold_mode: "rel" or "abs".
        cooldown: the observations after a cut that do not count as bad, 0 or more.
        end_value: v_1, below which no cut goes, 0 or more; an `init_value` below it stays.
        eps: the least decrease worth making, 0 or more.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Source: PyTorch's `ReduceLROnPlateau`, whose every decision this makes.

    Elsewhere: torch's `ReduceLROnPlateau(mode, factor, patience, threshold, threshold_mode,
    cooldown, min_lr, eps)`, which allows a relative threshold of 1 and more with "min" (no metric
    above 0 is then ever better); Keras' `ReduceLROnPlateau(factor, patience, mode, min_delta,
    cooldown, min_lr)`, absolute and one observation earlier. `optax.contrib.reduce_on_plateau(
    factor, patience, rtol, atol, cooldown, min_scale)` cuts one observation earlier too, with a
    patience of 0 at every better metric and at no other, and has no "max" and no eps.

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
    given = locals()
    params = {name: _refuse.check(name, kind, given[name]) for name, kind in KINDS.items()}
    plateau = Plateau(**params)
    relative_min = (plateau.mode, plateau.threshold_mode) == ("min", "rel")
    if relative_min and not is_traced(plateau.threshold) and plateau.threshold >= 1:
        _refuse("threshold", "a number < 1 with mode 'min' and threshold_mode 'rel'", threshold)
    return plateau


KINDS = kinds_of(reduce_on_plateau, inspect.signature(reduce_on_plateau).parameters)


def _observe(xp: Namespace, state: PlateauState, metric: Any, plateau: Plateau) -> PlateauState:
    """The rule, on Python numbers or on arrays: torch's, in its order, with `where` for `if`."""
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
    """The state in the default dtypes, where `like` is."""
    real, integral = default_dtype(xp, "real floating"), default_dtype(xp, "integral")
    dtypes = real, real, integral, integral
    device = device_of(like)
    pairs = zip(state, dtypes, strict=True)
    return PlateauState(*(xp.asarray(x, dtype=dtype, device=device) for x, dtype in pairs))


def _register(tree_util: Any) -> None:
    traced = [name for name, kind in KINDS.items() if kind.traced]
    static = [name for name, kind in KINDS.items() if not kind.traced]
    tree_util.register_dataclass(Plateau, traced, static)


when_jax_is_imported(_register)
