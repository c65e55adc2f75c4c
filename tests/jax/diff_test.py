"""`diff` of optax's schedules."""

from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import jax.numpy as jnp
import optax
import pytest

import lrsched
from lrsched.diff import diff

COSINE = lrsched.cosine_decay(0.1, 90, 0.01)


@pytest.mark.parametrize(
    "schedule",
    [
        optax.cosine_decay_schedule(0.1, 90, alpha=0.1),
        optax.join_schedules([optax.cosine_decay_schedule(0.1, 90, alpha=0.1)], []),
        lambda count: jnp.float32(COSINE(count)),
    ],
)
def test_optax_schedules(schedule: Any) -> None:
    assert diff(schedule, COSINE, 150, rtol=1e-5).same


def test_a_constant_of_optax() -> None:
    assert diff(optax.constant_schedule(0.5), lrsched.constant(0.5), 5).same


def test_optax_counts_are_those_of_training() -> None:
    """With a Python int, optax would compute in part in float64."""
    schedule = optax.exponential_decay(0.1, 1, 0.999999)
    found = diff(schedule, lambda n: float(schedule(jnp.int32(n))), 1000, rtol=1e-6)
    assert found.same, str(found)
