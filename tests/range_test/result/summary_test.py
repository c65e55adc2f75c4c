"""What a range test says that it did, in plain sentences."""

from dataclasses import replace

import numpy as np
import pytest

from lrsched.range_test import Probe, RangeTest
from lrsched.range_test.running.continuation import Limits, continued
from tests.range_test.landscapes import Descent
from tests.range_test.valleys import RATES, VALLEY, losses

RAMP = "160 updates at learning rates from 1e-06 to 0.392, where the loss diverged"
ROWS = np.ones((3, 2, 50))


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (VALLEY, RAMP),
        (RangeTest(RATES, losses()), "200 updates at learning rates from 1e-06 to 10"),
        (
            RangeTest(RATES[:50], losses()[:50], "exhausted"),
            "50 updates at learning rates from 1e-06 to 5.29e-05, where the batches ran out",
        ),
        (
            RangeTest(RATES[:1], losses()[:1], "nonfinite"),
            "1 update at learning rates from 1e-06 to 1e-06, where the loss was not finite",
        ),
        (RangeTest(RATES[:0], losses()[:0], "exhausted"), "no updates"),
        (
            RangeTest(RATES, np.stack([losses()] * 3), ("diverged",) * 3),
            "3 times 200 updates at learning rates from 1e-06 to 10, where the loss diverged",
        ),
        (
            RangeTest(RATES, np.stack([losses()] * 2), ("diverged", "finished")),
            "2 times 200 updates at learning rates from 1e-06 to 10",
        ),
    ],
)
def test_a_ramp(test: RangeTest, expected: str) -> None:
    assert test.summary == expected


@pytest.mark.parametrize(
    ("before", "because"),
    [
        (1.0 / (1.0 + 1e3 * RATES), "as the loss still fell at 10"),
        (1.0 + 1e4 * RATES, "as the loss only rose from 1e-06 on"),
    ],
)
def test_a_further_ramp(before: np.ndarray, because: str) -> None:
    """Whether it went further up or down: the first one may have ended before its last rate."""
    test = RangeTest(RATES, losses(), "diverged", earlier=RangeTest(RATES, before))
    first, second = "200 updates at learning rates from 1e-06 to 10", ", where the loss diverged"
    assert test.summary == f"{first}; then, {because}, {first}{second}"


def test_trainings() -> None:
    """Those that were not made do not count, and those that diverged are named."""
    rows = ROWS.copy()
    rows[1:, 1] = np.nan
    whole = replace(VALLEY, probe=Probe(np.array([0.01, 0.1, 1.0]), rows))
    said = "4 trainings of 50 updates at constant rates from 0.01 to 1"
    assert whole.summary == f"{RAMP}; then, to check the rate, {said}"
    rows[2, 0, 30:] = np.nan
    assert whole.summary == f"{RAMP}; then, to check the rate, {said}, of which 1 diverged"
    one = replace(VALLEY, probe=Probe(np.array([0.01]), np.ones((1, 1, 1))))
    assert one.summary.endswith("1 training of 1 update at constant rates from 0.01 to 0.01")


def test_why_trainings_were_made() -> None:
    noisy = RangeTest(RATES[:160], losses(noise=0.2)[:160], "diverged")
    assert VALLEY.suggest().is_certain
    assert not noisy.suggest().is_certain
    flat = RangeTest(RATES, np.ones(200))
    probe = Probe(np.array([0.01, 0.1, 1.0]), ROWS)
    for test, reason in (
        (VALLEY, "to check the rate"),
        (noisy, "as this left the best rate uncertain"),
        (flat, "as this left the best rate uncertain"),
    ):
        assert f"; then, {reason}, 6 trainings" in replace(test, probe=probe).summary


def test_of_tests_that_went_on() -> None:
    task = Descent(sharpest=1.0, noise=0.3)
    found = continued(task.first(), task, Limits(200))
    parts = found.summary.split("; then, ")
    assert parts[0] == "200 updates at learning rates from 1e-07 to 10"
    assert parts[1].startswith("as the loss still fell at 10, 81 updates at learning rates from")
    assert parts[2].startswith("as this left the best rate uncertain, ")
    assert len(parts) == 3
