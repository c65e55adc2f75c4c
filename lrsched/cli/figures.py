"""Draw for the command line: figures in files, pages, and plots in the terminal."""

from __future__ import annotations

from html import escape
from io import StringIO
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from lrsched._core.curve import curve_of
from lrsched._core.nominal import over_a_nominal_run
from lrsched._core.schedule import Schedule
from lrsched._optional import import_optional
from lrsched.plot import last_count, plot

ENDINGS = (".png", ".svg", ".pdf", ".html")  # of the files that `save` writes
ROWS, WIDEST = 20, 120  # of a plot in the terminal
TICKS = 4
MARKERS = "•x+o*#"  # one for each curve, as a pipe has no colours
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
svg {{ width: 100%; height: auto }}
pre {{ background: #f4f4f4; padding: 1rem; overflow-x: auto; white-space: pre-wrap }}
</style>
<h1>{title}</h1>
{picture}
<pre>{text}</pre>
</html>
"""


def empty_figure() -> Any:
    """A matplotlib figure to be written to a file."""
    # Without pyplot, which would start the backend of a window.
    return import_optional("matplotlib.figure", "plot").Figure(figsize=(8, 5), layout="constrained")


def figure_of(recipes: tuple[Schedule, ...], steps: int | None, log: bool) -> Any:
    """The curves of recipes, with a legend below."""
    figure = empty_figure()
    labels = [_shortened(repr(recipe), 90) for recipe in recipes]
    ax = plot(*recipes, steps=steps, labels=labels, ax=figure.add_subplot(), log=log)
    ax.get_legend().remove()
    figure.legend(loc="outside lower left", frameon=False, fontsize="small")
    return figure


def save(figure: Any, output: Path, text: str, title: str = "Learning rates") -> None:
    """Write a figure in the format of the file's ending; an .html page also shows the text."""
    if output.suffix.lower() == ".html":
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
        picture = drawn.getvalue().partition("<svg")
        page = PAGE.format(title=title, picture="".join(picture[1:]), text=escape(text))
        output.write_text(page, encoding="utf-8")
    else:
        figure.savefig(output, dpi=150)


def terminal_plot(recipes: tuple[Schedule, ...], steps: int | None, log: bool) -> str:
    """The curves of recipes as text."""
    figure = import_optional("plotext", "cli").figure
    width = min(get_terminal_size().columns, WIDEST)
    drawn, axis = over_a_nominal_run(recipes)
    last = steps or last_count(drawn)
    figure.clear()
    figure.theme("simple").plot_size(width, ROWS).label(axis.label)
    legend = []
    for number, (recipe, schedule) in enumerate(zip(recipes, drawn, strict=True)):
        marker = MARKERS[number % len(MARKERS)] if len(recipes) > 1 else "braille"
        counts, values = curve_of(schedule, last)
        points = [
            (n, v) for n, v in zip(axis.places(counts), values, strict=True) if v > 0 or not log
        ]
        if not points:
            raise ValueError(f"--log must have values > 0, which {recipe!r:.80} has not")
        signal = figure.signal(*map(list, zip(*points, strict=True)), marker=marker)
        signal.lines()
        figure.draw(signal)
        legend.append(f"{marker} {recipe!r}" if len(recipes) > 1 else repr(recipe))
    ticks = axis.places(sorted({last * part // TICKS for part in range(TICKS + 1)}))
    texts = [str(tick) if isinstance(tick, int) else f"{tick:.4g}" for tick in ticks]
    figure.ruler("x").ticks(list(ticks), texts)
    figure.ruler("y").scale("log" if log else "linear")
    picture: str = figure.build().string()
    return "\n".join([picture, *legend])


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
