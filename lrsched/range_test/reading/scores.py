"""Score short trainings by their last losses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lrsched.range_test.reading.smoothing import MEDIAN_TO_MEAN_ERROR, noise_of
from lrsched.range_test.reading.valley import NoSuggestion, scaled

Array = npt.NDArray[np.float64]

SCORED = 1 / 3  # of the losses of a training, from the last on, whose mean is its score
WORSE = 2.0  # standard errors above the losses of the best rate
APART = 4.0  # standard errors between the losses of the best rate and those of the worst
SIGNIFICANT = 3.0  # standard errors from the first losses to those of the best rate


def scores(
    rates: npt.ArrayLike,
    losses: npt.ArrayLike,
    part: float = SCORED,
    missing: npt.ArrayLike | None = None,
    first: Sequence[float] | None = None,
) -> tuple[Array, Array]:
    """The logarithms of the rates in ascending order, and the score of each; lower is better.

    Args:
        rates: the rates, in any order.
        losses: the losses, of (rates, steps) or (rates, repeats, steps).
        part: the part of the losses, from the last on, of which the mean counts.
        missing: which trainings were not made, of (rates, repeats); at most some of each rate.
        first: losses before training; by default the first loss of each training.

    Raises:
        NoSuggestion: no rate got below the first losses; by more than their noise, where these are
            given.
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
    before = np.asarray(losses[:, :, 0][made] if first is None else first, float)
    before = before[np.isfinite(before)]
    level = float(np.median(before)) if len(before) else np.nan
    best = np.unravel_index(np.where(made, ends, np.inf).argmin(), ends.shape)
    depth = level - float(ends[best]) if made.any() else np.nan
    if first is not None and not depth > _noise_of_fall(before, losses[best], part):
        # The first losses are on other batches: among each other trainings may still differ.
        worse = made & np.isfinite(ends) & (ends > ends[best])
        differ = any(
            is_above(losses[place, repeat], losses[best], part, APART)
            for place, repeat in np.argwhere(worse)
        )
        depth = float(ends[worse].max() - ends[best]) if differ else np.nan
        level = float(ends[best]) + depth
    if not depth > 0.0:  # nor where it is NaN
        raise NoSuggestion(
            "no rate that was tried got the loss below its first: try other rates, or train longer",
            "flat",
        )
    heights = np.where(made, scaled(ends, level, depth), 0.0).sum(axis=1) / made.sum(axis=1)
    order = np.argsort(rates, kind="stable")
    return np.log10(rates[order]), heights[order]


def is_above(losses: Array, others: Array, part: float = SCORED, errors: float = WORSE) -> bool:
    """Whether the last losses of a training are above those of another by more than noise.

    Both are on the same batches, so that their differences count, whose mean must be so many
    standard errors above 0. What is not finite is above.
    """
    kept = scored(len(losses), part)
    with np.errstate(over="ignore"):
        more = (losses - others)[-kept:]
    if not np.isfinite(more).all():
        return True
    more = more / (abs(more).max() or 1.0)  # whose squares are finite
    error = float(np.std(more, ddof=1)) / kept**0.5 if kept > 1 else 0.0
    return float(np.mean(more)) > errors * error


def _noise_of_fall(first: Array, losses: Array, part: float) -> float:
    """The fall from the first losses to the end of a training that noise may make alone."""
    kept = losses[-scored(len(losses), part) :]
    if min(len(first), len(kept)) < 3 or not np.isfinite(kept).all():
        return 0.0
    before = MEDIAN_TO_MEAN_ERROR * noise_of(first) / len(first) ** 0.5
    return SIGNIFICANT * math.hypot(before, noise_of(kept) / len(kept) ** 0.5)


def rises(first: Sequence[float], losses: Array, part: float = SCORED) -> bool:
    """Whether a training ended above the first losses by more than noise, or diverged."""
    if not np.isfinite(losses).all():
        return True
    before = np.asarray(first, float)
    end = float(losses[-scored(len(losses), part) :].mean())
    return end - float(np.median(before)) > _noise_of_fall(before, losses, part)


def final_means(losses: Array, part: float) -> Array:
    """The mean over the last part of each training; infinite where a loss was not finite.

    `losses` is of (..., steps).
    """
    steps = losses.shape[-1]
    kept = scored(steps, part)
    finite = np.isfinite(losses).all(axis=-1) & (steps > 0)
    last = np.where(finite[..., None], losses[..., max(0, steps - kept) :], 0.0)
    with np.errstate(over="ignore"):
        return np.where(finite, last.sum(axis=-1) / kept, np.inf)


def scored(steps: int, part: float) -> int:
    """The number of losses, from the last on, that are a part of so many; at least one."""
    return max(1, int(steps * part + 1e-9))  # 0.1 of 30 are 3


def parabola_vertex(x: Array, y: Array) -> float:
    """The lowest point of the parabola through three points, at most half-way to a neighbour."""
    left, right = np.diff(y) / np.diff(x)
    if right <= left:  # a plateau
        return float(x[1])
    found = x[1] - 0.5 * (left * (x[2] - x[1]) + right * (x[1] - x[0])) / (right - left)
    return float(np.clip(found, (x[0] + x[1]) / 2.0, (x[1] + x[2]) / 2.0))
