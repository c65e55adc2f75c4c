"""Draw a curve: with matplotlib, or as a small SVG without any library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lrsched._optional import import_optional

LOG_SCALE_RATIO = 30.0  # of the largest to the smallest value, above which an axis is logarithmic
WIDTH, HEIGHT = 420, 200  # of the SVG
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 28, 34  # its margins


def draw(counts: Sequence[int], values: Sequence[float], ax: Any, style: Mapping[str, Any]) -> Any:
    """Draw a curve on matplotlib axes (new ones where `ax` is None) and return them.

    `style` goes to `Axes.plot`.
    """
    pyplot = import_optional("matplotlib.pyplot", "plot")
    if ax is None:
        ax = pyplot.figure(layout="constrained").add_subplot()
        ax.set(xlabel="step", ylabel="learning rate")
    ax.plot(counts, values, **style)
    return ax


def axis_scale(values: Any) -> str:
    """ "log" for an array of positive values that spread over `LOG_SCALE_RATIO`, else "linear"."""
    wide = values.size and values.min() > 0 and values.max() > LOG_SCALE_RATIO * values.min()
    return "log" if wide else "linear"


def svg(counts: Sequence[int], values: Sequence[float], name: str, title: str) -> str:
    """A curve as SVG text, headed by `name`; `title` is the picture's description."""
    from html import escape

    low, high = min(values), max(values)
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    last = counts[-1]
    points = " ".join(
        f"{LEFT + width * count / last:.1f},{TOP + height * (high - value) / (high - low):.1f}"
        for count, value in zip(counts, values, strict=True)
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
<text x="{right}" y="{bottom + 16}" text-anchor="end">{last}</text>
<text x="{LEFT + width / 2:.0f}" y="{bottom + 26}" text-anchor="middle">step</text>
<polyline points="{points}" fill="none" stroke="#1f5fbf" stroke-width="1.8" \
stroke-linejoin="round"/>
</svg>
"""
