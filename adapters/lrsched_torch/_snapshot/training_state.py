"""What a range test restores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from lrsched._core import Refusal
from lrsched_torch._snapshot.reachable import has_unfound_parameters, reachable_state
from lrsched_torch._snapshot.restore import GENERATORS
from lrsched_torch._snapshot.snapshot import LOADERS, STATEFUL, Snapshot, reshard
from lrsched_torch._snapshot.storage import Location

_refuse = Refusal("range_test")
_KNOWN = (*STATEFUL, *LOADERS, *GENERATORS, torch.Tensor)


def state_of(
    modules: Any,
    restore: Iterable[Any],
    step: Any,
    optimizer: torch.optim.Optimizer,
    batches: Any,
    metrics: Any,
) -> list[Any]:
    """The stateful objects that a test may change, besides the optimizer and what it holds.

    Sharded modules among them are put into the state that they have between updates.
    """
    if modules is None:
        objects = reachable_state(step, metrics, batches)
        reshard(modules_in(objects))
        if has_unfound_parameters(optimizer, [*objects, *restore]):
            expected = (
                "the modules that are trained (nothing that step refers to holds all of the "
                "optimizer's parameters)"
            )
            _refuse("modules", expected, modules)
    else:
        several = [modules] if isinstance(modules, nn.Module) else modules
        several = list(several) if isinstance(several, Iterable) else [several]
        if not all(isinstance(module, nn.Module) for module in several):
            _refuse("modules", "a module, several, or None", modules, TypeError)
        objects = [*several, *reachable_state(batches)]
        reshard(modules_in(objects))
    return objects


def modules_in(objects: Iterable[Any]) -> list[nn.Module]:
    """The modules among these, and those inside them, each once."""
    inside = (m for x in objects if isinstance(x, nn.Module) for m in x.modules())
    return list({id(module): module for module in inside}.values())


def trained_elsewhere(
    modules: Iterable[nn.Module], weights: list[torch.Tensor]
) -> list[torch.Tensor]:
    """The parameters in modules that get gradients, but are not among the weights."""
    own = {id(weight) for weight in weights}
    inside = {id(p): p for m in modules for p in m._parameters.values() if p is not None}
    return [p for key, p in inside.items() if key not in own and p.requires_grad]


def snapshot(objects: list[Any], extra: list[Any], memory: Location) -> Snapshot:
    """The present state of these, and of the global generators."""
    for each in extra:
        if not isinstance(each, _KNOWN) and not _has_state_dict(each):
            wanted = "modules, optimizers, generators, or have state_dict and load_state_dict"
            _refuse("restore", wanted, each, TypeError)
    kept = Snapshot(memory)
    try:
        kept.keep(*objects, *(each for each in extra if isinstance(each, _KNOWN)))
        for each in extra:
            if not isinstance(each, _KNOWN):
                kept.keep_state_dict(each)
        kept.keep_random_state()
    except BaseException:  # a full disk, for instance
        kept.forget()
        raise
    return kept


def _has_state_dict(value: Any) -> bool:
    return all(callable(getattr(value, name, None)) for name in ("state_dict", "load_state_dict"))
