"""`reduce_on_plateau` in every array library: the decisions of plain Python."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lrsched.controllers import Plateau, PlateauState
from tests import backends
from tests.optional import needing, needs
from tests.plateaus import (
    INF,
    METRICS,
    NAN,
    PLATEAU,
    ROUNDING,
    VALUES,
    compiled_scan,
    exact,
    moves,
    plateaus,
    runs,
    runs_of,
    states,
    threshold,
)

Backend = Callable[[Plateau, Sequence[float]], list[PlateauState]]


def numbers(found: Sequence[PlateauState]) -> list[PlateauState]:
    return [PlateauState(*(np.asarray(x).item() for x in state)) for state in found]


def one_by_one(plateau: Plateau, metrics: Any, like: Any, dtypes: Any) -> list[PlateauState]:
    state, found = plateau.init(like), []
    for metric in metrics:
        state = plateau.update(state, metric)
        assert tuple(x.dtype for x in state) == tuple(x.dtype for x in plateau.init(like)) == dtypes
        found.append(state)
    return numbers(found)


def in_numpy(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    dtypes = (np.float64, np.float64, np.int64, np.int64)
    return one_by_one(plateau, np.asarray(metrics), np.asarray(0.0), dtypes)


def in_strict(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    xp = needs("array_api_strict")
    dtypes = (xp.float64, xp.float64, xp.int64, xp.int64)
    return one_by_one(plateau, map(xp.asarray, metrics), xp.asarray(0.0), dtypes)


def in_torch(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    torch = needs("torch")
    dtype = torch.get_default_dtype()
    dtypes = (dtype, dtype, torch.int64, torch.int64)
    return one_by_one(plateau, torch.tensor(metrics), torch.tensor(0.0), dtypes)


def jax_eager(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    jnp = needs("jax.numpy")
    integer = jnp.asarray(0).dtype
    dtypes = (jnp.asarray(0.0).dtype, jnp.asarray(0.0).dtype, integer, integer)
    return one_by_one(plateau, jnp.asarray(metrics), jnp.asarray(0.0), dtypes)


def jax_scan(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    found = compiled_scan()(plateau, needs("jax.numpy").asarray(metrics))
    return numbers([PlateauState(*state) for state in zip(*found, strict=True)])


DOUBLE: dict[str, Backend] = {
    "numpy": in_numpy,
    "array-api-strict": in_strict,
    "torch": in_torch,
    "jax-scan": jax_scan,
}
SINGLE: dict[str, Backend] = {"torch": in_torch, "jax-scan": jax_scan}


@pytest.mark.parametrize("backend", backends.params(DOUBLE))
def test_float64_is_python_to_the_last_bit(backend: str) -> None:
    @settings(max_examples=100 if backend == "array-api-strict" else 200)
    @given(runs)
    def check(run: tuple[Plateau, list[float]]) -> None:
        assert DOUBLE[backend](*run) == states(*run)

    with backends.double_precision(backend):
        check()


eighths = st.integers(-24, 24).map(lambda x: x / 8)


@pytest.mark.parametrize("backend", backends.params(SINGLE))
def test_float32_decides_alike_where_it_is_exact(backend: str) -> None:
    """Ties at the threshold included, as long as all numbers fit into float32."""
    ties = st.sampled_from(["best", "threshold"]) | eighths | st.sampled_from([NAN, INF, -INF])

    @settings(max_examples=200)
    @given(runs_of(exact, ties, 1e30))
    def check(run: tuple[Plateau, list[float]]) -> None:
        plateau, metrics = run
        expected = states(plateau, metrics)
        numbers = [*metrics, *(x for state in expected for x in (state.value, state.best))]
        assume(all(float(np.float32(x)) == x or x != x for x in numbers))
        assert SINGLE[backend](plateau, metrics) == expected

    check()


@pytest.mark.parametrize("backend", backends.params(SINGLE))
def test_float32_is_python_to_rounding_away_from_the_threshold(backend: str) -> None:
    """A metric within rounding of the threshold may be decided either way, so NaN takes its place;
    so may a decrease within rounding of eps."""

    @settings(max_examples=200)
    @given(runs_of(plateaus(st.floats(0.1, 1.0, exclude_max=True)), moves, 1e30))
    def check(run: tuple[Plateau, list[float]]) -> None:
        plateau, metrics = run
        state = plateau.init()
        for index, metric in enumerate(metrics):
            bar = threshold(plateau, state.best)
            room = 2.0**-21 * max(abs(metric), abs(bar), abs(state.best), plateau.threshold)
            if abs(metric - bar) <= room < INF:
                metrics[index] = NAN
            lower = max(state.value * plateau.decay_rate, plateau.end_value)
            assume(abs(state.value - lower - plateau.eps) > ROUNDING * state.value)
            state = plateau.update(state, metrics[index])
        expected, found = states(plateau, metrics), SINGLE[backend](plateau, metrics)
        assert [state[2:] for state in found] == [state[2:] for state in expected]
        for field in (0, 1):
            np.testing.assert_allclose(
                [state[field] for state in found],
                [state[field] for state in expected],
                rtol=ROUNDING,
            )

    check()


@pytest.mark.parametrize("backend", backends.params(DOUBLE))
def test_the_example_is_the_same_in_float64(backend: str) -> None:
    with backends.double_precision(backend):
        assert [state.value for state in DOUBLE[backend](PLATEAU, METRICS)] == VALUES


@pytest.mark.parametrize("backend", backends.params([*SINGLE, "jax"]))
def test_the_example_is_the_same_in_float32(backend: str) -> None:
    observe = (SINGLE | {"jax": jax_eager})[backend]
    assert [state.value for state in observe(PLATEAU, METRICS)] == VALUES


MODULES = ["numpy", *(needing(x.partition(".")[0], x) for x in ("jax.numpy", "torch"))]


@pytest.mark.parametrize("module", [*MODULES, needing("array_api_strict", "array_api_strict")])
def test_an_array_of_metrics_is_a_plateau_for_each_element(module: str) -> None:
    xp = needs(module)
    shifts = [[0.0, 1.0, -2.0]]
    state = PLATEAU.init(xp.asarray(shifts))
    assert {x.shape for x in state} == {(1, 3)}
    for metric in METRICS:
        state = PLATEAU.update(state, xp.asarray([[metric + x for x in shifts[0]]]))
        assert {x.shape for x in state} == {(1, 3)}
    expected = [states(PLATEAU, [m + x for m in METRICS])[-1] for x in shifts[0]]
    for field, values in zip(state, zip(*expected, strict=True), strict=True):
        assert np.asarray(field).tolist() == [list(values)]
