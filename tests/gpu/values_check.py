"""On a GPU too every schedule is exact to 8 units in the last place of float32."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from lrsched import Schedule
from tests.backends import Values, jax_jit_together
from tests.gpu.devices import needs_jax_device, needs_torch_device, torch_values
from tests.strategies import BY_NAME, NAMES, drawn
from tests.ulp import largest_error, telling_counts

Pairs = list[tuple[Schedule, list[int]]]
Curves = Callable[[Sequence[Schedule], Sequence[Sequence[int]]], list[Values]]


def pairs_of(name: str, number: int) -> Pairs:
    """Schedules of a name, each with counts at which to compare it."""
    generator = np.random.default_rng(0)
    schedules = drawn(BY_NAME[name], number)
    return [(schedule, telling_counts(schedule, generator, 24)) for schedule in schedules]


def check(pairs: Pairs, curves: Curves) -> None:
    for (schedule, at), values in zip(pairs, curves(*zip(*pairs, strict=True)), strict=True):
        error, count = largest_error(schedule, at, values)
        assert error <= 8, (schedule, count)


@pytest.mark.parametrize("name", NAMES)
def test_in_torch(name: str) -> None:
    needs_torch_device()
    check(pairs_of(name, 4), lambda schedules, at: list(map(torch_values, schedules, at)))


@pytest.mark.parametrize("name", NAMES)
def test_compiled_by_jax(name: str) -> None:
    needs_jax_device()
    check(pairs_of(name, 3), jax_jit_together)
