"""Call the user's `metrics` between updates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn

from lrsched.range_test.running import measurements
from lrsched.range_test.running.measurements import Metrics
from lrsched_torch._snapshot.restore import save_random_state

__all__ = ["Measurements", "Metrics"]


class Measurements(measurements.Measurements):
    """The numbers that the user's function returned, without effect on the updates.

    Args:
        metrics: the function, or None.
        every: the number of updates between two calls of it.
        modules: the modules whose modes it may change.
    """

    def __init__(self, metrics: Metrics | None, every: int, modules: Sequence[nn.Module]) -> None:
        super().__init__(metrics, every, partial(_undisturbed, modules))


@contextmanager
def _undisturbed(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Restore the random generators and the modes when the block ends, without gradients in it."""
    restore = save_random_state()
    modes = [module.training for module in modules]
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        restore()
