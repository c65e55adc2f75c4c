"""Values of schedules, ours and those of other libraries."""

from collections.abc import Callable, Iterable
from typing import Any

from lrsched import Schedule
from tests.optional import needs
from tests.oracles import exact

ULPS_8 = 8 * 2.0**-23  # relative, in float32


def values(schedule: Callable[[int], Any], counts: Iterable[int]) -> list[float]:
    return [float(schedule(count)) for count in counts]


def error_in_float32(schedule: Callable[[Any], Any], recipe: Schedule, count: int) -> float:
    """How far a schedule in JAX is from the exact value of a recipe, relative to that."""
    jnp = needs("jax.numpy")
    wanted = float(exact(recipe, count))
    value = schedule(jnp.asarray(count, jnp.int32))
    assert value.dtype == jnp.float32
    return abs(float(value) - wanted) / wanted
