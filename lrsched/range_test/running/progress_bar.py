"""The progress bar of a range test or a sweep."""

from __future__ import annotations

import importlib
import warnings
from typing import Any


class ProgressBar:
    """A bar of tqdm in terminals and notebooks, which disappears at the end.

    There is none where tqdm is not installed, and in files and pipes.

    Args:
        shown: whether there is a bar at all.
        unit: what it counts.
    """

    def __init__(self, shown: bool, unit: str = "update") -> None:
        self._bar = _new_bar(unit) if shown else None

    @property
    def is_shown(self) -> bool:
        """Whether there is a bar."""
        return self._bar is not None and not getattr(self._bar, "disable", False)

    def begin(self, name: str, total: int) -> None:
        """Start a part of the test of so many updates."""
        if self._bar is not None:
            self._bar.reset(total)
            self._bar.set_description(name)

    def advance(self, updates: int) -> None:
        """Count updates that were made."""
        if self._bar is not None:
            self._bar.update(updates)

    def fill(self) -> None:
        """Show a part that ended early as complete: it did not fail."""
        if self._bar is not None:
            self._bar.total = self._bar.n
            self._bar.refresh()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


def _new_bar(unit: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a notebook without widgets, and of tqdm.auto
            tqdm = importlib.import_module("tqdm.auto").tqdm
            return tqdm(leave=False, disable=None, unit=unit)
    except ImportError:
        return None
