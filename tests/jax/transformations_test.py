"""Schedules inside JAX's transformations."""

from typing import Any

from tests.optional import needs

needs("jax")

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import lrsched
from lrsched import Schedule
from tests.strategies import schedules

WARM = lrsched.warmup(lrsched.cosine_decay(0.1, 10), 5)


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


@settings(max_examples=300)
@given(schedules)
def test_a_schedule_survives_flattening(schedule: Schedule) -> None:
    leaves, structure = jax.tree.flatten(schedule)
    other = jax.tree.unflatten(structure, leaves)
    assert other == schedule
    assert hash(other) == hash(schedule)
    assert repr(other) == repr(schedule)
    assert other(7) == schedule(7)


def test_equal_schedules_are_one_static_argument() -> None:
    traces = 0

    def value(schedule: Schedule, count: int) -> jax.Array:
        nonlocal traces
        traces += 1
        return jnp.asarray(schedule(count))

    static = jax.jit(value, static_argnums=0)
    for _ in range(3):
        static(lrsched.linear(1.0, 0.0, 10), 3)
    assert traces == 1


def test_a_schedule_of_the_users_own_is_compiled() -> None:
    @lrsched.schedule
    def halves(xp, count, init_value: lrsched.Value, steps: lrsched.Steps):  # type: ignore[no-untyped-def]
        return init_value * 0.5 ** (count / steps)

    assert jax.jit(halves(1.0, steps=10))(20) == 0.25


@pytest.mark.parametrize("warmup_steps", [50, 100, 200])
def test_a_traced_warmup_may_be_longer_than_the_run(warmup_steps: int) -> None:
    value = jax.jit(lambda steps, count: lrsched.warmup_cosine(0.1, 100, steps)(count))
    schedule = lrsched.warmup_cosine(0.1, 100, warmup_steps)
    for count in (5, 60, 150, 250):
        expected = pytest.approx(schedule(count), rel=1e-5)
        assert float(value(warmup_steps, count)) == expected
        assert float(value(float(warmup_steps), count)) == expected
