"""Smooth losses over the logarithm of the learning rate, and measure their noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Of a normal distribution: its standard deviation over the median absolute deviation, and the
# standard error of a median over that of a mean, sqrt(pi / 2).
MAD_TO_DEVIATION = 1.4826
MEDIAN_TO_MEAN_ERROR = 1.2533


class Windows(NamedTuple):
    """For each value the range of indices around it, from `first` to before `last`."""

    first: npt.NDArray[np.intp]
    last: npt.NDArray[np.intp]


def windows(x: Array, width: float) -> Windows:
    """The values within half a width of each: 2 to 50 on either side."""
    places = np.arange(len(x))
    first = np.clip(np.searchsorted(x, x - width / 2.0), places - 50, places - 2)
    last = np.clip(np.searchsorted(x, x + width / 2.0, "right"), places + 3, places + 51)
    return Windows(np.maximum(first, 0), last)


def quantiles(values: Array, around: Windows, part: float) -> Array:
    """The quantile of the values around each value."""
    first, last = (ends[: len(values)] for ends in around)
    counts = np.minimum(last, len(values)) - first
    offsets = np.arange(counts.max())
    chosen = values[np.minimum(first[:, None] + offsets, len(values) - 1)]
    ordered = np.sort(np.where(offsets < counts[:, None], chosen, np.inf), axis=1)
    place = part * (counts - 1)
    below, rows = place.astype(int), np.arange(len(values))
    under, over = ordered[rows, below], ordered[rows, np.minimum(below + 1, counts - 1)]
    found: Array = under + (place - below) * (over - under)
    return found


def local_lines(x: Array, y: Array, at: Array, width: float) -> Array:
    """The value at each of `at` of the straight line fitted around it: local linear regression."""
    places, ends = x - x.mean(), at - x.mean()
    weights = np.exp(-0.5 * ((places - ends[:, None]) / width) ** 2)
    moments = np.stack([np.ones(len(x)), places, y, places * places, places * y], axis=1)
    total, mean_x, mean_y, square, product = (weights @ moments).T
    mean_x, mean_y = mean_x / total, mean_y / total
    spread = square / total - mean_x**2
    covariance = product / total - mean_x * mean_y
    fitted: Array = mean_y + covariance / np.maximum(spread, 1e-12) * (ends - mean_x)
    return fitted


def noise_of(losses: Array) -> float:
    """The standard deviation of each loss, from the differences between successive ones."""
    steps = np.diff(losses)
    return float(MAD_TO_DEVIATION * np.median(abs(steps - np.median(steps))) / 2.0**0.5)
