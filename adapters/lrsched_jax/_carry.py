"""What an update changes: parameters, optimizer state and model state."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lrsched._core import Refusal
from lrsched_jax._types import PyTree


class Carry(NamedTuple):
    """The values that an update changes."""

    params: PyTree
    optimizer_state: PyTree
    model_state: PyTree
    count: Any


def strong(leaf: Any) -> Any:
    """The leaf as an array without a weak type."""
    leaf = jnp.asarray(leaf)
    return jax.lax.convert_element_type(leaf, leaf.dtype) if leaf.weak_type else leaf


def copied(tree: PyTree) -> PyTree:
    """Copy each array into its own buffer, also one that occurs twice in the tree."""
    return jax.tree.map(jnp.copy, tree)


def cast_like(carry: Carry, after: Carry, refuse: Refusal) -> Carry:
    """The carry with the dtypes that it has after an update; some optimizers start with others."""
    for name, before, later in zip(Carry._fields, carry, after, strict=True):
        old, new = _shapes(before), _shapes(later)
        if old != new:
            refuse(name, f"after an update what it was before, {old}", new)
    result: Carry = jax.tree.map(
        lambda x, y: x if x.dtype == y.dtype else x.astype(y.dtype), carry, after
    )
    return result


def _shapes(tree: PyTree) -> Any:
    """The tree structure, and the shape of each leaf."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, [leaf.shape for leaf in leaves]
