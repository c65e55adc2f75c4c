"""Train copies of a model together on the same batches, each with its own learning rates."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lrsched_jax._batches import Batches
from lrsched_jax._carry import Carry, cast_like, copied
from lrsched_jax._model import Fixed, Model
from lrsched_jax._training import Training
from lrsched_jax._types import Batch, Key

MAX_IN_FLIGHT = 10  # updates dispatched at most before waiting: each holds its batch in memory


def train(
    training: Training, models: list[Model], rates: Any, key: Key, batches: Batches, mesh: Any
) -> tuple[Any, Any, list[str]]:
    """Update all copies once for each column of `rates`, or until the batches run out.

    `models` has one model for all copies, or one for each. Returns the carry after the last update,
    the loss and other numbers of each copy in each update, and the names of those numbers.
    """
    spread, everywhere = (None, None) if mesh is None else _shardings(mesh)
    number, steps = rates.shape
    rows = np.minimum(np.arange(_padded(number, mesh)), number - 1)
    rates, key = jax.device_put(rates[rows], spread), jax.device_put(key, everywhere)
    fixed = Fixed(key, _held(models, rows, spread, everywhere))
    carry, records, names = _start(training, models, rows, rates, key, batches.first, spread)
    update = _update(training, spread, len(models) > 1)
    count = 0
    for count, batch in zip(range(1, steps + 1), batches, strict=False):
        carry, records = update(carry, records, rates, fixed, jax.device_put(batch, everywhere))
        if count % MAX_IN_FLIGHT == 0:
            records.block_until_ready()
    after = jax.tree.map(lambda leaf: leaf[:number], carry)
    return after, np.asarray(records, float)[:number, :count], names


def _start(
    training: Training,
    models: list[Model],
    rows: Any,
    rates: Any,
    key: Key,
    batch: Batch,
    sharding: Any,
) -> tuple[Carry, Any, list[str]]:
    """The carry and the records before the first update, and the names of the recorded numbers."""
    model = models[0]
    fixed = Fixed(key, model.held)
    outline = training.outline(model.params, model.state, rates[0, 0], fixed, batch)
    start: Any = (model.params, model.state)
    if len(models) > 1:
        chosen = [(models[row].params, models[row].state) for row in rows]
        start = jax.tree.map(lambda *leaves: jnp.stack(leaves), *chosen)

    def begin(start: Any, rates: Any) -> tuple[Carry, Any]:
        carry, records = training.start(*start, rates, 1 + len(outline.names))
        return cast_like(carry, outline.after, training.loss.refuse), records

    carries = jax.vmap(begin, in_axes=(None if len(models) == 1 else 0, 0))(start, rates)
    return *jax.jit(copied, out_shardings=sharding)(carries), outline.names


def _held(models: list[Model], rows: Any, spread: Any, everywhere: Any) -> Any:
    """The held arrays of all copies: one for all, or with a first axis for them."""
    if len(models) == 1:
        return jax.device_put(models[0].held, everywhere)
    chosen = [models[row].held for row in rows]
    return jax.device_put(jax.tree.map(lambda *leaves: jnp.stack(leaves), *chosen), spread)


def held_of(models: list[Model], number: int) -> tuple[Any, ...]:
    """The held arrays of all copies, each with a first axis for them."""
    if len(models) == 1:
        return tuple(jnp.broadcast_to(leaf, (number, *leaf.shape)) for leaf in models[0].held)
    return tuple(_held(models, range(number), None, None))


@functools.lru_cache(maxsize=4)
def _update(training: Training, sharding: Any, apart: bool) -> Any:
    """The compiled update of all copies; their held arrays are `apart` or the same."""
    axes: Any = Fixed(None, 0 if apart else None)  # type: ignore[arg-type]
    update = jax.vmap(training.update, in_axes=(0, 0, 0, axes, None))
    return jax.jit(update, donate_argnums=0, out_shardings=sharding)


def _padded(number: int, mesh: Any) -> int:
    """The number of copies, rounded up to a multiple of the number of devices."""
    devices = 1 if mesh is None else mesh.size
    return -(-number // devices) * devices


def _shardings(mesh: Mesh) -> tuple[Any, Any]:
    """The sharding of the copies, and that of what all of them use."""
    spec: Any = PartitionSpec
    # With automatic axes: an explicit axis would have to be named in the model's operations.
    mesh = Mesh(mesh.devices, mesh.axis_names)
    return NamedSharding(mesh, spec(*mesh.axis_names)), NamedSharding(mesh, spec())
