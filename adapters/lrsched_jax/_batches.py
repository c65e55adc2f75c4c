"""Where batches come from, and batches stacked on the device."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from lrsched._core import Refusal


class Batches:
    """An iterator over batches that begins anew when they run out, if it can.

    What a loader gives is copied where it is NumPy's: it may fill the same arrays again, while
    JAX, which on a CPU reads them in place, has yet to run the update.

    Attributes:
        listed: whether the batches are in a list or tuple.
        first: the first batch, for its types.
        kept: the first few, as many as was asked for, once they were taken.
    """

    def __init__(self, batches: Iterable[Any], refuse: Refusal, keep: int = 0) -> None:
        wanted = "an iterable of batches"
        if isinstance(batches, Mapping):
            one = f"{wanted} (this is one; put it into a list)"
            refuse("batches", one, batches, TypeError)
        try:
            self._iterator = iter(batches)
        except TypeError:
            refuse("batches", wanted, batches, TypeError)
        self._batches = batches
        self.refuse = refuse
        self.listed = isinstance(batches, (list, tuple))
        self._keep = keep
        self.kept: list[Any] = []
        self.first = self._take(True)
        self._ahead = [self.first]

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._ahead.pop() if self._ahead else self._take(False)

    def _take(self, at_start: bool) -> Any:
        try:
            batch = next(self._iterator)
        except StopIteration:
            if at_start:
                self.refuse("batches", "an iterable of at least one batch", self._batches)
            self._iterator = iter(self._batches)  # an iterator gives itself, and is still over
            batch = next(self._iterator)
        if not self.listed:
            batch = jax.tree.map(_copied, batch)
        if len(self.kept) < self._keep:
            self.kept.append(batch)
        return batch


def _copied(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def stacked(batches: Any, source: Batches, steps: int) -> tuple[Any, int, int]:
    """The batches of `steps` updates along a new first axis, how many are stacked and available.

    A list is stacked once, however often it is gone through.
    """
    wanted = min(len(batches), steps) if source.listed else steps
    taken = list(itertools.islice(source, wanted))
    structure, types = _shapes(source.first)
    leaves = jax.tree.leaves(taken)
    columns = [leaves[place :: len(types)] for place in range(len(types))]
    if not _alike(taken, structure, columns, types):
        for number, batch in enumerate(taken):
            if _shapes(batch) != (structure, types):
                wanted_shapes = f"of equal shapes with compiled=True, {types} like the first"
                source.refuse(f"batch {number}", wanted_shapes, _shapes(batch)[1])
    stack = structure.unflatten(map(_stack, columns))
    if jax.default_backend() != "cpu":  # where a compiled function reads NumPy's memory in place
        stack = jax.device_put(stack)
    return stack, len(taken), steps if source.listed else len(taken)


def _alike(taken: list[Any], structure: Any, columns: list[list[Any]], types: list[Any]) -> bool:
    """Whether batches are of one structure and their leaves of these types: all at a time."""
    each = jax.tree.structure(taken).children()  # type: ignore[attr-defined]
    return all(x == structure for x in each) and all(
        _type(leaf) == kind for kind, column in zip(types, columns, strict=True) for leaf in column
    )


def _shapes(batch: Any) -> tuple[Any, list[Any]]:
    leaves, structure = jax.tree.flatten(batch)
    return structure, list(map(_type, leaves))


def _type(leaf: Any) -> Any:
    return (leaf.dtype, leaf.shape) if hasattr(leaf, "dtype") else type(leaf)


def _stack(leaves: list[Any]) -> Any:
    sharding = getattr(leaves[0], "sharding", None)
    if not isinstance(leaves[0], jax.Array) or _on_one_cpu(leaves[0]):
        return np.stack([np.asarray(leaf) for leaf in leaves])
    if not isinstance(sharding, NamedSharding):
        return jnp.stack(leaves)
    # Compiled, so that every process of a mesh does the same, each to its part.
    spec = PartitionSpec(None, *sharding.spec)  # type: ignore[no-untyped-call]
    kept = NamedSharding(sharding.mesh, spec)
    return jax.jit(_stacked, out_shardings=kept)(*leaves)


def _stacked(*leaves: jax.Array) -> jax.Array:
    return jnp.stack(leaves)


def _on_one_cpu(array: jax.Array) -> bool:
    """Where an array is NumPy's memory already."""
    return len(array.devices()) == 1 and all(x.platform == "cpu" for x in array.devices())
