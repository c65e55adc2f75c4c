"""Save the state of a training run, and restore it."""

from __future__ import annotations

import copy
import functools
import sys
import types
from collections import deque
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Sampler

from lrsched_torch._snapshot.restore import (
    GENERATORS,
    Restore,
    restore_all,
    restored,
    save_generator,
    save_items,
    save_random_state,
    save_sequence,
)
from lrsched_torch._snapshot.storage import Location, Storage, open_storage

# Objects whose attributes are their state.
STATEFUL = (nn.Module, torch.optim.Optimizer, LRScheduler, torch.amp.GradScaler)
LOADERS = (DataLoader, Sampler)
_DATA = ("dataset", "data_source")  # of loaders and samplers
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, type})
# Packages of modules that wrap others and keep their Python attributes in step with state outside
# Python: of these modules only parameters, buffers and modes are restored.
_WRAPPERS = ("torch.nn.parallel", "torch.distributed", "torch._dynamo")


class Snapshot:
    """Saves objects and restores them: the same objects with the same contents.

    Tensors are copied and filled in place. Dicts, lists, deques and sets get the same items again,
    and modules, optimizers, schedulers and gradient scalers the same attributes. Their contents are
    saved too, at any depth. Other objects are put back where they were, with their contents as they
    then are.

    Args:
        location: where the copies of tensors are kept.
        packages: the names of packages, such as "lightning", whose objects get the same attributes
            again too, with their contents.
        holders: classes of objects that hold what is not state, such as data: they get the same
            attributes again, and of the contents only loaders and generators are saved.
    """

    def __init__(
        self,
        location: Location = "device",
        packages: Collection[str] = (),
        holders: tuple[type, ...] = (),
    ) -> None:
        self._packages = frozenset(packages)
        self._holders = holders
        self._seen: dict[int, object] = {}  # by id; holding the objects keeps the ids unique
        self._restores: list[Restore] = []
        self._storage: Storage = open_storage(location)

    def leave(self, *values: object) -> None:
        """Leave these objects and their contents as they are, such as data sets."""
        self._seen.update((id(value), value) for value in values)

    def keep(self, *values: object) -> None:
        """Save objects and their contents."""
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            if id(value) not in self._seen and type(value) not in _PLAIN:
                self._seen[id(value)] = value
                waiting += self._record(value)

    def keep_random_state(self) -> None:
        """Save the global random generators of torch, its devices, NumPy and Python."""
        self._restores.append(save_random_state())

    def keep_state_dict(self, value: Any) -> None:
        """Save the `state_dict` of an object of any type."""
        state = copy.deepcopy(value.state_dict())
        self._restores.append(lambda: value.load_state_dict(copy.deepcopy(state)))

    def rewind(self) -> None:
        """Restore everything. It can be called again.

        Raises:
            RuntimeError: part of the state could not be restored; the rest is.
        """
        first: Restore = functools.partial(reshard, self._seen.values())
        with torch.no_grad():
            restore_all((first, *self._restores))

    def restored(self) -> AbstractContextManager[None]:
        """Restore everything when the block ends, also by an exception; then delete the copies."""
        return restored(self.rewind, self.forget)

    def forget(self) -> None:
        """Delete the copies."""
        self._restores.clear()
        self._seen.clear()
        self._storage.close()

    def _record(self, value: Any) -> Iterable[object]:
        """Save the object itself, and return its contents."""
        if isinstance(value, torch.Tensor):
            return self._record_tensor(value)
        if isinstance(value, np.ndarray):
            if value.flags.writeable:
                self._restores.append(functools.partial(np.copyto, value, value.copy()))
        elif isinstance(value, GENERATORS):
            self._restores.append(save_generator(value))
        elif isinstance(value, (dict, set)):
            self._restores.append(save_items(value))
            return self._with_attributes(value, value.values() if isinstance(value, dict) else ())
        elif isinstance(value, (list, deque)):
            self._restores.append(save_sequence(value))
            return self._with_attributes(value, value)
        elif isinstance(value, (tuple, frozenset)):
            return _parts(value)
        elif isinstance(value, nn.Module) and type(value).__module__.startswith(_WRAPPERS):
            self._restores.append(functools.partial(setattr, value, "training", value.training))
            return value._parameters, value._buffers, value._modules
        elif isinstance(value, torch.optim.Optimizer):
            return vars(value), *_own_objects(value)
        elif isinstance(value, nn.Module):
            attributes = vars(value)
            self._restores.append(save_items(attributes))
            return [
                x
                for name, x in attributes.items()
                if type(x) not in _PLAIN and (self._packages or not _is_hook_dict(name))
            ]
        elif isinstance(value, STATEFUL):
            return (vars(value),)
        elif isinstance(value, LOADERS) or self._is_loader_of_a_package(value):
            # Not the data set, only the loader's own state: the epoch, the workers, an order.
            self._restores.append(save_items(vars(value)))
            return [
                x
                for name, x in vars(value).items()
                if isinstance(x, (*GENERATORS, *LOADERS, list)) and name not in _DATA
            ]
        elif isinstance(value, self._holders):
            self._restores.append(save_items(vars(value)))
            known = (*GENERATORS, *LOADERS, *self._holders)
            return [x for x in vars(value).values() if isinstance(x, known)]
        return self._with_attributes(value, ())

    def _with_attributes(self, value: Any, parts: Iterable[Any]) -> list[Any]:
        """The parts of an object, and its attributes if its class is one of the packages'."""
        has_some = bool(self._packages) and is_of_a_package(value, self._packages)
        return [*_parts(parts), *([vars(value)] if has_some else [])]

    def _is_loader_of_a_package(self, value: Any) -> bool:
        is_loader = "dataset" in getattr(value, "__dict__", ())
        return is_loader and bool(self._packages) and is_of_a_package(value, self._packages)

    def _record_tensor(self, tensor: torch.Tensor) -> Iterable[object]:
        data = _writable(tensor)
        read = self._storage.store(data)
        movable = data.layout == torch.strided and not hasattr(tensor, "to_local")
        address = tensor.data_ptr() if movable else 0
        leaf = tensor.is_leaf
        gradient, required = tensor.grad if leaf else None, tensor.requires_grad

        def restore() -> None:
            data.copy_(read())
            if movable and (tensor.data_ptr() != address or tensor.shape != shape):
                tensor.data = original
            if leaf:
                if tensor.requires_grad != required:
                    tensor.requires_grad_(required)
                tensor.grad = gradient

        shape, original = tensor.shape, tensor.detach()
        self._restores.append(restore)
        return () if gradient is None else (gradient,)


