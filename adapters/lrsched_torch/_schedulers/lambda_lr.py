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
    checked_last_step,
    checked_schedules,
)
from lrsched_torch._schedulers.claims import claim
from lrsched_torch._schedulers.param_groups import ParamGroups, check_ratio_options
from lrsched_torch._schedulers.scheduled import ScheduledLR
from lrsched_torch._schedulers.tested_ratios import warn_if_tested_otherwise


def lambda_lr(
    optimizer: torch.optim.Optimizer,
    schedule: Schedule | Sequence[Schedule],
    last_step: int = -1,
    keep_ratios: bool = True,
    reference_group: int | None = None,
) -> ScheduleLR:
    """Make a torch scheduler whose learning rates are the values of a schedule.

    After construction and after every `step()`, the lr of the param groups is `schedule(n)`, where
    n is the number of `step()` calls: exactly this Python float, or a tensor filled in place. The
    schedule is evaluated once per step, for any number of groups.

    Groups with different learning rates stay in proportion: the group with the largest one, or
    `reference_group`, gets the schedule's value, and the others their ratio to it. Apart from
    these ratios, the lr that the optimizer was made with has no effect. The ratios are fixed when
    the first scheduler of an optimizer is made, by `initial_lr` if the groups have it, as after a
    resumption. They stand in the groups as `lr_ratio`, and a checkpoint restores them.

    A group that is added later (`add_param_group`) keeps its lr until the next `step()`, and from
    then on its proportion to the schedule's value at that moment. If it is added without an lr, or
    while the value is 0, its ratio is that to the optimizer's initial lr. If a group is removed,
    the others keep their ratios. With a list of schedules, a changed number of groups is refused by
    `step()`.

    The `state_dict` is plain data. What stands in a checkpoint wins for the step and the ratios,
    and the code for the schedules: after the optimizer's or the scheduler's state is loaded, in any
    order, the lr is the one that the schedule of the code has at the step of the checkpoint.
    Loading warns if that changes the learning rates or the recipe. Rates that another scheduler
    had set when the checkpoint was written (averaging, for instance) stay until the next `step()`.

    If several schedulers set the lr of one optimizer, the last one stepped determines it: multiply
    their schedules instead.

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
        keep_ratios: False gives every group the schedule's value. With a list it has no effect.
        reference_group: the index of the group whose lr is the schedule's value; by default that of
            the group with the largest lr.

    Returns:
        The scheduler, a `torch.optim.lr_scheduler.LambdaLR`.

    Warns if the last range test of this optimizer gave the groups other ratios than one schedule
    gives them now: the schedule that follows from it would train them otherwise than they were
    tested.

    Raises:
        TypeError: optimizer is not a torch optimizer, schedule is not a schedule of plain numbers
            or a list of them, or last_step is not an integer.
        ValueError: a list does not have one schedule for each group; a duration is not in steps;
            last_step is below -1; reference_group is no index of a group, or is given where no
            ratios are kept; or, of groups with different learning rates, one is negative or not
            finite, or that of the reference group is 0. The optimizer is unchanged.

    >>> import lrsched, torch
    >>> weights = torch.nn.Parameter(torch.zeros(3))
    >>> optimizer = torch.optim.SGD([weights], lr=1.0)
    >>> scheduler = lambda_lr(optimizer, lrsched.linear(0.1, 0.0, 10))
    >>> optimizer.step(); scheduler.step(); optimizer.param_groups[0]["lr"]
    0.09000000000000001
    >>> other = torch.nn.Parameter(torch.zeros(3))
    >>> optimizer.add_param_group({"params": [other], "lr": 0.009})  # a tenth
    >>> optimizer.step(); scheduler.step(); optimizer.param_groups[1]["lr"]
    0.008
    """
    refuse = Refusal("lambda_lr")
    schedules = checked_schedules(refuse, optimizer, schedule)
    last_step = checked_last_step(refuse, last_step)
    is_one = isinstance(schedule, Schedule)
    keeps_ratios = check_ratio_options(
        refuse, keep_ratios, reference_group, is_one, len(optimizer.param_groups)
    )
    keys = ["lr"] if keeps_ratios or not is_one else []
    groups = ParamGroups(refuse, optimizer, keeps_ratios, reference_group, keys)
    if is_one:
        warn_if_tested_otherwise("lambda_lr", optimizer, groups.ratios)
    return ScheduleLR(optimizer, schedules, last_step, groups, is_one)


class ScheduleLR(ScheduledLR, LambdaLR):
    """A LambdaLR whose learning rates are the values of schedules; `lambda_lr` makes it.

    Attributes:
        schedules: one schedule for all param groups, or one for each.
        recipe: the text that a checkpoint stores for each schedule.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedules: tuple[Schedule, ...],
        last_step: int,
        groups: ParamGroups,
        is_one: bool,
    ) -> None:
        self.schedules = schedules
        self.recipe: list[str] = [repr(schedule) for schedule in schedules]
        self._groups = groups
        self._is_one = is_one
        claim(Refusal("lambda_lr"), optimizer, "lr", self, follows_metric=False)
        lambdas: list[Any] = [*schedules] * (len(optimizer.param_groups) // len(schedules))
        super().__init__(LambdaLR, optimizer, lambdas, last_step)

    def group_schedule(self, group: int) -> Schedule:
        """The schedule of the lr of one param group, its ratio included."""
        if not self._is_one:
            return self.schedules[group]
        ratio = self._groups.ratios[group]
        return self.schedules[0] if ratio == 1.0 else self.schedules[0] * ratio

    def _rates(self, count: int, ratios: Sequence[float]) -> list[Any]:
        if not self._is_one:
            return [schedule(count) for schedule in self.schedules]
        value = self.schedules[0](count)
        if ratios.count(1.0) == len(ratios):
            return [value] * len(ratios)
        return [value * ratio for ratio in ratios]

    def _check_groups(self) -> None:
        if not self._is_one:
            groups = self.optimizer.param_groups
            check_one_for_each(Refusal("lambda_lr"), "schedule", list(self.schedules), groups)
