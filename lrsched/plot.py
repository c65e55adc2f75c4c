"""A schedule's curve: with matplotlib, and as a small SVG that needs nothing."""

from __future__ import annotations

import importlib
import math
from typing import Any

from lrsched._checks import Refusal, integer
from lrsched._schedule import Schedule, leaves

POINTS = 400  # of a curve; more than a screen resolves
WIDTH, HEIGHT = 420, 200  # of the SVG
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 28, 34  # its margins


def draw(schedule: Schedule, steps: int | None, ax: Any, **style: Any) -> Any:
    """Draw the curve on matplotlib axes (new ones where `ax` is None) and return them."""
    pyplot = needed("matplotlib.pyplot", "plot")
    if steps is not None:
        steps = Refusal("plot").check("steps", integer(1, "steps"), steps)
    counts, values = curve(schedule, steps)
    if ax is None:
        ax = pyplot.figure(layout="constrained").add_subplot()
        ax.set(xlabel="step", ylabel="learning rate")
    ax.plot(counts, values, **({"label": schedule.name} | style))
    return ax


def needed(module: str, extra: str) -> Any:
    """A module of an optional library, or an error that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        library = module.partition(".")[0]
        reason = f"plot: {library} is needed; pip install 'lrsched[{extra}]'"
        raise ImportError(reason) from None


def svg(schedule: Schedule) -> str:
    """The curve as an SVG picture with the recipe as its title."""
    from html import escape

    counts, values = curve(schedule, None)
    low, high = min(values), max(values)
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    last = counts[-1]
    points = " ".join(
        f"{LEFT + width * count / last:.1f},{TOP + height * (high - value) / (high - low):.1f}"
        for count, value in zip(counts, values, strict=True)
    )
    recipe = escape(repr(schedule))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" \
viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" role="img">
<title>{recipe}</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>
<text x="{LEFT}" y="18" font-size="12" font-weight="bold">{escape(schedule.name)}</text>
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


def curve(schedule: Schedule, steps: int | None) -> tuple[list[int], list[float]]:
    """Counts from 0 to `steps` and the values there; without `steps`, as far as shows the shape.

    That is four times the sum of the schedule's durations, or less where it comes to rest before.
    """
    if steps is not None:
        return _sample(schedule, steps)
    longest = sum(value for value in leaves(schedule.params.values()) if isinstance(value, int))
    counts, values = _sample(schedule, min(max(4 * longest, 100), 2**31 - 1))
    span = max(values) - min(values)
    moving = [n for n, v in zip(counts, values, strict=True) if abs(v - values[-1]) > 1e-3 * span]
    rest = moving[-1] if moving else counts[-1]
    return _sample(schedule, min(counts[-1], max(1, math.ceil(1.15 * rest))))


def _sample(schedule: Schedule, steps: int) -> tuple[list[int], list[float]]:
    number = min(steps, POINTS)
    counts = [steps * point // number for point in range(number + 1)]
    return counts, [float(schedule(count)) for count in counts]
