"""Equinox modules as they are: their arrays are trained, and all else is held."""

from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")
eqx = needs("equinox")

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lrsched
from lrsched_jax import range_test, sweep

RANDOM = np.random.default_rng(0)
BATCHES = [(x.astype(np.float32), x[:, :3].argmax(1)) for x in RANDOM.normal(size=(5, 16, 8))]
STEPS = 12
RAMP = lrsched.exponential_ramp(1e-3, 0.1, STEPS - 1)


def run(loss_fn: Any, model: Any, **options: Any) -> Any:
    usual: dict[str, Any] = {"optimizer": optax.adam, "schedule": RAMP, "steps": STEPS}
    return range_test(loss_fn, model, BATCHES, progress=False, **(usual | options))


def cross_entropy(logits: Any, labels: Any) -> Any:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def mlp(key: Any = None, activation: Any = jax.nn.relu) -> Any:
    return eqx.nn.MLP(8, 3, 12, 1, activation, key=jax.random.key(0) if key is None else key)


def mlp_loss(model: Any, batch: Any) -> Any:
    return cross_entropy(jax.vmap(model)(batch[0]), batch[1])


def decayed(schedule: Any) -> Any:
    """With weight decay for matrices only."""
    return optax.adamw(schedule, mask=lambda p: jax.tree.map(lambda leaf: leaf.ndim > 1, p))


def by_hand(model: Any, optimizer: Any) -> list[float]:
    """A loop as in Equinox's guides."""

    @eqx.filter_jit  # type: ignore[untyped-decorator]
    def update(model: Any, memory: Any, batch: Any) -> Any:
        loss, gradient = eqx.filter_value_and_grad(mlp_loss)(model, batch)
        params = eqx.filter(model, eqx.is_inexact_array)
        updates, memory = optimizer.update(gradient, memory, params)
        return eqx.apply_updates(model, updates), memory, loss

    memory = optimizer.init(eqx.filter(model, eqx.is_inexact_array))
    losses = []
    for count in range(STEPS):
        model, memory, loss = update(model, memory, BATCHES[count % 5])
        losses.append(float(loss))
    return losses


def test_a_module_is_trained_as_by_hand() -> None:
    model = mlp()
    before = jax.tree.map(lambda leaf: np.array(leaf), eqx.filter(model, eqx.is_array))
    wanted = by_hand(model, decayed(RAMP))
    for compiled in (False, True):
        test = run(mlp_loss, model, optimizer=decayed, compiled=compiled)
        np.testing.assert_allclose(test.losses, wanted, rtol=1e-5)
    after = eqx.filter(model, eqx.is_array)
    jax.tree.map(np.testing.assert_array_equal, after, before)


BATCH_NORM = "equinox>=0.13"  # whose BatchNorm has a mode


class Net(eqx.Module):  # type: ignore[misc, name-defined]
    """With a convolution, batch statistics, dropout, an array of integers and a float."""

    conv: Any
    norm: Any
    dropout: Any
    out: Any
    order: Any
    scale: float
    count: Any
    name: str = eqx.field(static=True, default="net")

    def __init__(self, key: Any) -> None:
        first, second = jax.random.split(key)
        self.conv = eqx.nn.Conv1d(1, 2, 3, key=first)
        self.norm = eqx.nn.BatchNorm(2, "batch", mode="batch")
        self.dropout = eqx.nn.Dropout(0.3)
        self.out = eqx.nn.Linear(12, 3, key=second)
        self.order = jnp.arange(8)[::-1]
        self.scale = 0.5
        self.count = eqx.nn.StateIndex(jnp.int32(0))

    def __call__(self, x: Any, state: Any, key: Any) -> Any:
        x, state = self.norm(self.conv(x[None, self.order]), state)
        return self.out(self.dropout(jax.nn.relu(x.ravel()), key=key)) * self.scale, state


def net_loss(model: Any, state: Any, batch: Any, key: Any) -> Any:
    keys = jax.random.split(key, len(batch[0]))
    state = state.set(model.count, state.get(model.count) + 1)
    batched = jax.vmap(model, axis_name="batch", in_axes=(0, None, 0), out_axes=(0, None))
    logits, state = batched(batch[0], state, keys)
    aux = {"p": model.dropout.p, "scale": model.scale, "sum": model.order.sum()}
    aux["count"] = state.get(model.count)
    return cross_entropy(logits, batch[1]), state, aux


