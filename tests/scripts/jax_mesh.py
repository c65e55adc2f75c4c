"""A range test on eight virtual devices, beside the same on one.

`tests/jax/range_test_devices_test.py` runs it.
It prints, as JSON, the losses by name, and how the parameters were placed meanwhile.
"""

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
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import lrsched
import lrsched_jax

MESH = Mesh(np.reshape(jax.devices(), (4, 2)), ("data", "model"))
RAMP = lrsched.exponential_ramp(1e-4, 0.3, 29)


def place(tree: Any, *specs: Any) -> Any:
    """A list of arrays on the mesh, each as its spec says."""
    spec_of: Any = PartitionSpec
    places = [NamedSharding(MESH, spec_of(*spec)) for spec in specs]
    return [jax.device_put(x, place) for x, place in zip(tree, places, strict=True)]


def loss_fn(params: Any, batch: Any) -> Any:
    hidden = jnp.tanh(batch[0] @ params[0])
    return jnp.mean((hidden @ params[1] - batch[1]) ** 2)


def main() -> None:
    random = np.random.default_rng(0)
    params = [random.normal(size=(8, 16)) / 3, random.normal(size=(16, 4)) / 4]
    inputs = random.normal(size=(12, 32, 8))
    batches = [[x, np.sin(x[:, :4])] for x in inputs]
    data_parallel = [place(batch, ("data",), ("data",)) for batch in batches]
    sharded = place(params, (None, "model"), ("model",))
    placements: list[str] = []
    compilations = [0]
    counts: list[int] = []

    def count(event: str, duration_secs: float, **_: str | int) -> None:
        compilations[0] += "backend_compile" in event

    jax.monitoring.register_event_duration_secs_listener(count)

    def watch(params: Any) -> dict[str, float]:
        counts.append(compilations[0])
        placements.append(str([str(x.sharding.spec) for x in params]))
        return {}

    def losses(params: Any, batches: Any, **options: Any) -> Any:
        test = lrsched_jax.range_test(
            loss_fn, params, batches, optax.adam, RAMP, 30, progress=False, **options
        )
        return test.losses.tolist()

    print(
        json.dumps(
            {
                "one device": losses(params, batches),
                "data parallel": losses(params, data_parallel),
                "sharded": losses(sharded, data_parallel, metrics=watch, every=1),
                "compiled": losses(sharded, data_parallel, compiled=True),
                "placements": placements,
                "compilations": counts,
                "after": str([str(x.sharding.spec) for x in sharded]),
            }
        )
    )


if __name__ == "__main__":
    main()
