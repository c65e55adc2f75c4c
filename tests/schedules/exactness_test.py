"""Every schedule of the registry is exact, in every backend."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from tests import backends
from tests.backends import BACKENDS, SINGLE, TOGETHER
from tests.oracles import ORACLES, exact
from tests.strategies import BY_NAME, LAST, NAMES, counts, schedules
from tests.ulp import (
    has_real_lengths,
    largest_error,
    telling_counts,
    values_about,
    worst,
)

# Compiling takes most of the time of an example: as many as fit.
EXAMPLES = {"torch-compile": 8, "jax-jit": 25, "jax-traced": 25, "jax": 60, "jax-vmap": 60}
FEW = {"torch-compile": 3, "tensorflow": 3, "jax": 4, "jax-jit": 6, "torch": 8}  # of each schedule
FLOAT32 = {name: BACKENDS[name] for name in ("jax", "jax-jit", "torch", "torch-compile")} | SINGLE


def is_between(schedule: Schedule, count: int, value: float) -> bool:
    """Whether a difference of times that are no whole numbers explains a value in float64."""
    if not has_real_lengths(schedule):
        return False
    low, high = values_about(schedule, count, 2.0**-50)
    rounding = 1e-12 * (abs(low) + abs(high))
    return bool(low - rounding <= value <= high + rounding)


def test_every_schedule_has_a_strategy_and_an_oracle() -> None:
    assert set(NAMES) == set(BY_NAME) == set(ORACLES)
    assert set(NAMES) <= set(lrsched.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_python_value_is_exact(name: str) -> None:
    @settings(max_examples=100)
    @given(BY_NAME[name], st.lists(counts, min_size=1, max_size=8))
    def check(schedule: Schedule, at: list[int]) -> None:
        for count in at:
            found = schedule(count)
            # The exponent of a power is rounded once: it may be in the hundreds.
            wanted = pytest.approx(float(exact(schedule, count)), rel=1e-12, abs=1e-290)
            assert found == wanted or is_between(schedule, count, found)

    check()


@pytest.mark.parametrize("backend", backends.params(BACKENDS))
def test_all_backends_agree_in_float64(backend: str) -> None:
    """To a few units in the last place of float64.

    In JAX a power loses half a unit more for each unit of the logarithm of its value: XLA divides
    by a known number of steps by multiplying with its reciprocal, which rounds the exponent twice.
    """
    last = LAST - 1 if backend == "jax-traced" else LAST  # traced restarts stop one short of it

    @settings(max_examples=EXAMPLES.get(backend, 200))
    @given(schedules, st.lists(counts, min_size=3, max_size=3))
    def check(schedule: Schedule, at: list[int]) -> None:
        at = [min(count, last) for count in at]
        values, expected = BACKENDS[backend](schedule, at), backends.python(schedule, at)
        exponents = np.abs(np.log(np.maximum(np.abs(expected), 1e-300)))
        rtol = 3e-15 + (2.0**-53 * exponents if backend.startswith("jax") else 0.0)
        close = np.abs(values - expected) <= rtol * np.abs(expected) + 1e-300
        for count, value in zip(np.asarray(at)[~close], values[~close], strict=True):
            assert is_between(schedule, int(count), value)

    with backends.double_precision(backend):
        check()


@pytest.mark.parametrize("backend", backends.params(FLOAT32))
@pytest.mark.parametrize("name", NAMES)
def test_float32_value_is_within_8_ulp(name: str, backend: str) -> None:
    generator = np.random.default_rng(0)
    drawn: list[tuple[Schedule, list[int]]] = []

    @settings(max_examples=FEW.get(backend, 12))
    @given(BY_NAME[name])
    def check(schedule: Schedule) -> None:
        at = telling_counts(schedule, generator, 24)
        if backend in TOGETHER:
            drawn.append((schedule, at))
        else:
            error, count = worst(schedule, at, FLOAT32[backend])
            assert error <= 8, (schedule, count)

    check()
    if drawn:
        curves = TOGETHER[backend](*zip(*drawn, strict=True))
        for (schedule, at), values in zip(drawn, curves, strict=True):
            error, count = largest_error(schedule, at, values)
            assert error <= 8, (schedule, count)
