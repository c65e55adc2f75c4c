"""Rates that follow a metric and a schedule in optax: under every transformation, and restored."""

import json
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrsched
from lrsched import Controller, Schedule, reduce_on_plateau
from lrsched.controllers import accumulate_metric, greedy, kl_adaptive, newbob
from lrsched_jax import ControlledState, scale_by_learning_rate, stateful
from tests.backends import jax_x64
from tests.processes import outputs, start

PLATEAU = reduce_on_plateau(decay_rate=0.5, patience=0)
BOTH = lrsched.warmup(lrsched.cosine_decay(0.1, 20), 3) * PLATEAU
METRICS = [3.0, 3.0, 2.0, 2.0, None, 1.0, None, 1.5, 0.5, 0.5, None, 0.5]
RECIPES: dict[str, Schedule | Controller] = {
    "product": BOTH,
    "plateau": reduce_on_plateau(0.1, 0.5, patience=1),
    "newbob": newbob(0.1),
    "kl_adaptive": kl_adaptive(0.005, 1.0),
    "greedy": greedy(0.1, factor=0.5, patience=0, window_size=2),
    "accumulated": lrsched.maximum(BOTH * 0.5 * accumulate_metric(newbob(), 2), 0.01),
}


def rates_of(recipe: Schedule | Controller, metrics: Any = METRICS) -> list[float]:
    """The rate of each update in plain Python; each observes its metric first."""
    rate = recipe * 1.0 if isinstance(recipe, Controller) else recipe
    state, found = rate.init_state(), []
    for n, metric in enumerate(metrics):
        if metric is not None:
            state = rate.observe(state, metric)
        found.append(rate.with_state(state)(n))
    return found


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", RECIPES)
def test_every_update_has_the_rate_of_plain_python(name: str, compiled: bool) -> None:
    recipe = RECIPES[name]
    optimizer = optax.chain(optax.identity(), scale_by_learning_rate(recipe))
    update = jax.jit(optimizer.update) if compiled else optimizer.update
    params = {"a": jnp.ones(2), "b": jnp.ones((), jnp.bfloat16)}
    state = optimizer.init(params)
    structure, found = jax.tree.map(jnp.result_type, state), []
    for metric in METRICS:
        updates, state = update(params, state, params, value=metric)
        assert jax.tree.map(jnp.result_type, state) == structure
        assert updates["b"].dtype == jnp.bfloat16
        found.append(-updates["a"][0])
    np.testing.assert_allclose(found, rates_of(recipe), rtol=3e-7)
    assert state[1].rate == found[-1]


@pytest.mark.parametrize("name", RECIPES)
def test_in_float64_it_is_plain_python_to_the_last_bit(name: str) -> None:
    optimizer = scale_by_learning_rate(RECIPES[name])
    with jax_x64():
        params, found = jnp.ones(()), []
        state = optimizer.init(params)
        for metric in METRICS:
            updates, state = optimizer.update(params, state, value=metric)
            found.append(-float(updates))
    assert found == pytest.approx(rates_of(RECIPES[name]), rel=4e-16)


def test_scan_and_vmap_over_hyperparameters() -> None:
    """A sweep of floors and factors is one program."""
    metrics = jnp.asarray([metric for metric in METRICS if metric is not None])

    def run(factor: Any, floor: Any) -> Any:
        rate = lrsched.maximum(BOTH.replace(second=PLATEAU.replace(decay_rate=factor)), floor)
        optimizer = scale_by_learning_rate(rate)

        def update(state: Any, metric: Any) -> tuple[Any, Any]:
            _, state = optimizer.update(jnp.ones(()), state, value=metric)
            return state, state.rate

        return jax.lax.scan(update, optimizer.init(None), metrics)[1]

    factors, floors = jnp.asarray([0.5, 0.25]), jnp.asarray([0.0, 0.02])
    found = jax.jit(jax.vmap(run))(factors, floors)
    for row, factor, floor in zip(found, factors, floors, strict=True):
        second = PLATEAU.replace(decay_rate=float(factor))
        rate = lrsched.maximum(BOTH.replace(second=second), float(floor))
        np.testing.assert_allclose(row, rates_of(rate, metrics.tolist()), rtol=3e-7)


def test_multi_steps_pass_the_metric_on() -> None:
    """Accumulated gradients are one update, which observes one metric."""
    optimizer = optax.MultiSteps(optax.chain(scale_by_learning_rate(BOTH)), 3)
    params, found = jnp.ones(()), []
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    metrics = [metric for metric in METRICS if metric is not None]
    for metric in metrics:
        for part in range(3):
            updates, state = update(params, state, params, value=metric)
            assert part == 2 or updates == 0
        found.append(-float(updates))
    np.testing.assert_allclose(found, rates_of(BOTH, metrics), rtol=3e-7)


