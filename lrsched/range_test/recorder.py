"""The losses of a running range test, and the rule by which it stops."""

from __future__ import annotations

import functools
import math
from typing import Literal

from lrsched._core.schedule import Schedule
from lrsched.schedules.ramp import exponential_ramp

Stopped = Literal["finished", "diverged", "nonfinite", "exhausted"]

DIVERGENCE = 4.0  # times the first loss, twice in a row, is divergence by default


@functools.lru_cache
def default_ramp(steps: int, low: float = 1e-7, high: float = 10.0) -> Schedule:
    """What raises the learning rate where nothing else is asked for: both ends are reached."""
    return exponential_ramp(low, high, max(steps - 1, 1))


class Recorder:
    """Collects the losses of one run, and says when it is over."""

    def __init__(self, divergence: float | None = DIVERGENCE) -> None:
        self.losses: list[float] = []
        self.stopped: Stopped = "finished"
        self._divergence = divergence
        self._above = False

    def take(self, loss: float) -> bool:
        """Take the loss of the next update, and say whether to go on."""
        if not math.isfinite(loss):
            self.stopped = "nonfinite"
            return False
        self.losses.append(loss)
        above = self._divergence is not None and loss > self._divergence * self.losses[0] > 0
        if above and self._above:
            self.stopped = "diverged"
            return False
        self._above = above
        return True
