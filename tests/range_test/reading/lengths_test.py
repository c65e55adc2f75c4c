"""How a suggestion is carried over to runs of other lengths and shapes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched.range_test.reading.lengths import LONGEST, PASSES, REFERENCE, SHAPES, SHORTEST, Run
from tests.optional import needs
from tests.range_test.valleys import VALLEY

shapes = st.sampled_from([*SHAPES])


def test_the_reference_leaves_a_suggestion_as_it_is() -> None:
    assert Run("constant", 200).factor == Run().factor == 1.0
    assert VALLEY.suggest(total_steps=200) == VALLEY.suggest()


@settings(max_examples=50, derandomize=True)
@given(shapes, st.integers(1, 10**9))
def test_it_is_the_formula_within_the_lengths_that_were_measured(shape: str, steps: int) -> None:
    factor, exponent = SHAPES[shape]
    nearest = float(np.clip(steps, SHORTEST, LONGEST))
    assert Run(shape, steps).factor == pytest.approx(factor * (REFERENCE / nearest) ** exponent)


@settings(max_examples=50, derandomize=True)
@given(shapes, st.integers(1, 10**5), st.integers(1, 10**5))
def test_longer_runs_have_no_higher_rates(shape: str, one: int, other: int) -> None:
    short, long = sorted((one, other))
    assert Run(shape, long).factor <= Run(shape, short).factor


@pytest.mark.parametrize(
    ("shape", "steps", "expected"),
    [
        ("constant", 100, 2**0.2),
        ("constant", 1, 2**0.2),
        ("constant", 2400, 12**-0.2),
        ("constant", 10**6, 12**-0.2),
        ("one_cycle", None, 1.6),
        ("one_cycle", 100, 1.6),
        ("warmup_cosine", 2400, 1.6),
        ("cyclic", 2400, 1.0),
    ],
)
def test_the_factors(shape: str, steps: int | None, expected: float) -> None:
    assert Run(shape, steps).factor == pytest.approx(expected)
    found = VALLEY.suggest(total_steps=steps, shape=shape)
    assert found == pytest.approx([expected * rate for rate in VALLEY.suggest()])
    assert found.band == pytest.approx([expected * rate for rate in VALLEY.suggest().band])


@settings(max_examples=50, derandomize=True)
@given(shapes, st.integers(100, 10**9), st.floats(0.1, 1e6))
def test_passes_over_the_same_examples(shape: str, steps: int, epoch_steps: float) -> None:
    ratio = Run(shape, steps, epoch_steps).factor / Run(shape, steps).factor
    assert ratio == pytest.approx(min(1.0, PASSES / (steps / epoch_steps)))
    for make in (VALLEY.one_cycle, VALLEY.warmup_cosine):
        name = make.__name__
        expected = VALLEY.suggest(total_steps=steps, shape=name, epoch_steps=epoch_steps)
        assert make(steps, epoch_steps=epoch_steps).params["peak_value"] == expected.suggested
    run = Run(shape, steps, epoch_steps)
    found = VALLEY.suggest(**run._asdict())
    assert found == pytest.approx([run.factor * rate for rate in VALLEY.suggest()])


def test_without_a_length_the_passes_are_those_of_the_reference() -> None:
    assert Run(epoch_steps=5).factor == Run("constant", REFERENCE, 5).factor == 0.5


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"shape": "round"}, ValueError, "shape must be 'constant' or 'warmup_cosine' or"),
        ({"shape": None}, TypeError, "shape must be 'constant' or 'warmup_cosine' or"),
        ({"total_steps": 0}, ValueError, "total_steps must be an integer >= 1"),
        ({"total_steps": 10.5}, TypeError, "total_steps must be an integer >= 1"),
        ({"total_steps": True}, TypeError, "total_steps must be an integer >= 1"),
        ({"total_steps": "9"}, TypeError, "total_steps must be an integer >= 1"),
        ({"epoch_steps": 0}, ValueError, "epoch_steps must be a number > 0"),
        ({"epoch_steps": float("nan")}, ValueError, "epoch_steps must be a number > 0"),
        ({"epoch_steps": "9"}, TypeError, "epoch_steps must be a number > 0"),
        ({"total_steps": 10**30}, ValueError, "total_steps must be an integer <= "),
    ],
)
def test_other_runs_are_refused(options: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=rf"RangeTest\.suggest: {message}"):
        VALLEY.suggest(**options)
    with pytest.raises(error, match=rf"RangeTest\.plot: {message}"):
        VALLEY.plot(**options)


def test_the_length_of_a_run_may_be_traced_where_the_rate_does_not_depend_on_it() -> None:
    jax = needs("jax")
    for make in (VALLEY.one_cycle, VALLEY.warmup_cosine):
        found = jax.jit(lambda steps, make=make: make(steps)(30))(1000)
        assert float(found) == pytest.approx(make(1000)(30), rel=1e-6)
    with pytest.raises(TypeError, match=r"total_steps must be an integer .*, known when"):
        jax.jit(lambda steps: VALLEY.suggest(total_steps=steps).suggested)(1000)
