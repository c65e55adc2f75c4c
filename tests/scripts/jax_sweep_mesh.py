"""Sweeps over eight virtual devices, beside the same on one; `tests/jax/sweep_test.py` runs it.

It prints, as JSON, the losses, and what became of the copies on the way.
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

import lrsched
import lrsched_jax
from lrsched_jax import _vmapped


def loss_fn(params: Any, batch: Any) -> Any:
    return jnp.mean((jnp.tanh(batch[0] @ params[0]) @ params[1] - batch[1]) ** 2)


def initialise(key: Any) -> Any:
    first, second = jax.random.split(key)
    return [jax.random.normal(first, (8, 16)) / 3, jax.random.normal(second, (16, 4)) / 4]


def main() -> None:
    inputs = np.random.default_rng(0).normal(size=(12, 32, 8))
    batches = [[jnp.asarray(x), np.sin(x[:, :4])] for x in inputs]
    shared = initialise(jax.random.key(0))
    ramp = lrsched.exponential_ramp(1e-4, 0.3, 29)
    programs: list[tuple[Any, Any]] = []
    update_of = _vmapped._update

    def watched(*options: Any) -> Any:
        update = update_of(*options)

        def first_of_all(*arguments: Any) -> Any:
            if not programs:
                program = update.lower(*arguments).compile().as_text()
                programs.append((program, arguments[0].params[0].sharding))
            return update(*arguments)

        return first_of_all

    setattr(_vmapped, "_update", watched)  # noqa: B010
    found = {}
    for name, params, copies in (
        ("shared", shared, 16),
        ("uneven", shared, 11),
        ("own", initialise, 11),
        ("fewer than devices", initialise, 3),
    ):
        schedules = [*np.geomspace(1e-3, 0.1, copies - 1), ramp]
        arguments: Any = (loss_fn, params, batches, schedules, optax.adam, 30)
        alone = lrsched_jax.sweep(*arguments, keep_params=True)
        programs.clear()
        mesh = jax.make_mesh((8,), ("copies",))
        spread = lrsched_jax.sweep(*arguments, keep_params=True, mesh=mesh)
        ((program, sharding),) = programs
        shape = (-(-copies // 8) * 8, 8, 16)
        slices = [index[0] for index in sharding.devices_indices_map(shape).values()]
        found[name] = {
            "copies": copies,
            "one device": alone.losses.tolist(),
            "mesh": spread.losses.tolist(),
            "params": [abs(x.params[0]).sum((1, 2)).tolist() for x in (alone, spread)],
            "devices": len(sharding.device_set),
            "copies on each": [len(range(*place.indices(shape[0]))) for place in slices],
            "collectives": [x for x in ("all-reduce", "all-gather", "all-to-all") if x in program],
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
