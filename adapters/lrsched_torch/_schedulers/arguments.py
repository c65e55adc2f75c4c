"""Check the arguments of the schedulers: an optimizer, and schedules for its param groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from lrsched import Schedule
from lrsched._core import Refusal, integer

Group = dict[str, Any]


def check_optimizer(refuse: Refusal, optimizer: object) -> None:
    """Refuse an `optimizer` that is not a torch optimizer."""
    if not isinstance(optimizer, torch.optim.Optimizer):
        refuse("optimizer", "a torch optimizer", optimizer, TypeError)


def is_plain_schedule(value: object) -> bool:
    """Whether `value` is a schedule without arrays or tensors among its hyperparameters."""
    return isinstance(value, Schedule) and value.is_plain


def check_one_for_each(
    refuse: Refusal, parameter: str, entries: Sequence[Any], groups: Sequence[Group]
) -> None:
    """Refuse a list that does not have one entry for each param group."""
    if len(entries) != len(groups):
        refuse(parameter, f"a list of {len(groups)}, one for each param group", entries)


def checked_schedules(
    refuse: Refusal,
    optimizer: torch.optim.Optimizer,
    schedule: Any,
    last_step: Any,
    keep_ratios: bool,
) -> tuple[tuple[Schedule, ...], int]:
    """The checked schedules (one for all param groups, or one for each) and the last step."""
    check_optimizer(refuse, optimizer)
    schedules = (schedule,) if isinstance(schedule, Schedule) else schedule
    if not isinstance(schedules, (list, tuple)) or not all(map(is_plain_schedule, schedules)):
        refuse("schedule", "a schedule of plain numbers, or a list of them", schedule, TypeError)
    groups = optimizer.param_groups
    if not isinstance(schedule, Schedule):
        check_one_for_each(refuse, "schedule", schedules, groups)
    check_ratios(refuse, keep_ratios, isinstance(schedule, Schedule), groups)
    last_step = checked_last_step(refuse, last_step)
    refuse_unresolved(schedules)
    return tuple(schedules), last_step


def checked_last_step(refuse: Refusal, last_step: Any) -> int:
    """The checked number of the last step already made, or -1."""
    step: int = refuse.check("last_step", integer(-1, "steps"), last_step)
    return step


def check_ratios(refuse: Refusal, keep_ratios: bool, one: bool, groups: Sequence[Group]) -> None:
    """Refuse `keep_ratios` without one schedule for all groups, or with a first rate of 0."""
    if keep_ratios and not one:
        refuse("keep_ratios", "False unless one schedule has the lr of all groups", keep_ratios)
    first = groups[0]
    if keep_ratios and float(first["initial_lr" if "initial_lr" in first else "lr"]) == 0.0:
        refuse("the first group's lr", "other than 0 with keep_ratios", first["lr"])


def refuse_unresolved(schedules: Iterable[Schedule]) -> None:
    """Refuse schedules with durations that are not in steps."""
    for schedule in schedules:
        if not schedule.is_resolved:
            schedule(0)  # raises, and names what is missing


def set_initial_lr(groups: Iterable[Group]) -> None:
    """Save the lr of each group as `initial_lr`, as torch does and requires on resuming.

    Here it only determines the ratios of the groups.
    """
    for group in groups:
        lr = group["lr"]
        group.setdefault("initial_lr", lr.clone() if isinstance(lr, torch.Tensor) else lr)


def ratios_of(rates: Sequence[float | torch.Tensor]) -> list[float]:
    """The ratio of each rate to the first."""
    first = float(rates[0])
    return [1.0, *(float(rate) / first for rate in rates[1:])]


def unshare_tensors(groups: Iterable[Group], key: str) -> None:
    """Give each group a tensor of its own; an optimizer puts one default tensor into all groups."""
    seen: set[int] = set()
    for group in groups:
        group[key] = _unshared(group[key], seen)


def _unshared(value: Any, seen: set[int]) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_unshared(each, seen) for each in value)
    if not isinstance(value, torch.Tensor):
        return value
    own = value.clone() if id(value) in seen else value
    seen.add(id(own))
    return own
