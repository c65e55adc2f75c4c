"""The learning rates that range tests suggest.

How far the loss held out, after training at the suggested constant rate, is above that at the best
rate of a grid of 25: the geometric mean over tasks of the median of ten seeds. Other libraries'
rules are on the same ramps: the figure is our score over theirs.
[Its own page](../docs/explanation/range-tests-quality.md) has all lengths, runs, tasks and worst
cases.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.measure import Row, Section, run_section
from benchmarks.suggestions import runs
from benchmarks.suggestions.judge import Suggestions, truths
from benchmarks.suggestions.report import (
    CONSTANT_GOAL,
    PEERS,
    REFINED_GOAL,
    figure,
    name_of,
    page,
)

ROOT = Path(__file__).parent.parent
GOALS = {"default": CONSTANT_GOAL, "refine": REFINED_GOAL}
STEPS = 200  # of the ramps beside which the other rules are shown


def on_record() -> Suggestions:
    """The runs and the truth on record."""
    with np.load(runs.FILE) as known:
        return Suggestions({name: np.asarray(known[name]) for name in known.files}, truths())


def publish() -> Suggestions:
    """Write the page and its figure from what is on record."""
    found = on_record()
    (ROOT / "docs/explanation/range-tests-quality.md").write_text(page(found), encoding="utf-8")
    figure(found, ROOT / "benchmarks" / "results" / "range_test_quality.svg")
    return found


def fill(section: Section) -> None:
    runs.main()
    add(section, publish())


def add(section: Section, known: Suggestions) -> None:
    """The rows of the section."""
    for part, title in known.parts.items():
        names = known.names_of(part)
        for method, goal in GOALS.items():
            for steps in runs.STEPS:
                score = known.figures(names, method, steps).mean
                what = f"{name_of(method)}, ramp of {steps}, {title.lower()}"
                section.add(Row(what, "the best of the grid", round(score, 3), goal, unit="×"))
        ours = known.figures(names, "default", STEPS).mean
        for rule in PEERS:
            theirs = known.figures(names, rule, STEPS).mean
            what = f"{name_of('default')}, ramp of {STEPS}, {title.lower()}"
            section.add(Row(what, f"`{rule}`", round(ours / theirs, 3), 1.0, unit="×"))


if __name__ == "__main__":
    run_section(fill)
