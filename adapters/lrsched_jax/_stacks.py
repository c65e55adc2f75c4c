"""Stack batches on the device."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.sharding import NamedSharding, PartitionSpec

from lrsched_jax._batches import Batches
from lrsched_jax._types import Batch, PyTree


class Stacks:
    """The batches of a run along a new first axis, and those of further runs.

    All stacks have one shape, for which a loop is compiled once, except those of longer runs.

    Args:
        source: draws the batches, which must have equal shapes.
        steps: the number of updates of the first run.

    Attributes:
        width: the number of updates of the first run.
    """

    def __init__(self, source: Batches, steps: int) -> None:
        used, updates = source.drawn(steps)
        self.width = steps
        self._source = source
        self._arrays, self._size = stacked(used, source), len(used)
        # A list is stacked as far as it goes, and an iterator gives no batch twice.
        self._is_all = source.is_once or len(used) < steps
        self._ends = updates < steps

    def of(self, steps: int, skipped: int = 0) -> tuple[PyTree, npt.NDArray[np.int32]]:
        """A stack, and the place in it of the batch of each update, as far as there are batches.

        Batches beyond the first stack are drawn anew; those of other shapes are left out. Of an
        iterator, the batches of the first run are used again.
        """
        if self._is_all:
            number = min(steps, self._size) if self._ends else steps
            return self._arrays, _places(skipped, number, self._size)
        if skipped + steps <= self._size:
            return self._arrays, _places(skipped, steps, self._size)
        kind = _shapes(self._source.first)
        others = itertools.islice(self._source.again(skipped), steps)
        used = [batch for batch in others if _shapes(batch) == kind]
        if not used:
            return self._arrays, _places(0, 0, 1)
        filled = used + used[:1] * (self._size - len(used))
        return stacked(filled, self._source), _places(0, steps, len(used))


def _places(first: int, number: int, size: int) -> npt.NDArray[np.int32]:
    """So many places from the first on, of a stack of this size that begins anew."""
    return ((first + np.arange(number)) % size).astype(np.int32)


def stacked(batches: list[Batch], source: Batches) -> PyTree:
    """Stack batches, all of the shapes of the first one, along a new first axis."""
    structure, types = _shapes(source.first)
    leaves = jax.tree.leaves(batches)
    columns = [leaves[index :: len(types)] for index in range(len(types))]
    if not _have_types(batches, structure, columns, types):
        for index, batch in enumerate(batches):
            if _shapes(batch) != (structure, types):
                equal_shapes = f"of equal shapes with compiled=True, {types} like the first"
                source.refuse(f"batch {index}", equal_shapes, _shapes(batch)[1])
    stack = structure.unflatten(map(_stack, columns))
    if jax.default_backend() != "cpu":  # on a CPU a compiled function reads NumPy's memory in place
        stack = jax.device_put(stack)
    return stack


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
