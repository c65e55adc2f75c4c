"""Small networks and data for the tests of the JAX range test."""

from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")
needs("flax")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import lrsched
from lrsched.range_test import RangeTest
from lrsched_jax import range_test

RANDOM = np.random.default_rng(0)
BATCHES = [
    (inputs.astype(np.float32), inputs[:, :3].argmax(1))
    for inputs in RANDOM.normal(size=(5, 16, 8))
]
STEPS = 40
RAMP = lrsched.exponential_ramp(1e-4, 1.0, STEPS - 1)
STEPWISE_AND_COMPILED = pytest.mark.parametrize("compiled", [False, True])


def run(loss_fn: Any, params: Any, batches: Any = BATCHES, **options: Any) -> RangeTest:
    usual: dict[str, Any] = {
        "optimizer": optax.adam,
        "schedule": RAMP,
        "steps": STEPS,
        "progress": False,
    }
    return range_test(loss_fn, params, batches, **(usual | options))


def cross_entropy(logits: Any, labels: Any) -> Any:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def initialise(key: Any) -> dict[str, jax.Array]:
    first, second = jax.random.split(key)
    return {
        "a": jax.random.normal(first, (8, 12)) / 3,
        "b": jax.random.normal(second, (12, 3)) / 3,
    }


PARAMS = initialise(jax.random.key(7))


def loss_fn(params: Any, batch: Any) -> Any:
    return cross_entropy(jnp.tanh(batch[0] @ params["a"]) @ params["b"], batch[1])


def alone(schedule: Any, params: Any, optimizer: Any = optax.adam, steps: int = 25) -> Any:
    """Losses and parameters of one run, by a loop as optax's guides have it."""
    made = optimizer(schedule)
    state = made.init(params)
    losses = []

    @jax.jit
    def update(params: Any, state: Any, batch: Any) -> Any:
        loss, gradient = jax.value_and_grad(loss_fn)(params, batch)
        updates, state = made.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    for count in range(steps):
        params, state, loss = update(params, state, BATCHES[count % len(BATCHES)])
        losses.append(float(loss))
    return losses, params


class Net(nnx.Module):
    """With batch statistics, and random state for dropout."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(8, 12, rngs=rngs)
        self.norm = nnx.BatchNorm(12, rngs=rngs)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.second = nnx.Linear(12, 3, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = self.dropout(nnx.relu(self.norm(self.first(x))))
        self.hidden = nnx.Intermediate(x)
        return self.second(x)


def dropouts(state: Any) -> Any:
    """How often a `Net` drew random numbers; Flax before 0.11 counts those of its weights too."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    (count,) = [leaf for path, leaf in leaves if "count" in jax.tree_util.keystr(path)]
    return count


def nnx_update(optimizer: Any, model: Any, gradient: Any) -> None:
    """`optimizer.update`, which takes no model before Flax 0.11."""
    optimizer.update(*([] if hasattr(optimizer, "model") else [model]), gradient)


def nnx_loss(model: Any, batch: Any) -> Any:
    return cross_entropy(model(batch[0]), batch[1])
