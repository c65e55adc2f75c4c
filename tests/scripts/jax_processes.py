"""A range test in two processes that share one mesh; `range_test_devices_test.py` starts both.

Arguments: the number of this process and the port to meet at. Each prints its losses as
JSON.
"""

import json
import os
import sys
from typing import Any

if __name__ == "__main__":  # and not where pytest looks for doctests
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = ""  # one device in each process

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import lrsched
import lrsched_jax


def loss_fn(params: Any, batch: Any) -> Any:
    return jnp.mean((jnp.tanh(batch[0] @ params[0]) @ params[1] - batch[1]) ** 2)


def main(number: int, port: str) -> None:
    configure: Any = jax.config.update
    configure("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"localhost:{port}", num_processes=2, process_id=number)
    mesh = Mesh(jax.devices(), ("data",))
    spec: Any = PartitionSpec
    split = NamedSharding(mesh, spec("data"))
    random = np.random.default_rng(0)
    params = [random.normal(size=(8, 16)) / 3, random.normal(size=(16, 4)) / 4]
    inputs = random.normal(size=(12, 32, 8))
    whole = [[x, np.sin(x[:, :4])] for x in inputs]
    mine = slice(16 * number, 16 * (number + 1))
    make: Any = jax.make_array_from_process_local_data
    batches = [[make(split, x[mine]) for x in batch] for batch in whole]
    ramp = lrsched.exponential_ramp(1e-4, 100.0, 59)
    set_ups: dict[str, dict[str, Any]] = {
        "diverged": {"schedule": ramp},
        "finished": {"schedule": ramp, "divergence": None},
        "further": {"low": 1e-4, "high": 0.1, "max_steps": 230, "refine": True, "probe_steps": 10},
    }
    found = {}
    for name, options in set_ups.items():
        for compiled in (False, True):
            test = lrsched_jax.range_test(
                *(loss_fn, params, batches),
                **options,
                steps=60,
                compiled=compiled,
                progress=False,
            )
            parts = [test.losses.tolist(), test.stopped, test.summary]
            parts += [[]] if test.probe is None else [np.nan_to_num(test.probe.losses).tolist()]
            found[f"{name}, compiled={compiled}"] = parts
    print(json.dumps(found), flush=True)
    shutdown: Any = jax.distributed.shutdown
    shutdown()  # waits for the other: the first to leave would take the coordinator along


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
