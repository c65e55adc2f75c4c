"""Training in JAX that Orbax saved goes on at its count, under the old recipe or a new one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests.optional import needs

needs("jax")
needs("optax")
needs("flax")
needs("orbax")

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp  # type: ignore[import-untyped]
import pytest
from flax import nnx
from flax.training.train_state import TrainState

import lrsched
from lrsched_jax import current_lr
from tests.jax.nets import nnx_update

SAVED = 7  # updates before the checkpoint
STEPS = 15
OLD = lrsched.warmup(lrsched.cosine_restarts(0.1, 4, period_mult=2), 3)
NEW = lrsched.join([lrsched.constant(0.05), lrsched.linear(0.05, 0.0, 6)], [9])
INPUTS = np.random.default_rng(0).normal(size=(STEPS, 8, 3)).astype(np.float32)


class Training(Protocol):
    """A model in training; `state` is what holds its optimizer's state."""

    state: Any

    def update(self, batch: Any) -> None: ...
    def weights(self) -> Any: ...
    def save(self, path: Path) -> None: ...
    def restore(self, path: Path) -> None: ...


def loss(outputs: Any, batch: Any) -> Any:
    return jnp.mean((outputs[:, 0] - jnp.sin(batch.sum(1))) ** 2)


def optimizer(schedule: Any) -> Any:
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))


def written(path: Path, tree: Any) -> None:
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, tree)


def read(path: Path, like: Any) -> Any:
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(path, jax.tree.map(ocp.utils.to_shape_dtype_struct, like))


class Nnx:
    """As Flax's guides have it: one state of the model and the optimizer."""

    def __init__(self, schedule: Any, seed: int) -> None:
        self.model = nnx.Linear(3, 1, rngs=nnx.Rngs(seed))
        self.state = nnx.Optimizer(self.model, optimizer(schedule), wrt=nnx.Param)

    def update(self, batch: Any) -> None:
        gradient = nnx.grad(lambda model: loss(model(batch), batch))(self.model)
        nnx_update(self.state, self.model, gradient)

    def weights(self) -> Any:
        return nnx.state(self.model)

    def save(self, path: Path) -> None:
        written(path, nnx.state((self.model, self.state)))

    def restore(self, path: Path) -> None:
        both = (self.model, self.state)
        nnx.update(both, read(path, nnx.state(both)))


class Linen:
    """A `TrainState`."""

    def __init__(self, schedule: Any, seed: int) -> None:
        net = nn.Dense(1)
        params = net.init(jax.random.key(seed), INPUTS[0])
        create: Any = TrainState.create
        self.state = create(apply_fn=net.apply, params=params, tx=optimizer(schedule))

    def update(self, batch: Any) -> None:
        of = self.state.apply_fn
        gradient = jax.grad(lambda params: loss(of(params, batch), batch))(self.state.params)
        self.state = self.state.apply_gradients(grads=gradient)

    def weights(self) -> Any:
        return self.state.params

    def save(self, path: Path) -> None:
        written(path, self.state)

    def restore(self, path: Path) -> None:
        self.state = read(path, self.state)


class Equinox:
    """The arrays of a module beside optax's state."""

    def __init__(self, schedule: Any, seed: int) -> None:
        eqx = needs("equinox")
        net = eqx.nn.MLP(3, 1, 4, 1, key=jax.random.key(seed))
        self.params, self.rest = eqx.partition(net, eqx.is_inexact_array)
        self.combine = eqx.combine
        self.optimizer = optimizer(schedule)
        self.state = self.optimizer.init(self.params)

    def update(self, batch: Any) -> None:
        def of(params: Any) -> Any:
            return loss(jax.vmap(self.combine(params, self.rest))(batch), batch)

        updates, self.state = self.optimizer.update(jax.grad(of)(self.params), self.state)
        self.params = optax.apply_updates(self.params, updates)

    def weights(self) -> Any:
        return self.params

    def save(self, path: Path) -> None:
        written(path, (self.params, self.state))

    def restore(self, path: Path) -> None:
        self.params, self.state = read(path, (self.params, self.state))


KINDS = pytest.mark.parametrize("kind", [Nnx, Linen, Equinox])


def train(training: Training, schedule: Any, counts: range) -> list[float]:
    rates = []
    for count in counts:
        rates.append(float(current_lr(training.state, schedule)))
        training.update(INPUTS[count])
    return rates


def wanted(schedule: Any, counts: range) -> Any:
    return np.asarray(schedule(jnp.asarray(counts)))


@KINDS
def test_a_schedule_goes_on_at_its_count(
    kind: Callable[[Any, int], Training], tmp_path: Path
) -> None:
    whole = kind(OLD, 0)
    assert train(whole, OLD, range(STEPS)) == pytest.approx(wanted(OLD, range(STEPS)), rel=2e-7)

    before = kind(OLD, 0)
    train(before, OLD, range(SAVED))
    before.save(tmp_path / "saved")
    after = kind(OLD, 1)  # from other weights
    after.restore(tmp_path / "saved")
    rest = range(SAVED, STEPS)
    assert train(after, OLD, rest) == pytest.approx(wanted(OLD, rest), rel=2e-7)
    jax.tree.map(np.testing.assert_array_equal, after.weights(), whole.weights())


@KINDS
def test_another_recipe_takes_effect_at_that_count(
    kind: Callable[[Any, int], Training], tmp_path: Path
) -> None:
    before = kind(OLD, 0)
    train(before, OLD, range(SAVED))
    before.save(tmp_path / "saved")
    after = kind(NEW, 1)
    after.restore(tmp_path / "saved")
    rest = range(SAVED, STEPS)
    assert train(after, NEW, rest) == pytest.approx(wanted(NEW, rest), rel=2e-7)

    # One that never stopped, and used either recipe in its time.
    both = kind(lambda count: jnp.where(count < SAVED, OLD(count), NEW(count)), 0)
    for batch in INPUTS:
        both.update(batch)
    both_weights, weights = jax.tree.leaves(both.weights()), jax.tree.leaves(after.weights())
    for mine, its in zip(weights, both_weights, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-6)
