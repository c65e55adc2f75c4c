"""The runs of a repeated range test, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lrsched._core.schedule import Schedule
from lrsched.range_test.reading.recorder import Stopped
from lrsched.range_test.result.range_test import RangeTest


@dataclass
class Run:
    """One run of a test.

    Attributes:
        losses: the raw loss of each update.
        stopped: why the run ended.
        metrics: other numbers by name, as rows of (update, value).
    """

    losses: Sequence[float]
    stopped: Stopped
    metrics: Mapping[str, npt.ArrayLike] = field(default_factory=dict)


def range_test_of(
    runs: Sequence[Run],
    rates: npt.NDArray[np.float64],
    schedule: Schedule | None,
    label: str,
    repeated: bool = True,
) -> RangeTest:
    """The test of these runs, with NaN for the losses after a run stopped.

    Args:
        runs: the runs, at least one.
        rates: the learning rates, as many as the longest run has losses, or more.
        schedule: their schedule, or None.
        label: the name of the test in figures.
        repeated: whether there is a row for each run; else there is one run.
    """
    length = max(len(run.losses) for run in runs)
    losses = np.full((len(runs), length), np.nan)
    metrics = {}
    for repeat, run in enumerate(runs):
        losses[repeat, : len(run.losses)] = run.losses
        for name, rows in run.metrics.items():
            found = np.array(rows, np.float64).reshape(-1, 2)
            metrics[f"{name}_{repeat}" if repeated else name] = found
    return RangeTest(
        rates[:length],
        losses if repeated else losses[0],
        tuple(run.stopped for run in runs) if repeated else runs[0].stopped,
        schedule,
        metrics,
        label=label,
    )
