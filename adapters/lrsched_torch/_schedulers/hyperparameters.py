"""A torch scheduler for any hyperparameter in the param groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from lrsched import Schedule
from lrsched._core import Controller, Controls, Refusal, is_plain_recipe
from lrsched_torch._schedulers.arguments import (
    check_one_for_each,
    check_optimizer,
    checked_last_step,
    refuse_unresolved,
)
from lrsched_torch._schedulers.claims import claim
from lrsched_torch._schedulers.entries import Entries, Entry
from lrsched_torch._schedulers.metric import MetricLR
from lrsched_torch._schedulers.param_groups import KEY, Group, ParamGroups, check_ratio_options
from lrsched_torch._schedulers.scheduled import ScheduledLR, assign
from lrsched_torch._schedulers.tested_ratios import warn_if_tested_otherwise

# The weight decay that a group was made with: 0 only if other groups had one, else None.
INITIAL_DECAY = "initial_weight_decay"
_NOT_HYPERPARAMETERS = {"params", "initial_lr", INITIAL_DECAY, KEY}


def schedule_hyperparameters(
    optimizer: torch.optim.Optimizer,
    *,
    last_step: int = -1,
    keep_ratios: bool = True,
    reference_group: int | None = None,
    **schedules: Entry | Sequence[Entry],
) -> HyperparameterLR:
    """Make a torch scheduler that takes any hyperparameters of an optimizer from schedules.

    After construction and after every `step()`, each key with a schedule has the value
    `schedule(n)` in the param groups, where n is the number of `step()` calls: exactly this Python
    float, or a tensor filled in place. The values that the optimizer was made with have no effect,
    but for the ratios of the learning rates, as in `lambda_lr`. Keys without a schedule, lr
    included, are not touched. Each schedule is evaluated once per step, for any number of groups.

    A tuple has one schedule for each element of a tuple in the param groups, and a list has one
    entry for each param group. None leaves an element or a group unchanged:
    `betas=(cyclic(0.95, 0.85, 100), None)`, `weight_decay=[linear(0.1, 0.0, 1000), None]`.

    Groups that do not have a key are left alone, so that `momentum=...` concerns the groups of
    Muon in an optimizer that has groups of AdamW as well. So are groups that were made with a
    weight decay of 0 beside others that have one (biases, weights of norms), unless a list gives
    them a schedule.

    Where a schedule follows a metric, or a controller stands in the place of one, the scheduler has
    `observe(metric)`, `step(metric)` and the type of a `ReduceLROnPlateau`, as a `ControlledLR`.

    Checkpoints, and param groups that are added or removed later, work as in `lambda_lr`.

    Args:
        optimizer: its param groups get the values.
        last_step: the number of the last step already made, torch's `last_epoch`; the first values
            are `schedule(last_step + 1)`.
        keep_ratios: whether the learning rates of the groups keep their ratios under one schedule
            of lr, as in `lambda_lr`. It concerns no other key.
        reference_group: the index of the group whose lr is the schedule's value; by default that of
            the group with the largest lr.
        schedules: the schedules, by key of the param groups.

    Returns:
        The scheduler, a `torch.optim.lr_scheduler.LRScheduler`; one with `observe` if a schedule
        follows a metric.

    Raises:
        TypeError: optimizer is not a torch optimizer, last_step is not an integer, or a key is
            given something other than schedules of plain numbers.
        ValueError: no schedule is given; no param group has a number under a key, or not one whose
            entry in a list is a schedule; a tuple or a list has the wrong length; a duration is not
            in steps; or last_step, reference_group or a learning rate is one that `lambda_lr`
            refuses. The optimizer is unchanged.

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
    given = [part for each in driven.values() for part in each.parts()]
    if not given:
        refuse("schedules", "given for at least one key of the param groups", schedules)
    is_one = isinstance(schedules.get("lr"), (Schedule, Controller))
    keeps_ratios = check_ratio_options(refuse, keep_ratios, reference_group, is_one, len(groups))
    last_step = checked_last_step(refuse, last_step)
    refuse_unresolved(each for each in given if isinstance(each, Schedule))
    unshared = [
        key for key, entries in driven.items() if entries.is_list or (key == "lr" and keeps_ratios)
    ]
    param_groups = ParamGroups(refuse, optimizer, keeps_ratios, reference_group, unshared)
    if is_one:
        warn_if_tested_otherwise("schedule_hyperparameters", optimizer, param_groups.ratios)
    controls = Controls(given)
    if controls.controllers:
        return ControlledHyperparameterLR(optimizer, driven, last_step, param_groups, controls)
    return HyperparameterLR(optimizer, driven, last_step, param_groups)


def _entries(refuse: Refusal, key: str, given: Any, groups: Sequence[Group]) -> Entries:
    """The checked entries of a key."""
    names = dict.fromkeys(name for group in groups for name in group if _holds(name, group))
    if key not in names:
        refuse("key", f"one of the numbers in the param groups ({', '.join(names)})", key)
    entries = Entries(tuple(given) if isinstance(given, list) else (given,), type(given) is list)
    if not all(map(is_plain_recipe, entries.parts())):
        refuse(key, "schedules of plain numbers, or None", given, TypeError)
    _check_entries(refuse, key, entries, groups)
    return entries


