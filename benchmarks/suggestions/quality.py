"""How good the learning rates are that range tests suggest: every rule on the same curves.

The score of a suggestion is the loss held out after training at it as a constant rate, over that at
the best rate of the grid, interpolated between the rates of the grid; 1 is perfect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.suggestions.curves import FIRST, GRID, LAST, LENGTHS, SEEDS
from benchmarks.suggestions.report import figure, page
from benchmarks.suggestions.tasks import TUNED, tasks
from lrsched.range_test.finders import FINDERS
from lrsched.range_test.probe import further_rates, probe_rates, read_probe
from lrsched.range_test.suggest import Suggestion, suggest
from lrsched.range_test.valley import NoSuggestion

Array = npt.NDArray[np.float64]
Rule = Callable[["Curves", int, int], float]  # of a task's curves, the length and the seed
ROOT = Path(__file__).parent.parent
WORST = 4.0  # times the loss before training: as bad as a rate can be
LEAST = 1e-3  # of the loss before training: as good as a rate can be
PROBES = ((20, 2), (40, 1), (40, 2), (80, 2))  # steps and repeats


class Curves(NamedTuple):
    """What was recorded of a task; `regret` is log(loss / best), of (horizons, grid)."""

    sweeps: dict[int, Array]
    probe: Array
    regret: Array
    floor: float  # the regret, by one half of the truth's seeds, of the best rate by the other


def loaded(path: Path) -> dict[str, Curves]:
    """The tasks of a file, those that choose constants first."""
    with np.load(path) as file:
        found = {name: np.asarray(file[name], float) for name in file.files}
    result = {}
    for name, task in tasks().items():
        sweeps = {length: found[f"{name}/sweep {length}"] for length in LENGTHS}
        truth = found[f"{name}/truth"]
        parts = [regret(part, task.signed).mean(axis=0) for part in np.array_split(truth, 2)]
        floor = np.mean([a[b.argmin()] for a, b in (parts, parts[::-1])])
        whole = regret(truth, task.signed)
        result[name] = Curves(sweeps, found[f"{name}/probe"], whole, float(floor))
    return result


def regret(held_out: Array, signed: bool) -> Array:
    """log(loss / best) for each horizon and rate, from losses of (seeds, rates, 1 + horizons)."""
    losses = np.where(np.isfinite(held_out), held_out, np.inf)
    if not signed:
        losses = np.log(np.maximum(losses, LEAST * np.median(held_out[..., 0])))
    logs = np.moveaxis(losses, -1, 0)
    capped = np.minimum(logs[1:], np.median(logs[0]) + np.log(WORST)).mean(axis=1)
    found: Array = capped - capped.min(axis=1, keepdims=True)
    return found


def score(curves: Curves, rate: float) -> float:
    """The regret at a rate, averaged over the horizons."""
    place = np.log(np.clip(rate, GRID[0], GRID[-1]))
    return float(np.mean([np.interp(place, np.log(GRID), row) for row in curves.regret]))


def sweep(curves: Curves, length: int, seed: int) -> tuple[Array, Array]:
    """The finite beginning of a range test."""
    losses = curves.sweeps[length][seed]
    number = int(np.logical_and.accumulate(np.isfinite(losses)).sum())
    return np.geomspace(FIRST, LAST, length)[:number], losses[:number]


def read(method: str) -> Rule:
    """A method of `suggest`, with its refusals, on the whole curve, also past divergence."""

    def rule(curves: Curves, length: int, seed: int) -> float:
        rates = np.geomspace(FIRST, LAST, length)
        return suggest(rates, curves.sweeps[length][seed], method).suggested

    return rule


def peer(name: str) -> Rule:
    """The rule of another library, on all that it would have seen, without our refusals."""
    return lambda *which: FINDERS[name](*sweep(*which))


def refined(steps: int, repeats: int, rounds: int = 9) -> Rule:
    """The default and then the probe, its rates rounded to those of the grid."""

    def rule(curves: Curves, length: int, seed: int) -> float:
        def train(rates: Array) -> Array:
            return np.asarray(curves.probe[seed][:repeats, nearest(rates), :steps].swapaxes(0, 1))

        swept = suggest(np.geomspace(FIRST, LAST, length), curves.sweeps[length][seed])
        rates = grid(probe_rates(Suggestion(0.0, swept.suggested, 0.0), steps))
        losses = train(rates)
        for _ in range(rounds - 1):
            more = np.setdiff1d(grid(further_rates(rates, losses)), rates)
            rates, losses = np.append(rates, more), np.append(losses, train(more), axis=0)
        return read_probe(rates, losses, swept).suggested

    return rule


def nearest(rates: Array) -> npt.NDArray[np.intp]:
    found: npt.NDArray[np.intp] = abs(np.log(GRID) - np.log(rates)[:, None]).argmin(axis=1)
    return found


def grid(rates: Array) -> Array:
    return np.unique(np.asarray(GRID[nearest(rates)], float))


def rules() -> dict[str, Rule]:
    ours = {"default": read("default"), "steepest, zero-phase": read("steepest")}
    probes = {f"default, probe of {k} x {r}": refined(k, r) for k, r in PROBES}
    probes["default, probe of 40 x 2, one round"] = refined(40, 2, rounds=1)
    return {**ours, **{name: peer(name) for name in FINDERS}, **probes}


def suggestions(rule: Rule, known: dict[str, Curves]) -> dict[str, Array]:
    """Of each task, by (length, seed); NaN where the rule refuses."""
    found = {}
    for name, curves in known.items():
        rates = np.full((len(LENGTHS), SEEDS), np.nan)
        for place in np.ndindex(rates.shape):
            with suppress(NoSuggestion):
                rates[place] = rule(curves, LENGTHS[place[0]], place[1])
        found[name] = rates
    return found


def summary(
    found: dict[str, Array], asked: dict[str, Array], known: dict[str, Curves], names: Iterable[str]
) -> dict[str, Any]:
    """The figures of a rule over tasks, on the curves for which the default has an answer."""
    lengths: list[dict[str, float]] = []
    names = [name for name in names if np.isfinite(asked[name]).any()]
    spreads, shifts = [], []
    for index in range(len(LENGTHS)):
        means, medians, worst, refused = [], [], 0.0, 0
        for name in names:
            rates = found[name][index][np.isfinite(asked[name][index])]
            refused += int(np.isnan(rates).sum())
            scores = [score(known[name], rate) for rate in rates[np.isfinite(rates)]]
            if scores:
                means.append(np.mean(scores))
                medians.append(np.median(scores))
                worst = max(worst, *scores)
                spreads.append(np.nanstd(np.log10(rates)))
        figures = {"mean": np.mean(means), "worst task": max(medians), "worst seed": worst}
        lengths.append({k: float(np.exp(v)) for k, v in figures.items()} | {"refused": refused})
    for name in names:
        logs = np.log10(found[name][[0, -1]])
        both = np.isfinite(logs).all(axis=0)
        if both.any():
            shifts.append(abs(np.median(logs[1, both]) - np.median(logs[0, both])))
    return {
        "lengths": dict(zip(map(str, LENGTHS), lengths, strict=True)),
        "spread": float(np.mean(spreads)),
        "shift": float(10 ** np.mean(shifts)),
    }


def quiet(known: dict[str, Curves]) -> dict[str, float]:
    """How often the default suggests a rate where nothing was trained: the rates below 1e-5."""
    asked = told = 0
    for curves in known.values():
        for seed in range(SEEDS):
            rates, losses = sweep(curves, LENGTHS[-1], seed)
            flat = losses[rates < GRID[0]]
            asked += 1
            with suppress(NoSuggestion):
                suggest(rates[: len(flat)], flat)
                told += 1
    return {"curves": asked, "suggestions": told}


def results(known: dict[str, Curves]) -> dict[str, Any]:
    """All figures."""
    halves = {"tuned": TUNED, "reported": tuple(name for name in known if name not in TUNED)}
    found = {name: suggestions(rule, known) for name, rule in rules().items()}
    default = next(iter(found.values()))
    return {
        "halves": halves,
        "refused by the default": {
            half: [int(sum(np.isnan(default[n][i]).sum() for n in names)) for i in range(3)]
            for half, names in halves.items()
        },
        "rules": {
            rule: {half: summary(f, default, known, names) for half, names in halves.items()}
            for rule, f in found.items()
        },
        "tasks": {
            rule: {
                name: [float(np.exp(mean([score(known[name], r) for r in row]))) for row in rates]
                for name, rates in f.items()
            }
            for rule, f in found.items()
        },
        "floor": {
            half: float(np.exp(np.mean([known[name].floor for name in names])))
            for half, names in halves.items()
        },
        "flat": quiet(known),
    }


def mean(values: list[float]) -> float:
    """Of those that are numbers; NaN without any."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def publish(known: dict[str, Curves]) -> dict[str, Any]:
    """Write the figures, the page and its picture."""
    found = results(known)
    folder = ROOT / "benchmarks" / "results"
    text = json.dumps(found, indent=1).replace("NaN", "null")
    (folder / "range_test_quality.json").write_text(text + "\n")
    (ROOT / "docs" / "range-tests-quality.md").write_text(page(found))
    figure(found, folder / "range_test_quality.svg")
    return found
