"""Save the contents of an object: each function here returns a function that restores them."""

from __future__ import annotations

import copy
import functools
import operator
import random
from collections.abc import Callable, Collection, MutableSequence
from typing import Any

import numpy as np
import torch

Restore = Callable[[], object]

GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


def save_random_state() -> Restore:
    """Save the state of the global random generators of torch, its devices, NumPy and Python."""
    restores: list[Restore] = [
        functools.partial(torch.set_rng_state, torch.get_rng_state()),
        functools.partial(random.setstate, random.getstate()),
        functools.partial(np.random.set_state, np.random.get_state()),
    ]
    for name in ("cuda", "xpu"):
        device = getattr(torch, name)
        if device.is_initialized():
            states = device.get_rng_state_all()
            restores.append(functools.partial(device.set_rng_state_all, states))
    if torch.backends.mps.is_available():
        restores.append(functools.partial(torch.mps.set_rng_state, torch.mps.get_rng_state()))
    return lambda: [restore() for restore in restores]


def save_generator(generator: Any) -> Restore:
    """Save the state of a random generator."""
    if isinstance(generator, torch.Generator):
        return functools.partial(generator.set_state, generator.get_state())
    if isinstance(generator, np.random.Generator):
        bits, state = generator.bit_generator, copy.deepcopy(generator.bit_generator.state)
        return lambda: setattr(bits, "state", state)
    if isinstance(generator, np.random.RandomState):
        return functools.partial(generator.set_state, generator.get_state())
    return functools.partial(generator.setstate, generator.getstate())


def save_items(container: Any) -> Restore:
    """Save the items of a dict or set, in their order."""
    saved: Any = dict(container) if isinstance(container, dict) else set(container)

    def restore() -> None:
        if isinstance(container, dict) and _same(container, saved):
            for key, value in saved.items():
                if container[key] is not value:
                    container[key] = value
        else:
            container.clear()
            container.update(saved)

    return restore


def save_sequence(container: MutableSequence[Any]) -> Restore:
    """Save the items of a list or deque."""
    saved = list(container)

    def restore() -> None:
        if not _same(container, saved):
            container.clear()
            container.extend(saved)

    return restore


def _same(first: Collection[Any], second: Collection[Any]) -> bool:
    """Whether two collections hold the same objects; `==` on tensors would give no truth value."""
    return len(first) == len(second) and all(map(operator.is_, first, second))
