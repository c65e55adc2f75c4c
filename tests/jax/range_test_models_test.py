"""The JAX range test on Flax models, mutable state, random keys, aux outputs, optimizers."""

from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")
needs("flax")

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState

from lrsched_jax import range_test
from tests.jax.nets import (
    BATCHES,
    PARAMS,
    RAMP,
    STEPS,
    STEPWISE_AND_COMPILED,
    Net,
    cross_entropy,
    dropouts,
    loss_fn,
    nnx_loss,
    nnx_update,
    run,
)


def content(module: Any) -> list[Any]:
    """All arrays of an NNX module, as NumPy's."""
    leaves = jax.tree.leaves(nnx.state(module))
    keys = [jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
    return [
        np.array(jax.random.key_data(leaf) if key else leaf)
        for leaf, key in zip(leaves, keys, strict=True)
    ]


@STEPWISE_AND_COMPILED
def test_an_nnx_module_is_trained_with_its_state_and_does_not_change(compiled: bool) -> None:
    model = Net(nnx.Rngs(0))
    model(BATCHES[0][0])  # leaves an intermediate value
    before = content(model)
    test = run(nnx_loss, model, compiled=compiled)
    jax.tree.map(np.testing.assert_array_equal, content(model), before)

    nnx.pop(model, nnx.Intermediate)
    optimizer = nnx.Optimizer(model, optax.adam(RAMP), wrt=nnx.Param)

    @nnx.jit
    def update(model: Any, optimizer: Any, batch: Any) -> Any:
        loss, gradient = nnx.value_and_grad(nnx_loss)(model, batch)
        nnx_update(optimizer, model, gradient)
        nnx.pop(model, nnx.Intermediate)
        return loss

    wanted = [float(update(model, optimizer, BATCHES[n % 5])) for n in range(STEPS)]
    np.testing.assert_allclose(test.losses[:30], wanted[:30], rtol=1e-4)


class Updating:
    """A loss that makes an update itself: the model, the optimizer's owner, and what they hold."""

    def __init__(self) -> None:
        self.model = nnx.Linear(2, 1, rngs=nnx.Rngs(0))
        self.outside = nnx.Optimizer(self.model, optax.sgd(0.1), wrt=nnx.Param)

    def content(self) -> Any:
        return content(self.model), content(self.outside)

    def loss(self, model: Any, batch: Any) -> Any:
        return jnp.mean((model(batch) - 1) ** 2)

    def run(self, optimizer_of: Any, compiled: bool) -> Any:
        """The losses of a range test, with an update by this optimizer inside if there is one."""

        def loss_fn(model: Any, batch: Any) -> Any:
            value, gradient = nnx.value_and_grad(self.loss)(model, batch)
            nnx_update(optimizer_of(model), model, gradient)
            return value

        options: dict[str, Any] = {"compiled": compiled, "progress": False}
        batches = [np.ones((4, 2), np.float32)]
        loss = loss_fn if optimizer_of else self.loss
        return range_test(loss, self.model, batches, optax.sgd, RAMP, 5, **options).losses


@STEPWISE_AND_COMPILED
def test_an_update_inside_the_loss_of_an_nnx_module_changes_nothing(compiled: bool) -> None:
    """The test differentiates by the parameters before it."""
    task = Updating()
    before = task.content()
    found = task.run(lambda model: nnx.Optimizer(model, optax.sgd(0.1), wrt=nnx.Param), compiled)
    np.testing.assert_allclose(found, task.run(None, compiled), rtol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, task.content(), before)


@STEPWISE_AND_COMPILED
def test_flax_refuses_an_update_of_an_outer_optimizer_inside_the_loss(compiled: bool) -> None:
    needs("flax", "flax>=0.10.6")  # before, the update leaves tracers in the optimizer
    task = Updating()
    before = task.content()
    with pytest.raises(Exception, match="Cannot mutate OptState from a different trace level"):
        task.run(lambda _: task.outside, compiled)
    jax.tree.map(np.testing.assert_array_equal, task.content(), before)


def test_metrics_of_an_nnx_module_see_its_present_state() -> None:
    def metrics(model: Any) -> dict[str, Any]:
        model(BATCHES[0][0])  # changes the statistics of a copy
        updates = dropouts(nnx.state(model)) - before
        return {"updates": updates, "mean": model.norm.mean[...].sum()}

    model = Net(nnx.Rngs(0))
    before = dropouts(nnx.state(model))
    test = run(nnx_loss, model, metrics=metrics, every=15)
    assert test.metrics["updates"].tolist() == [[0, 1], [15, 16], [30, 31]]
    assert len(set(test.metrics["mean"][:, 1])) == 3
    np.testing.assert_array_equal(run(nnx_loss, model, compiled=False).losses, test.losses)


class LinenNet(nn.Module):
    """The same in Linen."""

    @nn.compact
    def __call__(self, x: Any, train: bool = True) -> Any:
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(12)(x))
        x = nn.Dropout(0.2, deterministic=not train)(nn.relu(x))
        return nn.Dense(3)(x)


class StateWithStatistics(TrainState):  # type: ignore[no-untyped-call]
    """As Flax's guides define it."""

    batch_stats: Any


def linen_loss(params: Any, batch_stats: Any, batch: Any, key: Any) -> Any:
    variables = {"params": params, "batch_stats": batch_stats}
    logits, changed = LinenNet().apply(
        variables, batch[0], rngs={"dropout": key}, mutable=["batch_stats"]
    )
    loss = cross_entropy(logits, batch[1])
    accuracy = (logits.argmax(1) == batch[1]).mean()
    return loss, changed["batch_stats"], {"accuracy": accuracy, "logits": logits}


