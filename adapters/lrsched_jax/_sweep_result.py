"""What a sweep found: the losses of many copies, each under a schedule of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lrsched import Schedule
from lrsched._plotting import import_optional

Array = npt.NDArray[np.float64]

LABELS = 12  # in a legend
WIDE = 30.0  # a ratio between losses beyond which a logarithmic axis shows more


@dataclass(frozen=True, eq=False)
class Sweep:
    """The loss of each update of copies of one model, trained under different schedules.

    Attributes:
        schedules: the schedule of each copy.
        learning_rates: a row for each copy, of the rate of each update as it was used.
        losses: the same of the loss of each update before it was applied.
        metrics: the same of other numbers that the loss function returned, by name.
        params: the parameters after the last update, along a first axis of copies, if they were
            asked for; else None.
        model_state: the same of the model's other state.
    """

    schedules: tuple[Schedule, ...]
    learning_rates: Array
    losses: Array
    metrics: Mapping[str, Array] = field(default_factory=dict)
    params: Any = None
    model_state: Any = None

    def plot(self, ax: Any = None, *, final: bool = False) -> Any:
        """Draw the losses of all copies over the steps with matplotlib, and return the axes.

        Args:
            ax: axes to draw on; new ones if None.
            final: draw instead the final loss, the mean over the last tenth of the updates, over
                the highest learning rate of each copy, on a logarithmic axis. Copies whose final
                loss is not finite are crosses at the top.
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
        lost = highest[~np.isfinite(losses)]
        if len(lost):
            top = ax.get_xaxis_transform()
            ax.plot(lost, np.ones_like(lost), "xC3", transform=top, clip_on=False)
        alike = all(schedule.name == "constant" for schedule in self.schedules)
        label = "learning rate" if alike else "highest learning rate"
        ax.set(xlabel=label, ylabel="final loss", xscale="log")
        if len(finite) and 0 < losses[finite].min() * WIDE < losses[finite].max():
            ax.set(yscale="log")


def _limit(ax: Any, losses: Array) -> None:
    """Keep copies that diverge from flattening those that train."""
    trained = losses[losses[:, -1] < losses[:, 0]]
    if not len(trained):
        return
    low, start = float(np.nanmin(trained)), float(trained[:, 0].max())
    if 0 < low * WIDE < start:
        ax.set(yscale="log", ylim=(low / 1.3, start * 8))
    elif low < start:
        ax.set_ylim(low - 0.05 * (start - low), start + 1.5 * (start - low))


def _label(schedule: Schedule) -> str:
    return f"{schedule(0):.3g}" if schedule.name == "constant" else repr(schedule)
