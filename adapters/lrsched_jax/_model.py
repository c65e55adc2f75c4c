"""Bring models of any kind into one form: parameters, other state, and a loss function."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp

from lrsched._core import Refusal
from lrsched_jax._partition import Partition, is_instance, split
from lrsched_jax._types import Batch, Key, PyTree


class Fixed(NamedTuple):
    """What every update reads and none changes.

    Attributes:
        key: a random key, or None.
        held: the arrays among the parameters that are not trained.
    """

    key: Key = None
    held: tuple[Any, ...] = ()


class Loss(NamedTuple):
    """The user's loss function, and how to call it. Equal ones share compiled code.

    Attributes:
        function: the user's function.
        graph: the static part of an NNX module, or None.
        has_aux: whether the function returns an aux output.
        has_state: whether it takes and returns a model state.
        has_key: whether it takes a random key.
        refuse: raises the errors of the function that the user called.
        partition: how the parameters were split, or None where all of them are trained.
    """

    function: Callable[..., Any]
    graph: Any
    has_aux: bool
    has_state: bool
    has_key: bool
    refuse: Refusal
    partition: Partition | None = None

    def __call__(
        self, params: PyTree, state: PyTree, batch: Batch, fixed: Fixed
    ) -> tuple[Any, Any]:
        """The loss, and (the new state, the numbers to record)."""
        arguments = [*self.arguments(params, state, fixed.held), batch]
        if self.has_key:
            arguments.append(fixed.key)
        loss, state, aux = self._parts(self.function(*arguments), state)
        if not (hasattr(loss, "dtype") and jnp.issubdtype(loss.dtype, jnp.floating)):
            self._refuse_result("that is a real floating-point array", loss, TypeError)
        if loss.shape != ():
            self._refuse_result("with shape ()", loss, ValueError)
        if self.graph is not None:
            state = _split(arguments[0])[2]
        numbers = {
            str(name): jnp.asarray(value)
            for name, value in (aux.items() if isinstance(aux, Mapping) else ())
            if jnp.shape(value) == ()
        }
        return loss, (state, numbers)

    def arguments(self, params: PyTree, state: PyTree, held: tuple[Any, ...]) -> list[Any]:
        """The first arguments of the user's functions: the module, or parameters and state."""
        params, state = self.whole(params, held), _rebuilt(state)
        if self.graph is None:
            return [params, state] if self.has_state else [params]
        from flax import nnx

        return [nnx.merge(self.graph, _rebuilt(params), state)]

    def whole(self, params: PyTree, held: tuple[Any, ...]) -> PyTree:
        """The parameters with what is held, as the user has them."""
        return params if self.partition is None else self.partition.merge(params, held)

    def _parts(self, returned: Any, state: PyTree) -> tuple[Any, Any, Any]:
        """The loss, the new state and the aux output in the value that the function returned."""
        extra = self.has_state + self.has_aux
        if isinstance(returned, tuple) != (extra > 0) or (extra and len(returned) != 1 + extra):
            self._refuse_result("and nothing else", returned, TypeError)
        if not extra:
            return returned, state, None
        loss, *rest = returned
        return loss, rest[0] if self.has_state else state, rest[-1] if self.has_aux else None

    def _refuse_result(self, expected: str, got: Any, error: type[Exception]) -> NoReturn:
        parts = ["loss", *["new_model_state"] * self.has_state, *["aux"] * self.has_aux]
        result = f"({', '.join(parts)})" if len(parts) > 1 else "a loss"
        self.refuse(
            "loss_fn",
            f"a function that returns {result} {expected}",
            jax.tree.map(lambda x: _TypeName(x) if isinstance(x, jax.Array) else x, got),
            error,
        )


class _TypeName:
    """Prints the type of an array: float32[64]."""

    def __init__(self, array: jax.Array) -> None:
        self.array = array

    def __repr__(self) -> str:
        return f"{self.array.dtype}[{','.join(map(str, self.array.shape))}]"


class Model(NamedTuple):
    """A model in parts.

    Attributes:
        loss: its loss function.
        params: the parameters that are trained.
        state: the state that updates change, and do not train.
        held: the arrays among the parameters that no update changes.
    """

    loss: Loss
    params: PyTree
    state: PyTree
    held: tuple[Any, ...]


def models_of(
    loss_fn: Callable[..., Any],
    params: PyTree,
    copies: range,
    state: PyTree,
    has_aux: bool,
    has_key: bool,
    refuse: Refusal,
) -> Iterator[Model]:
    """The models of some copies: the same for all, unless `params` is a function of a key.

    They differ in arrays only: all are trained by the same compiled code.
    """
    options = state, has_aux, has_key, refuse
    if not is_initialiser(params):
        yield from itertools.repeat(_model_of(loss_fn, params, *options), len(copies))
        return
    first: Model | None = None
    for copy in copies:
        made = params(jax.random.key(copy))
        model = _model_of(loss_fn, made, *options)
        first = first or model
        if model.loss.partition != first.loss.partition:
            expected = "a function that returns trees with the same held values for every key"
            refuse("params", expected, made)
        yield model


def _model_of(
    loss_fn: Callable[..., Any],
    params: PyTree,
    state: PyTree,
    has_aux: bool,
    has_key: bool,
    refuse: Refusal,
) -> Model:
    """Split a pytree, an NNX module or a Linen `TrainState` into its parts."""
    graph = None
    has_state = state is not None
    if is_instance(params, "flax.nnx", "Module"):
        if has_state:
            refuse("model_state", "None with an NNX module, which holds its own", state)
        graph, params, state = _split(_copied_module(params))
    elif is_instance(params, "flax.training.train_state", "TrainState"):
        if not has_state and getattr(params, "batch_stats", None) is not None:
            has_state, state = True, params.batch_stats
        params = params.params
    params, partition, held = split(params, refuse)
    loss = Loss(loss_fn, graph, has_aux, has_state, has_key, refuse, partition)
    return Model(loss, params, state, held)


def _split(module: Any) -> tuple[Any, Any, Any]:
    """Split an NNX module into (graph, parameters, other state), without its intermediates."""
    from flax import nnx

    nnx.pop(module, nnx.Intermediate)
    parts: Any = nnx.split(module, nnx.Param, ...)
    graph, params, rest = parts
    return graph, params, rest


def _copied_module(module: Any) -> Any:
    """Another NNX module with the same arrays."""
    from flax import nnx

    graph, state = nnx.split(module)
    return nnx.merge(graph, _rebuilt(state))


def _rebuilt(tree: Any) -> Any:
    """The same arrays in new containers, so that the user's or another trace's do not change."""
    return jax.tree.map(lambda leaf: leaf, tree)


def is_initialiser(params: Any) -> bool:
    """Whether `params` is a function that makes them, and not a callable module or pytree."""
    if is_instance(params, "flax.nnx", "Module"):  # no pytree before Flax 0.11
        return False
    return callable(params) and jax.tree_util.all_leaves([params])
