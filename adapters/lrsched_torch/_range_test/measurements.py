"""Call the user's `metrics` between updates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from lrsched._core import Refusal
from lrsched_torch._snapshot.restore import save_random_state

_refuse = Refusal("range_test")

Metrics = Callable[[], Mapping[str, Any]]


class Measurements:
    """The numbers that the user's function returned, without effect on the updates.

    Args:
        metrics: the function, or None.
        every: the number of updates between two calls of it.
        modules: the modules whose modes it may change.
    """

    def __init__(self, metrics: Metrics | None, every: int, modules: Sequence[nn.Module]) -> None:
        self.rows: dict[str, list[tuple[int, float]]] = {}  # by name, of (update, value)
        self._metrics = metrics
        self._every = every
        self._modules = modules
        self._measured = -1

    def before(self, update: int) -> None:
        """Call the function if it is due before this update."""
        if self._metrics is None or update % self._every or update <= self._measured:
            return
        self._measured = update
        restore = save_random_state()
        modes = [module.training for module in self._modules]
        try:
            with torch.no_grad():
                values = self._metrics()
        finally:
            for module, mode in zip(self._modules, modes, strict=True):
                module.training = mode
            restore()
        if not isinstance(values, Mapping):
            expected = "a function that returns numbers by name"
            _refuse("metrics", expected, values, TypeError)
        for name, value in values.items():
            number = value.item() if isinstance(value, torch.Tensor) else float(value)
            self.rows.setdefault(name, []).append((update, number))
