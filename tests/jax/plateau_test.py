"""`reduce_on_plateau` under JAX's transformations and in optax."""

from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings

from lrsched.controllers import Plateau, PlateauState, reduce_on_plateau
from lrsched_jax._plateau import scale_by_plateau_learning_rate
from tests.backends import jax_x64
from tests.plateaus import (
    METRICS,
    PLATEAU,
    VALUES,
    compiled_scan,
    plateaus,
    rates_of,
    runs,
    states,
    torchs,
)


@given(plateaus())
def test_it_survives_flattening(plateau: Plateau) -> None:
    leaves, tree = jax.tree.flatten(plateau)
    other = jax.tree.unflatten(tree, leaves)
    assert other == plateau
    assert hash(other) == hash(plateau)
    assert repr(other) == repr(plateau)
    assert len(leaves) == 7


@pytest.mark.parametrize("compiled", [jax.jit(PLATEAU.update), PLATEAU.update])
def test_the_state_in_jax_is_strong_from_plain_numbers_on(compiled: Any) -> None:
    state = PLATEAU.init()
    for metric, value in zip(METRICS, VALUES, strict=True):
        state = compiled(state, jnp.asarray(metric))
        assert [x.dtype for x in state] == [jnp.float32, jnp.float32, jnp.int32, jnp.int32]
        assert not any(x.weak_type for x in state)
        assert state.value == value


def test_a_compiled_update_is_compiled_once() -> None:
    traces = []

    @jax.jit
    def update(plateau: Plateau, state: PlateauState, metric: jax.Array) -> PlateauState:
        traces.append(1)
        after: PlateauState = plateau.update(state, metric)
        return after

    for patience in range(3):
        plateau = PLATEAU.replace(patience=patience, init_value=0.1 + patience)
        state = plateau.init(jnp.zeros(()))
        for metric in METRICS:
            state = update(plateau, state, jnp.asarray(metric))
    assert len(traces) == 1


def test_the_plain_state_is_a_carry_of_scan() -> None:
    def observe(state: PlateauState, metric: jax.Array) -> tuple[PlateauState, jax.Array]:
        state = PLATEAU.update(state, metric)
        return state, state.value

    _, values = jax.lax.scan(observe, PLATEAU.init(), jnp.asarray(METRICS))
    assert values.tolist() == VALUES


def test_vmap_over_hyperparameters_is_a_sweep() -> None:
    sweep = [PLATEAU.replace(patience=p, decay_rate=r) for p in range(4) for r in (0.25, 0.5)]
    batch = jax.tree.map(lambda *leaves: jnp.asarray(leaves), *sweep)
    found = jax.vmap(compiled_scan(), in_axes=(0, None))(batch, jnp.asarray(METRICS))
    for plateau, values in zip(sweep, found.value, strict=True):
        assert values.tolist() == [state.value for state in states(plateau, METRICS)]


def test_traced_hyperparameters_are_accepted() -> None:
    @jax.jit
    def last(rate: Any, patience: Any) -> Any:
        plateau = reduce_on_plateau(rate, 0.5, patience)
        assert not plateau.is_plain
        state = plateau.init()
        for metric in METRICS:
            state = plateau.update(state, metric)
        return state.value

    assert last(1.0, 1) == states(reduce_on_plateau(1.0, 0.5, 1), METRICS)[-1].value


GRADIENTS = {"a": jnp.ones(2), "b": (jnp.ones((), jnp.bfloat16), None)}


@jax.jit
def applied(plateau: Plateau, metrics: jax.Array) -> Any:
    """Every update of unit gradients in a compiled loop."""
    optimizer = optax.chain(optax.trace(0.0), scale_by_plateau_learning_rate(plateau))

    def step(state: Any, metric: jax.Array) -> tuple[Any, Any]:
        updates, state = optimizer.update(GRADIENTS, state, value=metric)
        return state, updates

    return jax.lax.scan(step, optimizer.init(GRADIENTS), metrics)[1]


@settings(max_examples=100)
@given(runs)
def test_optax_applies_torchs_learning_rates(run: tuple[Plateau, list[float]]) -> None:
    plateau, metrics = run
    expected = [lr for (lr,) in rates_of(torchs(plateau), metrics)]
    with jax_x64():
        updates = applied(plateau, jnp.asarray(metrics))
    assert updates["a"].dtype == jnp.float32
    assert updates["b"][0].dtype == jnp.bfloat16
    rates = np.asarray(expected, np.float32)
    np.testing.assert_array_equal(updates["a"], -np.stack([rates, rates], axis=1))
    halves = np.asarray(updates["b"][0], np.float32)
    np.testing.assert_allclose(halves, -rates, rtol=2.0**-7)


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_a_jitted_training_step_follows_torch(name: str) -> None:
    before = {"adam": optax.scale_by_adam(), "sgd": optax.identity()}[name]
    optimizer = optax.chain(before, scale_by_plateau_learning_rate(PLATEAU))
    plain = {"adam": optax.scale_by_adam(), "sgd": optax.identity()}[name]
    traces = []

    @jax.jit
    def step(params: Any, state: Any, metric: Any) -> Any:
        traces.append(1)
        updates, state = optimizer.update(2 * params, state, params, value=metric)
        return optax.apply_updates(params, updates), state

    params = expected = jnp.asarray([1.0, -2.0])
    state, plain_state = optimizer.init(params), plain.init(params)
    for metric, (lr,) in zip(METRICS, rates_of(torchs(PLATEAU), METRICS), strict=True):
        params, state = step(params, state, metric)
        assert state[1].value == lr
        direction, plain_state = plain.update(2 * expected, plain_state)
        expected = expected - lr * direction
        np.testing.assert_allclose(params, expected, rtol=1e-5)
    assert len(traces) == 1


def test_without_a_metric_the_rate_stays() -> None:
    transformation = scale_by_plateau_learning_rate(PLATEAU)
    state = transformation.init(None)
    for metric, value in zip(METRICS, VALUES, strict=True):
        for observation in (metric, None, None):
            updates, state = transformation.update(jnp.ones(()), state, value=observation)
            assert updates == -value


def test_unflipped_it_follows_an_optimizer_with_a_rate() -> None:
    plateau = reduce_on_plateau(1.0, 0.5, patience=0)
    optimizer = optax.chain(
        optax.sgd(0.25), scale_by_plateau_learning_rate(plateau, flip_sign=False)
    )
    state, found = optimizer.init(jnp.ones(())), []
    for _ in range(3):
        updates, state = optimizer.update(jnp.ones(()), state, value=1.0)
        found.append(float(updates))
    assert found == [-0.25, -0.125, -0.0625]


def test_a_missing_metric_is_an_error() -> None:
    transformation = scale_by_plateau_learning_rate(PLATEAU)
    with pytest.raises(TypeError, match="value"):
        transformation.update(jnp.ones(()), transformation.init(None))


def test_what_is_no_plateau_is_refused_in_optax() -> None:
    message = "scale_by_plateau_learning_rate: plateau must be a reduce_on_plateau, got 0.1"
    with pytest.raises(TypeError, match=message):
        scale_by_plateau_learning_rate(0.1)  # type: ignore[arg-type]
