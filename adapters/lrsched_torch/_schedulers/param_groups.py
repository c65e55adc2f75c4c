"""The param groups of an optimizer, and the ratios of their learning rates to one schedule.

A group holds its ratio under the key `lr_ratio`. So a group that is added or removed changes no
other ratio, and a checkpoint of the optimizer holds the ratios, in any order of loading.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch

from lrsched._core import FLAG, Refusal, integer, optional

Group = dict[str, Any]

KEY = "lr_ratio"

_INDEX = optional(integer(0, "index"))


class ParamGroups:
    """The param groups of an optimizer as its scheduler knows them.

    A group that is added to the optimizer has no ratio until `include` gives it one.

    Args:
        refuse: refuses groups that cannot be in proportion.
        optimizer: the optimizer.
        keeps_ratios: whether the groups keep ratios to one schedule.
        reference_group: the group whose learning rate is the schedule's value; by default the one
            with the largest.
        keys: the keys that a tensor must not be shared under.

    Attributes:
        ratios: the ratio of each included group to the schedule.
    """

    def __init__(
        self,
        refuse: Refusal,
        optimizer: torch.optim.Optimizer,
        keeps_ratios: bool,
        reference_group: int | None,
        keys: Sequence[str],
    ) -> None:
        self.keeps_ratios = keeps_ratios
        self._refuse = refuse
        self._optimizer = optimizer
        self._reference_group = reference_group
        self._keys = keys
        self.ratios: list[float] = []
        self._include(reference_group)

    @property
    def have_changed(self) -> bool:
        """Whether groups were added or removed, or replaced by those of a checkpoint.

        A group is added at the end, and a checkpoint replaces the list.
        """
        groups = self._optimizer.param_groups
        return (
            groups is not self._list or len(groups) != self._count or groups[-1] is not self._last
        )

    @property
    def initial_rates(self) -> list[float]:
        """The rates that the included groups were made with, if they have ratios."""
        return [*map(float, self._initial)] if self.keeps_ratios else []

    def restored_ratios(self, saved: Sequence[float] | None) -> list[float]:
        """The ratios, those of a checkpoint where it has them."""
        if not self.keeps_ratios or saved is None:
            return self.ratios
        return [*saved, *self.ratios[len(saved) :]][: len(self.ratios)]

    def restore(self, ratios: Sequence[float], initial: Sequence[float] | None) -> None:
        """Restore the ratios, and the learning rates that the groups were made with."""
        groups = self._optimizer.param_groups
        set_values(groups, KEY, ratios)
        set_values(groups, "initial_lr", initial or ())
        self.ratios = [*ratios]
        self._initial = [group["initial_lr"] for group in groups]

    def include(self) -> None:
        """Include the present groups."""
        held = any(KEY in group for group in self._optimizer.param_groups)
        self._include(None if held else self._reference_group)

    def _include(self, reference_group: int | None) -> None:
        groups = self._optimizer.param_groups
        ratios = [1.0] * len(groups)
        if self.keeps_ratios:
            ratios = group_ratios(self._refuse, self._optimizer, reference_group)
            set_values(groups, KEY, ratios)
        set_initial_lr(groups)
        for key in self._keys:
            unshare_tensors(groups, key)
        self.ratios = ratios
        self._list, self._count = groups, len(groups) or -1  # an empty list has no last group
        self._last = groups[-1] if groups else None
        self._initial = [group["initial_lr"] for group in groups]


class _Scheduler(Protocol):
    def optimizer_was_loaded(self) -> None: ...


def after_loading(optimizer: torch.optim.Optimizer, scheduler: _Scheduler) -> None:
    """Tell a scheduler of each `optimizer.load_state_dict`, as long as the scheduler lives."""
    alive = weakref.ref(scheduler)

    def tell(_: torch.optim.Optimizer) -> None:
        told = alive()
        if told is not None:
            told.optimizer_was_loaded()

    # Wrappers such as Accelerate's are optimizers by type only, and hold no hooks.
    if hasattr(optimizer, "_optimizer_load_state_dict_post_hooks"):
        optimizer.register_load_state_dict_post_hook(tell)


def check_ratio_options(
    refuse: Refusal, keep_ratios: Any, reference_group: Any, one_schedule: bool, groups: int
) -> bool:
    """Whether the groups keep ratios to one schedule; wrong options are refused."""
    keeps = bool(refuse.check("keep_ratios", FLAG, keep_ratios) and one_schedule)
    index = refuse.check("reference_group", _INDEX, reference_group)
    if index is not None and not keeps:
        refuse("reference_group", "None unless one schedule with keep_ratios sets the lr", index)
    if index is not None and index >= groups:
        refuse("reference_group", f"below {groups}, the number of param groups", index)
    return keeps


def group_ratios(
    refuse: Refusal, optimizer: torch.optim.Optimizer, reference_group: int | None = None
) -> list[float]:
    """The ratio of each param group to the schedule.

    A group keeps the ratio that it holds. If none holds one, the ratio is that of the group's
    initial learning rate to the reference group's, by default the largest. If some do, the others
    were added after the ratios were fixed, and have the ratio of their learning rate to the
    schedule's present value. Changes nothing.
    """
    groups = optimizer.param_groups
    if not any(KEY in group for group in groups):
        return _initial(refuse, groups, reference_group)
    carriers = [group for group in groups if KEY in group]
    default = getattr(optimizer, "defaults", {}).get("lr")
    ratios = [
        group[KEY] if KEY in group else _added(refuse, number, group, carriers, default)
        for number, group in enumerate(groups)
    ]
    if reference_group is None:
        return ratios
    reference = ratios[reference_group]
    _check_reference(refuse, reference_group, reference)
    return [ratio / reference for ratio in ratios]


def _initial(refuse: Refusal, groups: Sequence[Group], reference_group: int | None) -> list[float]:
    given = [group.get("initial_lr", group["lr"]) for group in groups]
    if len(groups) == 1:
        return [1.0]
    rates = [_rate(refuse, number, rate) for number, rate in enumerate(given)]
    reference = max(rates) if reference_group is None else rates[reference_group]
    if rates == [reference] * len(rates):
        return [1.0] * len(rates)
    _check_reference(refuse, reference_group, reference)
    return [rate / reference for rate in rates]


def _added(
    refuse: Refusal, number: int, group: Group, carriers: Sequence[Group], default: Any
) -> float:
    """The ratio of a group that was added to others that hold theirs.

    torch gives a group without a learning rate the one that the optimizer was made with: a number
    relates to the initial rates, and a tensor is the one that another group has. While the
    schedule's value is 0, every learning rate relates to the initial rates.
    """
    lr = group["lr"]
    if isinstance(lr, torch.Tensor):
        for carrier in carriers:
            if carrier["lr"] is lr:
                return float(carrier[KEY])
    rate = _rate(refuse, number, lr)
    carrier = max(carriers, key=lambda group: group[KEY])
    initial = float(carrier.get("initial_lr", 0.0))
    present = initial if lr is default else float(carrier["lr"]) or initial
    if present * carrier[KEY] == 0.0:
        expected = f"given under the key {KEY!r}, for no other group has a rate to compare with"
        refuse(f"the ratio of param group {number}", expected, None)
    return rate / present * float(carrier[KEY])


def _rate(refuse: Refusal, number: int, rate: Any) -> float:
    known = isinstance(rate, (int, float)) or (isinstance(rate, torch.Tensor) and rate.numel() == 1)
    if not known or not math.isfinite(rate) or rate < 0:
        refuse(f"the lr of param group {number}", "a number >= 0 with keep_ratios", rate)
    return float(rate)


def _check_reference(refuse: Refusal, number: int | None, rate: float) -> None:
    if rate == 0.0:
        refuse(f"the lr of param group {number}", "above 0, for it is the reference group", rate)


def set_values(groups: Iterable[Group], key: str, values: Iterable[float]) -> None:
    """Write values under a key into the first groups, as many as there are."""
    for group, value in zip(groups, values, strict=False):
        group[key] = value


def set_initial_lr(groups: Iterable[Group]) -> None:
    """Save the lr of each group as `initial_lr`, as torch does and requires on resuming."""
    for group in groups:
        lr = group["lr"]
        group.setdefault("initial_lr", lr.clone() if isinstance(lr, torch.Tensor) else lr)


def unshare_tensors(groups: Iterable[Group], key: str) -> None:
    """Give each group a tensor of its own; an optimizer puts one default tensor into all groups."""
    seen: set[int] = set()
    for group in groups:
        if key in group:
            group[key] = _unshared(group[key], seen)


def _unshared(value: Any, seen: set[int]) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_unshared(each, seen) for each in value)
    if not isinstance(value, torch.Tensor):
        return value
    own = value.clone() if id(value) in seen else value
    seen.add(id(own))
    return own