def test_any_hyperparameter_follows_a_metric() -> None:
    optimizer = optax.inject_hyperparams(optax.adamw)(
        lrsched.cosine_decay(0.1, 20), weight_decay=stateful(BOTH), b1=stateful(newbob(0.9))
    )
    params = jnp.ones(2)
    state = optimizer.init(params)
    update, found = jax.jit(optimizer.update), []
    for metric in METRICS:
        _, state = update(params, state, params, value=metric)
        found.append([state.hyperparams["weight_decay"], state.hyperparams["b1"]])
    expected = [rates_of(BOTH), rates_of(newbob(0.9))]
    np.testing.assert_allclose(np.transpose(found), expected, rtol=3e-7)


def test_after_an_optimizer_with_a_rate_it_is_a_factor() -> None:
    factor = scale_by_learning_rate(PLATEAU, flip_sign=False)
    optimizer = optax.chain(optax.sgd(lrsched.linear(1.0, 0.0, 10)), factor)
    state, found = optimizer.init(jnp.ones(())), []
    for metric in (3.0, 3.0, 2.0):
        updates, state = optimizer.update(jnp.ones(()), state, value=metric)
        found.append(float(updates))
    assert found == pytest.approx([-1.0, -0.45, -0.4])


def test_orbax_restores_the_state(tmp_path: Path) -> None:
    ocp = needs("orbax.checkpoint")
    optimizer = scale_by_learning_rate(RECIPES["accumulated"])
    params = jnp.ones(())
    state, found = optimizer.init(params), []
    for n, metric in enumerate(METRICS):
        if n == 5:
            with ocp.StandardCheckpointer() as checkpointer:
                checkpointer.save(tmp_path / "state", state)
            with ocp.StandardCheckpointer() as checkpointer:
                state = checkpointer.restore(tmp_path / "state", optimizer.init(params))
            assert isinstance(state, ControlledState)
        _, state = optimizer.update(params, state, value=metric)
        found.append(state.rate)
    np.testing.assert_allclose(found, rates_of(RECIPES["accumulated"]), rtol=3e-7)


def test_nnx_passes_the_metric_on() -> None:
    nnx = needs("flax.nnx", "flax>=0.11")  # whose optimizers take more than the gradients

    class Net(nnx.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.weight = nnx.Param(jnp.ones(()))

    model = Net()
    optimizer = nnx.Optimizer(model, optax.chain(scale_by_learning_rate(BOTH)), wrt=nnx.Param)

    def train(model: Net, optimizer: Any, metric: Any) -> None:
        gradient = nnx.grad(lambda model: model.weight * 1.0)(model)
        optimizer.update(model, gradient, value=metric)

    weights = [1.0]
    for metric in METRICS:
        nnx.jit(train)(model, optimizer, metric)
        weights.append(float(model.weight * 1.0))
    np.testing.assert_allclose(-np.diff(weights), rates_of(BOTH), atol=2e-7)


def test_a_mesh_gives_the_rates_of_one_device() -> None:
    (out,) = outputs(start("jax_controlled_mesh.py"))
    metrics, rates = json.loads(out)
    np.testing.assert_allclose(rates, rates_of(BOTH, metrics), rtol=3e-7)
    assert len({*np.round(np.asarray(rates)[4:], 6)}) > 4


anything: Any = stateful  # types would refuse what follows


@pytest.mark.parametrize(
    ("attempt", "error", "text"),
    [
        (lambda: anything(0.1), TypeError, "stateful: recipe must be a controller, or a schedule"),
        (
            lambda: stateful(BOTH.with_state(BOTH.init_state())),
            ValueError,
            "recipe must be one that",
        ),
        (
            lambda: scale_by_learning_rate(lrsched.linear(1, 0, lrsched.epochs(3)) * PLATEAU),
            ValueError,
            r"resolve it with schedule\.resolve\(steps_per_epoch",
        ),
        (
            lambda: scale_by_learning_rate(PLATEAU).update(1.0, scale_by_learning_rate(1.0)),
            TypeError,
            "missing 1 required keyword-only argument: 'value'",
        ),
        (
            lambda: optax.sgd(PLATEAU).update(1.0, optax.sgd(PLATEAU).init(1.0)),
            ValueError,
            r"follows a metric: use lrsched_torch\.ControlledLR, lrsched_jax\.scale_by_learn",
        ),
    ],
)
def test_what_is_wrong_is_named(attempt: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        attempt()


def test_schedules_are_still_plain_functions_to_optax() -> None:
    """`inject_hyperparams` takes what has `init` and `update` for a schedule with a state."""
    optimizer = optax.inject_hyperparams(optax.sgd)(lrsched.linear(0.1, 0.0, 10))
    assert optimizer.init(jnp.ones(2)).hyperparams["learning_rate"] == np.float32(0.1)
