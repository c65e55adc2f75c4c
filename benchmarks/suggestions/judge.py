"""Scores what range tests suggest: the loss of a run at the rate, over that at the best rate.

The loss is the one held out after the run, or that of training. Scores are logarithms of the ratio,
interpolated between the rates of the grid, and averaged over the seeds of the truth. A loss counts
as at most 4 times that before training, and as at least a thousandth of it. A test that suggests
nothing has the loss before training.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.suggestions.all_tasks import PARTS
from benchmarks.suggestions.runs import FIGURES, METHODS, STEPS
from benchmarks.suggestions.truth import CONSTANT, FILE, GRID, LENGTHS, shapes
from lrsched.range_test.reading.lengths import Run
from lrsched.range_test.reading.scores import parabola_vertex

Array = npt.NDArray[np.float64]

WORST, LEAST = 4.0, 1e-3  # times the loss before training
HELD_OUT, TRAINING = 0, 1
DECADES = np.log10(GRID)
DESCRIBED = ("names", "parts", "epoch_steps", "signed")
REFERENCE = (100, 300)  # updates of the runs at a constant rate, whose scores are averaged
OVERFITS = 0.5  # decades by which the best peak in training is above the one held out


class Curve(NamedTuple):
    """The score of each rate of the grid, and of no training at all."""

    scores: Array
    untrained: float

    def at(self, rates: Array) -> Array:
        """The scores of rates; NaN stands for no suggestion."""
        with np.errstate(divide="ignore"):
            places = np.clip(np.log10(rates), DECADES[0], DECADES[-1])
        found = np.interp(places, DECADES, self.scores)
        return np.where(np.isnan(rates), self.untrained, found)

    @property
    def best(self) -> float:
        """The logarithm of the best rate: the vertex of the parabola through the best three."""
        place = int(self.scores.argmin())
        if place in (0, len(DECADES) - 1):
            return float(DECADES[place])
        near = slice(place - 1, place + 2)
        return parabola_vertex(DECADES[near], self.scores[near])


def logarithms(losses: Array, signed: bool) -> Array:
    """The logarithms of losses of (seeds, rates, 1 + ends), capped. Signed ones are logarithms."""
    first = np.median(losses[..., 0])
    logs = np.where(np.isfinite(losses), losses, np.inf)
    if not signed:
        logs = np.log(np.maximum(logs, LEAST * first))
        first = np.log(first)
    capped: Array = np.minimum(logs, first + np.log(WORST))
    return capped


def curve(losses: Array, signed: bool, ends: Sequence[int]) -> Curve:
    """The curve over the ends with these places, averaged over them and the seeds."""
    logs = logarithms(losses, signed)
    means = logs[..., [1 + end for end in ends]].mean(axis=0)
    least = means.min(axis=0)
    untrained = float(np.median(logs[..., 0]) - least.mean())
    return Curve((means - least).mean(axis=1), untrained)


def floor(losses: Array, signed: bool, ends: Sequence[int]) -> float:
    """The score, by one half of the seeds, of the best rate of the other half."""
    halves = [curve(half, signed, ends).scores for half in (losses[::2], losses[1::2])]
    return float(np.mean([a[b.argmin()] for a, b in (halves, halves[::-1])]))


class Truth(NamedTuple):
    """The part of a task, and its curves by the run: its shape and length, or "constant"."""

    part: str
    epoch_steps: int
    curves: dict[str, Curve]
    in_training: dict[str, Curve]
    floors: dict[str, float]


def truths() -> dict[str, Truth]:
    """The truth of each task on record."""
    with np.load(FILE) as known:
        described = zip(*(known[key].tolist() for key in DESCRIBED), strict=True)
        return {task[0]: _truth(known, *task) for task in described}


def _truth(known: Mapping[str, Any], name: str, part: str, epoch_steps: int, signed: bool) -> Truth:
    both: list[dict[str, Curve]] = [{}, {}]
    floors: dict[str, float] = {}
    for key, stored, ends in _runs():
        losses = np.asarray(known[f"{name}/{stored}"], float)
        for kind in (HELD_OUT, TRAINING):
            both[kind][key] = curve(losses[kind], signed, ends)
        floors[key] = floor(losses[HELD_OUT], signed, ends)
    return Truth(part, epoch_steps, both[0], both[1], floors)


def _runs() -> Iterable[tuple[str, str, list[int]]]:
    """Each run with the key of its losses, and the places of its ends there."""
    yield "constant", "constant", [CONSTANT.index(end) for end in REFERENCE]
    for steps in LENGTHS:
        yield f"constant {steps}", "constant", [CONSTANT.index(steps)]
        for shape in shapes(steps):
            yield f"{shape} {steps}", f"{shape} {steps}", [0]


class Figures(NamedTuple):
    """The figures of one method over tasks: geometric means are of ratios of losses."""

    mean: float  # over tasks, of the median seed
    worst_task: float  # its median seed
    worst_seed: float
    refused: int


def figures(found: Iterable[tuple[Curve, Array]]) -> Figures:
    """The figures of curves with the rates of all seeds."""
    scores = [curve.at(rates) for curve, rates in found]
    pairs = [rates for _, rates in found]
    medians = [float(np.median(each)) for each in scores]
    return Figures(
        float(np.exp(np.mean(medians))),
        float(np.exp(max(medians))),
        float(np.exp(max(each.max() for each in scores))),
        int(sum(np.isnan(rates).sum() for rates in pairs)),
    )


class Suggestions:
    """What was suggested, by task: arrays of (methods, steps, seeds, figures)."""

    def __init__(self, runs: dict[str, Array], truth: dict[str, Truth]) -> None:
        self.runs = runs
        self.truth = truth

    @property
    def parts(self) -> dict[str, str]:
        """The titles of the parts that have tasks on record."""
        return {part: title for part, title in PARTS.items() if self.names_of(part)}

    def names_of(self, part: str) -> list[str]:
        """The tasks of a part."""
        return [name for name, truth in self.truth.items() if truth.part == part]

    def rates(
        self, name: str, method: str, steps: int, run: str = "constant", told: bool = True
    ) -> Array:
        """The rates for a run; those of other libraries' rules are the same for all runs.

        A run that has a length is told with its passes over the data, or without.
        """
        shape, _, length = run.partition(" ")
        place = METHODS.index(method), STEPS.index(steps)
        found = self.runs[name][(*place, slice(None), FIGURES.index("suggested"))].astype(float)
        if not is_ours(method):
            return found
        epoch_steps = self.truth[name].epoch_steps if told and length else None
        return found * Run(shape, int(length) if length else None, epoch_steps).factor

    def figures(
        self,
        names: Iterable[str],
        method: str,
        steps: int,
        run: str = "constant",
        told: bool = True,
    ) -> Figures:
        """The figures of a method over tasks."""
        return figures(
            [
                (self.truth[name].curves[run], self.rates(name, method, steps, run, told))
                for name in names
            ]
        )

    def updates(self, names: Iterable[str], method: str, steps: int) -> tuple[float, float]:
        """The mean number of updates of a test, and the largest."""
        place = METHODS.index(method), STEPS.index(steps)
        found = np.array(
            [self.runs[name][(*place, slice(None), FIGURES.index("updates"))] for name in names]
        )
        return float(found.mean()), float(found.max())

    def in_band(self, names: Iterable[str], method: str, steps: int) -> float:
        """How often the best constant rate is inside the band."""
        hits: list[bool] = []
        for name in names:
            _, low, high, _ = np.moveaxis(
                self.runs[name][METHODS.index(method), STEPS.index(steps)], -1, 0
            )
            best = 10.0 ** self.truth[name].curves["constant"].best
            hits += ((low <= best) & (best <= high)).tolist()
        return float(np.mean(hits))

    def best_factor(self, names: Sequence[str], run: str, steps: int = 200) -> tuple[float, float]:
        """In hindsight the best single factor to the default for this run, and its mean score."""
        tried = 10.0 ** np.arange(-1.5, 1.01, 0.05)
        means = []
        for factor in tried:
            given = [
                (self.truth[n].curves[run], factor * self.rates(n, "default", steps, run))
                for n in names
            ]
            means.append(figures(given).mean)
        best = int(np.argmin(means))
        return float(tried[best]), means[best]

    def overfitting(self, names: Iterable[str], run: str) -> list[str]:
        """The tasks whose best peak in training is far above the best one held out."""
        return [
            name
            for name in names
            if self.truth[name].in_training[run].best - self.truth[name].curves[run].best > OVERFITS
        ]


def is_ours(method: str) -> bool:
    """Whether a method is one of this library, which looks at the run ahead."""
    return method in ("default", "refine", "ramp", "3 times the ramp", "3 repeats", "steepest")
