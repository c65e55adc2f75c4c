"""Refine a range test by short trainings at a few rates, all from the same state.

In a range test every rate continues from what lower rates have reached; here each starts afresh.
These functions choose rates and read results; the adapters train.
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
REFERENCE_UPDATES = 128.0  # the length of a training for which the best rate is read unchanged
COARSE, FINE = 0.5, 0.25  # decades between the rates of the first round, and of the last
MAX_RATES = 11  # after which the search ends
SCORED = 1 / 3  # of the losses of a training, from the last on, whose mean is its score


@dataclass(frozen=True, eq=False)
class Probe:
    """A few learning rates, each trained for the same few updates from the same state.

    `losses` has the raw loss of each update, of (rates, orders of the batches, updates); NaN from
    the first that was not finite.
    """

    learning_rates: Array
    losses: Array

    @property
    def is_whole(self) -> bool:
        """Whether there are rates above 0, and losses for each of them."""
        rates, losses = self.learning_rates, self.losses
        fits = rates.ndim == 1 and losses.ndim in (2, 3) and len(rates) == len(losses)
        return fits and losses.size > 0 and bool(np.all((rates > 0) & np.isfinite(rates)))


def search(
    suggestion: Suggestion,
    orders: Orders,
    train: Callable[[float, list[int]], Sequence[float]],
) -> tuple[Array, Array]:
    """Train at the rates of `probe_rates`, then at those of `further_rates` until there are none.

    `train(rate, updates)` trains on the batches of these of the test's updates, in this order, and
    returns the losses, fewer where one is not finite. The result is the rates in ascending order,
    and the losses in an array of (rates, orders, steps).
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


def probed(
    suggestion: Suggestion,
    orders: Orders,
    train: Callable[[float, list[int]], Sequence[float]],
    dtype: npt.DTypeLike,
) -> Probe:
    """The probe that `search` makes, with the rates as they are used in this dtype."""
    rates, losses = search(suggestion, orders, train)
    return Probe(rates.astype(dtype).astype(np.float64), losses)


def orders(made: int, steps: int, repeats: int) -> Orders:
    """The updates of the test whose batches each repeat trains on, a row for each repeat.

    The rows differ in their batches where the test made enough updates, else in the first one.
    """
    kept = min(made, steps * repeats)
    starts = np.arange(repeats) * kept // repeats
    return (starts[:, None] + np.arange(min(steps, kept))) % kept


def probe_rates(suggestion: Suggestion, steps: int = PROBE_STEPS) -> Array:
    """Five rates half a decade apart, around the best one for so few steps.

    The best rate grows with the inverse square root of the length of a training.
    """
    centre = suggestion.suggested * max(1.0, REFERENCE_UPDATES / steps) ** 0.5
    rates: Array = centre * 10.0 ** (COARSE * np.arange(-2.0, 3.0))
    return rates


def further_rates(rates: npt.ArrayLike, losses: npt.ArrayLike) -> Array:
    """The rates to try next; none once the best has neighbours a quarter of a decade away.

    While the best rate is the lowest or the highest, these are two more on its side; while no loss
    has fallen, two lower ones. There are at most 11 rates in all.
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
    """The suggestion of a probe: the rate of the lowest final loss, scaled to a longer training.

    The score of a training is the mean of the last third of its losses, and infinite where one was
    not finite. Scores are mapped to the scale of `suggest` and averaged over the repeats. The best
    rate is the lowest point of the parabola through the lowest score and its neighbours, or the
    lowest score itself where it is the first or the last. It becomes `high`; `suggested` is
    `sqrt(steps / 128)` times it, and `low` is that of the sweep, or else the lowest rate.

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
    high = float(10.0 ** (parabola_vertex(x[around], height[around]) if inside else x[best]))
    pick = high * min(1.0, np.shape(losses)[-1] / REFERENCE_UPDATES) ** 0.5
    low = float(10.0 ** x[0]) if sweep is None else sweep.low
    return Suggestion(min(low, pick), pick, high)


def scores(
    rates: npt.ArrayLike,
    losses: npt.ArrayLike,
    part: float = SCORED,
    missing: npt.ArrayLike | None = None,
) -> tuple[Array, Array]:
    """The logarithms of the rates in ascending order, and the score of each; lower is better.

    Args:
        rates: the rates, in any order.
        losses: the losses, of (rates, steps) or (rates, repeats, steps).
        part: the part of the losses, from the last on, of which the mean counts.
        missing: which trainings were not made, of (rates, repeats); at most some of each rate.

    Raises:
        NoSuggestion: no rate got below the first losses.
    """
    rates, losses = np.asarray(rates, float), np.asarray(losses, float)
    losses = losses[:, None] if losses.ndim == 2 else losses
    if rates.ndim != 1 or losses.ndim != 3 or len(rates) != len(losses):
        raise ValueError(
            f"read_probe: losses must be of (rates, steps) or (rates, repeats, steps) for "
            f"{rates.size} rates, got the shape {losses.shape}"
        )
    made = np.ones(losses.shape[:2], bool) if missing is None else ~np.asarray(missing, bool)
    ends = final_means(losses, part)
    first = losses[:, :, :1][made]
    first = first[np.isfinite(first)]
    level = float(np.median(first)) if len(first) else np.nan
    depth = level - float(ends[made].min(initial=np.inf))
    if not depth > 0.0:  # nor where it is NaN
        raise NoSuggestion("no rate that was tried got the loss below its first: try lower ones")
    heights = np.where(made, scaled(ends, level, depth), 0.0).sum(axis=1) / made.sum(axis=1)
    order = np.argsort(rates, kind="stable")
    return np.log10(rates[order]), heights[order]


def final_means(losses: Array, part: float) -> Array:
    """The mean over the last part of each training; infinite where a loss was not finite.

    `losses` is of (..., steps).
    """
    steps = losses.shape[-1]
    kept = max(1, int(steps * part + 1e-9))  # 0.1 of 30 are 3
    finite = np.isfinite(losses).all(axis=-1) & (steps > 0)
    last = np.where(finite[..., None], losses[..., max(0, steps - kept) :], 0.0)
    return np.where(finite, last.sum(axis=-1) / kept, np.inf)


def parabola_vertex(x: Array, y: Array) -> float:
    """The lowest point of the parabola through three points, at most half-way to a neighbour."""
    left, right = np.diff(y) / np.diff(x)
    if right <= left:  # a plateau
        return float(x[1])
    found = x[1] - 0.5 * (left * (x[2] - x[1]) + right * (x[1] - x[0])) / (right - left)
    return float(np.clip(found, (x[0] + x[1]) / 2.0, (x[1] + x[2]) / 2.0))
