"""Updates that do not come about: those that a gradient scaler skips, and those without a loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lrsched._core import Refusal
from lrsched_torch._range_test.losses import means
from lrsched_torch._range_test.processes import Processes

_refuse = Refusal("range_test")

MOST_SKIPS = 40  # skips in a row; each halves the scale, so 40 take it from 2**24 to 2**-16
MOST_WITHOUT_LOSS = 100  # updates in a row without a loss


class Skips:
    """Counts such updates, and says when there are too many in a row.

    Args:
        processes: the processes of the test.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._count = 0

    def end(self) -> None:
        """Start again, after an update that came about."""
        self._count = 0

    def gives_up(self, losses: Sequence[Any]) -> bool:
        """Whether to stop repeating an update that the scaler skipped, with these losses."""
        self._count += 1
        (loss,) = self._processes.mean(means([losses or [0.0]]))
        return self._count > MOST_SKIPS or not math.isfinite(loss)

    def count_without_loss(self) -> None:
        """Refuse a step that seems to return no loss at all."""
        self._count += 1
        if self._count == MOST_WITHOUT_LOSS:
            expected = "a number for some batches (None skips a batch)"
            _refuse("step's loss", expected, None, TypeError)
