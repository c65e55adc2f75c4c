"""The learning rates that range tests suggest.

How far the loss held out, after training at the suggested rate, is above that at the best rate of a
grid of 25: the geometric mean over 13 tasks that chose the test's constants and 13 that chose
nothing, and ten seeds. Other libraries' rules are on the same curves: the figure is our score over
theirs. [Its own page](../docs/range-tests-quality.md) has all lengths, tasks and worst cases.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.measure import Row, Section, run_section
from benchmarks.suggestions.curves import train_all
from benchmarks.suggestions.quality import loaded, publish
from benchmarks.suggestions.report import DEFAULT_PROBE, LENGTHS
from lrsched.range_test.finders import FINDERS

AIMS = {"default": 1.08, DEFAULT_PROBE: 1.03}
LENGTH = "200"  # of those beside which the other rules are shown
HALVES = {"tuned": "tasks that chose constants", "reported": "tasks that chose nothing"}


def fill(section: Section) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curves.npz"
        train_all(path)
        rules = publish(loaded(path))["rules"]
    for half, tasks in HALVES.items():
        for rule, aim in AIMS.items():
            for length in LENGTHS:
                score = rules[rule][half]["lengths"][length]["mean"]
                what = f"{rule}, {length} updates, {tasks}"
                section.add(Row(what, "the best of the grid", round(score, 3), aim, unit="×"))
        for rule in FINDERS:
            ours, theirs = (rules[x][half]["lengths"][LENGTH]["mean"] for x in ("default", rule))
            what = f"default, {LENGTH} updates, {tasks}"
            section.add(Row(what, f"`{rule}`", round(ours / theirs, 3), 1.0, unit="×"))


if __name__ == "__main__":
    run_section(fill)
