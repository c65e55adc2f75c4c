"""Training over a mesh of eight devices with a rate that follows the mean of their losses."""

import json
import os
from typing import Any

if __name__ == "__main__":  # and not where pytest looks for doctests
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from lrsched_jax import scale_by_learning_rate
from tests.jax.controlled_test import BOTH


def main() -> None:
    mesh = jax.make_mesh((8,), ("data",))
    batches = np.random.default_rng(0).integers(0, 3, size=(12, 16)).astype(np.float32)
    optimizer = optax.chain(scale_by_learning_rate(BOTH))
    spec: Any = PartitionSpec
    params = jax.device_put(jnp.ones(()), NamedSharding(mesh, spec()))
    state = optimizer.init(params)

    @jax.jit
    def train(params: Any, state: Any, batch: Any) -> Any:
        metric = batch.mean()  # over all devices
        updates, state = optimizer.update(jnp.ones(()), state, params, value=metric)
        return optax.apply_updates(params, updates), state, metric

    metrics, rates = [], []
    for batch in batches:
        placed = jax.device_put(batch, NamedSharding(mesh, spec("data")))
        assert len(placed.sharding.device_set) == 8
        params, state, metric = train(params, state, placed)
        metrics.append(float(metric))
        rates.append(float(state[0].rate))
    print(json.dumps([metrics, rates]))


if __name__ == "__main__":
    main()
