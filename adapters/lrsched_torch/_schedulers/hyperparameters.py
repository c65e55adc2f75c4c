"""A torch scheduler for any hyperparameter in the param groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched_torch._schedulers.arguments import (
    Group,
    check_one_for_each,
    check_optimizer,
    check_ratios,
    checked_last_step,
    is_plain_schedule,
    ratios_of,
    refuse_unresolved,
    set_initial_lr,
    unshare_tensors,
)
from lrsched_torch._schedulers.checkpoint import ScheduledLR, assign

Elements = tuple[Schedule | None, ...]
Entry = Schedule | Elements | None


def schedule_hyperparameters(
    optimizer: torch.optim.Optimizer,
    *,
    last_step: int = -1,
    keep_ratios: bool = False,
    **schedules: Entry | Sequence[Entry],
) -> HyperparameterLR:
    """Make a torch scheduler that takes any hyperparameters of an optimizer from schedules.

    After construction and after every `step()`, each key with a schedule has the value
    `schedule(n)` in every param group, where n is the number of `step()` calls: exactly this Python
    float, or a tensor filled in place. The values that the optimizer was made with have no effect.
    Keys without a schedule, lr included, are not touched. Each schedule is evaluated once per step,
    for any number of groups.

    A tuple has one schedule for each element of a tuple in the param groups, and a list has one
    entry for each param group. None leaves an element or a group unchanged:
    `betas=(cyclic(0.95, 0.85, 100), None)`, `weight_decay=[linear(0.1, 0.0, 1000), None]`.

    Checkpoints, and param groups that are added later, work as in `lambda_lr`.

    Args:
        optimizer: its param groups get the values.
        last_step: the number of the last step already made, torch's `last_epoch`; the first values
            are `schedule(last_step + 1)`.
        keep_ratios: whether only the first group's lr is the schedule's value, and the other
            groups' keep the ratios to it that they had when the optimizer was made. It concerns no
            other key.
        schedules: the schedules, by key of the param groups.

    Returns:
        The scheduler, a `torch.optim.lr_scheduler.LRScheduler`.

    Raises:
        TypeError: optimizer is not a torch optimizer, last_step is not an integer, or a key is
            given something other than schedules of plain numbers.
        ValueError: no schedule is given; the param groups do not all have a number under a key; a
            tuple or a list has the wrong length; a duration is not in steps; or last_step or
            keep_ratios is one that `lambda_lr` refuses. The optimizer is unchanged.

    Elsewhere: torch's `CyclicLR` and `OneCycleLR` cycle the momentum, or `betas[0]`, against the
    lr: here `momentum=cyclic(max_momentum, base_momentum, step_size_up, ...)`, and for one cycle
    `one_cycle(base_momentum, total_steps, pct_start, base_momentum / max_momentum, 1.0, ...)`.
    optax's `inject_hyperparams` takes schedules for any of an optimizer's hyperparameters.

    >>> import lrsched, torch
    >>> weights = torch.nn.Parameter(torch.zeros(3))
    >>> optimizer = torch.optim.Adam([weights], lr=1.0)
    >>> scheduler = schedule_hyperparameters(
    ...     optimizer,
    ...     lr=lrsched.cyclic(0.1, 0.5, up_steps=2),
    ...     betas=(lrsched.cyclic(0.9, 0.8, up_steps=2), None),
    ... )
    >>> optimizer.step(); scheduler.step(); optimizer.step(); scheduler.step()
    >>> optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]
    (0.5, (0.8, 0.999))
    """
    refuse = Refusal("schedule_hyperparameters")
    check_optimizer(refuse, optimizer)
    groups = optimizer.param_groups
    driven = {key: _entries(refuse, key, schedules[key], groups) for key in sorted(schedules)}
    given = [part for each in driven.values() for part in _parts(each) if part is not None]
    if not given:
        refuse("schedules", "given for at least one key of the param groups", schedules)
    check_ratios(refuse, keep_ratios, isinstance(schedules.get("lr"), Schedule), groups)
    last_step = checked_last_step(refuse, last_step)
    refuse_unresolved(given)
    return HyperparameterLR(optimizer, driven, last_step, keep_ratios)


def _entries(refuse: Refusal, key: str, given: Any, groups: Sequence[Group]) -> tuple[Entry, ...]:
    """The checked entries of a key: one for all param groups, or one for each."""
    known = [name for name in groups[0] if all(_holds_numbers(name, each) for each in groups)]
    if key not in known:
        refuse("key", f"one of the numbers in every param group ({', '.join(known)})", key)
    entries = tuple(given) if isinstance(given, list) else (given,)
    if not all(part is None or is_plain_schedule(part) for part in _parts(entries)):
        refuse(key, "schedules of plain numbers, or None", given, TypeError)
    if isinstance(given, list):
        check_one_for_each(refuse, key, given, groups)
    for entry, group in zip(entries * (len(groups) // len(entries)), groups, strict=True):
        value = group[key]
        if entry is None:
            continue
        if isinstance(entry, tuple) and not isinstance(value, (tuple, list)):
            refuse(key, "a schedule, not a tuple, as in the param groups", given, TypeError)
        if isinstance(value, (tuple, list)) and not isinstance(entry, tuple):
            refuse(key, "a tuple, as in the param groups", given, TypeError)
        if isinstance(entry, tuple) and len(entry) != len(value):
            refuse(key, f"a tuple of {len(value)}, as in the param groups", given)
    return entries


def _holds_numbers(key: str, group: Group) -> bool:
    if key in ("params", "initial_lr"):
        return False
    value = group.get(key)
    parts = value if isinstance(value, (tuple, list)) else (value,)
    return len(parts) > 0 and all(map(_is_number, parts))


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.ndim == 0 and value.is_floating_point()
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _parts(entries: Sequence[Any]) -> Iterator[Any]:
    for entry in entries:
        yield from entry if isinstance(entry, tuple) else (entry,)


class HyperparameterLR(ScheduledLR):
    """A torch scheduler of any hyperparameters; `schedule_hyperparameters` makes it.

    Attributes:
        schedules: the entries of each key.
        recipe: the text that a checkpoint stores for each key.
        keep_ratios: whether the groups keep the ratios of their learning rates.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedules: dict[str, tuple[Entry, ...]],
        last_step: int,
        keep_ratios: bool,
    ) -> None:
        self.schedules = schedules
        self.recipe: list[str] = [
            f"{key}={list(entries) if len(entries) > 1 else entries[0]!r}"
            for key, entries in schedules.items()
        ]
        self.keep_ratios = keep_ratios
        set_initial_lr(optimizer.param_groups)
        for key, entries in schedules.items():
            if len(entries) > 1 or (key == "lr" and keep_ratios):
                unshare_tensors(optimizer.param_groups, key)
        super().__init__(optimizer, last_step)

    def get_lr(self) -> list[float | torch.Tensor]:
        """The learning rate of each group at `last_epoch`.

        It also sets the other hyperparameters in the groups, as torch's `CyclicLR` sets the
        momentum: so they change whenever torch sets the learning rates.
        """
        self._adopt_new_groups()
        groups = self.optimizer.param_groups
        values = {key: self._values(key) for key in self.schedules}
        rates = values.pop("lr", [None] * len(groups))
        for key, new in values.items():
            for group, value in zip(groups, new, strict=True):
                group[key] = assign(group[key], value)
        return [
            group["lr"] if rate is None else rate for group, rate in zip(groups, rates, strict=True)
        ]

    def _check_groups(self) -> None:
        refuse = Refusal("schedule_hyperparameters")
        for key, entries in self.schedules.items():
            if len(entries) > 1:
                check_one_for_each(refuse, key, list(entries), self.optimizer.param_groups)

    def _values(self, key: str) -> list[Any]:
        values = [_evaluated(entry, self.last_epoch) for entry in self.schedules[key]]
        if len(values) == 1:
            values = values * len(self.optimizer.param_groups)
        if key == "lr" and self.keep_ratios:
            ratios = ratios_of(self.base_lrs)
            values = [value * ratio for value, ratio in zip(values, ratios, strict=True)]
        return values


def _evaluated(entry: Entry, count: int) -> Any:
    if isinstance(entry, tuple):
        return tuple(map(_evaluated, entry, [count] * len(entry)))
    return None if entry is None else entry(count)
