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


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (optax.cosine_decay_schedule(0.1, 500), lrsched.cosine_decay(0.1, 500)),
        (optax.cosine_decay_schedule(0.1, 10_000), lrsched.cosine_decay(0.1, 10_000)),
        (optax.linear_schedule(0.1, 0.001, 500), lrsched.linear(0.1, 0.001, 500)),
        (
            optax.warmup_cosine_decay_schedule(0.0, 0.1, 50, 500),
            lrsched.warmup_cosine(0.1, 500, 50),
        ),
        (optax.exponential_decay(0.1, 1, 0.99), lrsched.exponential_decay(0.1, 0.99)),
    ],
)
def test_optax_is_equal_to_within_its_rounding(theirs: Any, ours: lrsched.Schedule) -> None:
    found = diff(theirs, ours, 10_000)
    assert found.number > 0
    assert found.same_to_rounding
    assert str(found).startswith("a and b are equal to within float32 rounding at 10000 steps\n")
    assert not diff(theirs, 1.00001 * ours, 10_000).same_to_rounding


def test_an_error_that_grows_with_the_step_is_not_explained() -> None:
    theirs = optax.exponential_decay(0.1, 1, 0.9999)
    found = diff(theirs, lrsched.exponential_decay(0.1, 0.9999), 500)
    assert not found.same_to_rounding
    assert "a and b differ at " in str(found)