def test_convolutions_batch_statistics_and_dropout() -> None:
    needs("equinox", BATCH_NORM)
    model, state = eqx.nn.make_with_state(Net)(jax.random.key(1))
    key = jax.random.key(2)

    def evaluated(model: Any, state: Any) -> dict[str, Any]:
        tested = eqx.nn.inference_mode(model)
        assert isinstance(tested, Net)
        tested(BATCHES[0][0][0], state, None)
        return {"mean": sum(jnp.sum(leaf) for leaf in jax.tree.leaves(state))}

    options = {"model_state": state, "key": key, "has_aux": True}
    test = run(net_loss, model, metrics=evaluated, every=4, **options)
    assert set(test.metrics["p"][:, 1]) == {float(np.float32(0.3))}  # is no parameter
    assert set(test.metrics["scale"][:, 1]) == {0.5}
    assert set(test.metrics["sum"][:, 1]) == {28.0}
    assert test.metrics["count"][:, 1].tolist() == list(range(1, STEPS + 1))
    assert len(set(test.metrics["mean"][:, 1])) == 3

    @eqx.filter_jit  # type: ignore[untyped-decorator]
    def update(model: Any, state: Any, memory: Any, batch: Any, key: Any) -> Any:
        def split(model: Any, state: Any) -> Any:
            loss, state, _ = net_loss(model, state, batch, key)
            return loss, state

        (loss, state), gradient = eqx.filter_value_and_grad(split, has_aux=True)(model, state)
        updates, memory = optimizer.update(gradient, memory)
        return eqx.apply_updates(model, updates), state, memory, loss

    optimizer = optax.adam(RAMP)
    memory = optimizer.init(eqx.filter(model, eqx.is_inexact_array))
    losses = []
    for count in range(STEPS):
        its = jax.random.fold_in(jax.random.fold_in(key, 0), count)
        model, state, memory, loss = update(model, state, memory, BATCHES[count % 5], its)
        losses.append(float(loss))
    np.testing.assert_allclose(test.losses, losses, rtol=1e-4)


def test_an_optimizer_may_call_the_loss_of_a_module_with_state() -> None:
    """Equinox's State may be used only once."""
    needs("equinox", BATCH_NORM)

    def searched(schedule: Any) -> Any:
        return optax.chain(optax.sgd(schedule), optax.scale_by_backtracking_linesearch(3))

    model, state = eqx.nn.make_with_state(Net)(jax.random.key(1))
    options = {"model_state": state, "key": jax.random.key(2), "has_aux": True}
    test = run(net_loss, model, optimizer=searched, steps=3, **options)
    assert np.isfinite(test.losses).all()
    assert state.substate(model.norm) is not None  # and the user's is still of use


def test_modules_of_equal_settings_share_compiled_code() -> None:
    traces = 0

    def counted(model: Any, batch: Any) -> Any:
        nonlocal traces
        traces += 1
        x = jax.vmap(model.dropout)(batch[0], key=jax.random.split(jax.random.key(0), 16))
        return cross_entropy(jax.vmap(model.net)(x), batch[1])

    class Dropped(eqx.Module):  # type: ignore[misc, name-defined]
        net: Any
        dropout: Any

    curves = []
    for key, activation, p, new in (
        (0, jax.nn.relu, 0.3, 1),
        (1, jax.nn.relu, 0.3, 0),
        (0, jnp.tanh, 0.3, 1),
        (0, jax.nn.relu, 0.2, 1),
    ):
        before = traces
        model = Dropped(mlp(jax.random.key(key), activation), eqx.nn.Dropout(p))
        curves.append(tuple(run(counted, model, steps=4).losses))
        assert traces - before == new
    curves.append(tuple(run(counted, eqx.nn.inference_mode(model), steps=4).losses))
    assert len(set(curves)) == 5


def test_a_sweep_of_modules_is_an_ensemble() -> None:
    rates = [0.001, 0.01]
    for params in (mlp(), mlp):
        found = sweep(mlp_loss, params, BATCHES, rates, optax.adam, STEPS, keep_params=True)
        evaluated = eqx.filter_vmap(lambda model: mlp_loss(model, BATCHES[0]))(found.params)
        again = sweep(
            mlp_loss, params, BATCHES[:2] + BATCHES[:1], rates, optax.sgd, 1, keep_params=True
        )
        assert evaluated.shape == (2,)
        assert np.all(evaluated < again.losses[:, 0])
    assert found.losses[0, 0] != found.losses[1, 0]
    alone = run(mlp_loss, mlp, repeats=2, schedule=lrsched.constant(0.01))
    np.testing.assert_allclose(found.losses[1], alone.losses[1], rtol=1e-5)
