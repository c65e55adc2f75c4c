"""Schedules in the optimizers of optax and Flax."""

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
from lrsched import Schedule
from tests.jax.nets import nnx_update

CLR = lrsched.cyclic(0.01, 0.1, up_steps=3)
WARM = lrsched.warmup(lrsched.cosine_decay(0.1, 10), 5)


def losses(optimizer: optax.GradientTransformation, steps: int) -> list[float]:
    """Of a small regression."""
    x = jnp.linspace(-1, 1, 16)
    params = {"a": jnp.float32(0.0), "b": jnp.float32(0.0)}

    @jax.jit
    def update(params, state):  # type: ignore[no-untyped-def]
        def loss_fn(params):  # type: ignore[no-untyped-def]
            return jnp.mean((params["a"] * x + params["b"] - 2 * x + 1) ** 2)

        loss, gradient = jax.value_and_grad(loss_fn)(params)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    state, found = optimizer.init(params), []
    for _ in range(steps):
        params, state, loss = update(params, state)
        found.append(float(loss))
    return found


@pytest.mark.parametrize("schedule", [CLR, WARM], ids=repr)
@pytest.mark.parametrize(
    "optimizer",
    [
        optax.sgd,
        optax.adamw,
        lambda schedule: optax.inject_hyperparams(optax.sgd)(learning_rate=schedule),
        lambda schedule: optax.chain(optax.scale_by_schedule(schedule), optax.scale(-1.0)),
    ],
    ids=["sgd", "adamw", "inject_hyperparams", "scale_by_schedule"],
)
def test_an_optax_optimizer_takes_a_schedule(schedule: Schedule, optimizer) -> None:  # type: ignore[no-untyped-def]
    table = jnp.asarray(schedule(np.arange(12)), jnp.float32)
    found = losses(optimizer(schedule), 12)
    np.testing.assert_allclose(found, losses(optimizer(lambda n: table[n]), 12), rtol=1e-5)
    assert len(set(found)) > 6


def test_flax_nnx_trains_with_a_schedule() -> None:
    model = nnx.Linear(1, 1, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(CLR), wrt=nnx.Param)
    x = jnp.linspace(-1, 1, 16)[:, None]

    @nnx.jit
    def update(model: nnx.Linear, optimizer: Any) -> Any:
        loss, gradient = nnx.value_and_grad(lambda m: jnp.mean((m(x) - 3 * x) ** 2))(model)
        nnx_update(optimizer, model, gradient)
        return loss

    first, *_, last = [float(update(model, optimizer)) for _ in range(60)]
    assert last < first / 2
