"""A torch scheduler that takes its learning rates from schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched_torch._schedulers.arguments import (
    check_one_for_each,
    checked_schedules,
    ratios_of,
    set_initial_lr,
    unshare_tensors,
)
from lrsched_torch._schedulers.checkpoint import ScheduledLR


def lambda_lr(
    optimizer: torch.optim.Optimizer,
    schedule: Schedule | Sequence[Schedule],
    last_step: int = -1,
    keep_ratios: bool = False,
) -> ScheduleLR:
    """Make a torch scheduler whose learning rates are the values of a schedule.

    After construction and after every `step()`, each param group's lr is `schedule(n)`, where n is
    the number of `step()` calls: exactly this Python float, or a tensor filled in place. The lr
    that the optimizer was made with has no effect. The schedule is evaluated once per step, for any
    number of groups.

    The `state_dict` is plain data. Loading one restores the step, and sets the lr that the schedule
    of the code has at that step. If the checkpoint was written with another recipe, loading warns
    and names both.

    A param group that is added to the optimizer later gets its lr from the next `step()` on. With a
    list of schedules there is none for it, and `step()` raises. If several schedulers set the lr of
    one optimizer, the last one stepped determines it: multiply their schedules instead.

    Accelerate calls `step()` of a prepared scheduler `num_processes` times for each call (once with
    `split_batches`). To step it once per update, do not prepare it but pass it to
    `accelerator.register_for_checkpointing`, or make the `Accelerator` with
    `step_scheduler_with_optimizer=False`; and call `step()` only if
    `accelerator.sync_gradients and not accelerator.optimizer_step_was_skipped`.

    Args:
        optimizer: its param groups get the learning rates.
        schedule: one schedule for all groups, or a list with one for each.
        last_step: the number of the last step already made, torch's `last_epoch`; the first lr is
            `schedule(last_step + 1)`.
        keep_ratios: whether only the first group's lr is the schedule's value, and the other
            groups' keep the ratios to it that they had when the optimizer was made (layer-wise
            decay, discriminative fine-tuning), or when they were added.

    Returns:
        The scheduler, a `torch.optim.lr_scheduler.LambdaLR`.

    Raises:
        TypeError: optimizer is not a torch optimizer, schedule is not a schedule of plain numbers
            or a list of them, or last_step is not an integer.
        ValueError: a list does not have one schedule for each group, or is given with keep_ratios;
            a duration is not in steps; last_step is below -1; or the first group's lr is 0 with
            keep_ratios. The optimizer is unchanged.

    >>> import lrsched, torch
    >>> weights = torch.nn.Parameter(torch.zeros(3))
    >>> optimizer = torch.optim.SGD([weights], lr=1.0)
    >>> scheduler = lambda_lr(optimizer, lrsched.linear(0.1, 0.0, 10))
    >>> optimizer.step(); scheduler.step(); optimizer.param_groups[0]["lr"]
    0.09000000000000001
    """
    refuse = Refusal("lambda_lr")
    schedules, last_step = checked_schedules(refuse, optimizer, schedule, last_step, keep_ratios)
    return ScheduleLR(optimizer, schedules, last_step, keep_ratios)


class ScheduleLR(ScheduledLR, LambdaLR):
    """A LambdaLR whose learning rates are the values of schedules; `lambda_lr` makes it.

    Attributes:
        schedules: one schedule for all param groups, or one for each.
        recipe: the text that a checkpoint stores for each schedule.
        keep_ratios: whether the groups keep the ratios of their learning rates.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedules: tuple[Schedule, ...],
        last_step: int,
        keep_ratios: bool,
    ) -> None:
        self.schedules = schedules
        self.recipe: list[str] = [repr(schedule) for schedule in schedules]
        self.keep_ratios = keep_ratios
        if keep_ratios or len(schedules) > 1:
            unshare_tensors(optimizer.param_groups, "lr")
        set_initial_lr(optimizer.param_groups)
        lambdas: list[Any] = [*schedules] * (len(optimizer.param_groups) // len(schedules))
        super().__init__(optimizer, lambdas, last_step)

    def get_lr(self) -> list[float | torch.Tensor]:
        """The learning rate of each group at `last_epoch`."""
        self._adopt_new_groups()
        count, groups = self.last_epoch, self.optimizer.param_groups
        if len(self.schedules) > 1:
            return [schedule(count) for schedule in self.schedules]
        value = self.schedules[0](count)
        if self.keep_ratios:
            return [value * ratio for ratio in ratios_of(self.base_lrs)]
        return [value] * len(groups)

    def _check_groups(self) -> None:
        if len(self.schedules) > 1:
            groups = self.optimizer.param_groups
            check_one_for_each(Refusal("lambda_lr"), "schedule", list(self.schedules), groups)
