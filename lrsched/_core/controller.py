"""`Controller`: a value that follows a metric."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from lrsched._arrays.compiler import compiled_rule
from lrsched._arrays.namespace import (
    default_dtype,
    device_of,
    in_default_dtypes,
    is_array,
    namespace_of,
)
from lrsched._arrays.scalars import SCALARS
from lrsched._arrays.types import Namespace
from lrsched._core.arithmetic import Arithmetic
from lrsched._core.controller_definition import ControllerDefinition
from lrsched._core.definition import Definition
from lrsched._core.pytree import register_recipes
from lrsched._core.recipe import Recipe
from lrsched._core.states import state_as_arrays, state_leaves
from lrsched._core.when_imported import when_imported


class Controller(Arithmetic, Recipe):
    """A value that follows a metric, such as a learning rate that is cut on a plateau.

    `init()` returns the state before the first observation, `update(state, metric)` the state after
    one more. Both are pure functions, so that a state can be logged, checkpointed and carried by
    `jax.lax.scan`; `state.value` is the value. A controller can stand wherever a schedule can: in
    a product with one, in `warmup`, in `maximum`. What contains one is a schedule that needs its
    state: see `Schedule.with_state`.

    Controllers are immutable. They compare and hash by their hyperparameters, `repr` evaluates
    back, and they pickle. `to_dict`, `to_json` and `save` write them as those of schedules do, and
    what reads a schedule reads a controller. To JAX they are pytrees whose leaves are the numeric
    hyperparameters.

    >>> from lrsched import reduce_on_plateau
    >>> plateau = reduce_on_plateau(0.1, patience=0)
    >>> plateau.update(plateau.init(), 3.0).value
    0.1
    """

    __slots__ = ("__weakref__", "_observed", "_rule")
    __array_ufunc__ = None  # lets `__rmul__` handle numpy.float64(0.5) * controller

    _definition: ControllerDefinition

    # A cache that no user can see: from the second metric on, the rule compiled for numbers.
    _observed: bool
    _rule: Callable[[Any, float], Any] | None

    def __init__(self, definition: Definition, values: tuple[Any, ...]) -> None:
        super().__init__(definition, values)
        self._set("_observed", False)
        self._set("_rule", None)

    def __getattr__(self, name: str) -> Any:
        """A hyperparameter."""
        if not name.startswith("_"):
            params = self.params
            if name in params:
                return params[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def init(self, like: Any = None) -> Any:
        """The state before the first observation.

        The state holds Python numbers unless `like` or a hyperparameter is an array. `update` takes
        either, but a compiled function is compiled again when its arguments turn from numbers into
        arrays.

        Args:
            like: an array whose library and shape the state takes, each element a controller of its
                own; or None.

        >>> from lrsched import reduce_on_plateau
        >>> reduce_on_plateau(0.1).init()
        PlateauState(value=0.1, best=inf, bad_steps=0, cooldown_left=0)
        """
        state = self._definition.initial(self._values)
        arrays = [like, *self._arrays] if is_array(like) else [*self._arrays]
        if not arrays:
            return state
        shape = like.shape if is_array(like) else None
        return state_as_arrays(namespace_of(arrays), state, state, arrays[0], shape)

    def update(self, state: Any, metric: Any) -> Any:
        """The state after observing one more metric.

        On Python numbers the state is of Python numbers, in float64. If the state or the metric has
        an array, the result is arrays: float64 for NumPy, float32 for JAX (float64 under x64), and
        for tensors float32, or float64 if one of them or torch's default dtype is float64. They are
        on the metric's device and detached from autograd. A metric in a narrower type is compared
        as what it holds. In float64 all libraries give the same numbers; in float32 a decision that
        depends on the last digits (5e-7 of the numbers involved) may be made the other way.

        Args:
            state: the state before, of `init` or `update`.
            metric: the metric observed, a number or an array of numbers.

        Raises:
            TypeError: `metric` is not a number or an array of numbers.

        >>> from lrsched import reduce_on_plateau
        >>> plateau = reduce_on_plateau(0.1, decay_rate=0.5, patience=0)
        >>> state = plateau.update(plateau.init(), 3.0)
        >>> plateau.update(state, 3.0)
        PlateauState(value=0.05, best=3.0, bad_steps=0, cooldown_left=0)
        """
        arrays = [x for x in (metric, *state_leaves(state), *self._arrays) if is_array(x)]
        if not arrays:
            if not isinstance(metric, numbers.Real) or isinstance(metric, bool):
                self._refuse_metric(metric)
            return self.apply_to_number(state, float(metric))
        xp = namespace_of(arrays)
        if is_array(metric):
            if not xp.isdtype(metric.dtype, ("integral", "real floating")):
                self._refuse_metric(metric)
            if hasattr(metric, "detach"):  # the state would keep the whole graph of a loss
                metric = metric.detach()
        dtype = default_dtype(xp, "real floating")
        metric = xp.asarray(metric, dtype=dtype, device=device_of(arrays[0]))
        template = self._definition.initial(self._values)
        return self.apply(xp, state_as_arrays(xp, state, template, arrays[0]), metric)

    def apply_to_number(self, state: Any, metric: float) -> Any:
        """The state of Python numbers after a metric that is a float; nothing is checked."""
        rule = self._rule
        if rule is not None:
            return rule(state, metric)
        if not self._observed:
            self._set("_observed", True)
        elif self._definition.is_own:
            self._compile()
        return self._definition.body(SCALARS, state, metric, *self._values)

    def _compile(self) -> None:
        definition, values = self._definition, self._values
        self._set("_rule", compiled_rule(definition.body, definition.initial(values), values))

    def apply(self, xp: Namespace, state: Any, metric: Any) -> Any:
        """The state after a metric, both already in the types of `xp`: for rules that hold one."""
        return self._definition.body(xp, state, metric, *in_default_dtypes(xp, self._values))

    def _refuse_metric(self, metric: Any) -> NoReturn:
        expected = "a number or an array of numbers"
        self._definition.refuse("metric", expected, metric, TypeError)

    def __call__(self, count: Any) -> NoReturn:
        """Refuse to give a value without a state."""
        del count
        refuse_without_state(self)


def refuse_without_state(recipe: Recipe) -> NoReturn:
    """Refuse to evaluate what contains a controller without its state."""
    first = next(controllers_in(recipe))
    hint = "recipe.with_state(state)(n), with a state of recipe.init_state() and .observe()"
    if first is recipe:
        hint = "state.value, with a state of controller.init() and .update()"
    adapters = (
        "lrsched_torch.ControlledLR, lrsched_jax.scale_by_learning_rate, "
        "lrsched_keras.ControlledRate"
    )
    raise ValueError(f"{recipe.name}: {first.name} follows a metric: use {adapters} or {hint}")


def controllers_in(recipe: Recipe) -> Iterator[Controller]:
    """The controllers in a recipe, in the order of its parameters; each occurrence counts."""
    if isinstance(recipe, Controller):
        yield recipe
        return
    for value in recipe._values:
        for member in value if type(value) is tuple else (value,):
            if isinstance(member, Recipe) and member._controlled:
                yield from controllers_in(member)


def register(kind: type[Controller]) -> None:
    """Make controllers of a type JAX pytrees."""
    when_imported("jax.tree_util", lambda tree_util: register_recipes(kind, tree_util))


register(Controller)
