"""Schedules inside JAX: transformations, optax, sweeps, and before JAX is imported."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import lrsched
from lrsched import Schedule

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


def test_inject_hyperparams_keeps_the_rate_in_float32() -> None:
    params = jnp.zeros(3, jnp.bfloat16)
    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=lrsched.cosine_decay(1e-3, 99))
    _, state = optimizer.update(params, optimizer.init(params))
    assert state.hyperparams["learning_rate"].dtype == jnp.float32
    assert state.hyperparams["learning_rate"] == jnp.float32(1e-3)


def test_flax_nnx_trains_with_a_schedule() -> None:
    model = nnx.Linear(1, 1, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(CLR), wrt=nnx.Param)
    x = jnp.linspace(-1, 1, 16)[:, None]

    @nnx.jit
    def update(model: nnx.Linear, optimizer: nnx.Optimizer[nnx.Linear]) -> Any:
        loss, gradient = nnx.value_and_grad(lambda m: jnp.mean((m(x) - 3 * x) ** 2))(model)
        optimizer.update(model, gradient)
        return loss

    first, *_, last = [float(update(model, optimizer)) for _ in range(60)]
    assert last < first / 2


def test_one_trace_serves_every_recipe_of_a_structure() -> None:
    traces = 0

    @jax.jit
    def update(schedule: Schedule, params: jax.Array, count: jax.Array) -> Any:
        nonlocal traces
        traces += 1
        return params - schedule(count) * params

    recipes = [
        lrsched.warmup(lrsched.cosine_decay(peak, decay, end), steps)
        for peak in (0.1, 0.2)
        for decay in (5, 10)
        for end in (0.0, 0.01)
        for steps in (0, 3)
    ]
    for recipe in recipes:
        for count in (0, 2, 4, 40):
            value = 1 - update(recipe, jnp.float32(1.0), jnp.int32(count))
            assert value == pytest.approx(recipe(count), abs=2e-7)
    assert traces == 1


def test_vmap_over_a_batch_of_schedules_is_a_sweep() -> None:
    recipes = [lrsched.cyclic(0.01, peak, up) for peak in (0.1, 0.5) for up in (3, 5)]
    batch = jax.tree.map(lambda *leaves: jnp.asarray(leaves), *recipes)
    counts = jnp.arange(12)
    values = jax.vmap(lambda schedule: schedule(counts))(batch)
    wanted = [recipe(np.arange(12)) for recipe in recipes]
    np.testing.assert_allclose(values, wanted, rtol=1e-6)
    assert batch == jax.tree.map(jnp.copy, batch)
    assert repr(batch).startswith("cyclic(init_value=Array([")


def test_gradients_are_right() -> None:
    """Against central differences in float64, with respect to every real hyperparameter."""
    with jax.enable_x64(True):
        for schedule in (
            lrsched.polynomial(0.3, 0.1, 10, 1.7),
            lrsched.exponential_ramp(1e-3, 1.0, 10),
            lrsched.exponential_decay(0.3, 0.9, 7),
            lrsched.one_cycle(0.3, 20),
            lrsched.cosine_restarts(0.3, 3, 2, 0.01, 0.8),
            lrsched.cyclic(0.1, 0.3, 4, mode="exp_range", decay_rate=0.9),
            lrsched.warmup(lrsched.join([WARM, CLR], [4]) * WARM, 2, 0.05),
        ):
            for count in (1, 4, 6, 9):
                gradient = jax.grad(lambda s, n=count: s(n), allow_int=True)(schedule)
                leaves = jax.tree.leaves(gradient)
                for index, wanted in central_differences(schedule, count):
                    assert leaves[index] == pytest.approx(wanted, rel=1e-6, abs=1e-9)


def central_differences(schedule: Schedule, count: int) -> Iterator[tuple[int, float]]:
    """The slope of the value in each leaf that is a float, with the leaf's index."""
    leaves, structure = jax.tree.flatten(schedule)
    step = 1e-6
    for index, leaf in enumerate(leaves):
        if type(leaf) is float:
            above, below = (
                jax.tree.unflatten(structure, [*leaves[:index], moved, *leaves[index + 1 :]])
                for moved in (leaf + step, leaf - step)
            )
            yield index, (above(count) - below(count)) / (2 * step)


def test_gradients_in_float32_agree_with_float64() -> None:
    schedule = lrsched.exponential_decay(0.3, 0.9, 7)
    gradient = jax.jit(jax.grad(lambda s, n: s(n), allow_int=True))
    single = gradient(schedule, 40)
    with jax.enable_x64(True):
        double = gradient(schedule, 40)
    for name in ("init_value", "decay_rate"):
        assert single.params[name] == pytest.approx(float(double.params[name]), rel=1e-6)


def test_scan_over_counts() -> None:
    def body(count: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        return count + 1, WARM(count)

    _, values = jax.lax.scan(body, jnp.int32(0), length=20)
    np.testing.assert_allclose(values, WARM(np.arange(20)), rtol=1e-6, atol=1e-9)


def test_a_tree_of_schedules_has_named_leaves() -> None:
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(WARM)]
    assert paths == [
        ".schedule.init_value",
        ".schedule.decay_steps",
        ".schedule.end_value",
        ".warmup_steps",
        ".init_value",
    ]


@pytest.mark.parametrize(
    "use",
    [
        "jax.jit(lambda s, n: s(n))(schedule, 5)",
        "jax.grad(lambda s: s(5), allow_int=True)(schedule)",
        "jax.vmap(lambda s, n: s(n), (None, 0))(schedule, jax.numpy.arange(3))",
        "assert len(jax.tree.leaves(schedule)) == 3",
        "from jax import tree_util; assert len(tree_util.tree_leaves(schedule)) == 3",
    ],
)
def test_a_schedule_made_before_jax_is_imported_is_a_pytree_afterwards(use: str) -> None:
    code = f"""
import sys, lrsched
schedule = lrsched.linear(1.0, 0.0, 10)
assert "jax" not in sys.modules
import jax
assert not any("lrsched" in type(finder).__module__ for finder in sys.meta_path)
{use}
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
