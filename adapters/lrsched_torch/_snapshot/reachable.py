"""Find the stateful objects reachable from a training step."""

from __future__ import annotations

import functools
import types
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from lrsched_torch._snapshot.restore import GENERATORS
from lrsched_torch._snapshot.snapshot import LOADERS, STATEFUL, is_of_a_package

_FOUND = (*STATEFUL, *GENERATORS, *LOADERS, nn.Parameter)
_CLOSED = (*STATEFUL, torch.Tensor, np.ndarray, str, bytes, int, float, type)
_MOST_ITEMS = 100  # a longer container is data, and is not searched
_MOST_OBJECTS = 10_000  # after which the search ends
_DEEPEST = 8  # references from the root


def reachable_state(*roots: object, packages: Collection[str] = ()) -> list[Any]:
    """The modules, parameters, optimizers, schedulers, scalers, loaders and generators reachable.

    From a function these are: its closure, its defaults, the object that it is bound to, the
    globals that it names, and what all of these contain. Long containers are not searched.

    The objects of these packages are returned too.
    """
    found: list[Any] = []
    seen: dict[int, object] = {}
    waiting = deque((root, 0) for root in roots)
    while waiting and len(seen) < _MOST_OBJECTS:
        value, depth = waiting.popleft()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        # By type, as `isinstance` may run code of a proxy.
        if issubclass(type(value), _FOUND) or (packages and is_of_a_package(value, packages)):
            found.append(value)
        if depth < _DEEPEST and not issubclass(type(value), _CLOSED):
            waiting.extend((part, depth + 1) for part in _parts(value))
    return found


def _parts(value: Any) -> Iterator[object]:
    """The objects to which a value refers."""
    if isinstance(value, types.FunctionType):
        yield from (_content(cell) for cell in value.__closure__ or ())
        yield from value.__defaults__ or ()
        yield from (value.__kwdefaults__ or {}).values()
        if not (value.__module__ or "").startswith("torch."):
            yield from _globals(value.__code__, value.__globals__)
        yield from vars(value).values()
    elif isinstance(value, types.MethodType):
        yield from (value.__self__, value.__func__)
    elif isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, (types.GeneratorType, types.ModuleType)):
        return
    elif issubclass(type(value), (dict, list, tuple, set, frozenset, deque)):
        if len(value) <= _MOST_ITEMS:
            yield from value.values() if isinstance(value, dict) else value
    else:
        yield getattr(type(value), "__call__", None)  # noqa: B004  # the function that runs on a call
        try:
            yield from vars(value).values()
        except TypeError:
            return


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # the variable is not assigned yet
        return None


def _globals(code: types.CodeType, names: dict[str, Any]) -> Iterator[object]:
    """The globals that a function's code names, attributes of modules (`config.MODEL`) included."""
    for name in code.co_names:
        value = names.get(name)
        if isinstance(value, types.ModuleType):
            attributes = (vars(value).get(other) for other in code.co_names)
            yield from (x for x in attributes if issubclass(type(x), (*_FOUND, types.FunctionType)))
        elif value is not None:
            yield value
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals(constant, names)


def parameters(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The parameters of all param groups."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def has_unfound_parameters(optimizer: torch.optim.Optimizer, found: Iterable[object]) -> bool:
    """Whether a parameter of the optimizer is neither in `found` nor in a module in `found`."""
    found = list(found)
    held = {id(p) for x in found if isinstance(x, nn.Module) for p in x.parameters()}
    held |= set(map(id, found))
    return any(id(p) not in held for p in parameters(optimizer))
