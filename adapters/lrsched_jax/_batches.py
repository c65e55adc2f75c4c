"""Draw batches from an iterable."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from lrsched._core import Refusal
from lrsched_jax._types import Batch


class Batches:
    """An iterator over batches, which is restarted when they run out, if possible.

    NumPy arrays of a loader are copied: the loader may write the next batch into them before JAX,
    which reads them in place on a CPU, has run the update.

    Args:
        batches: any iterable.
        refuse: raises the errors of the caller.

    Attributes:
        is_list: whether the batches are in a list or tuple.
        is_once: whether they are an iterator, which cannot be restarted.
        first: the first batch; it shows the types of all.
    """

    def __init__(self, batches: Iterable[Batch], refuse: Refusal) -> None:
        expected = "an iterable of batches"
        if isinstance(batches, Mapping):
            hint = "(this is one; put it into a list)"
            refuse("batches", f"{expected} {hint}", batches, TypeError)
        try:
            self._iterator = iter(batches)
        except TypeError:
            refuse("batches", expected, batches, TypeError)
        self._batches = batches
        self.refuse = refuse
        self.is_once = self._iterator is batches
        self.is_list = isinstance(batches, (list, tuple))
        self.first = self._draw(True)
        self._drawn = [self.first]

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        return self._drawn.pop() if self._drawn else self._draw(False)

    def _draw(self, is_first: bool) -> Batch:
        try:
            batch = next(self._iterator)
        except StopIteration:
            if is_first:
                self.refuse("batches", "an iterable of at least one batch", self._batches)
            # An iterator returns itself here, and is still exhausted.
            self._iterator = iter(self._batches)
            batch = next(self._iterator)
        if not self.is_list:
            batch = jax.tree.map(_copied, batch)
        return batch

    def again(self, skipped: int = 0) -> Batches:
        """The same batches from the beginning, less the first ones.

        Of an iterator these are the batches that are left. There may be none.
        """
        others = copy.copy(self)
        others._drawn = []
        if not self.is_once:
            others._iterator = iter(self._batches)
            for _ in itertools.islice(others, skipped):
                pass
        return others

    def drawn(self, steps: int) -> tuple[list[Batch], int]:
        """The batches of `steps` updates, and the number of updates that they are for.

        Those of a list are used again and again, so there may be fewer.
        """
        number = min(len(self._batches), steps) if self.is_list else steps  # type: ignore[arg-type]
        used = list(itertools.islice(self, number))
        return used, steps if self.is_list else len(used)


def _copied(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf
