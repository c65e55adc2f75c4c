"""Draw batches, and stack them on the device."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from lrsched._core import Refusal
from lrsched_jax._types import Batch, PyTree


class Batches:
    """An iterator over batches, which is restarted when they run out, if possible.

    NumPy arrays of a loader are copied: the loader may write the next batch into them before JAX,
    which reads them in place on a CPU, has run the update.

    Args:
        batches: any iterable.
        refuse: raises the errors of the caller.

    Attributes:
        is_list: whether the batches are in a list or tuple.
        first: the first batch; it shows the types of all.
    """

    def __init__(self, batches: Iterable[Batch], refuse: Refusal) -> None:
        expected = "an iterable of batches"
        if isinstance(batches, Mapping):
            hint = "(this is one; put it into a list)"
            refuse("batches", f"{expected} {hint}", batches, TypeError)
        try:
            self._iterator = iter(batches)
        except TypeError:
            refuse("batches", expected, batches, TypeError)
        self._batches = batches
        self.refuse = refuse
        self.is_list = isinstance(batches, (list, tuple))
        self.first = self._draw(True)
        self._drawn = [self.first]

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        return self._drawn.pop() if self._drawn else self._draw(False)

    def _draw(self, is_first: bool) -> Batch:
        try:
            batch = next(self._iterator)
        except StopIteration:
            if is_first:
                self.refuse("batches", "an iterable of at least one batch", self._batches)
            # An iterator returns itself here, and is still exhausted.
            self._iterator = iter(self._batches)
            batch = next(self._iterator)
        if not self.is_list:
            batch = jax.tree.map(_copied, batch)
        return batch

    def again(self, skipped: int = 0) -> Batches:
        """An iterator over the same batches from the beginning, less the first ones.

        Of an iterator these are the batches that are left. There may be none.
        """
        others = copy.copy(self)
        others._drawn = []
        if iter(self._batches) is not self._batches:
            others._iterator = iter(self._batches)
            for _ in range(skipped):
                others._draw(False)
        return others


def _copied(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def stacked(batches: Any, source: Batches, steps: int) -> tuple[PyTree, int, int]:
    """Stack the batches of `steps` updates along a new first axis.

    Returns the stack, the number of batches in it, and the number of updates that they are for.
    A list shorter than `steps` is stacked once, and used again and again.
    """
    used, updates = drawn(batches, source, steps)
    structure, types = _shapes(source.first)
    leaves = jax.tree.leaves(used)
    columns = [leaves[index :: len(types)] for index in range(len(types))]
    if not _have_types(used, structure, columns, types):
        for index, batch in enumerate(used):
            if _shapes(batch) != (structure, types):
                equal_shapes = f"of equal shapes with compiled=True, {types} like the first"
                source.refuse(f"batch {index}", equal_shapes, _shapes(batch)[1])
    stack = structure.unflatten(map(_stack, columns))
    if jax.default_backend() != "cpu":  # on a CPU a compiled function reads NumPy's memory in place
        stack = jax.device_put(stack)
    return stack, len(used), updates


def drawn(batches: Any, source: Batches, steps: int) -> tuple[list[Batch], int]:
    """The batches of `steps` updates, and the number of updates that they are for.

    Those of a list are used again and again, so there may be fewer.
    """
    number = min(len(batches), steps) if source.is_list else steps
    used = list(itertools.islice(source, number))
    return used, steps if source.is_list else len(used)


def _have_types(
    used: list[Batch], structure: Any, columns: list[list[Any]], types: list[Any]
) -> bool:
    """Whether all batches have this structure, and the leaves of each column their type."""
    structures = jax.tree.structure(used).children()  # type: ignore[attr-defined]
    return all(x == structure for x in structures) and all(
        _type(leaf) == kind for kind, column in zip(types, columns, strict=True) for leaf in column
    )


def _shapes(batch: Batch) -> tuple[Any, list[Any]]:
    """The tree structure of a batch, and the dtype and shape of each leaf."""
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
    # Compiled, so that each process of a mesh stacks its own shards.
    spec = PartitionSpec(None, *sharding.spec)  # type: ignore[no-untyped-call]
    stacked_sharding = NamedSharding(sharding.mesh, spec)
    return jax.jit(_stacked, out_shardings=stacked_sharding)(*leaves)


def _stacked(*leaves: jax.Array) -> jax.Array:
    return jnp.stack(leaves)


def _on_one_cpu(array: jax.Array) -> bool:
    """Whether an array is on one CPU device, where NumPy reads its memory."""
    return len(array.devices()) == 1 and all(x.platform == "cpu" for x in array.devices())
