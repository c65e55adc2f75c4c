"""The result of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lrsched import Schedule
from lrsched._core import import_optional
from lrsched.range_test.plot import axis_scale, limit_losses
from lrsched_jax._types import PyTree

Array = npt.NDArray[np.float64]

LABELS = 12  # in a legend, at most


@dataclass(frozen=True, eq=False)
class Sweep:
    """The losses of copies of one model, trained under different schedules.

    Attributes:
        schedules: the schedule of each copy.
        learning_rates: the learning rate of each update, a row for each copy.
        losses: the loss before each update, a row for each copy.
        metrics: other numbers that the loss function returned, by name, a row for each copy.
        params: with `keep_params`, the parameters after the last update, with a first axis for the
            copies; else None.
        model_state: the same for the model state.
    """

    schedules: tuple[Schedule, ...]
    learning_rates: Array
    losses: Array
    metrics: Mapping[str, Array] = field(default_factory=dict)
    params: PyTree = None
    model_state: PyTree = None

    def plot(self, ax: Any = None, *, final: bool = False) -> Any:
        """Draw the losses of all copies over the steps with matplotlib, and return the axes.

        Args:
            ax: the axes to draw on; by default new ones.
            final: whether to draw the final loss (the mean over the last tenth of the updates) over
                the highest learning rate of each copy instead, with a logarithmic rate axis. Copies
                whose final loss is not finite are crosses at the top.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
        """
        pyplot = import_optional("matplotlib.pyplot", "plot")
        if ax is None:
            ax = pyplot.figure(layout="constrained", figsize=(7.5, 4.5)).add_subplot()
        highest = self.learning_rates.max(axis=1)
        if final:
            self._draw_final(ax, highest)
            return ax
        number = len(highest)
        for rank, copy in enumerate(np.argsort(highest, kind="stable")):
            color = pyplot.get_cmap("viridis")(0.92 * rank / max(number - 1, 1))
            label = _label(self.schedules[copy]) if rank % -(-number // LABELS) == 0 else None
            ax.plot(self.losses[copy], color=color, linewidth=1.2, label=label)
        ax.set(xlabel="step", ylabel="loss")
        _limit(ax, self.losses)
        ax.legend(frameon=False, fontsize="small", title="learning rate")
        return ax

    def _draw_final(self, ax: Any, highest: Array) -> None:
        losses = self.losses[:, -max(self.losses.shape[1] // 10, 1) :].mean(axis=1)
        order = np.argsort(highest)
        finite = order[np.isfinite(losses[order])]
        ax.plot(highest[finite], losses[finite], "o-", markersize=4)
        diverged = highest[~np.isfinite(losses)]
        if len(diverged):
            top = ax.get_xaxis_transform()
            ax.plot(diverged, np.ones_like(diverged), "xC3", transform=top, clip_on=False)
        constant = all(schedule.name == "constant" for schedule in self.schedules)
        label = "learning rate" if constant else "highest learning rate"
        ax.set(xlabel=label, ylabel="final loss", xscale="log", yscale=axis_scale(losses[finite]))


def _limit(ax: Any, losses: Array) -> None:
    """Limit the loss axis to the copies that train; diverging ones may leave the figure."""
    trained = losses[losses[:, -1] < losses[:, 0]]
    if len(trained):
        finite = losses[np.isfinite(losses)]
        start = float(trained[:, 0].max())
        limit_losses(ax, float(np.nanmin(trained)), start, float(finite.max()))


def _label(schedule: Schedule) -> str:
    return f"{schedule(0):.3g}" if schedule.name == "constant" else repr(schedule)
