"""Make updates at given learning rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torch.distributed as dist

from lrsched._core import Refusal
from lrsched_torch._range_test.batches import Batch
from lrsched_torch._range_test.guarded_step import GuardedStep
from lrsched_torch._range_test.losses import as_loss
from lrsched_torch._range_test.rates import Rates
from lrsched_torch._range_test.wrappers import Wrapper
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
        before_update: called between the gradients and the update, or None.
        wrapper: what wraps the optimizer.

    Attributes:
        parameters: those of the optimizer.
        may_skip: whether an update may be skipped because gradients are not finite.
    """

    step: GuardedStep
    optimizer: torch.optim.Optimizer
    rates: Rates
    others: Sequence[torch.Tensor]
    scaler: GradScaler | None
    closure: bool
    before_update: Callable[[], object] | None
    wrapper: Wrapper

    def __post_init__(self) -> None:
        self.parameters = parameters(self.optimizer)
        self.may_skip = self.scaler is not None or self.wrapper.scaler is not None
        self._checked = False

    def make(self, row: Sequence[float], batches: Iterable[Batch]) -> tuple[list[Any], bool]:
        """Make an update with these rates; return its losses, and whether it was not skipped.

        There is no update, and no loss, where `step` returns None for all batches.
        """
        if self.closure:
            return self._with_closure(row, list(batches)), True
        self.rates.set(row)
        losses = self._losses(batches)
        if not losses:
            return [], True
        if self.scaler is None:
            self._prepare_update()
            return losses, self._apply()
        before = self.scaler.get_scale()
        if self.before_update is not None:
            self.scaler.unscale_(self.optimizer)
        self._prepare_update()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return losses, self.scaler.get_scale() >= before  # the scale falls when a step is skipped

    def _apply(self) -> bool:
        """Step the optimizer, and return whether the scaler of its wrapper did not skip that."""
        if self.wrapper.scaler is None:
            self.optimizer.step()
            return True
        made: list[bool] = []
        handle = self.wrapper.inner.register_step_post_hook(lambda *_: made.append(True))
        try:
            self.optimizer.step()
        finally:
            handle.remove()
        return bool(made)

    def _with_closure(self, row: Sequence[float], batches: Sequence[Batch]) -> list[Any]:
        first: list[Any] = []

        def closure() -> Any:
            with torch.enable_grad():
                losses = self._losses(batches)
            if not losses:
                expected = "a number for every update with a closure"
                _refuse("step's loss", expected, None, TypeError)
            self._prepare_update()
            if not first:
                first.extend(losses)
            return sum(losses) / len(losses)

        self.rates.set(row)  # before L-BFGS reads them
        self.optimizer.step(closure)
        return first

    def _losses(self, batches: Iterable[Batch]) -> list[Any]:
        self.wrapper.inner.zero_grad()  # Accelerate's own does nothing between two updates
        for parameter in self.others:
            parameter.grad = None
        returned = [self.step(batch) for batch in batches]
        losses = [as_loss(loss) for loss in returned if loss is not None]
        if not losses and any(map(_may_be_nonzero, self._gradients())):
            expected = "a number where there are gradients (None skips a batch)"
            _refuse("step's loss", expected, None, TypeError)
        if losses and not self._checked:
            self._check_gradients(losses)
            self._checked = True
        if losses:
            self.wrapper.check_update(len(returned))
        return losses

    def _prepare_update(self) -> None:
        if self.before_update is not None:
            self.before_update()

    def _gradients(self) -> list[torch.Tensor]:
        return [x.grad for x in self.parameters if x.grad is not None]

    def _check_gradients(self, losses: Sequence[Any]) -> None:
        """Refuse a step that leaves no gradients, or zeroes them after `backward`."""
        gradients = self._gradients()
        if not gradients or not (any(map(_may_be_nonzero, gradients)) or not any(losses)):
            self.step.refuse_without_gradients()


def _may_be_nonzero(gradient: torch.Tensor) -> bool:
    """Whether a gradient is not zero, or is a part of one, as in processes that share it."""
    if gradient.layout != torch.strided or (dist.is_available() and dist.is_initialized()):
        return True
    return bool(gradient.any())
