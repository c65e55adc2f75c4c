"""Make updates at given learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torch.distributed as dist

from lrsched._core import Refusal
from lrsched_torch._range_test.batches import Batch
from lrsched_torch._range_test.guarded_step import GuardedStep
from lrsched_torch._range_test.rates import Rates
from lrsched_torch._snapshot.reachable import parameters

_refuse = Refusal("range_test")

GradScaler: TypeAlias = Any  # a torch.amp.GradScaler, or an object with its methods


@dataclass
class Updates:
    """Makes updates, and returns the losses of their batches.

    Args:
        step: the user's training step, guarded.
        optimizer: the optimizer to use.
        rates: sets the learning rates.
        others: parameters that get gradients but are not the optimizer's.
        scaler: a gradient scaler, or None.
        closure: whether the optimizer computes the loss by a closure.
    """

    step: GuardedStep
    optimizer: torch.optim.Optimizer
    rates: Rates
    others: Sequence[torch.Tensor]
    scaler: GradScaler | None
    closure: bool

    def __post_init__(self) -> None:
        self.parameters = parameters(self.optimizer)
        self._checked = False

    def make(self, row: Sequence[float], batches: Sequence[Batch]) -> tuple[list[Any], bool]:
        """Make an update with these rates; return its losses, and whether it was not skipped."""
        if self.closure:
            return self._with_closure(row, batches), True
        self.rates.set(row)
        losses = self._losses(batches)
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
            with torch.enable_grad():
                losses = self._losses(batches)
            if not first:
                first.extend(losses)
            return sum(losses) / len(losses)

        self.rates.set(row)  # before L-BFGS reads them
        self.optimizer.step(closure)
        return first

    def _losses(self, batches: Sequence[Batch]) -> list[Any]:
        self.optimizer.zero_grad()
        for parameter in self.others:
            parameter.grad = None
        losses = [_as_loss(self.step(batch)) for batch in batches]
        if not self._checked:
            self._check_gradients(losses)
            self._checked = True
        return losses

    def _check_gradients(self, losses: Sequence[Any]) -> None:
        """Refuse a step that leaves no gradients, or zeroes them after `backward`."""
        gradients = [x.grad for x in self.parameters if x.grad is not None]
        if not gradients or not (any(map(_may_be_nonzero, gradients)) or not any(losses)):
            self.step.refuse_without_gradients()


def _may_be_nonzero(gradient: torch.Tensor) -> bool:
    """Whether a gradient is not zero, or is a part of one, as in processes that share it."""
    if gradient.layout != torch.strided or (dist.is_available() and dist.is_initialized()):
        return True
    return bool(gradient.any())


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
