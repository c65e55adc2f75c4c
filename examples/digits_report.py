"""Write the figures, the summary and the page of `digits.py`."""

import base64
import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import flax
import jax
import numpy as np
import optax
import torch
from matplotlib.figure import Figure

import lrsched
from lrsched import Schedule
from lrsched.range_test import RangeTest

FRAMEWORKS = {  # line styles: torch is drawn over JAX, a thin dashed line on a wide pale one
    "JAX": {"color": "#82b7e6", "lw": 4.0},
    "torch": {"color": "#a8380a", "lw": 1.2, "ls": (0, (4, 2))},
}
RAW: dict[str, Any] = {"alpha": 0.3, "ls": "-", "label": None, "zorder": 1}

PAGE = Template("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Handwritten digits in JAX and in torch</title>
<style>
  body { max-width: 68rem; margin: 3rem auto; padding: 0 1.5rem; color: #222;
         font: 1rem/1.55 system-ui, "Helvetica Neue", Arial, sans-serif; }
  h1, h2 { font-weight: 600; line-height: 1.2; }
  h2 { margin: 2.8rem 0 0.8rem; font-size: 1.25rem; }
  p { max-width: 46rem; }
  img { display: block; width: 100%; height: auto; margin: 1.2rem 0; }
  table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { padding: 0.4rem 0.7rem; border-bottom: 1px solid #ddd; text-align: right; }
  th { border-color: #888; font-weight: 600; vertical-align: bottom; }
  th:first-child, td:first-child { padding-left: 0; text-align: left; }
  dt { margin-top: 0.9rem; font-weight: 600; }
  dd { margin: 0; overflow-wrap: anywhere; }
  code { font: 0.9rem/1.5 ui-monospace, Menlo, Consolas, monospace; }
  footer { margin-top: 3rem; color: #666; font-size: 0.85rem; }
</style>

<h1>Handwritten digits in JAX and in torch</h1>
<p>One small convolutional network, in Flax NNX and in torch, starts from the same weights and
gets the same batches. Each schedule is written once, for both frameworks.</p>

<h2>Range test</h2>
<p>The learning rate rises from update to update, and the loss falls until the rate is too high.
The suggested rate is the one at which most of that fall is done. $readings.</p>
<img style="max-width: 46rem" src="$range_test" alt="Loss over learning rate, JAX and torch">

<h2>Training</h2>
<table>
$table
</table>
<p>The accuracy is that on the held-out digits. The time of training excludes compilation, which
only JAX does here. The largest relative difference between the learning rates of the two
frameworks in an update is $difference.</p>
<img src="$training" alt="Learning rate and loss over the steps for each schedule, JAX and torch">

<h2>Recipes</h2>
<dl>
$recipes
</dl>

<footer>$versions</footer>
</html>
""")


@dataclass(frozen=True)
class Run:
    """One training: the learning rate and the loss of each update, the accuracy and the time."""

    rates: list[float]
    losses: list[float]
    accuracy: float
    seconds: float
    compile_seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """All results; the range tests, and the runs of each schedule, are by framework."""

    range_tests: dict[str, RangeTest]
    schedules: dict[str, Schedule]
    runs: dict[str, dict[str, Run]]
    epochs: int

    def write(self, out: Path) -> None:
        """Write range_test.png, training.png, summary.json and report.html."""
        out.mkdir(parents=True, exist_ok=True)
        self.draw_range_tests().savefig(out / "range_test.png", dpi=150)
        self.draw_training().savefig(out / "training.png", dpi=150)
        summary = json.dumps(self.summary(), indent=2, allow_nan=False)
        (out / "summary.json").write_text(f"{summary}\n", encoding="utf-8")
        (out / "report.html").write_text(self.page(out), encoding="utf-8")

    def draw_range_tests(self) -> Figure:
        """Draw loss over learning rate, raw (dots) and smoothed, and the suggested rates."""
        figure = Figure((8, 4.5), layout="constrained")
        first, *others = self.range_tests.values()
        first.plot(*others, ax=figure.add_subplot())
        return figure

    def draw_training(self) -> Figure:
        """Draw learning rates, and below them the losses of each update (pale) and each epoch."""
        figure = Figure((12, 5.6), layout="constrained")
        grid = figure.subplots(2, len(self.runs), sharex=True, sharey="row")
        for (top, bottom), (title, pair) in zip(grid.T, self.runs.items(), strict=True):
            for name, run in pair.items():
                label = f"{name}: accuracy {run.accuracy:.1%}"
                style: dict[str, Any] = FRAMEWORKS[name] | {"label": label}
                losses = np.reshape(run.losses, (self.epochs, -1))
                middles = (np.arange(self.epochs) + 0.5) * losses.shape[1]
                top.plot(run.rates, **style)
                bottom.plot(run.losses, **style | RAW)
                bottom.plot(middles, losses.mean(axis=1), **style)
            top.set_title(title)
            bottom.set(yscale="log", xlabel="step")
            bottom.legend(frameon=False, loc="upper right")
        grid[0, 0].set_ylabel("learning rate")
        grid[1, 0].set_ylabel("loss by epoch (pale: each update)")
        return figure

    def difference(self, schedule: str) -> float:
        """The largest relative difference between the learning rates used by the frameworks."""
        first, second = (np.array(run.rates) for run in self.runs[schedule].values())
        scale = np.maximum(np.abs(second), np.finfo(float).tiny)  # a warmup starts at 0
        return float((np.abs(first - second) / scale).max())

    def table(self) -> list[list[str]]:
        """The accuracy and times of each schedule as text, after a header row."""
        seconds = ["JAX training, s", "torch training, s", "JAX compilation, s"]
        rows = [["schedule", "JAX accuracy", "torch accuracy", *seconds]]
        for schedule, pair in self.runs.items():
            jax_run, torch_run = pair["JAX"], pair["torch"]
            times = (jax_run.seconds, torch_run.seconds, jax_run.compile_seconds)
            accuracies = (f"{run.accuracy:.1%}" for run in (jax_run, torch_run))
            rows.append([schedule, *accuracies, *(f"{time:.2f}" for time in times)])
        return rows

    def summary(self) -> dict[str, Any]:
        """The results and the recipes as plain data."""
        modules = (lrsched, jax, flax, optax, torch, np)
        measures = ("accuracy", "seconds", "compile_seconds")
        return {
            "versions": {module.__name__: module.__version__ for module in modules},
            "epochs": self.epochs,
            "range_tests": {
                name: x.suggest()._asdict() | {"updates": len(x.losses), "stopped": x.stopped}
                for name, x in self.range_tests.items()
            },
            "training": {
                schedule: {
                    "recipe": self.schedules[schedule].to_dict(),
                    "largest_relative_difference_of_rates": self.difference(schedule),
                    **{name: {x: getattr(run, x) for x in measures} for name, run in pair.items()},
                }
                for schedule, pair in self.runs.items()
            },
        }

    def page(self, out: Path) -> str:
        """The HTML page, with the two figures of the folder embedded."""

        def image(name: str) -> str:
            return "data:image/png;base64," + base64.b64encode((out / name).read_bytes()).decode()

        readings = (
            f"{name}: {x.suggest().suggested:.3g}, from {len(x.losses)} updates ({x.stopped})"
            for name, x in self.range_tests.items()
        )
        header, *rows = self.table()
        table = [f"<tr><th>{'<th>'.join(map(escape, header))}"]
        table += [f"<tr><td>{'<td>'.join(map(escape, row))}" for row in rows]
        recipes = (
            f"<dt>{escape(name)}<dd><code>{escape(repr(schedule))}</code>"
            for name, schedule in self.schedules.items()
        )
        versions = self.summary()["versions"].items()
        return PAGE.substitute(
            readings="; ".join(readings),
            range_test=image("range_test.png"),
            table="\n".join(table),
            difference=f"{max(map(self.difference, self.runs)):.1g}",
            training=image("training.png"),
            recipes="\n".join(recipes),
            versions=", ".join(f"{name} {version}" for name, version in versions),
        )
