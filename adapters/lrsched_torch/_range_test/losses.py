"""Read the losses of updates, record them, and say when the test is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import RangeTest, Recorder
from lrsched.range_test.monitor import Monitor
from lrsched_torch._range_test.processes import Processes

_refuse = Refusal("range_test")

LOOK_EVERY = 10  # updates between two readings of losses, if reading waits for the device


class LossReader:
    """Records the losses of one update after the other, and reads them every few updates.

    Args:
        recorder: what records them, and decides when the test is over.
        rates: the learning rate of each update.
        processes: the processes of the test, over which losses are averaged.
        monitor: shows the losses.
        look_every: the number of updates after which losses are read.
    """

    def __init__(
        self,
        recorder: Recorder,
        rates: Sequence[float],
        processes: Processes,
        monitor: Monitor,
        look_every: int,
    ) -> None:
        recorder.stopped = "exhausted"  # unless the test stops for another reason
        self.recorder = recorder
        self.count = 0  # how many updates were added
        self._rates = rates
        self._processes = processes
        self._monitor = monitor
        self._look_every = look_every
        self._pending: list[list[Any]] = []
        self._read = 0

    def add(self, losses: list[Any]) -> bool:
        """Take the losses of the batches of an update, and return whether the test goes on."""
        self._pending.append(losses)
        self.count += 1
        is_last = self.count == len(self._rates)
        if not is_last and len(self._pending) < self._look_every:
            return True
        if self.read() and is_last:
            self.recorder.stopped = "finished"
        return self.recorder.stopped == "exhausted"

    def read(self) -> bool:
        """Read the losses that were not read yet, and return whether all of them may go on."""
        values = self._processes.mean(means(self._pending)) if self._pending else []
        self._pending.clear()
        rates = self._rates[self._read : self._read + len(values)]
        self._monitor.read(self._read, rates, values)
        self._read += len(values)
        return all(map(self.recorder.record, values))

    def result(
        self,
        schedule: Schedule,
        metrics: Mapping[str, list[tuple[int, float]]],
        label: str,
        ratios: tuple[float, ...] | None,
    ) -> RangeTest:
        """The test with the losses that were recorded."""
        count = len(self.recorder.losses)
        return RangeTest(
            np.array(self._rates[:count]),
            np.array(self.recorder.losses),
            self.recorder.stopped,
            schedule,
            {name: _array(rows, count) for name, rows in metrics.items()},
            label=label,
            ratios=ratios,
        )


def as_loss(loss: Any) -> Any:
    """The loss as a number, or a copy of it on its device, where reading it would wait."""
    if isinstance(loss, torch.Tensor):
        check_is_one(_refuse, "step's loss", loss)
        if not loss.is_cpu:
            return loss.detach().reshape(()).clone()
        loss = loss.item()
    if isinstance(loss, (int, float)):
        return loss
    return _refuse("step's loss", "a real tensor of one number", loss, TypeError)


def check_is_one(refuse: Refusal, name: str, loss: torch.Tensor) -> None:
    """Refuse a loss that is no single number."""
    if loss.numel() != 1:
        expected = "() (one number, such as its mean over the batch)"
        refuse(f"the shape of {name}", expected, tuple(loss.shape))


def means(losses: Sequence[Sequence[Any]]) -> list[float]:
    """The mean loss of each update; all losses on a device are read at once."""
    tensors = [loss for each in losses for loss in each if isinstance(loss, torch.Tensor)]
    if tensors:
        read = iter(torch.stack(tensors).tolist())
        losses = [[next(read) if isinstance(x, torch.Tensor) else x for x in e] for e in losses]
    return [float(sum(each)) / len(each) for each in losses]


def _array(rows: list[tuple[int, float]], count: int) -> Any:
    """The rows of the first `count` updates: those after the stop are dropped."""
    kept = [row for row in rows if row[0] < count]
    return np.array(kept, np.float64).reshape(-1, 2)
