"""Refining a range test: short trainings at a few rates, all from the same state.

In a range test, every rate goes on from what the lower ones have reached; here each starts
afresh. These functions plan the trainings and read them; who has a model trains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrsched.range_test.suggest import Suggestion
from lrsched.range_test.valley import NoSuggestion, scaled

Array = npt.NDArray[np.float64]
Orders = npt.NDArray[np.intp]

PROBE_STEPS = 40  # updates of each training
PROBE_REPEATS = 2  # trainings at each rate, in different orders of the batches
REFERENCE_UPDATES = 128.0  # of a training at whose length the best rate holds as it is read
COARSE, FINE = 0.5, 0.25  # decades between the rates of the first round, and at last
MAX_RATES = 11  # rates, after which the search is given up


@dataclass(frozen=True, eq=False)
class Probe:
    """A few learning rates, each trained for the same few updates from the same state.

    `losses` has the raw loss of each update, of (rates, orders of the batches, updates); NaN from
    the first that was not finite.
    """

    learning_rates: Array
    losses: Array


def search(
    suggestion: Suggestion,
    orders: Orders,
    train: Callable[[float, list[int]], Sequence[float]],
) -> tuple[Array, Array]:
    """Train at the rates of `probe_rates` and `further_rates`, until there are no more.

    `train(rate, order)` trains on those of the sweep's batches, in that order, and returns the
    losses, fewer where one is not finite. The rates come back in ascending order, with the losses,
    of (rates, orders, steps).
    """
    repeats, steps = orders.shape
    rates: Array = np.empty(0)
    losses: Array = np.empty((0, repeats, steps))
    more = probe_rates(suggestion, steps)
    while len(more):
        rows = np.full((len(more), repeats, steps), np.nan)
        for place in np.ndindex(rows.shape[:2]):
            found = train(float(more[place[0]]), orders[place[1]].tolist())
            rows[place][: len(found)] = found
        rates, losses = np.append(rates, more), np.append(losses, rows, axis=0)
        try:
            more = further_rates(rates, losses)
        except NoSuggestion:
            break
    order = np.argsort(rates)
    return rates[order], losses[order]


def orders(made: int, steps: int, repeats: int) -> Orders:
    """Which of the batches of a sweep's updates each repeat trains on, a row for each.

    Different ones where the sweep made updates enough, and else all of them from another on.
    """
    kept = min(made, steps * repeats)
    starts = np.arange(repeats) * kept // repeats
    return (starts[:, None] + np.arange(min(steps, kept))) % kept


def probe_rates(suggestion: Suggestion, steps: int = PROBE_STEPS) -> Array:
    """Five rates half a decade apart, around what is best for so few steps.

    The shorter a training, the higher its best rate, by the root of the length.
    """
    centre = suggestion.suggested * max(1.0, REFERENCE_UPDATES / steps) ** 0.5
    rates: Array = centre * 10.0 ** (COARSE * np.arange(-2.0, 3.0))
    return rates


def further_rates(rates: npt.ArrayLike, losses: npt.ArrayLike) -> Array:
    """The rates to try next, none when the best is bracketed by two a quarter of a decade off.

    Two more on its side while the best is the lowest or the highest rate, and two lower ones
    while no loss has fallen; at most 11 in all.
    """
    try:
        x, height = scores(rates, losses)
    except NoSuggestion:
        x = np.sort(np.log10(np.asarray(rates, float)))
        height = x
    best = int(height.argmin())
    if best in (0, len(x) - 1):
        side = -1.0 if best == 0 else 1.0
        outside = x[best] + side * COARSE * np.arange(1.0, 3.0)
        return np.asarray(10.0 ** outside[: max(0, MAX_RATES - len(x))], float)
    gaps = np.diff(x[best - 1 : best + 2])
    middles = (x[best] - gaps[0] / 2.0, x[best] + gaps[1] / 2.0)
    wide = [m for m, gap in zip(middles, gaps, strict=True) if gap > 1.5 * FINE]
    return np.asarray(10.0 ** np.array(wide), float)


def read_probe(
    rates: npt.ArrayLike, losses: npt.ArrayLike, sweep: Suggestion | None = None
) -> Suggestion:
    """What the trainings show: the rate that got lowest, carried to a longer training.

    The height of a training is the mean of the last third of its losses; one that was not finite
    throughout is as high as can be. Heights are put on the scale of `suggest`, averaged over the
    repeats, and the best rate is the lowest point of the parabola through the lowest of them and
    its neighbours, or the lowest of them where it is the first or the last. It becomes `high`,
    and `sqrt(steps / 128)` times it the pick; `low` is the sweep's, or else the lowest rate.

    Args:
        rates: the rates that were tried, in any order.
        losses: the raw losses, of (rates, steps) or (rates, repeats, steps), from the same state
            and, for each repeat, on the same batches.
        sweep: what the range test suggested.

    Raises:
        NoSuggestion: no rate got below the first losses.
        ValueError: rates and losses differ in length.

    >>> rates = [0.1, 0.3, 1.0, 3.0, 10.0]
    >>> losses = [[abs(1 - rate) ** (2 * k) for k in range(40)] for rate in rates]
    >>> low, suggested, high = read_probe(rates, losses)
    >>> print(f"{low:.2f} {suggested:.2f} {high:.2f}")
    0.10 0.31 0.55
    """
    x, height = scores(rates, losses)
    best = int(height.argmin())
    inside = 0 < best < len(x) - 1
    around = slice(best - 1, best + 2)
    high = float(10.0 ** (vertex(x[around], height[around]) if inside else x[best]))
    pick = high * min(1.0, np.shape(losses)[-1] / REFERENCE_UPDATES) ** 0.5
    low = float(10.0 ** x[0]) if sweep is None else sweep.low
    return Suggestion(min(low, pick), pick, high)


def scores(rates: npt.ArrayLike, losses: npt.ArrayLike) -> tuple[Array, Array]:
    """The logarithms of the rates in order, and how high each training ended."""
    rates, losses = np.asarray(rates, float), np.asarray(losses, float)
    losses = losses[:, None] if losses.ndim == 2 else losses
    if rates.ndim != 1 or losses.ndim != 3 or len(rates) != len(losses):
        raise ValueError(
            f"read_probe: losses must be of (rates, steps) or (rates, repeats, steps) for "
            f"{rates.size} rates, got the shape {losses.shape}"
        )
    last = losses[:, :, -max(1, losses.shape[2] // 3) :].mean(axis=2)
    ends = np.where(np.isfinite(losses).all(axis=2), last, np.inf)
    first = losses[:, :, 0]
    level = float(np.median(first))
    depth = level - float(ends.min())
    if not depth > 0.0:  # nor where it is NaN
        raise NoSuggestion("no rate that was tried got the loss below its first: try lower ones")
    order = np.argsort(rates, kind="stable")
    return np.log10(rates[order]), scaled(ends, level, depth).mean(axis=1)[order]


def vertex(x: Array, y: Array) -> float:
    """Where the parabola through three points is lowest, at most half-way to a neighbour."""
    left, right = np.diff(y) / np.diff(x)
    if right <= left:  # a plateau
        return float(x[1])
    found = x[1] - 0.5 * (left * (x[2] - x[1]) + right * (x[1] - x[0])) / (right - left)
    return float(np.clip(found, (x[0] + x[1]) / 2.0, (x[1] + x[2]) / 2.0))
