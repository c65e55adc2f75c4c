"""Show a running range test: in a bar or a figure, and to a function of the user's."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias

from lrsched._core.checks import Refusal
from lrsched.range_test.running.live_figure import LiveFigure, can_draw
from lrsched.range_test.running.progress_bar import ProgressBar

# `log(values, step)`, as wandb.log and mlflow.log_metrics take them.
Log: TypeAlias = Callable[[Mapping[str, float], int], Any]


class Monitor:
    """Shows each loss once it is read.

    Args:
        progress: whether there is a progress bar, or a figure in a notebook.
        log: called as `log({"learning_rate": rate, "loss": loss}, update)` for each update, in
            their order; or None.
    """

    def __init__(self, progress: bool, log: Log | None = None) -> None:
        self._figure = LiveFigure() if progress and can_draw() else None
        self._bar = ProgressBar(progress and self._figure is None)
        self._log = log
        self.shows_nothing = log is None and self._figure is None and not self._bar.is_shown

    def begin(self, name: str, total: int) -> None:
        """Start a part of the test of so many updates."""
        self._bar.begin(name, total)
        if self._figure is not None:
            self._figure.begin(name, total)

    def read(
        self, first: int, rates: Sequence[float], losses: Sequence[float], **others: float
    ) -> None:
        """Show the losses of the updates from `first` on, and other numbers of all of them."""
        self._bar.advance(len(losses))
        if self._figure is not None:
            self._figure.read(rates, losses)
        if self._log is not None:
            for update, (rate, loss) in enumerate(zip(rates, losses, strict=True), first):
                values = {"learning_rate": float(rate), "loss": float(loss)}
                self._log(values | others, update)

    def unlogged(self) -> Monitor:
        """The same without `log`."""
        other = copy.copy(self)
        other._log = None
        other.shows_nothing = self._figure is None and not self._bar.is_shown
        return other

    def fill(self) -> None:
        """Show a part that ended early as complete: it did not fail."""
        self._bar.fill()

    def close(self) -> None:
        """Remove what is shown."""
        self._bar.close()
        if self._figure is not None:
            self._figure.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def check_log(refuse: Refusal, log: Any) -> None:
    """Refuse a `log` that is neither a function nor None."""
    if log is not None and not callable(log):
        refuse("log", "a function log(values, step), or None", log, TypeError)
