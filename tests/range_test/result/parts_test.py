"""Readings of a part of a range test, and of a metric in the place of the loss."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrsched
from lrsched.range_test import NoSuggestion, RangeTest
from lrsched.range_test.reading.curves import extend_past_stop
from lrsched.range_test.reading.suggest import suggest
from tests.range_test.valleys import RATES, VALLEY, losses

EVERY = np.arange(0, 160, 5)
ROWS = np.stack([EVERY, losses(1)[EVERY]], axis=1)
MEASURED = RangeTest(
    RATES[:160],
    losses()[:160],
    metrics={"val_loss": ROWS, "accuracy": np.stack([EVERY, 3.0 - ROWS[:, 1]], axis=1)},
)


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_suggestion_without_the_first_and_last_updates(start: int, end: int) -> None:
    """It is that of a test that did not make them."""

    def outcome(function: Any) -> Any:
        try:
            return function()
        except NoSuggestion as refused:
            return str(refused)

    kept, stopped = slice(start, 160 - end), "finished" if end else "diverged"
    curve = extend_past_stop(RATES[kept], losses()[kept], stopped)
    expected = outcome(lambda: suggest(*curve))
    found = outcome(lambda: VALLEY.suggest(skip_start=start, skip_end=end))
    assert found == expected
    assert outcome(VALLEY.trimmed(start, end).suggest) == expected


def test_a_spike_at_the_first_updates_can_be_left_out() -> None:
    spiked = losses()[:160].copy()
    spiked[:4] = 40.0
    test = RangeTest(RATES[:160], spiked, "diverged")
    assert test.suggest(skip_start=4) == VALLEY.suggest(skip_start=4)
    assert test.suggest("torch-lr-finder") != VALLEY.suggest("torch-lr-finder")
    assert test.suggest("torch-lr-finder", skip_start=4) == VALLEY.suggest(
        "torch-lr-finder", skip_start=4
    )


def test_the_metrics_of_the_updates_that_are_left() -> None:
    cut = MEASURED.trimmed(7, 20)
    assert len(cut.learning_rates) == 133
    assert cut.metrics["val_loss"][[0, -1]].tolist() == [
        [3.0, ROWS[2, 1]],
        [128.0, ROWS[27, 1]],
    ]
    assert cut.for_metric("val_loss").learning_rates[0] == RATES[10]


def test_trimmed_of_repeats() -> None:
    test = RangeTest(RATES, np.stack([losses(0), losses(1)]), ("finished", "finished"))
    cut = test.trimmed(10, 5)
    assert cut.losses.shape == (2, 185)
    assert cut.stopped == test.stopped
    assert np.array_equal(cut.losses, test.losses[:, 10:195])


def test_a_test_without_its_last_updates_did_not_diverge() -> None:
    assert VALLEY.trimmed(3, 0).stopped == "diverged"
    assert VALLEY.trimmed(0, 1).stopped == "finished"
    test = RangeTest(RATES, np.stack([losses(0), losses(1)]), ("finished", "diverged"))
    assert test.trimmed(5).stopped == ("finished", "diverged")
    assert test.trimmed(0, 5).stopped == ("finished", "finished")
    assert VALLEY.trimmed(0, 60).suggest().still_falls


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"skip_start": -1}, ValueError, "skip_start must be an integer >= 0"),
        ({"skip_end": 1.5}, TypeError, "skip_end must be an integer >= 0"),
        (
            {"skip_start": 100, "skip_end": 60},
            ValueError,
            r"RangeTest: skip_start \+ skip_end must be less than 160 updates, got 160",
        ),
    ],
)
def test_what_cannot_be_left_out(options: Any, error: Any, message: str) -> None:
    for function in (VALLEY.trimmed, VALLEY.suggest, VALLEY.plot):
        with pytest.raises(error, match=message):
            function(**options)


def test_a_validation_loss_has_a_suggestion() -> None:
    """That of its own values at the rates before which they were measured."""
    test = MEASURED.for_metric("val_loss")
    assert test.suggest() == suggest(RATES[EVERY], ROWS[:, 1])
    assert test.quantity == "val_loss"
    assert test.warmup_cosine(100, end_value=1e-5)(100) == 1e-5
    assert test.plot().get_ylabel() == "val_loss"


def test_a_metric_that_is_to_be_high() -> None:
    found = MEASURED.for_metric("accuracy", "max")
    assert found.losses.tolist() == (-(3.0 - ROWS[:, 1])).tolist()
    expected = MEASURED.for_metric("val_loss").suggest()
    assert found.suggest() == pytest.approx(expected, rel=1e-9)
    assert found.plot().get_ylabel() == "-accuracy"


def test_the_metric_of_repeats() -> None:
    """One that ended early has no more values."""
    rows = [ROWS, ROWS[:20], ROWS]
    test = RangeTest(
        RATES[:160],
        np.stack([losses()[:160]] * 3),
        ("finished", "diverged", "finished"),
        metrics={f"val_loss_{n}": each for n, each in enumerate(rows)},
    ).for_metric("val_loss")
    assert test.losses.shape == (3, len(EVERY))
    assert np.isnan(test.losses[1]).tolist() == [False] * 20 + [True] * (len(EVERY) - 20)
    assert test.suggest() == suggest(RATES[EVERY], ROWS[:, 1])


@pytest.mark.parametrize(
    ("name", "mode", "message"),
    [
        ("loss", "min", r"name must be that of a recorded metric \('val_loss', 'accuracy'\)"),
        ("val_loss", "low", "mode must be 'min' or 'max', got 'low'"),
    ],
)
def test_a_metric_that_was_not_recorded(name: str, mode: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"RangeTest.for_metric: {message}"):
        MEASURED.for_metric(name, mode)
    with pytest.raises(ValueError, match=r"metric \(none was\), got"):
        VALLEY.for_metric(name)


def test_schedules_take_the_options_of_theirs() -> None:
    peak = VALLEY.suggest(shape="warmup_cosine").suggested
    assert VALLEY.warmup_cosine(1000, 100, end_value=1e-6) == lrsched.warmup_cosine(
        peak, 1000, 100, end_value=1e-6
    )
    assert VALLEY.warmup_cosine(1000, init_value=1e-7) == lrsched.warmup_cosine(
        peak, 1000, 50, init_value=1e-7
    )
