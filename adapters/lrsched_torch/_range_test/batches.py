"""Draw the batches of each update."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, TypeAlias

from lrsched._core import Refusal

Batch: TypeAlias = Any  # whatever the user's step accepts

_refuse = Refusal("range_test")


class Exhausted(Exception):  # noqa: N818  # it is no error
    """The batches ran out in the middle of an update."""


class Batches:
    """The batches of one update after the other.

    The iterable is restarted when it ends; an iterator, which cannot be restarted, ends the
    batches.

    Args:
        batches: any iterable.
        per_update: the number of batches of an update.
        ends_update: says whether an update ends with the batch that was drawn last, for loaders
            that know; then each batch is drawn only when it is used.

    Attributes:
        is_late: whether batches are drawn only when they are used.
    """

    def __init__(
        self,
        batches: Iterable[Batch],
        per_update: int,
        ends_update: Callable[[], bool] | None = None,
    ) -> None:
        self._batches = batches
        self._per_update = per_update
        self._ends_update = ends_update
        self._may_be_empty = False
        self._skipped = 0
        self.is_late = ends_update is not None

    def again(self, skipped: int = 0) -> Batches:
        """The same batches from the beginning, less those of the first `skipped` updates.

        Of an iterator they are those that are left, if any: none are skipped.
        """
        others = Batches(self._batches, self._per_update, self._ends_update)
        others._may_be_empty = True
        others._skipped = 0 if self._is_iterator else skipped * self._per_update
        return others

    @property
    def _is_iterator(self) -> bool:
        return isinstance(self._batches, Iterator)

    def updates(self) -> Generator[Iterable[Batch]]:
        """Yield the batches of each update.

        Raises:
            ValueError: batches is empty.
        """
        stream = self._stream()
        if self._ends_update is not None and self._per_update > 1:
            for first in stream:
                yield self._late(first, stream, self._ends_update)
            return
        while len(drawn := list(itertools.islice(stream, self._per_update))) == self._per_update:
            yield drawn

    def _late(
        self, first: Batch, stream: Iterator[Batch], ends_update: Callable[[], bool]
    ) -> Iterator[Batch]:
        """Draw the batches of an update one by one.

        Raises:
            Exhausted: there are no more.
        """
        yield first
        for _ in range(self._per_update - 1):
            if ends_update():
                return
            batch = next(stream, _NONE)
            if batch is _NONE:
                raise Exhausted
            yield batch

    def _stream(self) -> Iterator[Batch]:
        epochs, drawn = 0, 0
        while True:
            batch = _NONE
            for batch in self._batches:
                drawn += 1
                if drawn > self._skipped:
                    yield batch
            if batch is _NONE and not epochs and not self._may_be_empty:
                _refuse("batches", "an iterable of at least one batch", self._batches)
            if batch is _NONE:  # an exhausted iterator
                return
            epochs += 1


_NONE = object()
