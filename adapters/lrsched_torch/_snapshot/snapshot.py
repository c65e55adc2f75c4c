"""The state of a training run, and the way back to it."""

from __future__ import annotations

import copy
import functools
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Sampler

from lrsched_torch._snapshot.restore import (
    GENERATORS,
    Restore,
    generator,
    items,
    random_state,
    sequence,
)
from lrsched_torch._snapshot.storage import Location, Storage, memory

# Objects whose attributes are their state.
STATEFUL = (nn.Module, torch.optim.Optimizer, LRScheduler, torch.amp.GradScaler)
LOADERS = (DataLoader, Sampler)
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, type})
# Modules that wrap others and keep their Python attributes in step with something outside Python:
# of these only parameters, buffers and modes go back.
_WRAPPERS = ("torch.nn.parallel", "torch.distributed", "torch._dynamo")


class Snapshot:
    """Keeps values, and puts them back as they were: the same objects with the same contents.

    Tensors are copied and filled in place; dicts, lists, deques and sets get the same items again;
    modules, optimizers, schedulers and gradient scalers the same attributes. What these contain is
    kept with them, at any depth. Other objects are put back in their places, and what is inside
    them stays as it is.
    """

    def __init__(self, place: Location = "device") -> None:
        self._seen: dict[int, object] = {}  # the values too: an id is one as long as they live
        self._records: list[Restore] = []
        self._memory: Storage = memory(place)

    def keep(self, *values: object) -> None:
        """Keep values and what they contain."""
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            if id(value) not in self._seen and type(value) not in _PLAIN:
                self._seen[id(value)] = value
                waiting += self._record(value)

    def keep_random_state(self) -> None:
        """Keep the global generators of torch, its devices, NumPy and Python."""
        self._records.append(random_state())

    def keep_state_dict(self, value: Any) -> None:
        """Keep what a `state_dict` of any kind holds."""
        state = copy.deepcopy(value.state_dict())
        self._records.append(lambda: value.load_state_dict(copy.deepcopy(state)))

    def rewind(self) -> None:
        """Put everything back; it can be done again.

        Raises:
            RuntimeError: some could not be; the rest is as it was.
        """
        failed: list[Exception] = []
        shards: Restore = functools.partial(reshard, self._seen.values())
        with torch.no_grad():
            for restore in (shards, *self._records):
                try:
                    restore()
                except Exception as error:
                    failed.append(error)
        if failed:
            count = f"{len(failed)} of {len(self._records)}"
            raise RuntimeError(
                f"range_test: {count} parts of the state could not be restored: {failed[0]}"
            ) from failed[0]

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Put everything back at the end, however it comes, and forget it."""
        try:
            try:
                yield
            finally:
                self.rewind()
        except KeyboardInterrupt:  # it may have come in the middle of that, and may come again
            while not self._rewound():
                pass
            raise
        finally:
            self.forget()

    def _rewound(self) -> bool:
        try:
            self.rewind()
        except KeyboardInterrupt:
            return False
        return True

    def forget(self) -> None:
        """Let go of the copies."""
        self._records.clear()
        self._seen.clear()
        self._memory.close()

    def _record(self, value: Any) -> Iterable[object]:
        """Record the value itself, and return what it contains."""
        if isinstance(value, torch.Tensor):
            return self._record_tensor(value)
        if isinstance(value, np.ndarray):
            if value.flags.writeable:
                self._records.append(functools.partial(np.copyto, value, value.copy()))
        elif isinstance(value, GENERATORS):
            self._records.append(generator(value))
        elif isinstance(value, (dict, set)):
            self._records.append(items(value))
            return _parts(value.values()) if isinstance(value, dict) else ()
        elif isinstance(value, (list, deque)):
            self._records.append(sequence(value))
            return _parts(value)
        elif isinstance(value, (tuple, frozenset)):
            return _parts(value)
        elif isinstance(value, nn.Module) and type(value).__module__.startswith(_WRAPPERS):
            self._records.append(functools.partial(setattr, value, "training", value.training))
            return value._parameters, value._buffers, value._modules
        elif isinstance(value, torch.optim.Optimizer):
            return vars(value), *_own_objects(value)
        elif isinstance(value, nn.Module):
            attributes = vars(value)
            self._records.append(items(attributes))
            return [
                x for name, x in attributes.items() if type(x) not in _PLAIN and not _hooks(name)
            ]
        elif isinstance(value, STATEFUL):
            return (vars(value),)
        elif isinstance(value, LOADERS):
            # Not the data, only what of it is on the loader: the epoch, the workers, an order.
            self._records.append(items(vars(value)))
            return [x for x in vars(value).values() if isinstance(x, (*GENERATORS, *LOADERS, list))]
        return ()

    def _record_tensor(self, tensor: torch.Tensor) -> Iterable[object]:
        here = _writable(tensor)
        read = self._memory.store(here)
        movable = here.layout == torch.strided and not hasattr(tensor, "to_local")
        address = tensor.data_ptr() if movable else 0
        leaf = tensor.is_leaf
        gradient, required = tensor.grad if leaf else None, tensor.requires_grad

        def restore() -> None:
            here.copy_(read())
            if movable and (tensor.data_ptr() != address or tensor.shape != shape):
                tensor.data = data
            if leaf:
                if tensor.requires_grad != required:
                    tensor.requires_grad_(required)
                tensor.grad = gradient

        shape, data = tensor.shape, tensor.detach()
        self._records.append(restore)
        return () if gradient is None else (gradient,)


def _hooks(name: str) -> bool:
    """Whether it is one of a module's dozen dicts of hooks, which are no state."""
    return name.endswith(("_hooks", "_with_kwargs", "_always_called"))


def _own_objects(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """The attributes of the objects of its own that an optimizer keeps in its state."""
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
    """Put the sharded parameters of FSDP2 modules in their places, as between updates."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    kind = getattr(fsdp, "FSDPModule", None)
    if kind is not None:
        for value in values:
            if isinstance(value, kind):
                value.reshard()


def _writable(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor's own memory, without autograd: its shard, and what is repeated only once."""
    if tensor.layout != torch.strided:
        return tensor  # sparse: a detached one has other indices
    here = tensor.detach()
    if hasattr(here, "to_local"):  # a DTensor
        here = here.to_local()
    for dim, (size, stride) in enumerate(zip(here.shape, here.stride(), strict=True)):
        if stride == 0 and size > 1:
            here = here.narrow(dim, 0, 1)
    return here
