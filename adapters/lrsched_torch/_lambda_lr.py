"""A torch scheduler that takes its learning rates from schedules."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR

from lrsched import Schedule
from lrsched._validate import Kind, Refusal, integer

_STEP = Kind("an integer (steps)", integer(-(2**31), "steps").convert)


def lambda_lr(
    optimizer: torch.optim.Optimizer,
    schedule: Schedule | Sequence[Schedule],
    last_step: int = -1,
    keep_ratios: bool = False,
) -> ScheduleLR:
    """A `torch.optim.lr_scheduler.LambdaLR` whose learning rates are the schedule's values.

    After construction and after every `step()`, each group's lr is the Python float
    `schedule(n)`, to the last bit, n being the number of `step()` calls; the lr that the optimizer
    was made with does not enter. A tensor lr is filled in place. The schedule is evaluated once a
    step, however many groups there are.

    Its `state_dict` is plain data. Loading one restores the step and sets the lr that the
    schedule in the code has there; where the checkpoint was written with another recipe, it warns
    and names both.

    Args:
        optimizer: whose param groups get the learning rates.
        schedule: one for all groups, or a list with one for each.
        last_step: the last step already made, as torch's `last_epoch`: the first lr is
            `schedule(last_step + 1)`.
        keep_ratios: the first group's lr is the schedule's value, and the others' stay in the
            proportion to it that they had when the optimizer was made (layer-wise decay,
            discriminative fine-tuning).

    Raises:
        TypeError: the optimizer is none, `schedule` is not a schedule (of plain numbers) or a list
            of them, or `last_step` not an integer.
        ValueError: a list has not one schedule for each group or meets `keep_ratios`, `last_step`
            is below -1, or with `keep_ratios` the first group's lr is 0. The optimizer is left as
            it was.

    >>> import lrsched, torch
    >>> weights = torch.nn.Parameter(torch.zeros(3))
    >>> optimizer = torch.optim.SGD([weights], lr=1.0)
    >>> scheduler = lambda_lr(optimizer, lrsched.linear(0.1, 0.0, 10))
    >>> optimizer.step(); scheduler.step(); optimizer.param_groups[0]["lr"]
    0.09000000000000001
    """
    refuse = Refusal("lambda_lr")
    if not isinstance(optimizer, torch.optim.Optimizer):
        refuse("optimizer", "a torch optimizer", optimizer, TypeError)
    groups = optimizer.param_groups
    one = isinstance(schedule, Schedule)
    schedules = (schedule,) if isinstance(schedule, Schedule) else schedule
    if not isinstance(schedules, (list, tuple)) or not all(map(_is_plain_schedule, schedules)):
        wanted = "a schedule of plain numbers, or a list of them"
        refuse("schedule", wanted, schedule, TypeError)
    if not one and len(schedules) != len(groups):
        refuse("schedule", f"a list of {len(groups)}, one for each param group", schedule)
    if keep_ratios and not one:
        refuse("keep_ratios", "False with a list of schedules", keep_ratios)
    if keep_ratios and float(groups[0].get("initial_lr", groups[0]["lr"])) == 0.0:
        refuse("the first group's lr", "other than 0 with keep_ratios", groups[0]["lr"])
    last_step = refuse.check("last_step", integer(-1, "steps"), last_step)
    for unresolved in (each for each in schedules if not each.is_resolved):
        unresolved(0)  # refuses, before the optimizer is touched
    return ScheduleLR(optimizer, tuple(schedules), last_step, keep_ratios)


def _is_plain_schedule(value: object) -> bool:
    return isinstance(value, Schedule) and value.is_plain


class ScheduleLR(LambdaLR):
    """What `lambda_lr` returns."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedules: tuple[Schedule, ...],
        last_step: int,
        keep_ratios: bool,
    ) -> None:
        self.schedules = schedules
        self.keep_ratios = keep_ratios
        for group in optimizer.param_groups:
            # torch asks for it when it resumes; it only tells the groups' proportions here.
            lr = group["lr"]
            group.setdefault("initial_lr", lr.clone() if isinstance(lr, torch.Tensor) else lr)
        lambdas: list[Any] = [*schedules] * (len(optimizer.param_groups) // len(schedules))
        super().__init__(optimizer, lambdas, last_step)

    def get_lr(self) -> list[float | torch.Tensor]:
        """The learning rate of each group at `last_epoch`."""
        values = [schedule(self.last_epoch) for schedule in self.schedules]
        if len(values) == 1:
            values = values * len(self.optimizer.param_groups)
        if self.keep_ratios:
            first = float(self.base_lrs[0])
            ratios = [1.0, *(float(lr) / first for lr in self.base_lrs[1:])]
            values = [value * ratio for value, ratio in zip(values, ratios, strict=True)]
        return list(values)

    def state_dict(self) -> dict[str, Any]:
        """The step, the learning rates and the recipe, as plain data."""
        return {
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            "_last_lr": [float(lr) for lr in self._last_lr],
            "base_lrs": [float(lr) for lr in self.base_lrs],
            "recipe": [repr(schedule) for schedule in self.schedules],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a checkpoint's step, with the schedule of the code.

        A state dict of another of torch's schedulers is accepted for its step. Warns where the
        checkpoint was written with another recipe or with none, and keeps the code's.
        """
        refuse = Refusal("load_state_dict")
        if not isinstance(state_dict, Mapping):
            refuse("state_dict", "a mapping", state_dict, TypeError)
        # Below 0 are the schedulers that a SequentialLR has not begun yet.
        step = refuse.check("last_epoch", _STEP, state_dict.get("last_epoch"))
        made = refuse.check("_step_count", _STEP, state_dict.get("_step_count", step + 1))
        self._compare_recipes(state_dict.get("recipe"))
        self.last_epoch, self._step_count = step, made
        if step >= 0:
            self._set_learning_rates()

    def _compare_recipes(self, written: Any) -> None:
        recipe = [repr(schedule) for schedule in self.schedules]
        if written != recipe:
            was = "another scheduler" if written is None else written
            warnings.warn(
                f"the checkpoint was written with {_listed(was)}; the schedule in the code is "
                f"kept: {_listed(recipe)}",
                UserWarning,
                stacklevel=3,
            )

    def _set_learning_rates(self) -> None:
        groups = self.optimizer.param_groups
        for group, lr in zip(groups, self.get_lr(), strict=True):
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(lr)
            else:
                group["lr"] = lr
        self._last_lr = [
            lr.clone() if isinstance(lr, torch.Tensor) else lr
            for lr in (group["lr"] for group in groups)
        ]


def _listed(recipes: Any) -> str:
    return ", ".join(map(str, recipes)) if isinstance(recipes, list) else str(recipes)
