"""Save the state of a Keras model and of its training, and restore it."""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.utils.tracking import Tracker

from lrsched.range_test.running.restore import (
    Restore,
    generator_types,
    restore_all,
    restored,
    save_generator,
    save_items,
    save_random_state,
    save_sequence,
)
from lrsched_keras._hyperparameter import is_variable

# Objects whose attributes are their state.
_STATEFUL = (
    keras.layers.Layer,
    keras.optimizers.Optimizer,
    keras.metrics.Metric,
    keras.losses.Loss,
    keras.random.SeedGenerator,
    Tracker,
)
_GLOBAL_SEED_GENERATOR = "global_seed_generator"  # as Keras names it among its global attributes
_CONTAINERS = (dict, set, list, deque)


class Snapshot:
    """Saves objects and restores them: the same objects with the same contents.

    Variables and tensors are copied and get their values again. Layers, optimizers, metrics and
    losses get the same attributes again, and lists, dicts and sets the same items; their contents
    are saved too, at any depth.
    """

    def __init__(self) -> None:
        self._seen: dict[int, object] = {}  # by id; holding the objects keeps the ids unique
        self._restores: list[Restore] = []
        self._generators = generator_types()
        torch = sys.modules.get("torch")
        self._tensors = () if torch is None else torch.Tensor
        self._stateful = _STATEFUL if torch is None else (*_STATEFUL, torch.nn.Module)

    def keep(self, *values: object) -> None:
        """Save objects and their contents."""
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            if id(value) not in self._seen:
                self._seen[id(value)] = value
                waiting += self._record(value)

    def keep_source(self, source: Any) -> None:
        """Save the state of a data set or loader: its generators and orders, and not its data."""
        torch_data = sys.modules.get("torch.utils.data")
        loaders = () if torch_data is None else (torch_data.DataLoader, torch_data.Sampler)
        waiting = [source]
        while waiting:
            value = waiting.pop()
            if isinstance(value, self._generators) and id(value) not in self._seen:
                self.keep(value)
            elif isinstance(value, (keras.utils.PyDataset, *loaders)):
                self._restores.append(save_items(vars(value)))
                waiting += vars(value).values()
            elif isinstance(value, _CONTAINERS):
                self._restores.append(_save_container(value))
            elif isinstance(value, np.ndarray) and value.ndim == 1:  # an order
                self.keep(value)

    def keep_random_state(self) -> None:
        """Save the global random generators, those of Keras and the backend included."""
        self._restores.append(save_random_state())
        generator = global_state.get_global_attribute(_GLOBAL_SEED_GENERATOR)
        self._restores.append(
            functools.partial(global_state.set_global_attribute, _GLOBAL_SEED_GENERATOR, generator)
        )
        self.keep(generator)
        if "tensorflow" in sys.modules:
            self._keep_tensorflow()

    def rewind(self) -> None:
        """Restore everything. It can be called again.

        Raises:
            RuntimeError: part of the state could not be restored; the rest is.
        """
        restore_all(self._restores)

    def restored(self) -> AbstractContextManager[None]:
        """Restore everything when the block ends, also by an exception; then delete the copies."""
        return restored(self.rewind, self._forget)

    def _forget(self) -> None:
        self._restores.clear()
        self._seen.clear()

    def _keep_tensorflow(self) -> None:
        """Save TensorFlow's global generators: of seeds of operations, and its stateful one."""
        from tensorflow.python.eager import context
        from tensorflow.python.ops import stateful_random_ops

        eager = context.context()
        if hasattr(eager, "_rng"):  # a global seed was set
            seeds = eager._rng
            self._restores.append(lambda: setattr(eager, "_rng", seeds))
            self.keep(seeds)
        stateful = stateful_random_ops.global_generator
        self._restores.append(lambda: setattr(stateful_random_ops, "global_generator", stateful))
        if stateful is not None:
            self.keep(stateful.state)

    def _record(self, value: Any) -> Iterable[object]:
        """Save the object itself, and return its contents."""
        if isinstance(value, self._tensors):
            return self._record_tensor(value)
        if isinstance(value, self._stateful):
            attributes: dict[str, Any] = vars(value)
            self._restores.append(save_items(attributes))
            return list(attributes.values())
        if isinstance(value, _CONTAINERS):
            self._restores.append(_save_container(value))
            return value.values() if isinstance(value, dict) else tuple(value)
        if isinstance(value, (tuple, frozenset)):
            return value
        if isinstance(value, self._generators):
            self._restores.append(save_generator(value))
        elif isinstance(value, np.ndarray):
            if value.flags.writeable:
                self._restores.append(functools.partial(np.copyto, value, value.copy()))
        elif is_variable(value):
            return self._record_variable(value)
        return ()

    def _record_variable(self, variable: Any) -> Iterable[object]:
        if keras.backend.backend() == "torch":
            self._restores.append(save_items(vars(variable)))
            return (variable.value,)
        own = {name: x for name, x in vars(variable).items() if name == "_trainable"}
        kept = keras.ops.copy(getattr(variable, "value", variable))

        def restore() -> None:
            vars(variable).update(own)
            # JAX gives the memory of a value to the next training step: each time it gets a copy.
            variable.assign(keras.ops.copy(kept))

        self._restores.append(restore)
        return ()

    def _record_tensor(self, tensor: Any) -> Iterable[object]:
        data, leaf, required = tensor.detach(), tensor.is_leaf, tensor.requires_grad
        kept, gradient = data.clone(), tensor.grad if tensor.is_leaf else None

        def restore() -> None:
            data.copy_(kept)
            if leaf:
                tensor.requires_grad_(required)
                tensor.grad = gradient

        self._restores.append(restore)
        return () if gradient is None else (gradient,)


def _save_container(container: Any) -> Restore:
    """Save the items of a container. One that tracks what it gets tracks nothing meanwhile."""
    ordered = isinstance(container, (list, deque))
    restore = save_sequence(container) if ordered else save_items(container)
    if not hasattr(container, "tracker"):
        return restore
    tracker = container.tracker

    def untracked() -> None:
        container.tracker = None
        try:
            restore()
        finally:
            container.tracker = tracker

    return untracked


def training_state(model: Any, x: Any) -> Snapshot:
    """A snapshot of a model and its optimizer, of its batches, and of random generators."""
    saved = Snapshot()
    saved.keep(model, model.optimizer, *model.metrics, *model.variables)
    saved.keep_source(x)
    saved.keep_random_state()
    return saved
