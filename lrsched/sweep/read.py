"""Read the losses of a sweep: the final loss of each schedule, and the rates that they show."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import Refusal
from lrsched._core.number_kinds import number
from lrsched.range_test.reading.scores import final_means, parabola_vertex, scores
from lrsched.range_test.reading.suggestion import Suggestion
from lrsched.range_test.reading.valley import NoSuggestion, fall_at

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PART = 0.1  # of the losses of a training, from the last on, whose mean is its score
MIN_RATES = 3  # that a parabola needs

_part, _within = number("> 0", "<= 1"), number(">= 0", "< 1")


def final_losses(refuse: Refusal, losses: Array, missing: Flags, part: Any = PART) -> Array:
    """The mean over the last part of each training, and of repeats the median.

    `losses` is of (schedules, repeats, steps), `missing` of (schedules, repeats). The result is
    infinite where trainings diverged, and NaN where all of a schedule are missing.
    """
    ends = final_means(losses, refuse.check("part", _part, part))
    return np.array(
        [
            np.median(row[~gone]) if not gone.all() else np.nan
            for row, gone in zip(ends, missing, strict=True)
        ]
    )


def suggest(
    refuse: Refusal, rates: Array, losses: Array, missing: Flags, within: Any
) -> Suggestion:
    """The rate of the lowest score, and the rates around it that fall almost as far.

    `losses` is of (schedules, repeats, steps), `missing` of (schedules, repeats).
    """
    kept = 1.0 - refuse.check("within", _within, within)
    there = (rates > 0) & ~missing.all(axis=1)
    different = np.unique(rates[there])
    if len(different) < MIN_RATES:
        raise NoSuggestion(
            f"a suggestion needs trainings at {MIN_RATES} rates above 0, got {len(different)}: "
            "add rates"
        )
    x, height = _best_at_each(*scores(rates[there], losses[there], PART, missing[there]))
    best = int(height.argmin())
    if best in (0, len(x) - 1):
        end, more = ("lowest", "lower") if best == 0 else ("highest", "higher")
        raise NoSuggestion(
            f"the loss ends lowest at the {end} rate, {different[best]:.3g}: add {more} rates"
        )
    falls = fall_at(height)
    around = slice(best - 1, best + 2)
    pick = parabola_vertex(x[around], height[around])
    low, high = (_end(x, falls, kept * falls[best], best, side) for side in (-1, 1))
    return Suggestion(float(10.0**low), float(10.0**pick), float(10.0**high))


def _best_at_each(x: Array, height: Array) -> tuple[Array, Array]:
    """The different places in ascending order, and the lowest height at each."""
    places, first = np.unique(x, return_index=True)
    return places, np.minimum.reduceat(height, first)


def _end(x: Array, falls: Array, level: float, best: int, side: int) -> float:
    """How far to one side of the best place, -1 or 1, the fall stays at the level."""
    inner = best
    while 0 <= inner + side < len(x) and falls[inner + side] >= level:
        inner += side
    outer = inner + side
    if not 0 <= outer < len(x):
        return float(x[inner])
    part = (falls[inner] - level) / (falls[inner] - falls[outer])
    return float(x[inner] + part * (x[outer] - x[inner]))
