"""Batches from what gives them."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from lrsched._core import Refusal

_refuse = Refusal("range_test")


class Feed:
    """Gives the batches of one update after the other, beginning anew where that can be done.

    It ends where they do: at the end of an iterator, which cannot be restarted.

    Args:
        batches: any iterable.
        each: how many batches an update takes.
        remembered: of how many updates, from the first on, to keep the batches in `first`.
    """

    def __init__(self, batches: Iterable[Any], each: int, remembered: int = 0) -> None:
        self.first: list[list[Any]] = []
        self._batches = batches
        self._each = each
        self._remembered = remembered

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
                if len(drawn) == self._each:
                    if len(self.first) < self._remembered:
                        self.first.append(drawn)
                    yield drawn
                    drawn = []
            if batch is _NONE and not epochs:
                _refuse("batches", "an iterable of at least one batch", self._batches)
            if batch is _NONE:  # an iterator that is used up
                return
            epochs += 1


_NONE = object()
