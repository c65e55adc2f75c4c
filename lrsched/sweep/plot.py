"""Draw sweeps."""

from __future__ import annotations

import textwrap
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lrsched._core.schedule import Schedule
from lrsched._optional import import_optional
from lrsched.range_test.reading.suggestion import Suggestion
from lrsched.range_test.result.plot import draw_suggestion, limit_losses, mark

Array = npt.NDArray[np.float64]

LABELS = 12  # in a legend, at most
LENGTH = 40  # characters of a label, at most
NAMES = "schedule"  # the axis on which schedules stand side by side


class Picture(NamedTuple):
    """What is drawn of a sweep.

    Attributes:
        schedules: the schedules.
        highest: the highest learning rate of each.
        losses: the losses, of (schedules, repeats, steps).
        missing: which trainings are missing, of (schedules, repeats).
        ends: the final loss of each training, of (schedules, repeats); infinite where it diverged.
        final: that of each schedule.
        label: the name of the sweep.
    """

    schedules: tuple[Schedule, ...]
    highest: Array
    losses: Array
    missing: npt.NDArray[np.bool_]
    ends: Array
    final: Array
    label: str

    @property
    def order(self) -> npt.NDArray[np.intp]:
        """The schedules from the lowest to the highest rate."""
        return np.argsort(self.highest, kind="stable")

    @property
    def are_constant(self) -> bool:
        """Whether all schedules are constant, and so are learning rates."""
        return all(schedule.name == "constant" for schedule in self.schedules)

    def name(self, index: int) -> str:
        """A schedule as legends name it."""
        schedule = self.schedules[index]
        if schedule.name == "constant":
            return f"{self.highest[index]:.3g}"
        text = repr(schedule)
        return text if len(text) <= LENGTH else f"{text[: LENGTH - 3]}..."

    def fate(self, index: int) -> str:
        """What the legend says of a schedule of which no loss is drawn to the end."""
        if self.missing[index].all():
            return " (missing)"
        return " (diverged)" if np.isinf(self.final[index]) else ""


def draw_losses(ax: Any, sweep: Picture) -> None:
    """Draw the losses of all trainings over the steps."""
    pyplot = import_optional("matplotlib.pyplot", "plot")
    number, repeats, steps = sweep.losses.shape
    every = -(-number // LABELS)
    width = 1.2 if repeats == 1 else 0.8
    for rank, index in enumerate(sweep.order):
        color = pyplot.get_cmap("viridis")(0.92 * rank / max(number - 1, 1))
        label = sweep.name(index) + sweep.fate(index) if rank % every == 0 else None
        for losses in sweep.losses[index]:
            finite = np.isfinite(losses)
            drawn = np.where(finite, losses, np.nan)
            ax.plot(drawn, color=color, linewidth=width, label=label)
            label = None  # one entry for all repeats
            last = np.flatnonzero(finite)[-1:]
            if len(last) and last[0] < steps - 1:
                ax.plot(last, losses[last], "x", color=color, markersize=6)
    ax.set(xlabel="step", ylabel="loss", title=sweep.label)
    ax.set_xlim(-0.02 * steps, 1.02 * max(steps - 1, 1))
    _limit(ax, sweep.losses, sweep.losses)
    title = "learning rate" if sweep.are_constant else "schedule"
    ax.legend(frameon=False, fontsize="small", title=title)


def draw_final(ax: Any, sweep: Picture, suggestion: Suggestion | str) -> None:
    """Draw the final loss of each schedule over its highest rate, and what that suggests."""
    order = sweep.order
    rates = _set_rate_axis(ax, sweep, order)
    final, ends = sweep.final[order], sweep.ends[order]
    finite = np.isfinite(final)
    line = "o-" if len(np.unique(rates)) == len(rates) and ax.get_xlabel() != NAMES else "o"
    ax.plot(rates[finite], final[finite], line, markersize=4, color="C0")
    if sweep.losses.shape[1] > 1:
        for repeat in ends.T:
            there = np.isfinite(repeat)
            ax.plot(rates[there], repeat[there], ".", markersize=3, alpha=0.35, color="C0")
    _limit(ax, sweep.losses, final)
    mark(ax, rates[final > ax.get_ylim()[1]], 1.0, "C3", "diverged")
    mark(ax, rates[np.isnan(final)], 0.0, "0.6", "missing")
    if isinstance(suggestion, str):
        ax.plot([], [], " ", label=textwrap.fill(f"no suggestion: {suggestion}", 60))
    elif ax.get_xlabel() != NAMES:
        draw_suggestion(ax, suggestion, "C0")
    ax.set(ylabel="final loss", title=sweep.label)
    ax.legend(frameon=False, fontsize="small")


def _set_rate_axis(ax: Any, sweep: Picture, order: npt.NDArray[np.intp]) -> Array:
    """Scale and name the axis of rates; the place of each schedule on it, in order."""
    rates = sweep.highest[order]
    if len(np.unique(rates)) == 1:  # side by side, under their names
        names = [sweep.name(index) for index in order]
        turned = {"rotation": 20, "ha": "right"} if max(map(len, names)) > 8 else {}
        ax.set_xticks(range(len(order)), names, fontsize="small", **turned)
        ax.set_xlabel(NAMES)
        return np.arange(float(len(order)))
    positive = rates[rates > 0]
    if len(positive) == len(rates):
        ax.set_xscale("log")
    else:  # a rate of 0 has no logarithm
        ax.set_xscale("symlog", linthresh=positive.min() / 2)
    ax.set_xlabel("learning rate" if sweep.are_constant else "highest learning rate")
    return rates


def _limit(ax: Any, losses: Array, drawn: Array) -> None:
    """Limit the axis of losses to what trains; what diverges may leave the figure."""
    first, last = losses[..., :1].ravel(), losses[..., -1:].ravel()
    fell = last < first
    first, found = (first[fell] if fell.any() else first), drawn[np.isfinite(drawn)]
    first = first[np.isfinite(first)]
    if len(first) and len(found):
        limit_losses(ax, float(found.min()), float(first.max()), float(found.max()))
    if not len(found):
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no finite losses", ha="center", transform=ax.transAxes, color="0.4")
