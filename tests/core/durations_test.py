"""Durations in other units as values."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import lrsched
from lrsched import Duration, epochs, run_fraction, tokens
from tests.durations import durations, whole


@given(durations)
def test_a_duration_is_a_value(duration: Duration) -> None:
    assert eval(repr(duration), vars(lrsched)) == duration
    assert lrsched.from_repr(f"delay(constant(1), {duration})").params["steps"] == duration
    for other in (pickle.loads(pickle.dumps(duration)), copy.deepcopy(duration)):
        assert other == duration
        assert hash(other) == hash(duration)
        assert repr(other) == repr(duration)


@given(durations, durations, whole)
def test_sums_keep_their_terms_apart(first: Duration, second: Duration, steps: int) -> None:
    assert (first + second).terms == first.terms + second.terms
    assert first + second - second != first
    assert first + steps == steps + first
    assert first + steps - steps == first
    assert first + np.int64(steps) == np.int64(steps) + first == first + steps
    assert np.int64(steps) - first == steps - first
    assert first - (second + steps) == first - second - steps


def test_how_sums_are_written() -> None:
    assert (
        repr(run_fraction(1.0) - (run_fraction(0.1) + 500))
        == "run_fraction(1.0) - run_fraction(0.1) - 500"
    )
    assert repr(500 - tokens(2e9) + epochs(5)) == "500 - tokens(2000000000.0) + epochs(5)"
    assert repr(0 - epochs(1)) == "0 - epochs(1)"
    assert repr(5 + epochs(2) - 5) == "epochs(2)"
    assert epochs(np.float32(0.5)) == epochs(0.5)
    assert sum([epochs(1), epochs(2)]) == epochs(1) + epochs(2) != epochs(3)
    with pytest.raises(AttributeError):
        epochs(1).steps = 3


units: Any = lrsched  # types would refuse half of what follows
LINE = units.linear(1, 0, run_fraction(0.5))


@pytest.mark.parametrize(
    "make",
    [
        lambda: epochs(1) + "1",
        lambda: "1" - epochs(1),
        lambda: LINE + epochs(1),
        lambda: epochs(1) + None,
    ],
)
def test_durations_are_sums_of_python_numbers(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        make()


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: units.run_fraction(-0.1),
        ValueError,
        "run_fraction: fraction must be a number >= 0, got -0.1",
    ),
    (
        lambda: units.run_fraction(float("nan")),
        ValueError,
        "run_fraction: fraction must be a number >= 0, got nan",
    ),
    (lambda: units.epochs("5"), TypeError, "epochs: number must be a number >= 0, got '5'"),
    (lambda: units.epochs(True), TypeError, "epochs: number must be a number >= 0, got True"),
    (
        lambda: units.tokens(1e19),
        ValueError,
        "tokens: number must be a number of magnitude <= 1e+18, got 1e+19",
    ),
    (
        lambda: units.examples(epochs(1)),
        TypeError,
        "examples: number must be a number >= 0, got epochs(1)",
    ),
    (
        lambda: epochs(1) + float("inf"),
        ValueError,
        "duration: steps must be a finite number, got inf",
    ),
    (
        lambda: epochs(1) - True,
        TypeError,
        "duration: steps must be a finite number, got True",
    ),
]


@pytest.mark.parametrize(("make", "error", "text"), REFUSED, ids=[row[2] for row in REFUSED])
def test_bad_input_is_refused_with_its_reason(
    make: Callable[[], Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        make()
    assert str(raised.value) == text
