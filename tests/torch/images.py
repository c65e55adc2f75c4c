"""Objects of a training as plain values, to be compared bit for bit."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Dataset, Sampler

PACKAGES = ("transformers.", "accelerate.", "lightning.")  # with these go attributes


def image(value: Any, known: dict[int, Any] | None = None) -> Any:
    """A value as plain data that compares bit for bit; with its identity if `known` is given.

    `known` holds what was met, so that no other object can have its identity.
    """
    if isinstance(value, (int, float, str, bytes, type(None), type)):
        return value
    identity = None if known is None else id(value)
    if known is not None:
        if id(value) in known:
            return identity
        known[id(value)] = value
    return identity, _contents(value, lambda part: image(part, known))


def _contents(value: Any, of: Callable[[Any], Any]) -> Any:
    if isinstance(value, torch.Tensor):
        own = value.dtype, value.shape, value.requires_grad, value.detach().numpy().tobytes()
        return own, of(value.grad) if value.is_leaf else None
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, Mapping):
        return [(key if isinstance(key, str) else str(type(key)), of(value[key])) for key in value]
    if isinstance(value, (list, tuple)):
        return [of(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return len(value)
    if isinstance(value, nn.parallel.DistributedDataParallel):
        return of(value.module)  # of the rest, there is more outside Python
    kinds = (nn.Module, torch.optim.Optimizer, LRScheduler, torch.amp.GradScaler)
    if isinstance(value, (*kinds, DataLoader, Dataset, Sampler)) or any(
        each.__module__.startswith(PACKAGES) for each in type(value).__mro__
    ):
        return type(value), of(vars(value))
    return type(value)


def random_image() -> Any:
    """The states of the global random generators."""
    return image([torch.get_rng_state(), random.getstate(), np.random.get_state()])
