"""Batches from what gives them."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from lrsched._core import Refusal

_refuse = Refusal("range_test")


class Batches:
    """The batches of one update after the other, beginning anew where that can be done.

    They end at the end of an iterator, which cannot be restarted.

    Args:
        batches: any iterable.
        per_update: how many batches an update takes.
        keep: of how many updates, from the first on, to keep the batches in `kept`.
    """

    def __init__(self, batches: Iterable[Any], per_update: int, keep: int = 0) -> None:
        self.kept: list[list[Any]] = []
        self._batches = batches
        self._per_update = per_update
        self._keep = keep

    def updates(self) -> Generator[list[Any]]:
        """The batches of each update, a list.

        Raises:
            ValueError: there is not a single one.
        """
        drawn: list[Any] = []
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
            if batch is _NONE:  # an iterator that is used up
                return
            epochs += 1


_NONE = object()
