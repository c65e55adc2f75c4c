"""Draw the batches of each update."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, TypeAlias

from lrsched._core import Refusal

Batch: TypeAlias = Any  # whatever the user's step accepts

_refuse = Refusal("range_test")


class Batches:
    """The batches of one update after the other.

    The iterable is restarted when it ends; an iterator, which cannot be restarted, ends the
    batches.

    Args:
        batches: any iterable.
        per_update: the number of batches of an update.
        keep: the number of updates, from the first on, whose batches stay in `kept`.
    """

    def __init__(self, batches: Iterable[Batch], per_update: int, keep: int) -> None:
        self.kept: list[list[Batch]] = []
        self._batches = batches
        self._per_update = per_update
        self._keep = keep

    def updates(self) -> Generator[list[Batch]]:
        """Yield the list of batches of each update.

        Raises:
            ValueError: batches is empty.
        """
        drawn: list[Batch] = []
        epochs = 0
        while True:
            batch = _NONE
            for batch in self._batches:
                drawn.append(batch)
                if len(drawn) == self._per_update:
                    if len(self.kept) < self._keep:
                        self.kept.append(drawn)
                    yield drawn
                    drawn = []
            if batch is _NONE and not epochs:
                _refuse("batches", "an iterable of at least one batch", self._batches)
            if batch is _NONE:  # an exhausted iterator
                return
            epochs += 1


_NONE = object()
