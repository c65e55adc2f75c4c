"""A training that workers of an executor can import, without the libraries of the tests."""

import threading
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

RANDOM = np.random.default_rng(0)
BATCHES = [
    (x.astype(np.float32), np.sin(x[:, :3]).astype(np.float32))
    for x in RANDOM.normal(size=(5, 16, 8))
]


def initialise(key: Any) -> dict[str, Any]:
    first, second = jax.random.split(key)
    return {
        "hidden": jax.random.normal(first, (8, 12)) / 3,
        "out": jax.random.normal(second, (12, 3)) / 3,
        "order": jax.random.permutation(first, 8),
        "key": second,
        "name": "toy",
    }


PARAMS = initialise(jax.random.key(7))
STATE = {"updates": jnp.int32(0), "mean": jnp.zeros(3)}
LAST = jax.random.key_data(jax.random.key(5))


def loss_fn(params: Any, state: Any, batch: Any, key: Any) -> Any:
    inputs = batch[0][:, params["order"]] + 0.01 * jax.random.uniform(key)
    found = jnp.tanh(inputs @ params["hidden"]) @ params["out"]
    state = {"updates": state["updates"] + 1, "mean": found.mean(0)}
    return jnp.mean((found - batch[1]) ** 2), state, {"mean": found.mean()}


def fails_for_the_last(key: Any) -> dict[str, Any]:
    """Raises for copy 5."""
    if np.array_equal(jax.random.key_data(key), LAST):
        raise KeyError("no such weights")
    return initialise(key)


def fails_in_other_threads(key: Any) -> dict[str, Any]:
    """Raises where tasks run."""
    if threading.current_thread() is not threading.main_thread():
        raise KeyError("no such weights")
    return initialise(key)
