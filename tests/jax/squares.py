"""A linear model whose range tests go on, and what a test is made of."""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrsched
from lrsched.range_test import RangeTest
from lrsched_jax import range_test

STEPWISE_AND_COMPILED = pytest.mark.parametrize("compiled", [False, True])

RANDOM = np.random.default_rng(0)
TEACHER = RANDOM.normal(size=(8, 3))
BATCHES = [
    (x.astype(np.float32), (x @ TEACHER).astype(np.float32))
    for x in RANDOM.normal(size=(28, 64, 8))
]
PARAMS = np.zeros((8, 3), np.float32)

# The rates that train are from 0.1 to 1.
HIGHER: dict[str, Any] = {"low": 1e-7, "high": 0.3, "steps": 100}
LOWER: dict[str, Any] = {"low": 2.5, "high": 1e3, "steps": 60, "max_steps": 300}
# Also three trainings at a rate, from batches 0, 10 and 20 on.
REFINED: dict[str, Any] = {"steps": 25, "max_steps": 225, "refine": True}
REFINED |= {"probe_steps": 10, "probe_repeats": 3}


def loss_fn(weight: Any, batch: Any) -> Any:
    return jnp.mean((batch[0] @ weight - batch[1]) ** 2)


def run(batches: Any = BATCHES, params: Any = PARAMS, **options: Any) -> RangeTest:
    usual: dict[str, Any] = {"optimizer": optax.sgd, "progress": False}
    loss = options.pop("loss_fn", loss_fn)
    return range_test(loss, params, batches, **(usual | options))


def ramps(test: RangeTest) -> Iterator[RangeTest]:
    """The tests that were made, the last one first."""
    each: RangeTest | None = test
    while each is not None:
        yield each
        each = each.earlier


def trainings(test: RangeTest) -> Iterator[tuple[float, int, Any]]:
    """The rate, the number of the repeat and the losses of each training of the probe."""
    if test.probe is not None:
        rates, losses = test.probe.learning_rates, test.probe.losses
        for rate, rows in zip(rates.tolist(), losses, strict=True):
            for repeat, row in enumerate(rows):
                if np.isfinite(row).any():
                    yield rate, repeat, row[np.isfinite(row)]


def check_parts(
    test: RangeTest, alone: Callable[..., RangeTest], batches: Any = BATCHES, rtol: float = 0.0
) -> None:
    """Each ramp and each training is a test of its own, which begins as this one did."""
    near = functools.partial(np.testing.assert_allclose, rtol=rtol, atol=rtol / 100)
    for ramp in ramps(test):
        assert ramp.schedule is not None
        wanted = alone(batches, schedule=ramp.schedule, steps=len(ramp.losses))
        np.testing.assert_array_equal(ramp.learning_rates, wanted.learning_rates)
        near(ramp.losses, wanted.losses)
    assert test.probe is not None
    steps = test.probe.losses.shape[-1]
    for rate, repeat, losses in trainings(test):
        its = itertools.islice(itertools.cycle(batches), repeat * steps, (repeat + 1) * steps)
        wanted = alone(list(its), schedule=lrsched.constant(rate), steps=len(losses))
        assert wanted.learning_rates.tolist() == [rate] * len(losses)
        near(losses, wanted.losses)


def check_alike(test: RangeTest, other: RangeTest, rtol: float = 1e-4, atol: float = 1e-6) -> None:
    """The same ramps and trainings, but for rounding."""
    near = functools.partial(np.testing.assert_allclose, rtol=rtol, atol=atol)
    assert test.summary == other.summary
    for each, its in zip(ramps(test), ramps(other), strict=True):
        np.testing.assert_array_equal(each.learning_rates, its.learning_rates)
        near(each.losses, its.losses)
        assert each.stopped == its.stopped
    assert test.probe is not None
    assert other.probe is not None
    np.testing.assert_array_equal(test.probe.learning_rates, other.probe.learning_rates)
    near(test.probe.losses, other.probe.losses)
