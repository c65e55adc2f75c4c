"""The page and the figures of `benchmarks.run`."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import MOST_PAIRS, Growth, Ratio, Row, section_of

HEAD = """# Beside the peers

Made by `make bench`; do not edit. Each line is one thing done in two ways, ours and a peer's,
measured in turns in one process: the ratio of our time to theirs, the median of all pairs with its
quartiles, and the median time of each. A ratio below 1 is in our favour; where the goal is a
multiple, we are to be so many times faster. **short** is what falls short of its goal; within the
spread is what the middle half of the pairs cannot tell from it. *before* is our own time before
what these figures showed was mended, where it has changed by a tenth or more, in the same units.
"""

CHANGED = 1.1


def page(results: Path, sections: Sequence[str], out: Path) -> None:
    """Write the page of all machines' results, and their figures beside the results."""
    lines = [HEAD]
    for file in sorted(results.glob("machine-*.json")):
        lines += machine(json.loads(file.read_text(encoding="utf-8")), file, sections)
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def machine(found: dict[str, Any], file: Path, sections: Sequence[str]) -> list[str]:
    """The part of one machine."""
    about = found["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    lines = [f"## {about['gpu'] or about['processor']}", ""]
    lines += [f"{about['processor']}; Python {about['python']}; {versions}.", ""]
    if about.get("gpu_only"):
        lines += [f"Only what uses the GPU was measured, in {MOST_PAIRS} pairs at most.", ""]
    earlier = file.with_name(file.name.replace("machine-", "before-"))
    before = json.loads(earlier.read_text(encoding="utf-8")) if earlier.exists() else {}
    for name in sections:
        if name not in found["sections"]:
            continue
        section = section_of(found["sections"][name])
        title, _, text = (importlib.import_module(f"benchmarks.{name}").__doc__ or "").partition(
            "\n"
        )
        lines += [f"### {title.removesuffix('.')}", "", text.strip(), ""]
        if section.rows:
            lines += table(section.rows, before.get("sections", {}).get(name, {}))
        for growth in section.growths:
            picture = file.with_name(f"{file.stem}-{growth.name}.svg")
            draw(growth, picture, before.get("growths", {}).get(growth.name))
            lines += [f"![{growth.title}]({picture.parent.name}/{picture.name})", ""]
        lines += [f"Missing here: {missing}." for missing in section.missing]
        lines += [""] * bool(section.missing)
    return lines


def table(rows: Sequence[Row], before: dict[str, float]) -> list[str]:
    """The rows, with a column for what ours took before where that is known."""
    head = ["what", "beside", "figure", "ours, theirs", *["before"] * bool(before), "goal"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        cells = line(row)
        if before:
            cells.insert(-1, earlier_cost(row, before.get(f"{row.what} | {row.against}")))
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def earlier_cost(row: Row, before: float | None) -> str:
    """What ours took before, if it was something else."""
    if before is None or not isinstance(row.figure, Ratio):
        return ""
    now = row.figure.ours
    return quantity(before, row.figure.unit) if max(before / now, now / before) > CHANGED else ""


def line(row: Row) -> list[str]:
    """The cells of one line of a table."""
    if isinstance(row.figure, Ratio):
        r = row.figure
        figure = f"{number(r.median)}× ({number(r.low)} to {number(r.high)})"
        sides = f"{quantity(r.ours, r.unit)}, {quantity(r.theirs, r.unit)}"
    else:
        figure, sides = quantity(row.figure, row.unit), ""
    goal = ""
    if row.goal is not None:
        goal = f"≥ {row.goal:g}× faster" if row.at_least else f"≤ {row.goal:g}{_unit(row)}"
        goal += "" if row.met else " short, within the spread" if _near(row) else " **short**"
    what = f"{row.what} ({row.note})" if row.note else row.what
    return [what, row.against, figure, sides, goal]


def _near(row: Row) -> bool:
    """Whether the goal lies within the middle half of the pairs."""
    if not isinstance(row.figure, Ratio) or row.goal is None:
        return False
    bound = 1 / row.goal if row.at_least else row.goal
    return row.figure.low <= bound <= row.figure.high


def _unit(row: Row) -> str:
    return "×" if isinstance(row.figure, Ratio) else f" {row.unit}".rstrip()


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def quantity(value: float, unit: str) -> str:
    """A number with its unit, seconds in the unit that suits it."""
    if unit != "s":
        return f"{number(value)} {unit}".rstrip()
    for factor, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor:
            return f"{number(value / factor)} {name}"
    return f"{number(value / 1e-9)} ns"


def draw(growth: Growth, out: Path, before: list[list[float]] | None) -> None:
    """A figure of costs over sizes, with what ours were before if they are known."""
    from matplotlib import pyplot

    figure = pyplot.figure(layout="constrained", figsize=(7.5, 4))
    axes = figure.add_subplot(xscale="log", yscale="log", title=growth.title)
    for (name, sizes, costs), marker in zip(growth.curves, "os^Dv<>Px*", strict=False):
        axes.plot(sizes, costs, marker=marker, markersize=4, linewidth=1.2, label=name)
    if before:
        axes.plot(*before, "o:", color="C0", markersize=3, label="lrsched, before")
    axes.set(xlabel=growth.size, ylabel=growth.cost)
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(out, metadata={"Date": None})
    pyplot.close(figure)
