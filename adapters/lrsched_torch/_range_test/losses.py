"""Read the losses of updates, record them, and say when the test is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lrsched._core import Refusal
from lrsched.range_test import Recorder
from lrsched.range_test.running.losses import LOOK_EVERY
from lrsched.range_test.running.losses import LossReader as AnyLossReader
from lrsched.range_test.running.monitor import Monitor
from lrsched_torch._range_test.processes import Processes

_refuse = Refusal("range_test")

__all__ = ["LOOK_EVERY", "LossReader", "as_loss", "means"]


class LossReader(AnyLossReader):
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
        def mean(updates: list[list[Any]]) -> list[float]:
            return processes.mean(means(updates))

        super().__init__(recorder, rates, mean, monitor, look_every)


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
