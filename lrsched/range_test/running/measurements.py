"""Call the user's `metrics` between updates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import Refusal

_refuse = Refusal("range_test")

Metrics = Callable[[], Mapping[str, Any]]


class Measurements:
    """The numbers that the user's function returned, without effect on the updates.

    Args:
        metrics: the function, or None.
        every: the number of updates between two calls of it.
        undisturbed: returns a context in which it is called, which undoes its effects.
    """

    def __init__(
        self,
        metrics: Metrics | None,
        every: int,
        undisturbed: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self.rows: dict[str, list[tuple[int, float]]] = {}  # by name, of (update, value)
        self._metrics = metrics
        self._every = every
        self._undisturbed = undisturbed
        self._measured = -1

    def before(self, update: int) -> None:
        """Call the function if it is due before this update."""
        if self._metrics is None or update % self._every or update <= self._measured:
            return
        self._measured = update
        with self._undisturbed():
            values = self._metrics()
        if not isinstance(values, Mapping):
            expected = "a function that returns numbers by name"
            _refuse("metrics", expected, values, TypeError)
        for name, value in values.items():
            self.rows.setdefault(name, []).append((update, as_number(value)))


def as_number(value: Any) -> float:
    """A number of any framework; torch warns of `float` where a tensor needs gradients."""
    return float(value.item() if hasattr(value, "item") else value)


def as_array(rows: list[tuple[int, float]], count: int) -> npt.NDArray[np.float64]:
    """The rows of the first `count` updates: those after the stop are dropped."""
    kept = [row for row in rows if row[0] < count]
    return np.array(kept, np.float64).reshape(-1, 2)
