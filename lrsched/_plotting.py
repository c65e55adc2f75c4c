"""Draw a curve: with matplotlib, or as a small SVG without any library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lrsched._optional import import_optional

LOG_SCALE_RATIO = 30.0  # of the largest to the smallest value, above which an axis is logarithmic
WIDTH, HEIGHT = 420, 200  # of the SVG
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 28, 34  # its margins


def draw(
    places: Sequence[float],
    values: Sequence[float],
    ax: Any,
    style: Mapping[str, Any],
    label: str = "step",
) -> Any:
    """Draw a curve on matplotlib axes (new ones where `ax` is None) and return them.

    `places` are the counts as they are drawn, and `label` names their axis. `style` goes to
    `Axes.plot`.
    """
    if ax is None:
        ax = new_axes(label)
    ax.plot(places, values, **style)
    return ax


def new_axes(label: str) -> Any:
    """Matplotlib axes of learning rates over what `label` names."""
    pyplot = import_optional("matplotlib.pyplot", "plot")
    return name_axes(pyplot.figure(layout="constrained").add_subplot(), label)


def name_axes(ax: Any, label: str) -> Any:
    """The axes, which are learning rates over what `label` names, where nothing else was said."""
    ax.set_xlabel(ax.get_xlabel() or label)
    ax.set_ylabel(ax.get_ylabel() or "learning rate")
    return ax


def axis_scale(values: Any) -> str:
    """ "log" for an array of positive values that spread over `LOG_SCALE_RATIO`, else "linear"."""
    wide = values.size and values.min() > 0 and values.max() > LOG_SCALE_RATIO * values.min()
    return "log" if wide else "linear"


def svg(places: Sequence[float], values: Sequence[float], name: str, title: str, label: str) -> str:
    """A curve as SVG text, headed by `name`; `title` is the picture's description.

    `places` and `label` are as for `draw`.
    """
    from html import escape

    low, high = min(values), max(values)
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    last = places[-1]
    shown = last if isinstance(last, int) else f"{last:.4g}"
    points = " ".join(
        f"{LEFT + width * place / last:.1f},{TOP + height * (high - value) / (high - low):.1f}"
        for place, value in zip(places, values, strict=True)
    )
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" \
viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" role="img">
<title>{escape(title)}</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>
<text x="{LEFT}" y="18" font-size="12" font-weight="bold">{escape(name)}</text>
<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#888"/>
<text x="{LEFT - 6}" y="{TOP + 4}" text-anchor="end">{high:.3g}</text>
<text x="{LEFT - 6}" y="{bottom + 4}" text-anchor="end">{low:.3g}</text>
<text x="{LEFT}" y="{bottom + 16}" text-anchor="middle">0</text>
<text x="{right}" y="{bottom + 16}" text-anchor="end">{shown}</text>
<text x="{LEFT + width / 2:.0f}" y="{bottom + 26}" text-anchor="middle">{escape(label)}</text>
<polyline points="{points}" fill="none" stroke="#1f5fbf" stroke-width="1.8" \
stroke-linejoin="round"/>
</svg>
"""
