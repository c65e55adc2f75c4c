"""Find and save the state that a range test restores."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

import torch
from torch import nn

from lrsched._core import Refusal
from lrsched_torch._snapshot.reachable import has_unfound_parameters, reachable_state
from lrsched_torch._snapshot.restore import GENERATORS
from lrsched_torch._snapshot.snapshot import (
    LOADERS,
    STATEFUL,
    Snapshot,
    is_of_a_package,
    reshard,
)
from lrsched_torch._snapshot.storage import Location

# A module, optimizer, scheduler, scaler, generator, loader or tensor; or any other object with
# `state_dict` and `load_state_dict`.
Restorable: TypeAlias = Any

_refuse = Refusal("range_test")
_KNOWN = (*STATEFUL, *LOADERS, *GENERATORS, torch.Tensor)


def state_of(
    modules: Any,
    restore: Iterable[Restorable],
    step: Any,
    optimizer: torch.optim.Optimizer,
    batches: Any,
    metrics: Any,
    packages: Collection[str] = (),
) -> list[Any]:
    """The stateful objects that a test may change, besides the optimizer and its contents.

    They include the objects of these packages, to which `step` refers.

    Sharded modules among them are resharded, as they are between updates.
    """
    if modules is None:
        objects = reachable_state(step, metrics, batches, packages=packages)
        reshard(modules_in(objects))
        if has_unfound_parameters(optimizer, [*objects, *restore]):
            expected = (
                "the modules that are trained (nothing that step refers to holds all of the "
                "optimizer's parameters)"
            )
            _refuse("modules", expected, modules)
    else:
        given = [modules] if isinstance(modules, nn.Module) else modules
        given = list(given) if isinstance(given, Iterable) else [given]
        if not all(isinstance(module, nn.Module) for module in given):
            _refuse("modules", "a module, several, or None", modules, TypeError)
        objects = [*given, *reachable_state(batches, packages=packages)]
        found = reachable_state(step, packages=packages) if packages else []
        objects += [each for each in found if is_of_a_package(each, packages)]
        reshard(modules_in(objects))
    return objects


def modules_in(objects: Iterable[Any]) -> list[nn.Module]:
    """The modules among the objects and all modules inside them, each once."""
    modules = (m for x in objects if isinstance(x, nn.Module) for m in x.modules())
    return list({id(module): module for module in modules}.values())


def trained_elsewhere(
    modules: Iterable[nn.Module], weights: list[torch.Tensor]
) -> list[torch.Tensor]:
    """The parameters of the modules that get gradients but are not among the weights."""
    own = {id(weight) for weight in weights}
    others = {id(p): p for m in modules for p in m._parameters.values() if p is not None}
    return [p for key, p in others.items() if key not in own and p.requires_grad]


def snapshot(
    objects: list[Any],
    extra: list[Restorable],
    memory: Location,
    packages: Collection[str] = (),
    holders: tuple[type, ...] = (),
    data: Iterable[object] = (),
) -> Snapshot:
    """Save these objects and the global random generators.

    `packages` and `holders` are those of `Snapshot`; `data` is left as it is, wherever it is.
    """
    for each in extra:
        if not isinstance(each, _KNOWN) and not _has_state_dict(each):
            expected = "modules, optimizers, generators, or have state_dict and load_state_dict"
            _refuse("restore", expected, each, TypeError)
    saved = Snapshot(memory, packages, holders)
    saved.leave(*data)
    try:
        saved.keep(*objects, *(each for each in extra if isinstance(each, _KNOWN)))
        for each in extra:
            if not isinstance(each, _KNOWN):
                saved.keep_state_dict(each)
        saved.keep_random_state()
    except BaseException:  # such as a full disk
        saved.forget()
        raise
    return saved


def _has_state_dict(value: Any) -> bool:
    return all(callable(getattr(value, name, None)) for name in ("state_dict", "load_state_dict"))
