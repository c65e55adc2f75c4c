"""Make a curve of the losses of a range test, over rates that rise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lrsched.range_test.reading.smoothing import local_lines, quantiles, windows
from lrsched.range_test.reading.valley import MIN_LOSSES, MIN_WINDOW, WIDTH, NoSuggestion

Array = npt.NDArray[np.float64]


def smoothed(rates: npt.ArrayLike, losses: npt.ArrayLike) -> Array:
    """The loss at each rate without noise or lag, for figures; of repeats, their median.

    The smoothing is that of the default method, applied to the losses themselves and a third as
    wide, so that the curve lies among them. With too few updates for that it is the median, which
    is NaN where it is not finite.
    """
    try:
        used, found = monotone(rates, losses)
    except NoSuggestion:
        return median(losses)
    x, y = np.log10(used), found[np.isfinite(found)]
    x = x[: len(y)]
    step = (x[-1] - x[0]) / (len(x) - 1)
    width = max(WIDTH / 3.0, MIN_WINDOW / 2.0 * step)
    middle = quantiles(y, windows(x, width), 0.5)
    with np.errstate(divide="ignore"):
        places = np.log10(np.maximum(np.asarray(rates, float), 0.0))
    fitted = np.interp(places, x, local_lines(x, middle, x, width))
    return np.where(places <= x[-1], fitted, np.nan)


def monotone(rates: npt.ArrayLike, losses: npt.ArrayLike) -> tuple[Array, Array]:
    """The updates that count, and their losses: finite ones first, then infinite ones."""
    rates, losses = np.asarray(rates, float), np.atleast_2d(np.asarray(losses, float))
    if rates.ndim != 1 or losses.ndim != 2 or losses.shape[1] != len(rates):
        raise ValueError(
            f"suggest: losses must be one for each of the {len(rates)} rates, or rows of them, "
            f"got the shape {losses.shape}"
        )
    found = median(losses)
    finite = np.isfinite(found)
    highest = np.maximum.accumulate(np.concatenate([[0.0], rates[:-1]]))
    rising = rates > highest
    number = int((rising & finite).sum())
    if number < MIN_LOSSES:
        raise NoSuggestion(
            f"only {number} updates have a finite loss at a rate above all before, which is less "
            f"than {MIN_LOSSES}: start lower, or raise the rate in more steps",
            "few",
        )
    return rates[rising], np.where(finite, found, np.inf)[rising]


def extend_past_stop(
    rates: Array, losses: Array, stopped: str | Sequence[str]
) -> tuple[Array, Array]:
    """A test that diverged, continued by half a decade of missing losses.

    Where the loss diverged, the rates above are as bad; of repeats, where half of them did.
    """
    reasons = (stopped,) if isinstance(stopped, str) else stopped
    diverged = sum(reason in ("diverged", "nonfinite") for reason in reasons)
    most = 2 * diverged >= len(reasons) > 0
    if not most or len(rates) < 2 or not 0 < rates[-2] < rates[-1]:
        return rates, losses
    growth = rates[-1] / rates[-2]
    number = min(math.ceil(math.log(10.0) / 2 / math.log(growth)), len(rates))
    beyond = rates[-1] * growth ** np.arange(1, number + 1)
    missing = np.full((*losses.shape[:-1], number), np.nan)
    return np.concatenate([rates, beyond]), np.concatenate([losses, missing], axis=-1)


def median(losses: npt.ArrayLike) -> Array:
    """The pointwise median of repeats; NaN from where half of them have stopped.

    A repeat stops at its first loss that is not finite, and counts as above all others then.
    """
    rows = np.atleast_2d(np.asarray(losses, float))
    going = np.logical_and.accumulate(np.isfinite(rows), axis=1)
    found = np.median(np.where(going, rows, np.inf), axis=0)
    return np.where(going.mean(axis=0) > 0.5, found, np.nan)
