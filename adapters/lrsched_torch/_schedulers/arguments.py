"""Check the arguments of the schedulers: an optimizer, and schedules for its param groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import torch
from torch.optim.lr_scheduler import LRScheduler

from lrsched import Schedule
from lrsched._core import Controller, Refusal, integer
from lrsched_torch._schedulers.param_groups import Group


def check_optimizer(refuse: Refusal, optimizer: object) -> None:
    """Refuse an `optimizer` that is not a torch optimizer."""
    if not isinstance(optimizer, torch.optim.Optimizer):
        refuse("optimizer", "a torch optimizer", optimizer, TypeError)


def is_plain_schedule(value: object) -> bool:
    """Whether `value` is a schedule of the step alone, whose hyperparameters are plain numbers."""
    return isinstance(value, Schedule) and value.is_plain and not value.controllers


def refuse_no_schedule(refuse: Refusal, value: object, expected: str) -> NoReturn:
    """Refuse what is no schedule, and say what takes it or makes one of it."""
    members = value if isinstance(value, (list, tuple)) else [value]
    hints = [hint for member in members if (hint := _hint(member))]
    refuse("schedule", f"{expected} ({hints[0]})" if hints else expected, value, TypeError)


def _hint(value: object) -> str:
    if isinstance(value, Controller) or (isinstance(value, Schedule) and value.controllers):
        return "ControlledLR takes one that follows a metric"
    if isinstance(value, Schedule):
        return ""
    if isinstance(value, (int, float)):
        return f"lrsched.constant({value!r}) is one"
    if isinstance(value, LRScheduler):
        return "from_torch makes one of torch's schedulers"
    if callable(value):
        return "@lrsched.schedule makes one of a formula, and torch's LambdaLR takes any function"
    return ""


def check_one_for_each(
    refuse: Refusal, parameter: str, entries: Sequence[Any], groups: Sequence[Group]
) -> None:
    """Refuse a list that does not have one entry for each param group."""
    if len(entries) != len(groups):
        refuse(parameter, f"a list of {len(groups)}, one for each param group", entries)


def checked_schedules(
    refuse: Refusal, optimizer: torch.optim.Optimizer, schedule: Any
) -> tuple[Schedule, ...]:
    """The checked schedules: one for all param groups, or one for each."""
    check_optimizer(refuse, optimizer)
    schedules = (schedule,) if isinstance(schedule, Schedule) else schedule
    if not isinstance(schedules, (list, tuple)) or not all(map(is_plain_schedule, schedules)):
        refuse_no_schedule(refuse, schedule, "a schedule of plain numbers, or a list of them")
    if not isinstance(schedule, Schedule):
        check_one_for_each(refuse, "schedule", schedules, optimizer.param_groups)
    refuse_unresolved(schedules)
    return tuple(schedules)


def checked_last_step(refuse: Refusal, last_step: Any) -> int:
    """The checked number of the last step already made, or -1."""
    step: int = refuse.check("last_step", integer(-1, "steps"), last_step)
    return step


def refuse_unresolved(schedules: Iterable[Schedule]) -> None:
    """Refuse schedules with durations that are not in steps."""
    for schedule in schedules:
        if not schedule.is_resolved:
            schedule(0)  # raises, and names what is missing
