"""The losses of a running range test, and the rule by which it stops."""

from __future__ import annotations

import functools
import math
from typing import Literal

from lrsched._arrays.types import Array
from lrsched._core.schedule import Schedule
from lrsched.schedules.ramp import exponential_ramp

Stopped = Literal["finished", "diverged", "nonfinite", "exhausted"]

LOW, HIGH = 1e-7, 10.0  # the ends of a range test by default
DIVERGENCE = 4.0  # times the first loss, twice in a row, is divergence by default


@functools.lru_cache
def default_ramp(steps: int, low: float = LOW, high: float = HIGH) -> Schedule:
    """The learning rates of a range test that is given no schedule; both ends are reached."""
    return exponential_ramp(low, high, max(steps - 1, 1))


def is_high(loss: Array, first: Array, divergence: Array) -> Array:
    """Whether a loss is above a multiple of the first one; two such losses in a row diverge.

    On Python numbers or arrays. A first loss of 0 or below has no multiple.
    """
    return (first > 0) & (loss > divergence * first)


class Recorder:
    """Records the losses of one run, and says when it is over."""

    def __init__(self, divergence: float | None = DIVERGENCE) -> None:
        self.losses: list[float] = []
        self.stopped: Stopped = "finished"
        self._divergence = math.inf if divergence is None else divergence
        self._last_was_high = False

    def record(self, loss: float) -> bool:
        """Record the loss of the next update, and say whether to go on."""
        if not math.isfinite(loss):
            self.stopped = "nonfinite"
            return False
        self.losses.append(loss)
        high = is_high(loss, self.losses[0], self._divergence)
        if high and self._last_was_high:
            self.stopped = "diverged"
            return False
        self._last_was_high = high
        return True
