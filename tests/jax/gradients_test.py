"""Gradients with respect to the hyperparameters of schedules."""

from collections.abc import Iterator

from tests.optional import needs

needs("jax")

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from tests.backends import jax_x64, strict_jax
from tests.strategies import BY_NAME, NAMES, counts

CLR = lrsched.cyclic(0.01, 0.1, up_steps=3)
WARM = lrsched.warmup(lrsched.cosine_decay(0.1, 10), 5)


@pytest.mark.parametrize("name", NAMES)
def test_hyperparameters_trace_with_finite_gradients(name: str) -> None:
    """One trace serves every value of the hyperparameters, and no masked branch is NaN.

    A trace is evaluated operation by operation, as to compile each would take most of the time of
    all tests; one of them is compiled.
    """
    traces = 0

    @jax.jit
    def value_and_gradient(schedule: Schedule, count: jax.Array) -> tuple[jax.Array, Schedule]:
        nonlocal traces
        traces += 1
        return jax.value_and_grad(lambda s: s(count), allow_int=True)(schedule)

    structures = set()

    @settings(max_examples=5)
    @given(BY_NAME[name], st.lists(counts, min_size=1, max_size=4))
    def check(schedule: Schedule, at: list[int]) -> None:
        # A duration that is no whole number is a float to JAX, and compiled for itself.
        kinds = tuple(type(leaf) for leaf in jax.tree.leaves(schedule))
        structures.add((jax.tree.structure(schedule), kinds))
        for count in map(jnp.int32, at):
            traced = value_and_gradient.trace(schedule, count).jaxpr
            inputs = jax.tree.leaves((schedule, count))
            found = jax.core.eval_jaxpr(traced.jaxpr, traced.consts, *inputs)
            if len(structures) == 1:
                found += jax.tree.leaves(value_and_gradient(schedule, count))
            numbers = [x for x in found if jnp.result_type(x) != jax.dtypes.float0]
            assert all(map(np.isfinite, numbers)), (schedule, count, found)

    with strict_jax():
        check()
    assert traces == len(structures)


@pytest.mark.parametrize("init_value", [1e9, 344811.0, 1.0, 1e-18])
@pytest.mark.parametrize("end_value", [1e9, 1.0, 1e-12, 1e-18])
def test_gradients_of_a_ramp_over_many_magnitudes_are_finite(
    init_value: float, end_value: float
) -> None:
    """The gradient of a quotient of 0 by 2.9e-18 was 0 times infinity."""
    for count in (1, 2, 3, 62, 63, 124, 125):
        slopes = jax.grad(lambda a, b, n=count: lrsched.exponential_ramp(a, b, 125)(n), (0, 1))
        assert all(map(np.isfinite, slopes(init_value, end_value)))


def test_gradients_are_right() -> None:
    """Against central differences in float64, with respect to every real hyperparameter."""
    with jax_x64():
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
    with jax_x64():
        double = gradient(schedule, 40)
    for name in ("init_value", "decay_rate"):
        assert single.params[name] == pytest.approx(float(double.params[name]), rel=1e-6)
