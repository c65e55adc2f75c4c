"""What the schedulers have in common: they set values by their step alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from lrsched._core import Refusal, integer
from lrsched_torch._schedulers.checkpoint import read_state, warn_of_changes, warn_of_ratios
from lrsched_torch._schedulers.param_groups import (
    KEY,
    ParamGroups,
    after_loading,
)

_EPOCH = integer(0, "steps")


class ScheduledLR(LRScheduler):
    """A torch scheduler whose values depend on its step alone, which a checkpoint restores."""

    last_epoch: int
    recipe: list[str]  # the schedules of the code, as checkpoints record them
    _groups: ParamGroups  # set before `LRScheduler.__init__`, which makes the first step

    def __init__(
        self, base: type[LRScheduler], optimizer: torch.optim.Optimizer, *arguments: Any
    ) -> None:
        self._saved_rates: list[float] | None = None
        self._loaded_rates: list[float] | None = None
        base.__init__(self, optimizer, *arguments)
        after_loading(optimizer, self)

    def _rates(self, count: int, ratios: Sequence[float]) -> list[Any]:
        """The learning rate of each group at a count; None for one without a schedule."""
        raise NotImplementedError

    def _check_groups(self) -> None:
        """Refuse param groups that have no schedule."""
        raise NotImplementedError

    def get_lr(self) -> list[float | torch.Tensor]:
        """The learning rate of each group at `last_epoch`."""
        groups = self._groups
        if groups.have_changed:
            self._include_groups()
        return self._rates(self.last_epoch, groups.ratios)

    def state_dict(self) -> dict[str, Any]:
        """The step, the learning rates, their ratios and the recipe, as plain data."""
        state = {
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            "_last_lr": [float(lr) for lr in self._last_lr],
            "base_lrs": [float(lr) for lr in self.base_lrs],
            "recipe": self.recipe,
        }
        if self._groups.keeps_ratios:
            groups = self.optimizer.param_groups
            state["lr_ratios"] = [group[KEY] for group in groups if KEY in group]
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from the step of a checkpoint, with the schedules of the code.

        The state dict of another torch scheduler is accepted too; its step is used. Warns if the
        checkpoint was written with another recipe or with none, or with other ratios.

        Raises:
            TypeError, ValueError: state_dict is not a mapping with an integer `last_epoch`, or a
                param group has no schedule.
        """
        self._load(state_dict)

    def _load(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from the step of a checkpoint; its warnings name the caller's caller."""
        saved = read_state(state_dict)
        if self._groups.have_changed:
            self._include_groups()
        ratios = self._groups.restored_ratios(saved.ratios)
        warn_of_changes(saved, self.recipe, self._rates(max(saved.step, 0), ratios), stacklevel=3)
        if self._groups.keeps_ratios and saved.ratios is not None:
            warn_of_ratios(self._groups.initial_rates, saved.initial, stacklevel=3)
            self._groups.restore(ratios, saved.initial)
            self.base_lrs = [group["initial_lr"] for group in self.optimizer.param_groups]
        self.last_epoch, self._step_count = saved.step, saved.calls
        self._saved_rates = saved.rates
        self._restore()

    def optimizer_was_loaded(self) -> None:
        """Set the values again, in the groups of the optimizer's checkpoint."""
        self._loaded_rates = _numbers([group["lr"] for group in self.optimizer.param_groups])
        code = self._groups.initial_rates
        self._include_groups()
        self._restore()
        # The optimizer's load_state_dict has two decorators.
        warn_of_ratios(code, self._groups.initial_rates, stacklevel=6)

    def _restore(self) -> None:
        """Set the values after a checkpoint was loaded, of the optimizer or of this scheduler.

        If another scheduler had set the learning rates when both were saved (torch's for averaging
        does), theirs are kept.
        """
        if self.last_epoch < 0:
            return
        rates, loaded, saved = self.get_lr(), self._loaded_rates, self._saved_rates
        if loaded is not None and saved is not None and len(loaded) == len(saved) == len(rates):
            own = self._rates(self.last_epoch, self._groups.ratios)
            pairs = zip(own, loaded, saved, strict=True)
            if any(rate is not None and was != set_ for rate, was, set_ in pairs):
                rates = [
                    lr if rate is None else was
                    for lr, rate, was in zip(rates, own, loaded, strict=True)
                ]
        self._set(rates)

    def _include_groups(self) -> None:
        """Include param groups that were added, removed, or loaded from a checkpoint."""
        self._check_groups()
        self._groups.include()
        self.base_lrs = [group["initial_lr"] for group in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        """Count an update, and set the learning rates of the next one.

        Args:
            epoch: as in torch, where it is deprecated; leave it out.

        Raises:
            TypeError, ValueError: epoch is not an integer of at least 0.
            ValueError: a param group has no schedule. The step and learning rates are unchanged.
        """
        if epoch is not None:
            epoch = Refusal("step").check("epoch", _EPOCH, epoch)
        if epoch is not None or self._step_count == 1:
            self._step_as_torch(epoch)
            return
        self._advance()

    def _advance(self) -> None:
        """Count an update, and set the learning rates of the next one."""
        self.last_epoch += 1
        self._step_count += 1
        try:
            rates = self.get_lr()
        except Exception:
            self.last_epoch -= 1
            self._step_count -= 1
            raise
        self._set(rates)

    def _step_as_torch(self, epoch: int | None) -> None:
        """Call torch's own step, for its warnings: on a wrong order of calls, and on an `epoch`."""
        before = self.last_epoch, self._step_count
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                LRScheduler.step(self, epoch)
        except Exception:
            self.last_epoch, self._step_count = before
            raise
        try:
            for warning in caught:  # again, from the line that called `step`
                warnings.warn(warning.message, warning.category, stacklevel=3)
        except Warning:  # the user's filters turn warnings into errors
            self.last_epoch, self._step_count = before
            self._set(self.get_lr())
            raise

    def _set(self, rates: Sequence[Any]) -> None:
        last: list[Any] = []
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            if type(group["lr"]) is float:
                group["lr"] = lr
                last.append(lr)
            else:
                new = group["lr"] = assign(group["lr"], lr)
                last.append(new.clone() if isinstance(new, torch.Tensor) else new)
        self._last_lr = last


def assign(old: Any, new: Any) -> Any:
    """The new value of a group's entry: a tensor is filled in place; None keeps the old value."""
    if new is None:
        return old
    if isinstance(new, tuple):
        return tuple(map(assign, old, new))
    return old.fill_(new) if isinstance(old, torch.Tensor) else new


def _numbers(rates: list[Any]) -> list[float] | None:
    known = all(isinstance(lr, (int, float, torch.Tensor)) for lr in rates)
    return [float(lr) for lr in rates] if known else None
