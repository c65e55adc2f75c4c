"""Copies of one model, trained at once on the same batches, each with rates of its own."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lrsched_jax._batches import Batches
from lrsched_jax._model import Model
from lrsched_jax._training import Carry, Training, copied, settled

MAX_IN_FLIGHT = 10  # updates that may wait for the device, with their batches


def train(
    training: Training, models: list[Model], rates: Any, key: Any, batches: Batches, mesh: Any
) -> tuple[Any, Any, list[str]]:
    """Make an update of all copies for each column of `rates`, or until the batches run out.

    There is one model for all copies, or one for each. Gives what the last update left, the losses
    and other numbers of each copy in each update, and the names of those numbers.
    """
    spread, everywhere = (None, None) if mesh is None else _places(mesh)
    number, steps = rates.shape
    rows = np.minimum(np.arange(_padded(number, mesh)), number - 1)
    rates, key = jax.device_put(rates[rows], spread), jax.device_put(key, everywhere)
    carry, seen, names = _begun(training, models, rows, rates, key, batches.first, spread)
    update = _update(training, spread)
    count = 0
    for count, batch in zip(range(1, steps + 1), batches, strict=False):
        carry, seen = update(carry, seen, rates, key, jax.device_put(batch, everywhere))
        if count % MAX_IN_FLIGHT == 0:
            seen.block_until_ready()
    after = jax.tree.map(lambda leaf: leaf[:number], carry)
    return after, np.asarray(seen, float)[:number, :count], names


def _begun(
    training: Training, models: list[Model], rows: Any, rates: Any, key: Any, batch: Any, place: Any
) -> tuple[Carry, Any, list[str]]:
    """What the first update takes, and the names of what each records."""
    model = models[0]
    outline = training.outline(model.params, model.state, rates[0, 0], key, batch)
    start: Any = (model.params, model.state)
    if len(models) > 1:
        chosen = [(models[row].params, models[row].state) for row in rows]
        start = jax.tree.map(lambda *leaves: jnp.stack(leaves), *chosen)

    def begin(start: Any, rates: Any) -> tuple[Carry, Any]:
        carry, seen = training.start(*start, rates, 1 + len(outline.names))
        return settled(carry, outline.after, training.loss.refuse), seen

    begun = jax.vmap(begin, in_axes=(None if len(models) == 1 else 0, 0))(start, rates)
    return *jax.jit(copied, out_shardings=place)(begun), outline.names


@functools.lru_cache(maxsize=4)
def _update(training: Training, place: Any) -> Any:
    """The compiled update of all copies."""
    update = jax.vmap(training.update, in_axes=(0, 0, 0, None, None))
    return jax.jit(update, donate_argnums=0, out_shardings=place)


def _padded(number: int, mesh: Any) -> int:
    """As many copies as divide evenly over the devices."""
    devices = 1 if mesh is None else mesh.size
    return -(-number // devices) * devices


def _places(mesh: Mesh) -> tuple[Any, Any]:
    """Where the copies go, and what all of them see."""
    spec: Any = PartitionSpec
    # Of automatic axes: the model's operations would have to name an explicit one.
    mesh = Mesh(mesh.devices, mesh.axis_names)
    return NamedSharding(mesh, spec(*mesh.axis_names)), NamedSharding(mesh, spec())
