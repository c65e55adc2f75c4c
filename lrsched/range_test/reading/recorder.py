"""The losses of a running range test, and the rule by which it stops."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Sequence
from typing import Literal

# Why the updates ended: all were made, the loss rose far, it was not finite, or batches ran out.
Stopped = Literal["finished", "diverged", "nonfinite", "exhausted"]

DIVERGENCE = 4.0  # how many times the level of the first losses is divergence by default
FIRST = 10  # losses, or a twentieth of the test's where that is more, set the level
RANGES = 2.0  # a high loss is above the level by so many ranges of these losses at least
WINDOW = 5  # losses, or a fiftieth of the test's, most of which are high where it has diverged


def first_losses(steps: int) -> int:
    """The number of losses, at the start of a test, that set the level."""
    return max(FIRST, steps // 20)


def window(steps: int) -> int:
    """The number of losses, an odd one, of which most are high where a test has diverged."""
    return max(WINDOW, steps // 50) | 1


def threshold(first: Sequence[float], divergence: float) -> float:
    """The loss above which a loss is high.

    With m the median and r the range of the first losses it is m + max((divergence - 1) |m|, 2 r).
    So one of them that is far out sets no level, and losses that vary from batch to batch, or are
    near 0 or below, have room to do so.
    """
    level = statistics.median(first)
    return level + max((divergence - 1.0) * abs(level), RANGES * (max(first) - min(first)))


class Recorder:
    """Records the losses of one run, and says when it is over.

    A run diverges when most of its last losses are high: `threshold` says of which losses, and
    `window` of how many. The first losses, which set the level, are not.

    Args:
        divergence: a multiple of the level of the first losses, above 1; None never stops for a
            finite loss.
        steps: the number of updates.
        above: the loss above which a loss is high from the first one on, instead of `divergence`.

    Attributes:
        losses: the raw losses, up to one that is not finite.
        stopped: why the run ended.
    """

    def __init__(
        self, divergence: float | None = DIVERGENCE, steps: int = 0, above: float | None = None
    ) -> None:
        self.losses: list[float] = []
        self.stopped: Stopped = "finished"
        self._divergence = math.inf if divergence is None else divergence
        self._threshold = math.inf if above is None else above
        self._first = first_losses(steps) if above is None and divergence is not None else -1
        self._window = window(steps)
        self._highs: deque[bool] = deque(maxlen=self._window)
        self._high = 0

    def record(self, loss: float) -> bool:
        """Record the loss of the next update, and say whether to go on."""
        if not math.isfinite(loss):
            self.stopped = "nonfinite"
            return False
        self.losses.append(loss)
        if len(self.losses) == self._first:
            self._threshold = threshold(self.losses, self._divergence)
            return True
        highs = self._highs
        if len(highs) == self._window:
            self._high -= highs[0]
        highs.append(loss > self._threshold)
        self._high += highs[-1]
        if 2 * self._high > self._window:
            self.stopped = "diverged"
            return False
        return True
