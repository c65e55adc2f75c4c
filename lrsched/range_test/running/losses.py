"""Read the losses of updates, record them, and say when the test is over."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lrsched._core.checks import Refusal
from lrsched._core.schedule import Schedule
from lrsched.range_test.reading.recorder import Recorder
from lrsched.range_test.result.range_test import RangeTest
from lrsched.range_test.running.measurements import as_array
from lrsched.range_test.running.monitor import Monitor

_refuse = Refusal("range_test")

LOOK_EVERY = 10  # updates between two readings of losses, if reading waits for the device
MOST_SKIPS = 40  # skips in a row; each halves the scale, so 40 take it from 2**24 to 2**-16
MOST_WITHOUT_LOSS = 100  # updates in a row


class LossReader:
    """Records the losses of one update after the other, and reads them every few updates.

    Args:
        recorder: what records them, and decides when the test is over.
        rates: the learning rate of each update.
        mean: `mean(updates)` returns the mean loss of each update, given the losses of its batches
            as they are on the device.
        monitor: shows the losses.
        look_every: the number of updates after which losses are read.
    """

    def __init__(
        self,
        recorder: Recorder,
        rates: Sequence[float],
        mean: Callable[[list[list[Any]]], list[float]],
        monitor: Monitor,
        look_every: int,
    ) -> None:
        recorder.stopped = "exhausted"  # unless the test stops for another reason
        self.recorder = recorder
        self.count = 0  # how many updates were added
        self._rates = rates
        self._mean = mean
        self._monitor = monitor
        self._look_every = look_every
        self._pending: list[list[Any]] = []
        self._read = 0
        self._skips = 0

    def add(self, losses: list[Any]) -> bool:
        """Take the losses of the batches of an update, and return whether the test goes on."""
        self._pending.append(losses)
        self._skips = 0
        self.count += 1
        is_last = self.count == len(self._rates)
        if not is_last and len(self._pending) < self._look_every:
            return True
        if self.read() and is_last:
            self.recorder.stopped = "finished"
        return self.recorder.stopped == "exhausted"

    def skip(self, losses: list[Any]) -> bool:
        """Take the losses of an update that a scaler skipped, and return whether to repeat it.

        It is not repeated if its loss is not finite, or after `MOST_SKIPS` in a row.
        """
        if not self.read():
            return False
        self._skips += 1
        (loss,) = self._mean([losses or [0.0]])
        if self._skips <= MOST_SKIPS and math.isfinite(loss):
            return True
        self.recorder.stopped = "nonfinite"
        return False

    def skip_without_loss(self) -> None:
        """Pass over an update for which no loss was computed; a test of nothing else is refused."""
        self._skips += 1
        if self._skips == MOST_WITHOUT_LOSS:
            expected = "a number for some batches (None skips a batch)"
            _refuse("step's loss", expected, None, TypeError)

    def read(self) -> bool:
        """Read the losses that were not read yet, and return whether all of them may go on."""
        values = self._mean(self._pending) if self._pending else []
        self._pending.clear()
        if not self._monitor.shows_nothing:
            rates = self._rates[self._read : self._read + len(values)]
            self._monitor.read(self._read, rates, values)
        self._read += len(values)
        return all(map(self.recorder.record, values))

    def result(
        self,
        schedule: Schedule,
        metrics: Mapping[str, list[tuple[int, float]]],
        label: str,
        ratios: tuple[float, ...] | None = None,
    ) -> RangeTest:
        """The test with the losses that were recorded."""
        count = len(self.recorder.losses)
        return RangeTest(
            np.array(self._rates[:count]),
            np.array(self.recorder.losses),
            self.recorder.stopped,
            schedule,
            {name: as_array(rows, count) for name, rows in metrics.items()},
            label=label,
            ratios=ratios,
        )