def is_of_a_package(value: Any, packages: Collection[str]) -> bool:
    """Whether an object with attributes is an instance of a class of the packages."""
    if isinstance(value, (type, types.ModuleType)) or not hasattr(value, "__dict__"):
        return False
    bases = {base.__module__.partition(".")[0] for base in type(value).__mro__}
    return not bases.isdisjoint(packages)


def _is_hook_dict(name: str) -> bool:
    """Whether an attribute of a module is one of its dozen dicts of hooks.

    A training step adds none; a trainer may.
    """
    return name.endswith(("_hooks", "_with_kwargs", "_always_called"))


def _own_objects(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """The attributes of objects of its own classes that an optimizer keeps in its state."""
    states = [x for x in optimizer.state.values() if isinstance(x, dict)]
    values = [x for state in states for x in _parts(state.values())]
    return [
        vars(x)
        for x in values
        if hasattr(x, "__dict__") and not callable(x) and not isinstance(x, torch.Tensor)
    ]


def _parts(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if type(value) not in _PLAIN]


def reshard(values: Iterable[object]) -> None:
    """Put the sharded parameters of FSDP2 modules in place, as they are between updates."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    kind = getattr(fsdp, "FSDPModule", None)
    if kind is not None:
        for value in values:
            if isinstance(value, kind):
                value.reshard()


def _writable(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor's own memory without autograd: its shard, and expanded dimensions only once."""
    if tensor.layout != torch.strided:
        return tensor  # sparse: a detached one has other indices
    data = tensor.detach()
    if hasattr(data, "to_local"):  # a DTensor
        data = data.to_local()
    for dim, (size, stride) in enumerate(zip(data.shape, data.stride(), strict=True)):
        if stride == 0 and size > 1:
            data = data.narrow(dim, 0, 1)
    return data
