"""Draw a running range test in a notebook."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from lrsched._optional import import_optional
from lrsched.range_test.result.picture import Picture
from lrsched.range_test.result.plot import svg

INTERVAL = 0.5  # seconds between two drawings at least,
MOST = 0.1  # and at most this part of the time is spent on them


def can_draw() -> bool:
    """Whether this process is the kernel of a notebook, with matplotlib installed."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel") and importlib.util.find_spec("matplotlib") is not None


class LiveFigure:
    """A figure of the losses that were read so far, which disappears at the end."""

    def __init__(self) -> None:
        self._rates: list[float] = []
        self._losses: list[float] = []
        self._handle: Any = None
        self._name, self._total = "", 0
        self._due = time.perf_counter() + INTERVAL

    def begin(self, name: str, total: int) -> None:
        """Start a figure of so many updates."""
        self._rates, self._losses = [], []
        self._name, self._total = name, total
        import_optional("matplotlib.pyplot", "plot")  # a second or two, which no drawing takes

    def read(self, rates: Sequence[float], losses: Sequence[float]) -> None:
        """Take the rates and losses of further updates, and draw all of them if it is time."""
        self._rates += map(float, rates)
        self._losses += map(float, losses)
        began = time.perf_counter()
        if began >= self._due:
            self._draw()
            ended = time.perf_counter()
            self._due = ended + max(INTERVAL, (ended - began) / MOST)

    def close(self) -> None:
        """Take the figure away."""
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)
            self._handle = None

    def _draw(self) -> None:
        losses = np.array(self._losses)
        label = f"{self._name}, update {len(losses)} of {self._total}"
        picture = svg(Picture(np.array(self._rates), losses[None], losses, None, None, label))
        shown = {"image/svg+xml": picture, "text/plain": label}
        if self._handle is not None:
            self._handle.update(shown, raw=True)
            return
        display: Any = importlib.import_module("IPython.display").display
        self._handle = display(shown, raw=True, display_id=True)
