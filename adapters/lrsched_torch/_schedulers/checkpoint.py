"""Resume from a checkpoint: the step is restored, the schedules are those of the code."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from lrsched._core import Kind, Refusal, integer
from lrsched_torch._schedulers.arguments import set_initial_lr

_STEP = Kind("an integer (steps)", integer(-(2**31), "steps").convert)


def restored_step(state_dict: Any, recipe: Sequence[str]) -> tuple[int, int]:
    """The step of a checkpoint, and its number of `step()` calls.

    Warns the caller of `load_state_dict` if the checkpoint was written with another recipe or with
    none.
    """
    refuse = Refusal("load_state_dict")
    if not isinstance(state_dict, Mapping):
        refuse("state_dict", "a mapping", state_dict, TypeError)
    # The step is negative for a scheduler that a SequentialLR has not started yet.
    step = refuse.check("last_epoch", _STEP, state_dict.get("last_epoch"))
    calls = refuse.check("_step_count", _STEP, state_dict.get("_step_count", step + 1))
    written = state_dict.get("recipe")
    if written != recipe:
        was = "another scheduler" if written is None else written
        warnings.warn(
            f"the checkpoint was written with {_listed(was)}; the schedule in the code is "
            f"kept: {_listed(recipe)}",
            UserWarning,
            stacklevel=3,
        )
    return step, calls


def _listed(recipes: Any) -> str:
    return ", ".join(map(str, recipes)) if isinstance(recipes, list) else str(recipes)


class ScheduledLR(LRScheduler):
    """A torch scheduler whose values depend on its step alone, which a checkpoint restores."""

    last_epoch: int
    recipe: list[str]  # the schedules of the code, as checkpoints record them

    def state_dict(self) -> dict[str, Any]:
        """The step, the learning rates and the recipe, as plain data."""
        return {
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            "_last_lr": [float(lr) for lr in self._last_lr],
            "base_lrs": [float(lr) for lr in self.base_lrs],
            "recipe": self.recipe,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from the step of a checkpoint, with the schedules of the code.

        The state dict of another torch scheduler is accepted too; its step is used. Warns if the
        checkpoint was written with another recipe or with none.

        Raises:
            TypeError, ValueError: state_dict is not a mapping with an integer `last_epoch`, or a
                param group has no schedule.
        """
        self._adopt_new_groups()
        self.last_epoch, self._step_count = restored_step(state_dict, self.recipe)
        if self.last_epoch >= 0:
            self._set_learning_rates()

    def _check_groups(self) -> None:
        """Refuse param groups that have no schedule."""
        raise NotImplementedError

    def _adopt_new_groups(self) -> None:
        """Include groups that were added to the optimizer; `get_lr` calls this."""
        added = self.optimizer.param_groups[len(self.base_lrs) :]
        if added:
            self._check_groups()
            set_initial_lr(added)
            self.base_lrs.extend(group["initial_lr"] for group in added)

    def step(self, epoch: int | None = None) -> None:
        """Count an update, and set the learning rates of the next one.

        Args:
            epoch: as in torch, where it is deprecated; leave it out.

        Raises:
            ValueError: a param group has no schedule. The step and learning rates are unchanged.
        """
        before = self.last_epoch, self._step_count
        try:
            if self._step_count == 1 or epoch is not None:
                self._step_as_torch(epoch)
            else:
                self.last_epoch += 1
                self._step_count += 1
                self._set_learning_rates()
        except Exception:
            self.last_epoch, self._step_count = before
            raise

    def _step_as_torch(self, epoch: int | None) -> None:
        """Call torch's own step, for its warnings: on a wrong order of calls, and on an `epoch`."""
        before = self.last_epoch
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            super().step(epoch)
        try:
            for warning in caught:  # again, from the line that called `step`
                warnings.warn(warning.message, warning.category, stacklevel=3)
        except Warning:  # the user's filters turn warnings into errors
            self.last_epoch = before
            self._set_learning_rates()
            raise

    def _set_learning_rates(self) -> None:
        last: list[Any] = []
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            new: Any = lr if type(group["lr"]) is float else assign(group["lr"], lr)
            group["lr"] = new
            is_tensor = type(new) is not float and isinstance(new, torch.Tensor)
            last.append(new.clone() if is_tensor else new)
        self._last_lr = last


def assign(old: Any, new: Any) -> Any:
    """The new value of a group's entry: a tensor is filled in place; None keeps the old value."""
    if new is None:
        return old
    if isinstance(new, tuple):
        return tuple(map(assign, old, new))
    return old.fill_(new) if isinstance(old, torch.Tensor) else new
