"""Set the suggested rate in a module, in its optimizer and in the schedulers of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lrsched._core import Refusal
from lrsched_torch._lightning import packages

_refuse = Refusal("range_test")
_NAMES = ("lr", "learning_rate")


def attribute_of(trainer: Any, module: Any, name: str | None) -> str:
    """The name of the module's attribute, or of its hyperparameter, with the learning rate."""
    has = packages.part(packages.package_of(trainer), "utilities.parsing.lightning_hasattr")
    for each in _NAMES if name is None else (name,):
        if has(module, each):
            return each
    expected = "the name of an attribute of the module or of its hparams"
    return _refuse("attr_name", expected if name else f"{expected}, for there is no lr", name)


def set_attribute(trainer: Any, module: Any, name: str, rate: float) -> None:
    """Set an attribute of the module, or a hyperparameter."""
    write = packages.part(packages.package_of(trainer), "utilities.parsing.lightning_setattr")
    write(module, name, rate)


def set_rates(
    optimizer: torch.optim.Optimizer, rates: Sequence[float], schedulers: Sequence[Any]
) -> None:
    """Set the rates of the param groups as if the optimizer had been made with them.

    Torch's schedulers, which multiply the initial rates, follow; those of lrsched have rates of
    their own, and keep them.
    """
    own = [each for each in schedulers if getattr(each, "optimizer", None) is optimizer]
    if any(type(each).__module__.startswith("lrsched_torch") for each in own):
        return
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        initial, present = float(group.get("initial_lr", group["lr"])), float(group["lr"])
        _write(group, "lr", rate if present == initial else rate * present / initial)
        if "initial_lr" in group:
            _write(group, "initial_lr", rate)
    for scheduler in own:
        for each in (scheduler, *getattr(scheduler, "_schedulers", ())):
            if hasattr(each, "base_lrs"):
                each.base_lrs = [*rates]


def _write(group: dict[str, Any], key: str, rate: float) -> None:
    if isinstance(group[key], torch.Tensor):
        group[key].fill_(rate)
    else:
        group[key] = rate