def _check_entries(refuse: Refusal, key: str, entries: Entries, groups: Sequence[Group]) -> None:
    """Refuse entries that do not fit the param groups."""
    if entries.is_list:
        check_one_for_each(refuse, key, list(entries.entries), groups)
    for number, (entry, group) in enumerate(zip(entries.of(groups), groups, strict=True)):
        if entry is None:
            continue
        if not _holds(key, group):
            if entries.is_list:
                refuse(key, f"None for param group {number}, which has no such number", entry)
            continue
        value = group[key]
        if isinstance(entry, tuple) and not isinstance(value, (tuple, list)):
            refuse(key, "a schedule, not a tuple, as in the param groups", entries, TypeError)
        if isinstance(value, (tuple, list)) and not isinstance(entry, tuple):
            refuse(key, "a tuple, as in the param groups", entries, TypeError)
        if isinstance(entry, tuple) and len(entry) != len(value):
            refuse(key, f"a tuple of {len(value)}, as in the param groups", entries)


def _holds(key: str, group: Group) -> bool:
    """Whether a group has a number, or several, under a key."""
    if key in _NOT_HYPERPARAMETERS:
        return False
    value = group.get(key)
    parts = value if isinstance(value, (tuple, list)) else (value,)
    return len(parts) > 0 and all(map(_is_number, parts))


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1 and value.is_floating_point()
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class HyperparameterLR(ScheduledLR):
    """A torch scheduler of any hyperparameters; `schedule_hyperparameters` makes it.

    Attributes:
        schedules: the entries of each key.
        recipe: the text that a checkpoint stores for each key.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedules: dict[str, Entries],
        last_step: int,
        groups: ParamGroups,
    ) -> None:
        self.schedules = schedules
        self.recipe: list[str] = [f"{key}={entries!r}" for key, entries in schedules.items()]
        self._groups = groups
        self._use(schedules)
        for key, entries in schedules.items():
            follows_metric = bool(Controls(entries.parts()).controllers)
            claim(Refusal("schedule_hyperparameters"), optimizer, key, self, follows_metric)
        self._save_decay(optimizer.param_groups)
        self._mark(optimizer.param_groups)
        super().__init__(LRScheduler, optimizer, last_step)

    def _use(self, schedules: dict[str, Entries]) -> None:
        """Take the values from these schedules."""
        self._lr = schedules.get("lr")
        self._others = {key: entries for key, entries in schedules.items() if key != "lr"}

    def get_lr(self) -> list[float | torch.Tensor]:
        """The learning rate of each group at `last_epoch`.

        It also sets the other hyperparameters in the groups, as torch's `CyclicLR` sets the
        momentum: so they change whenever torch sets the learning rates.
        """
        rates: list[Any] = super().get_lr()
        count = self.last_epoch
        values = [(k, each.values(count, self._is_set[k])) for k, each in self._others.items()]
        for key, new in values:
            for group, value in zip(self.optimizer.param_groups, new, strict=True):
                if value is not None:
                    old = group[key]
                    group[key] = value if type(old) is float else assign(old, value)
        if None not in rates:
            return rates
        groups = self.optimizer.param_groups
        return [
            group["lr"] if rate is None else rate for group, rate in zip(groups, rates, strict=True)
        ]

    def _rates(self, count: int, ratios: Sequence[float]) -> list[Any]:
        if self._lr is None:
            return [None] * len(ratios)
        values = self._lr.values(count, self._is_set["lr"])
        if ratios.count(1.0) == len(ratios):
            return values
        return [value * ratio for value, ratio in zip(values, ratios, strict=True)]

    def _check_groups(self) -> None:
        refuse = Refusal("schedule_hyperparameters")
        for key, entries in self.schedules.items():
            _check_entries(refuse, key, entries, self.optimizer.param_groups)

    def _include_groups(self) -> None:
        super()._include_groups()
        self._save_decay(self.optimizer.param_groups)
        self._mark(self.optimizer.param_groups)

    def _save_decay(self, groups: Sequence[Group]) -> None:
        """Save the weight decay with which each group was made, before a schedule changes it."""
        if "weight_decay" in self.schedules:
            made_with = [g.get(INITIAL_DECAY, _plain(g.get("weight_decay"))) for g in groups]
            for group, decay in zip(groups, made_with, strict=True):
                group[INITIAL_DECAY] = decay if any(made_with) else None

    def _mark(self, groups: Sequence[Group]) -> None:
        """Note in which groups a key with one entry for all is set."""
        self._is_set = {key: [_holds(key, group) for group in groups] for key in self.schedules}
        if "weight_decay" in self.schedules:
            self._is_set["weight_decay"] = [
                held and group[INITIAL_DECAY] != 0
                for held, group in zip(self._is_set["weight_decay"], groups, strict=True)
            ]


class ControlledHyperparameterLR(MetricLR, HyperparameterLR):
    """A torch scheduler of hyperparameters, some of which follow a metric.

    `schedule_hyperparameters` makes it.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedules: dict[str, Entries],
        last_step: int,
        groups: ParamGroups,
        controls: Controls,
    ) -> None:
        self.controls = controls
        HyperparameterLR.__init__(self, optimizer, schedules, last_step, groups)

    def _take_states(self) -> None:
        self._use(self.schedules)

    def _use(self, schedules: dict[str, Entries]) -> None:
        super()._use({key: each.current(self.controls) for key, each in schedules.items()})


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) else value
