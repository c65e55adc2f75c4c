"""Durations in other units under JAX's transformations."""

from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("jax")

import jax
import pytest

import lrsched
from lrsched import Schedule, epochs, run_fraction

WARMUP = lrsched.warmup(lrsched.cosine_decay(0.1, run_fraction(0.9)), epochs(5))


def test_durations_are_static_to_jax() -> None:
    boundaries = lrsched.multi_step_decay(1.0, 0.5, (30, run_fraction(0.5)))
    assert jax.tree.leaves(boundaries) == [1.0, 0.5, 30]
    assert jax.tree.leaves(WARMUP) == [0.1, 0.0, 0.0]
    assert jax.tree.map(lambda x: x, boundaries) == boundaries
    assert len(jax.tree_util.tree_leaves_with_path(WARMUP)) == 3
    traces = 0

    @jax.jit
    def doubled(schedule: Schedule) -> Any:
        nonlocal traces
        traces += 1
        return jax.tree.map(lambda leaf: 2 * leaf, schedule)

    assert doubled(boundaries).params["boundaries"][1] == run_fraction(0.5)
    doubled(boundaries.replace(init_value=2.0))
    assert traces == 1
    doubled(boundaries.replace(boundaries=(30, run_fraction(0.6))))
    assert traces == 2


def test_a_schedule_is_resolved_under_jit() -> None:
    def value(peak: Any) -> Any:
        return lrsched.linear(peak, 0.0, run_fraction(0.5)).resolve(total_steps=20)(5)

    assert jax.jit(value)(2.0) == 1.0


LINE: Any = lrsched.linear(1, 0, run_fraction(0.5))


@pytest.mark.parametrize(
    "make",
    [
        lambda n: epochs(1) + n,
        lambda n: epochs(n).steps,
        lambda n: LINE.resolve(total_steps=n)(3),
    ],
)
def test_durations_are_sums_of_python_numbers(make: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        jax.jit(make)(10)
