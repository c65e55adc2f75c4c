"""`exponential_decay` and `step_decay`: rates and stairs that optax rounds."""

from collections.abc import Callable
from typing import Any

import pytest

import lrsched
from tests.curves import ULPS_8, error_in_float32, values
from tests.optional import needs


@pytest.mark.parametrize(("count", "lost"), [(10**6, 0.01), (10**7, 0.1)])
def test_optax_exponential_decay_rounds_its_rate_to_float32(count: int, lost: float) -> None:
    """0.999999 is 0.99999899 in float32; ours takes its logarithm in float64."""
    optax = needs("optax")
    recipe = lrsched.exponential_decay(1.0, 0.999999)
    theirs = optax.exponential_decay(1.0, 1, 0.999999)
    assert error_in_float32(theirs, recipe, count) >= lost
    assert error_in_float32(recipe, recipe, count) <= ULPS_8


def test_optax_staircase_comes_late_under_jit() -> None:
    """Compiled, `41 / 41` is `41 * (1 / 41)` and below 1: its floor is 0; ours divides integers."""
    jax = needs("jax")
    optax = needs("optax")

    def late(schedule: Callable[[int], Any]) -> list[int]:
        """The step sizes S from 39 to 49 with which the first stair is not there at count S."""
        return [size for size in range(39, 50) if jax.jit(schedule(size))(size) != 0.5]

    assert float(optax.exponential_decay(1.0, 41, 0.5, staircase=True)(41)) == 0.5
    assert late(lambda size: optax.exponential_decay(1.0, size, 0.5, staircase=True)) == [41, 47]
    assert late(lambda size: lrsched.exponential_decay(1.0, 0.5, size, staircase=True)) == []
    assert late(lambda size: lrsched.step_decay(1.0, 0.5, size)) == []


def test_optax_exponential_decay_takes_a_rate_of_zero_for_one() -> None:
    optax = needs("optax")
    assert values(optax.exponential_decay(1.0, 10, 0.0), (0, 1, 10)) == [1.0, 1.0, 1.0]
    assert values(lrsched.exponential_decay(1.0, 0.0, 10), (0, 1, 10)) == [1.0, 0.0, 0.0]
