"""Draw range tests."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lrsched._optional import import_optional
from lrsched._plotting import LOG_SCALE_RATIO
from lrsched._plotting import axis_scale as axis_scale  # for adapters too
from lrsched.range_test.reading.suggestion import Suggestion, plain
from lrsched.range_test.result.picture import Picture

Array = npt.NDArray[np.float64]

ROOM = 1.5  # above the first loss, in multiples of the fall, that a figure shows


def draw(tests: Sequence[Picture], ax: Any) -> Any:
    """Draw tests over each other on matplotlib axes (new ones where `ax` is None)."""
    ax = axes_or_new(ax)
    for number, test in enumerate(tests):
        _draw_one(ax, test, f"C{number}")
    ax.set(
        xlabel="learning rate",
        ylabel=tests[0].quantity,
        xscale=axis_scale(np.concatenate([test.drawn_rates for test in tests])),
    )
    _limit(ax, tests)
    for number, test in enumerate(tests):
        _draw_trainings(ax, test, f"C{number}")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False)
    return ax


def axes_or_new(ax: Any) -> Any:
    """The axes, or those of a new figure where they are None."""
    if ax is not None:
        return ax
    pyplot = import_optional("matplotlib.pyplot", "plot")
    return pyplot.figure(layout="constrained", figsize=(7.5, 4.5)).add_subplot()


def svg(test: Picture) -> str | None:
    """One test as SVG text; None without matplotlib: a notebook then shows the repr."""
    return svg_of(lambda ax: draw([test], ax))


def svg_of(draw_on: Callable[[Any], Any]) -> str | None:
    """What a function draws on axes, as SVG text; None without matplotlib."""
    try:
        pyplot = import_optional("matplotlib.pyplot", "plot")
    except ImportError:
        return None
    text = io.StringIO()
    with pyplot.rc_context({"svg.hashsalt": "lrsched"}):
        figure = pyplot.figure(layout="constrained", figsize=(6.5, 3.8))
        draw_on(figure.add_subplot())
        figure.savefig(text, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    found = text.getvalue()
    return found[found.index("<svg") :]


def _draw_one(ax: Any, test: Picture, color: str) -> None:
    repeats = len(test.losses)
    if test.earlier is not None:
        label = f"{test.prefix}earlier rates"
        ax.plot(*test.earlier, ".", color=color, alpha=0.25, markersize=3, label=label)
    if repeats > 1:
        lowest, highest = _band(test.losses)
        ax.fill_between(test.rates, lowest, highest, color=color, alpha=0.15, linewidth=0)
    ax.plot(test.rates, test.median, ".", color=color, alpha=0.35, markersize=3)
    if test.smoothed is None:
        label = f"{test.prefix}{test.quantity}"
        ax.plot(test.rates, test.median, color=color, linewidth=1.0, label=label)
    else:
        of = f" of {repeats}" if repeats > 1 else ""
        label = f"{test.prefix}smoothed {test.quantity}{of}"
        ax.plot(test.rates, test.smoothed, color=color, linewidth=1.8, label=label)
    if test.suggestion is not None:
        draw_suggestion(ax, test.suggestion, color, test.prefix)


def draw_suggestion(ax: Any, found: Suggestion, color: str, prefix: str = "") -> None:
    """Draw the suggested rate, its band, and the range around; `prefix` begins the legend."""
    ends = plain(found.low, 2), plain(found.high, 2)
    band, label = found.shown_band, None
    if band:
        ax.axvspan(*found.band, color=color, alpha=0.12, linewidth=0)
        label = f"{prefix}low {ends[0]}, high {ends[1]}"
    text = f"{prefix}suggested {plain(found.suggested, 2)} ({band or ' to '.join(ends)})"
    ax.axvline(found.suggested, color=color, linewidth=1.2, linestyle="--", label=text)
    ax.axvspan(found.low, found.high, color=color, alpha=0.08, linewidth=0, label=label)


def _draw_trainings(ax: Any, test: Picture, color: str) -> None:
    """A marker at the end of each training, within the limits of the figure."""
    if test.trainings is None:
        return
    rates, ends = test.trainings
    rates, ends = np.repeat(rates, ends.shape[1]), ends.ravel()
    shown, above = ends <= ax.get_ylim()[1], ends > ax.get_ylim()[1]
    if shown.any():
        label = f"{test.prefix}trainings at constant rates"
        style = {"color": color, "markeredgecolor": "white", "zorder": 3}
        ax.plot(rates[shown], ends[shown], "o", markersize=6, label=label, **style)
    mark(ax, rates[above], 1.0, color, f"{test.prefix}trainings that diverged")


def mark(ax: Any, rates: Array, height: float, color: str, label: str) -> None:
    """Crosses at these rates, at a height from 0 to 1 of the figure."""
    if len(rates):
        style = {"color": color, "label": label, "clip_on": False, "zorder": 3}
        heights = np.full_like(rates, height)
        ax.plot(rates, heights, "x", transform=ax.get_xaxis_transform(), **style)


def _band(losses: Array) -> tuple[Array, Array]:
    """The lowest and the highest loss of the repeats that were still running."""
    running = np.isfinite(losses)
    low = np.where(running, losses, np.inf).min(axis=0)
    high = np.where(running, losses, -np.inf).max(axis=0)
    some = running.any(axis=0)
    return np.where(some, low, np.nan), np.where(some, high, np.nan)


def _limit(ax: Any, tests: Sequence[Picture]) -> None:
    losses = np.concatenate([losses for test in tests for losses in (test.median, test.ends)])
    losses = losses[np.isfinite(losses)]
    if len(losses):
        start = max(float(np.median(test.median[:5])) for test in tests if len(test.median))
        limit_losses(ax, float(losses.min()), start, float(losses.max()))


def limit_losses(ax: Any, low: float, start: float, high: float) -> None:
    """Keep losses that diverge from flattening the part of a figure that shows training.

    The losses begin at `start` and lie between `low` and `high`.
    """
    span = start - low if start > low else abs(start)
    if low > 0 and start > LOG_SCALE_RATIO * low:
        ax.set(yscale="log", ylim=(low / 1.3, min(high, start * ROOM * 4) * 1.3))
    elif span > 0 and high > start + ROOM * span:
        ax.set_ylim(low - 0.05 * span, start + ROOM * span)
    elif math.isclose(low, high):
        ax.set_ylim(low - 1.0, high + 1.0)