@STEPWISE_AND_COMPILED
def test_a_linen_train_state_with_batch_statistics(compiled: bool) -> None:
    variables = LinenNet().init(jax.random.key(0), BATCHES[0][0], train=False)
    state = StateWithStatistics.create(  # type: ignore[no-untyped-call]
        apply_fn=None,
        params=variables["params"],
        tx=optax.sgd(0.1),
        batch_stats=variables["batch_stats"],
    )
    key = jax.random.key(3)
    test = run(linen_loss, state, has_aux=True, key=key, compiled=compiled)
    assert list(test.metrics) == ["accuracy"]  # the logits are no scalar

    # By hand: the key of update k is folded twice, with the repeat and with k.
    params, stats = variables["params"], variables["batch_stats"]
    optimizer = optax.adam(RAMP)
    memory = optimizer.init(params)
    losses, accuracies = [], []

    @jax.jit
    def update(params: Any, stats: Any, memory: Any, batch: Any, key: Any) -> Any:
        def split(params: Any) -> Any:
            loss, stats_, aux = linen_loss(params, stats, batch, key)
            return loss, (stats_, aux["accuracy"])

        (loss, (new, accuracy)), gradient = jax.value_and_grad(split, has_aux=True)(params)
        updates, memory = optimizer.update(gradient, memory, params)
        return optax.apply_updates(params, updates), new, memory, loss, accuracy

    for count in range(STEPS):
        its = jax.random.fold_in(jax.random.fold_in(key, 0), count)
        params, stats, memory, loss, accuracy = update(
            params, stats, memory, BATCHES[count % 5], its
        )
        losses.append(float(loss))
        accuracies.append(float(accuracy))
    np.testing.assert_allclose(test.losses[:30], losses[:30], rtol=1e-4)
    rows = test.metrics["accuracy"]
    assert rows[:, 0].tolist() == list(range(len(test.losses)))
    np.testing.assert_allclose(rows[:30, 1], accuracies[:30])
    # The same, with the state given by itself.
    apart = run(
        linen_loss,
        variables["params"],
        model_state=variables["batch_stats"],
        has_aux=True,
        key=key,
        compiled=compiled,
    )
    np.testing.assert_array_equal(apart.losses, test.losses)


def test_a_train_state_without_batch_statistics() -> None:
    tx = optax.sgd(0.1)
    state = TrainState.create(apply_fn=None, params=PARAMS, tx=tx)  # type: ignore[no-untyped-call]
    np.testing.assert_array_equal(run(loss_fn, state).losses, run(loss_fn, PARAMS).losses)


def test_metrics_are_of_the_parameters_before_the_update() -> None:
    def metrics(params: Any) -> dict[str, Any]:
        return {"loss": loss_fn(params, BATCHES[0]), "b": params["b"][0, 0]}

    test = run(loss_fn, PARAMS, [BATCHES[0]], metrics=metrics, every=8)
    assert test.metrics["loss"][:, 0].tolist() == [0, 8, 16, 24, 32]
    np.testing.assert_allclose(test.metrics["loss"][:, 1], test.losses[::8], rtol=1e-6)
    assert test.metrics["b"][0, 1] == PARAMS["b"][0, 0]


@STEPWISE_AND_COMPILED
def test_numbers_from_after_the_stop_are_dropped(compiled: bool) -> None:
    def follow(level: Any, batch: Any) -> Any:
        return batch + 0 * level, {"twice": 2 * batch}

    losses = np.array([*[1] * 10, 2, 9, 9, 9, 3, 3, 3, 3], np.float32)
    metrics = {} if compiled else {"metrics": lambda level: {"level": level}, "every": 1}
    test = run(follow, jnp.zeros(()), losses, has_aux=True, compiled=compiled, **metrics)
    assert test.stopped == "diverged"
    assert test.metrics["twice"].tolist() == [[n, 2 * losses[n]] for n in range(14)]
    assert compiled or test.metrics["level"][:, 0].tolist() == list(range(14))


@pytest.mark.parametrize(
    "ratio", [lambda s: 0.1 * s, lambda s: lambda n: 0.1 * s(n)], ids=["Schedule", "function"]
)
def test_groups_of_parameters_keep_their_ratio(ratio: Any) -> None:
    def groups(schedule: Any) -> Any:
        transforms = {"fast": optax.sgd(schedule), "slow": optax.sgd(ratio(schedule))}
        return optax.multi_transform(transforms, {"a": "slow", "b": "fast"})

    def slow(params: Any, batch: Any) -> Any:
        return loss_fn({"a": PARAMS["a"] + 0.1**0.5 * params["a"], "b": params["b"]}, batch)

    # A rate of a tenth is that of a parameter made smaller by the root of ten.
    zero = jax.tree.map(jnp.zeros_like, PARAMS) | {"b": PARAMS["b"]}
    test = run(loss_fn, PARAMS, optimizer=groups)
    np.testing.assert_allclose(test.losses, run(slow, zero, optimizer=optax.sgd).losses, rtol=1e-4)


def test_an_optimizer_may_want_the_loss_and_its_function() -> None:
    def searched(schedule: Any) -> Any:
        search = optax.scale_by_backtracking_linesearch(8)
        return optax.chain(optax.sgd(schedule), search)

    for optimizer in (searched, lambda schedule: optax.polyak_sgd(1.0)):
        test = run(loss_fn, PARAMS, BATCHES[:1], optimizer=optimizer)
        assert test.losses[-1] < test.losses[0] / 2
