"""Save the state of an object: each function here returns a function that restores it.

A framework that is not imported has no state, and is not imported for this.
"""

from __future__ import annotations

import copy
import functools
import operator
import random
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, MutableSequence
from contextlib import contextmanager
from typing import Any

import numpy as np

Restore = Callable[[], object]


def generator_types() -> tuple[type, ...]:
    """The types of random generators that `save_generator` takes, torch's if it is imported."""
    torch = sys.modules.get("torch")
    own = (np.random.Generator, np.random.RandomState, random.Random)
    return own if torch is None else (torch.Generator, *own)


def save_generator(generator: Any) -> Restore:
    """Save the state of a random generator."""
    if isinstance(generator, np.random.Generator):
        bits, state = generator.bit_generator, copy.deepcopy(generator.bit_generator.state)
        return lambda: setattr(bits, "state", state)
    if isinstance(generator, random.Random):
        return functools.partial(generator.setstate, generator.getstate())
    return functools.partial(generator.set_state, generator.get_state())


def save_random_state() -> Restore:
    """Save the state of the global generators of NumPy, Python, and torch with its devices."""
    restores: list[Restore] = [
        functools.partial(random.setstate, random.getstate()),
        functools.partial(np.random.set_state, np.random.get_state()),
    ]
    torch = sys.modules.get("torch")
    if torch is not None:
        restores.append(functools.partial(torch.set_rng_state, torch.get_rng_state()))
        for name in ("cuda", "xpu"):
            device = getattr(torch, name)
            if device.is_initialized():
                states = device.get_rng_state_all()
                restores.append(functools.partial(device.set_rng_state_all, states))
        if torch.backends.mps.is_available():
            restores.append(functools.partial(torch.mps.set_rng_state, torch.mps.get_rng_state()))
    return lambda: [restore() for restore in restores]


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


def restore_all(restores: Iterable[Restore]) -> None:
    """Restore one thing after the other.

    Raises:
        RuntimeError: a part of the state could not be restored; the rest is.
    """
    restores = list(restores)
    failed: list[Exception] = []
    for restore in restores:
        try:
            restore()
        except Exception as error:
            failed.append(error)
    if failed:
        raise RuntimeError(
            f"range_test: {len(failed)} of {len(restores)} parts of the state could not be "
            f"restored: {failed[0]}"
        ) from failed[0]


@contextmanager
def restored(rewind: Restore, forget: Restore) -> Iterator[None]:
    """Call `rewind` when the block ends, also by an exception, and then `forget`.

    `rewind` is called again where Ctrl-C interrupts it.
    """
    try:
        try:
            yield
        finally:
            rewind()
    except KeyboardInterrupt:  # it may have interrupted `rewind`, and may come again
        while not _ended(rewind):
            pass
        raise
    finally:
        forget()


def _ended(function: Restore) -> bool:
    try:
        function()
    except KeyboardInterrupt:
        return False
    return True
