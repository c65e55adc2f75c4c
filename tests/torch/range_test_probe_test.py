"""The probe after a range test in torch."""

import numpy as np
import pytest

import lrsched
from lrsched.range_test import RangeTest, Suggestion
from lrsched.range_test import probe as _probe
from tests.torch.range_test_task import RAMP, Task, Valley


@pytest.fixture
def suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suggestion for every curve, and the rates of the probe of it."""
    suggestion = Suggestion(0.01, 0.02, 0.04)
    monkeypatch.setattr(RangeTest, "suggest", lambda self, method="default": suggestion)
    rates = np.array([0.01, 0.02, 3.0])
    monkeypatch.setattr(_probe, "probe_rates", lambda suggestion, steps: rates)
    monkeypatch.setattr(_probe, "further_rates", lambda rates, losses: np.array([]))


@pytest.mark.usefixtures("suggested")
def test_each_rate_of_a_probe_starts_from_the_same_state() -> None:
    task = Valley()
    ramp = lrsched.exponential_ramp(1e-4, 1.0, 79)
    found = task.run(ramp, 80, refine=True)
    assert found.probe is not None
    rates, losses = found.probe.learning_rates, found.probe.losses
    assert rates.tolist() == [0.01, 0.02, 3.0]
    assert losses.shape == (3, 2, 40)
    assert np.isnan(losses[2, :, -1]).all()
    for first in losses[:, :, 0].T:
        assert len(set(first)) == 1  # of the same weights on the same batch
    swept = task.used[: len(found.losses)]
    assert [x for (x,) in swept] == found.learning_rates.tolist()
    made = len(found.losses)
    assert 40 < made < 80  # so that the second order begins in the middle of them
    for rate, rows in zip(rates, losses, strict=True):
        for row, start in zip(rows, (0, made // 2), strict=True):
            other = Valley()
            places = [(start + k) % made for k in range(40)]
            batches = [other.batches[place % len(other.batches)] for place in places]
            alone = other.run(lrsched.constant(rate), 40, divergence=None, batches=batches)
            expected = np.full(40, np.nan)
            expected[: len(alone.losses)] = alone.losses
            np.testing.assert_array_equal(row, expected)


def test_a_sweep_that_suggests_nothing_has_no_probe() -> None:
    task = Task()
    found = task.run(RAMP, 3, refine=True)
    assert found.probe is None
    assert len(task.seen) == 3


@pytest.mark.usefixtures("suggested")
def test_a_probe_of_few_batches_and_of_accumulated_ones() -> None:
    task = Valley()
    found = task.run(RAMP, refine=True, batches=iter(task.batches), accumulate=2)
    assert (found.stopped, len(found.losses)) == ("exhausted", 3)
    assert found.probe is not None
    assert found.probe.losses.shape == (3, 2, 3)
    task = Valley()
    found = task.run(RAMP, refine=True, probe_steps=5)
    assert found.probe is not None
    assert found.probe.losses.shape == (3, 2, 5)
    found = task.run(RAMP, refine=True, probe_steps=5, probe_repeats=1)
    assert found.probe is not None
    assert found.probe.losses.shape == (3, 1, 5)
