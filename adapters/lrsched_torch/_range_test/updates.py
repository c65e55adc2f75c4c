"""Make updates at given learning rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched_torch._range_test.batches import Batch
from lrsched_torch._snapshot.reachable import parameters

_refuse = Refusal("range_test")

Step = Callable[[Batch], torch.Tensor | float]
GradScaler: TypeAlias = Any  # a torch.amp.GradScaler, or an object with its methods


class Rates:
    """The learning rates of every update and param group, in the precision of the optimizer's.

    Args:
        optimizer: the optimizer whose param groups get the rates.
        schedules: one schedule for all groups, or one for each.
        ratios: the ratio of each group to one schedule.
        steps: the number of updates.

    Attributes:
        rows: for each update, the rate of each group.
        values: the value of the schedule for each update, as the reference group has it.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedules: Sequence[Schedule],
        ratios: Sequence[float],
        steps: int,
    ) -> None:
        self._groups = optimizer.param_groups
        self._ratios = ratios
        curves = [list(map(schedule, range(steps))) for schedule in schedules]
        for curve in curves:
            if min(curve) < 0:
                _refuse("schedule", "one of rates >= 0 at every update", min(curve))
        if len(curves) == 1:
            curves *= len(self._groups)
        columns = list(map(_in_dtype, curves, self._ratios, self._groups))
        self.rows = list(zip(*columns, strict=True))
        self.values = columns[ratios.index(1.0)] if 1.0 in ratios else curves[0]

    def at(self, rate: float) -> Sequence[float]:
        """The rates of the groups for a given value of the schedule."""
        return [
            _in_dtype([rate], *each)[0] for each in zip(self._ratios, self._groups, strict=True)
        ]

    def set(self, row: Sequence[float]) -> None:
        """Set the rates of the groups; a tensor is filled in place."""
        for group, rate in zip(self._groups, row, strict=False):  # a step may add a group
            if type(group["lr"]) is not float and isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate


def _in_dtype(rates: list[float], ratio: float, group: Mapping[str, Any]) -> list[float]:
    """The rates times `ratio`, rounded to the dtype of the group's lr if that is a tensor."""
    rates = [rate * ratio for rate in rates] if ratio != 1.0 else rates
    lr = group["lr"]
    return torch.tensor(rates, dtype=lr.dtype).tolist() if isinstance(lr, torch.Tensor) else rates


@dataclass
class Updates:
    """Makes updates, and returns the losses of their batches.

    Args:
        step: the user's training step.
        optimizer: the optimizer to use.
        rates: sets the learning rates.
        others: parameters that get gradients but are not the optimizer's.
        scaler: a gradient scaler, or None.
        closure: whether the optimizer computes the loss by a closure.
    """

    step: Step
    optimizer: torch.optim.Optimizer
    rates: Rates
    others: Sequence[torch.Tensor]
    scaler: GradScaler | None = None
    closure: bool = False

    def __post_init__(self) -> None:
        self.parameters = parameters(self.optimizer)
        self._checked = False

    def make(self, row: Sequence[float], batches: Sequence[Batch]) -> tuple[list[Any], bool]:
        """Make an update with these rates; return its losses, and whether it was not skipped."""
        if self.closure:
            return self._with_closure(row, batches), True
        self.rates.set(row)
        losses = self._losses(batches)
        self.rates.set(row)  # again: `step` may have stepped schedulers
        if self.scaler is None:
            self.optimizer.step()
            return losses, True
        before = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return losses, self.scaler.get_scale() >= before  # the scale falls when a step is skipped

    def _with_closure(self, row: Sequence[float], batches: Sequence[Batch]) -> list[Any]:
        first: list[Any] = []

        def closure() -> Any:
            self.rates.set(row)
            with torch.enable_grad():
                losses = self._losses(batches)
            self.rates.set(row)
            if not first:
                first.extend(losses)
            return sum(losses) / len(losses)

        self.optimizer.step(closure)
        return first

    def _losses(self, batches: Sequence[Batch]) -> list[Any]:
        self.optimizer.zero_grad()
        for parameter in self.others:
            parameter.grad = None
        losses = [_as_loss(self.step(batch)) for batch in batches]
        if not self._checked:
            if all(parameter.grad is None for parameter in self.parameters):
                expected = "a function that leaves gradients in the optimizer's parameters"
                _refuse("step", f"{expected} (loss.backward())", self.step)
            self._checked = True
        return losses


def _as_loss(loss: Any) -> Any:
    """The loss as a number, or a copy of it on its device, where reading it would wait."""
    if isinstance(loss, torch.Tensor):
        if loss.numel() != 1:
            expected = "() (one number, such as its mean over the batch)"
            _refuse("the shape of step's loss", expected, tuple(loss.shape))
        if not loss.is_cpu:
            return loss.detach().reshape(()).clone()
        loss = loss.item()
    if isinstance(loss, (int, float)):
        return loss
    return _refuse("step's loss", "a real tensor of one number", loss, TypeError)


def means(losses: Sequence[Sequence[Any]]) -> list[float]:
    """The mean loss of each update; all losses on a device are read at once."""
    tensors = [loss for each in losses for loss in each if isinstance(loss, torch.Tensor)]
    if tensors:
        read = iter(torch.stack(tensors).tolist())
        losses = [[next(read) if isinstance(x, torch.Tensor) else x for x in e] for e in losses]
    return [float(sum(each)) / len(each) for each in losses]
