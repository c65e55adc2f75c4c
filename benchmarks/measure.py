"""Two ways to do the same, timed in turns in one process, and what a section of the page holds."""

from __future__ import annotations

import gc
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Work = Callable[[], Any]

SHORTEST = 1e-3  # seconds: what takes less is called several times for one measurement
GPU_ONLY = os.environ.get("BENCHMARKS_GPU_ONLY") == "1"  # set by `benchmarks.run --gpu`
MOST_PAIRS = 9  # of GPU_ONLY


@dataclass(frozen=True)
class Ratio:
    """Our cost over theirs: the median of the pairs, their quartiles, and each side's median."""

    median: float
    low: float
    high: float
    ours: float
    theirs: float
    unit: str = "s"


@dataclass(frozen=True)
class Row:
    """A line of a table: a figure, and what it should be.

    The figure is a `Ratio`, or a number with its unit. `goal` bounds the figure (of a ratio, its
    median) from above, or with `at_least` the ratio's inverse, how many times faster we are, from
    below.
    """

    what: str
    against: str
    figure: Ratio | float
    goal: float | None = None
    at_least: bool = False
    unit: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        value = self.figure.median if isinstance(self.figure, Ratio) else self.figure
        return 1 / value >= self.goal if self.at_least else value <= self.goal


@dataclass(frozen=True)
class Growth:
    """A figure: costs against a size, on logarithmic axes; a curve is a name, sizes and costs."""

    name: str
    title: str
    size: str
    cost: str
    curves: list[tuple[str, list[float], list[float]]]


@dataclass
class Section:
    """What one script of the benchmarks has found."""

    rows: list[Row] = field(default_factory=list)
    growths: list[Growth] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # what this machine cannot do

    def add(self, row: Row) -> None:
        """Keep a row, and print it for who waits."""
        self.rows.append(row)
        figure = row.figure
        shown = f"{figure.median:.3g}x" if isinstance(figure, Ratio) else f"{figure:.3g} {row.unit}"
        print(f"{row.what} / {row.against}: {shown}", file=sys.stderr, flush=True)


def in_turns(ours: Work, theirs: Work, repeats: int = 51, warmup: int = 2) -> Ratio:
    """Time both in pairs, in an order drawn for each, without the garbage collector.

    Both must have ended when they return: what a device does later is not seen.
    """
    repeats = min(repeats, MOST_PAIRS) if GPU_ONLY else repeats
    calls = {work: calls_for(work, warmup) for work in (ours, theirs)}
    order, pairs = random.Random(0), []
    with no_garbage_collection():
        for _ in range(repeats):
            taken = {}
            for work in order.sample([ours, theirs], 2):
                taken[work] = timed(work, calls[work])
            pairs.append((taken[ours], taken[theirs]))
    return ratio_of(pairs)


def ratio_of(pairs: list[tuple[float, float]], unit: str = "s") -> Ratio:
    """The ratio of measured pairs of ours and theirs."""
    ratios = [ours / theirs for ours, theirs in pairs]
    low, median, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Ratio(median, low, high, ours, theirs, unit)


def calls_for(work: Work, warmup: int) -> int:
    """How many calls one measurement makes."""
    for _ in range(warmup):
        work()
    calls = 1
    while (taken := timed(work, calls) * calls) < SHORTEST:
        calls = max(2 * calls, int(calls * SHORTEST / max(taken, 1e-9)))
    return calls


def timed(work: Work, calls: int = 1) -> float:
    """Seconds for each of so many calls."""
    begin = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - begin) / calls


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run_section(fill: Callable[[Section], None]) -> None:
    """The main function of a script: fill a section, and write it to the file that is named."""
    section = Section()
    fill(section)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(asdict(section)), encoding="utf-8")


def section_of(data: dict[str, Any]) -> Section:
    """A section from its JSON."""
    rows = [
        Row(**{**row, "figure": Ratio(**row["figure"])} if isinstance(row["figure"], dict) else row)
        for row in data["rows"]
    ]
    growths = [
        Growth(**{**growth, "curves": [tuple(curve) for curve in growth["curves"]]})
        for growth in data["growths"]
    ]
    return Section(rows, growths, data["missing"])
