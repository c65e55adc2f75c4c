"""Split a pytree into the arrays that are trained, and all else, which is held."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lrsched._core import Refusal
from lrsched_jax._static_value import StaticValue
from lrsched_jax._types import PyTree

TRAINED, ARRAY = "trained", "array"  # what a leaf is; any other is static


class Partition(NamedTuple):
    """How a pytree was split. Equal ones share compiled code.

    Attributes:
        structure: the structure of the whole tree.
        leaves: for each leaf `TRAINED`, `ARRAY` (held), or the held value as a `StaticValue`.
    """

    structure: Any
    leaves: tuple[Any, ...]

    def merge(self, params: PyTree, arrays: tuple[Any, ...]) -> PyTree:
        """The whole tree, with these trained leaves and held arrays."""
        sources = {TRAINED: iter(jax.tree.leaves(params)), ARRAY: iter(arrays)}
        return self.structure.unflatten(
            [
                leaf.value if isinstance(leaf, StaticValue) else next(sources[leaf])
                for leaf in self.leaves
            ]
        )


def split(tree: PyTree, refuse: Refusal) -> tuple[PyTree, Partition | None, tuple[Any, ...]]:
    """Split `params` into the trained tree, with None for other leaves, and the held arrays.

    Arrays of floating-point numbers are trained, and so are Python floats, except in an Equinox
    module. The partition says how to merge them; it is None where all leaves are trained.
    """
    leaves, definition = jax.tree.flatten(tree)
    structure: Any = definition
    in_equinox = _in_equinox(tree, len(leaves))
    kinds = [_kind(leaf, inside) for leaf, inside in zip(leaves, in_equinox, strict=True)]
    _refuse_complex(tree, kinds, refuse)
    if TRAINED not in kinds:
        expected = "a pytree with at least one array of floating-point numbers, which are trained"
        refuse("params", expected, tree)
    if set(kinds) == {TRAINED}:
        return tree, None, ()
    pairs = list(zip(leaves, kinds, strict=True))
    trained = structure.unflatten([leaf if kind is TRAINED else None for leaf, kind in pairs])
    arrays = tuple(leaf for leaf, kind in pairs if kind is ARRAY)
    return trained, Partition(structure, tuple(kinds)), arrays


def is_instance(value: Any, module: str, name: str) -> bool:
    """`isinstance` without importing the module: if nobody has, the answer is False."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name, ()))


def _in_equinox(tree: PyTree, count: int) -> list[bool]:
    """For each leaf, whether it is in an Equinox module, whose floats are settings."""
    if "equinox" not in sys.modules:
        return [False] * count
    nodes = jax.tree.leaves(tree, is_leaf=_is_equinox)
    return [is_equinox for node in nodes for is_equinox in [_is_equinox(node)] * _size(node)]


def _is_equinox(node: Any) -> bool:
    return is_instance(node, "equinox", "Module")


def _size(node: Any) -> int:
    return len(jax.tree.leaves(node)) if _is_equinox(node) else 1


def _kind(leaf: Any, in_equinox: bool) -> Any:
    """What the leaf is: `TRAINED`, `ARRAY`, `complex`, or else a `StaticValue`."""
    if _has_dtype(leaf, jnp.floating) or (type(leaf) is float and not in_equinox):
        return TRAINED
    if _has_dtype(leaf, jnp.complexfloating) or (type(leaf) is complex and not in_equinox):
        return complex
    is_input = isinstance(leaf, jax.Array) or (
        isinstance(leaf, np.ndarray)
        and leaf.dtype.kind not in "mM"  # which NumPy counts among the integers
        and (_has_dtype(leaf, jnp.integer) or _has_dtype(leaf, np.bool_))
    )
    return ARRAY if is_input else StaticValue(leaf)


def _has_dtype(leaf: Any, kind: Any) -> bool:
    try:
        return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, kind)
    except TypeError:  # an array of another library
        return False


def _refuse_complex(tree: PyTree, kinds: list[Any], refuse: Refusal) -> None:
    if complex in kinds:
        path, leaf = jax.tree_util.tree_leaves_with_path(tree)[kinds.index(complex)]
        name = f"params{jax.tree_util.keystr(path)}"
        refuse(name, "of real numbers, as its gradient is", leaf, TypeError)
