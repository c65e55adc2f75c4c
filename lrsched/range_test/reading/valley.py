"""Find the valley of a range test's losses over the logarithm of the learning rate."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lrsched.range_test.reading.smoothing import (
    MEDIAN_TO_MEAN_ERROR,
    Windows,
    local_lines,
    noise_of,
    quantiles,
    windows,
)

Array = npt.NDArray[np.float64]

# Chosen, with those of `suggest`, on the first 13 of the tasks of
# docs/explanation/range-tests-quality.md that chose the constants.
MIN_LOSSES = 10  # that a reading needs
BASELINE_DECADES = 0.8  # at the start, whose median loss is the level to fall from
WIDTH = 0.3  # decades: the window of the median and the deviation of the Gaussian kernel,
MIN_WINDOW = 4.0  # but at least so many updates
FEWEST = 3  # losses of the baseline, where training begins at once
SOFTENING = 0.1  # of the fall, added before the logarithm
DIVERGENCE_QUANTILE = 0.8  # of the losses around: when it is too high, they have diverged
START = 0.1  # of the fall: training has begun
BOTTOM = 0.9  # of the fall: the bottom of the valley
MIN_STANDARD_ERRORS = 4.0  # between the levels before and after the fall
CALM = 3.0  # decades before the divergence, after which the first rates are not too high
GRID = 0.02  # decades between the points at which the smooth curve is computed


Cause = Literal["few", "flat", "rising", "noise"]


class NoSuggestion(ValueError):  # noqa: N818  # an answer rather than a failure
    """The losses show no learning rate; the message says why, and what to change.

    Attributes:
        cause: "few" losses; a "flat" curve; one that only is "rising"; a fall that "noise" hides;
            or "" for another.
    """

    def __init__(self, message: str, cause: Cause | Literal[""] = "") -> None:
        super().__init__(message)
        self.cause = cause


class SmoothCurve(NamedTuple):
    """The smooth losses of a range test at evenly spaced logarithms (to base 10) of its rates."""

    log_rates: Array
    height: Array  # on a scale that has neither unit nor origin
    baseline: int  # how many losses at the start set the level to fall from
    diverged: int  # how many losses came before the divergence


class Valley(NamedTuple):
    """The fall of a smooth curve, from 0 to 1 at its lowest point.

    Attributes:
        log_rates: the places, evenly spaced logarithms (to base 10) of rates.
        fall: the part of the fall that is made there.
        lowest: the index at which the fall is 1.
        updates: the logarithm of each update's rate.
        standard_errors: the depth of the fall in standard errors.
        still_falls: whether the loss still falls at the last rates.
    """

    log_rates: Array
    fall: Array
    lowest: int
    updates: Array
    standard_errors: float = np.inf
    still_falls: bool = False

    @property
    def bottom(self) -> float:
        """The decades over which nine tenths of the fall are made."""
        after = np.flatnonzero(self.fall[self.lowest :] < BOTTOM)
        end = self.log_rates[self.lowest + after[0]] if len(after) else self.log_rates[-1]
        return float(end) - float(np.log10(self.rate(BOTTOM)))

    def density(self, rate: float) -> float:
        """The number of updates in the decade below a rate, or in the first decade of the test."""
        first, last = float(self.updates[0]), float(self.updates[-1])
        start = max(float(np.log10(rate)) - 1.0, first)
        end = min(start + 1.0, last)
        begun, made = np.interp((start, end), self.updates, np.arange(len(self.updates)))
        return float(made - begun) / (end - start)

    def rate(self, part: float) -> float:
        """The rate above which the fall stays above this part of the whole until its end."""
        falling = self.fall[: self.lowest + 1]
        below = np.flatnonzero(falling < part)
        if not len(below):
            return float(10.0 ** self.log_rates[0])
        pair = slice(below[-1], below[-1] + 2)
        return float(10.0 ** np.interp(part, self.fall[pair], self.log_rates[pair]))


def curve(rates: Array, losses: Array) -> SmoothCurve:
    """The smooth curve of losses at rising rates: finite losses first, infinite ones after."""
    x = np.log10(rates)
    width = max(WIDTH, MIN_WINDOW * (x[-1] - x[0]) / (len(x) - 1))
    around = windows(x, width)
    baseline = max(MIN_LOSSES // 2, int((x < x[0] + BASELINE_DECADES).sum()))
    finite = losses[np.isfinite(losses)]
    baseline = untrained(finite, min(baseline, len(finite)))
    level = float(np.median(losses[:baseline]))
    diverged = divergence(losses, baseline, level, around)
    middle = quantiles(losses[:diverged], around, 0.5)
    depth = float(level - middle.min()) or float(np.ptp(middle)) or 1.0
    ceiled = np.where(np.arange(len(x)) < diverged, losses, level + depth)
    heights = scaled(quantiles(ceiled, around, 0.5), level, depth)
    at = np.arange(x[0], x[-1] + GRID / 2.0, GRID)
    height = local_lines(x, heights, at, width)
    return SmoothCurve(at, height, baseline, diverged)


def valley(rates: Array, losses: Array) -> Valley:
    """The valley of the smooth curve, or the reason why it has none.

    Raises:
        NoSuggestion: see `suggest`.
    """
    x, (at, height, baseline, diverged) = np.log10(rates), curve(rates, losses)
    start = float(np.median(height[at <= x[baseline - 1]]))
    lowest = int(height.argmin())
    falls = at[lowest] - x[0] >= WIDTH and start > height[lowest]
    found = Valley(at, (start - height) / ((start - height[lowest]) or 1.0), lowest, x)
    before = max(baseline, int((rates < found.rate(START)).sum())) if falls else baseline
    drop, noise, errors = significance(x[:diverged], losses[:diverged], before, at[lowest])
    rises = diverged < len(x) or rises_at_end(losses, baseline)
    hidden = falls and drop > 0.0 and errors < MIN_STANDARD_ERRORS
    if not hidden and (not falls or drop <= 0.0):
        calm = x[max(int(np.isfinite(losses).sum()) - 1, 0)] - x[0]
        raise no_fall(rates, float(calm), rises)
    if hidden:
        raise NoSuggestion(
            f"the loss falls by {drop:.3g}, which its noise of {noise:.3g} in each update could "
            "do alone: use larger batches, more updates or more repeats, or raise high",
            "noise",
        )
    still_falls = x[-1] - at[lowest] < WIDTH / 2.0
    return found._replace(standard_errors=errors, still_falls=bool(still_falls))


def untrained(losses: Array, most: int) -> int:
    """How many of the first losses, up to `most`, came before training began; at least three.

    As many again are taken in as long as these are not below those before by more than noise and
    by more than a tenth of what the losses fall in all.
    """
    error = MEDIAN_TO_MEAN_ERROR * noise_of(losses[:most]) if most > 1 else 0.0
    least = START * float(losses[:1].sum() - losses.min(initial=np.inf))
    count = min(FEWEST, most)
    while count < most:
        following = losses[count : min(2 * count, most)]
        drop = float(np.median(losses[:count]) - np.median(following))
        errors = error * (1.0 / count + 1.0 / len(following)) ** 0.5
        if drop > max(least, MIN_STANDARD_ERRORS * errors):
            break
        count += len(following)
    return count


def rises_at_end(losses: Array, baseline: int) -> bool:
    """Whether the last losses are above the first ones by more than their noise."""
    first, last = losses[:baseline], losses[-baseline:]
    error = MEDIAN_TO_MEAN_ERROR * noise_of(losses) * (2.0 / baseline) ** 0.5
    return bool(np.median(last) - np.median(first) > MIN_STANDARD_ERRORS * error)


def no_fall(rates: Array, calm: float, rises: bool) -> NoSuggestion:
    """The refusal of a curve that never falls, and is calm for so many decades."""
    if not rises:
        return NoSuggestion(
            f"the loss is flat from {rates[0]:.3g} to {rates[-1]:.3g}: raise high, and see that "
            "the optimizer has the parameters of the loss",
            "flat",
        )
    if calm > CALM:
        return NoSuggestion(
            "the loss falls nowhere before it rises: use larger batches, more updates or more "
            "repeats",
            "noise",
        )
    return NoSuggestion(
        f"the loss is nowhere lower than at the first rates, from {rates[0]:.3g}: start lower",
        "rising",
    )


def divergence(losses: Array, baseline: int, level: float, around: Windows) -> int:
    """The update from which on losses are too high, or infinite, and stay so.

    They stay so where they are too high throughout the window around an update and the one after
    that window, or until the end.
    """
    finite = int(np.isfinite(losses).sum())
    losses = losses[:finite]
    depth = level - float(quantiles(losses, around, 0.5).min())
    bound = float(np.quantile(losses[:baseline], DIVERGENCE_QUANTILE)) + depth
    above = quantiles(losses, around, DIVERGENCE_QUANTILE) > bound
    calm = np.concatenate([[0], np.cumsum(~above)])  # how many before each update are not
    places = np.arange(finite)
    ends = np.minimum(2 * around.last[:finite] - places - 1, finite)
    lasting = (calm[ends] == calm[:-1]) & (places >= baseline)
    return int(lasting.argmax()) if lasting.any() else finite


def scaled(losses: Array, level: float, depth: float) -> Array:
    """The losses on a scale that has neither unit nor origin: log(u + 0.1).

    u is 1 at `level` and 0 at `level - depth`.
    """
    left = 1.0 - (level - losses) / depth
    softened: Array = np.log(np.clip(left, 0.0, 2.0) + SOFTENING)
    return softened


def fall_at(height: Array) -> Array:
    """The part of the fall that is made at these heights of `scaled`."""
    return 1.0 + SOFTENING - np.exp(height)


def significance(x: Array, losses: Array, before: int, lowest: float) -> tuple[float, float, float]:
    """The drop of the loss, its noise in each update, and the drop in standard errors.

    The noise is estimated from the differences between successive updates.
    """
    bottom = losses[abs(x - lowest) <= WIDTH]
    if not len(bottom):
        return 0.0, 0.0, 0.0
    drop = float(np.median(losses[:before]) - np.median(bottom))
    noise = noise_of(losses[: max(before, int((x <= lowest).sum()))])
    error = MEDIAN_TO_MEAN_ERROR * noise * (1.0 / before + 1.0 / len(bottom)) ** 0.5
    return drop, noise, drop / error if error > 0.0 else np.inf
