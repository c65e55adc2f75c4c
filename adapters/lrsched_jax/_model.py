"""What is trained, in one form: parameters, other state, and the loss of both."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp

from lrsched._core import Refusal


class Loss(NamedTuple):
    """The user's loss function, and how to call it. Equal ones can share what is compiled.

    Attributes:
        function: the user's.
        graph: the static part of an NNX module, or None.
        has_aux, has_state, has_key: what the function returns and takes besides.
        refuse: words what is refused, for the function that the user called.
    """

    function: Callable[..., Any]
    graph: Any
    has_aux: bool
    has_state: bool
    has_key: bool
    refuse: Refusal

    def __call__(self, params: Any, state: Any, batch: Any, key: Any) -> tuple[Any, Any]:
        """The loss in the precision to differentiate it in, with (new state, recorded numbers)."""
        arguments = [*self.shown(params, state), batch]
        if self.has_key:
            arguments.append(key)
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

    def shown(self, params: Any, state: Any) -> list[Any]:
        """What the user's functions take first: the module, or the parameters and the state."""
        if self.graph is None:
            return [params, state] if self.has_state else [params]
        from flax import nnx

        return [nnx.merge(self.graph, *_fresh((params, state)))]

    def _parts(self, found: Any, state: Any) -> tuple[Any, Any, Any]:
        """The loss, the new state and the aux output, of what the function returned."""
        extra = self.has_state + self.has_aux
        if isinstance(found, tuple) != (extra > 0) or (extra and len(found) != 1 + extra):
            self._refuse_result("and nothing else", found, TypeError)
        if not extra:
            return found, state, None
        loss, *rest = found
        return loss, rest[0] if self.has_state else state, rest[-1] if self.has_aux else None

    def _refuse_result(self, wanted: str, got: Any, error: type[Exception]) -> NoReturn:
        parts = ["loss", *["new_model_state"] * self.has_state, *["aux"] * self.has_aux]
        result = f"({', '.join(parts)})" if len(parts) > 1 else "a loss"
        self.refuse(
            "loss_fn",
            f"a function that returns {result} {wanted}",
            jax.tree.map(lambda x: _Type(x) if isinstance(x, jax.Array) else x, got),
            error,
        )


class _Type:
    """Shows the type of an array: float32[64]."""

    def __init__(self, array: jax.Array) -> None:
        self.array = array

    def __repr__(self) -> str:
        return f"{self.array.dtype}[{','.join(map(str, self.array.shape))}]"


class Model(NamedTuple):
    """Parameters, what changes beside them, and the loss of both."""

    loss: Loss
    params: Any
    state: Any


def model_of(
    loss_fn: Callable[..., Any],
    params: Any,
    state: Any,
    has_aux: bool,
    has_key: bool,
    refuse: Refusal,
) -> Model:
    """Take a pytree, an NNX module or a Linen `TrainState` apart."""
    graph = None
    has_state = state is not None
    if _is_instance(params, "flax.nnx", "Module"):
        if has_state:
            refuse("model_state", "None with an NNX module, which holds its own", state)
        graph, params, state = _split(_rebuilt(params))
    elif _is_instance(params, "flax.training.train_state", "TrainState"):
        if not has_state and getattr(params, "batch_stats", None) is not None:
            has_state, state = True, params.batch_stats
        params = params.params
    _check_leaves(params, refuse)
    return Model(Loss(loss_fn, graph, has_aux, has_state, has_key, refuse), params, state)


def _split(module: Any) -> tuple[Any, Any, Any]:
    """An NNX module as (graph, parameters, the rest), without what it noted down on the way."""
    from flax import nnx

    nnx.pop(module, nnx.Intermediate)
    parts: Any = nnx.split(module, nnx.Param, ...)
    graph, params, rest = parts
    return graph, params, rest


def _rebuilt(module: Any) -> Any:
    """Another NNX module with the same arrays."""
    from flax import nnx

    graph, state = nnx.split(module)
    return nnx.merge(graph, _fresh(state))


def _fresh(tree: Any) -> Any:
    """The same arrays in new variables: those of the user or of another trace stay as they are."""
    return jax.tree.map(lambda leaf: leaf, tree)


def is_initialiser(params: Any) -> bool:
    """Whether this makes parameters: a function, and not a module or pytree that can be called."""
    return callable(params) and jax.tree_util.all_leaves([params])


def _is_instance(value: Any, module: str, name: str) -> bool:
    """Without importing the module: if nobody has, the value is none of its types."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name))


def _check_leaves(params: Any, refuse: Refusal) -> None:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    if not leaves:
        refuse("params", "a pytree with at least one array", params)
    for path, leaf in leaves:
        named = f"params{jax.tree_util.keystr(path)}"
        known = type(leaf) is float or (
            hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)
        )
        if not known:
            wanted = "an array of floating-point numbers, for it is differentiated"
            refuse(named, f"{wanted} (what is not trained goes into model_state)", leaf, TypeError)
