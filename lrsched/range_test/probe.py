"""Check a range test by short trainings at constant rates, all from the same state.

In a range test every rate continues from what lower rates have reached; here each starts afresh.
These functions choose rates and read results; the adapters train.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrsched.range_test.suggest import Suggestion, around
from lrsched.range_test.valley import MEDIAN_TO_MEAN_ERROR, NoSuggestion, noise_of, scaled

Array = npt.NDArray[np.float64]
Train = Callable[[float, int], Sequence[float]]

PROBE_STEPS = 100  # updates of each training of a refinement
PROBE_REPEATS = 2  # trainings at the best rates of a refinement, on different batches
COARSE, FINE = 0.5, 0.25  # decades between the first rates, and between the last
LOWER = 1.0  # decades to the next rate, where no loss has fallen
MAX_RATES = 11  # after which the search ends
SCORED = 1 / 3  # of the losses of a training, from the last on, whose mean is its score
SIGNIFICANT = 3.0  # standard errors from the first losses to those of the best rate
WORSE = 2.0  # standard errors above the losses of the best rate
MARGIN = 0.18  # decades from the best rate down to the suggestion: rates above may be unstable
BELOW_UNSTABLE = 0.5  # decades from the lowest rate that diverged down to the suggestion, at least
UNSTABLE = float(scaled(np.array([np.inf]), 1.0, 1.0)[0])  # the height of a training that diverged
BRACKETED = 0.35  # decades to the ends of the band, where the best rate has neighbours,
OPEN = 0.6  # and where it is the lowest or the highest


@dataclass(frozen=True, eq=False)
class Probe:
    """A few learning rates, each trained for the same few updates from the same state.

    Attributes:
        learning_rates: the rates, in ascending order.
        losses: the raw loss of each update, of (rates, repeats, updates). They are NaN from where a
            training ended early, because it diverged, and where there was no such repeat.
    """

    learning_rates: Array
    losses: Array

    @property
    def is_whole(self) -> bool:
        """Whether there are rates above 0, and losses for each of them."""
        rates, losses = self.learning_rates, self.losses
        fits = rates.ndim == 1 and losses.ndim in (2, 3) and len(rates) == len(losses)
        return fits and losses.size > 0 and bool(np.all((rates > 0) & np.isfinite(rates)))

    @property
    def updates(self) -> int:
        """The number of updates of all trainings that have a loss."""
        return int(np.isfinite(self.losses).sum())

    @property
    def trainings(self) -> int:
        """The number of trainings."""
        return int(np.isfinite(self.losses).any(axis=-1).sum())


class Search:
    """Trains at one rate after the other, each chosen by the losses of those before.

    The first three rates are half a decade apart. While the best rate is the lowest or the highest,
    the next one lies beyond it; then the gaps around it are halved to a quarter of a decade. At
    last the best rate and its neighbours are trained again, on other batches. The search ends when
    another training might make more updates than are left.

    Args:
        centre: the rate to begin with.
        train: `train(rate, repeat)` trains for `steps` updates, or fewer where it diverges, and
            returns the losses.
        steps: the number of updates of each training.
        repeats: the number of trainings at the best rates.
        updates: the most updates that all of them may make.
        first: losses before training.
    """

    def __init__(
        self,
        centre: float,
        train: Train,
        steps: int,
        repeats: int,
        updates: int,
        first: Sequence[float],
    ) -> None:
        self._train = train
        self._first = first
        self._shape = (repeats, steps)
        self._left = updates
        self._rows: dict[float, Array] = {}  # by the logarithm of the rate
        middle = float(np.log10(centre))
        for place in (middle, middle - COARSE, middle + COARSE):
            self._try(place)
        while (following := self._next()) is not None and self._try(following):
            pass
        for repeat in range(1, repeats):
            while (again := self._unrepeated(repeat)) is not None and self._try(again, repeat):
                pass

    def probe(self, dtype: npt.DTypeLike = np.float64) -> Probe | None:
        """The trainings, with the rates as they are used in this dtype; None if there are none."""
        if not self._rows:
            return None
        places = sorted(self._rows)
        # Powers of arrays differ from those of numbers, with which was trained, in their last bit.
        rates = np.array([10.0**place for place in places]).astype(dtype).astype(np.float64)
        return Probe(rates, np.array([self._rows[place] for place in places]))

    def _try(self, place: float, repeat: int = 0) -> bool:
        """Train at a rate if there are enough updates left, and say whether there were."""
        steps = self._shape[1]
        if steps > self._left:
            return False
        found = self._train(10.0**place, repeat)
        self._left -= max(len(found), 1)
        if len(found):
            row = self._rows.setdefault(place, np.full(self._shape, np.nan))
            row[repeat, : len(found)] = found
        return bool(len(found))

    def _next(self) -> float | None:
        """The next rate to try; None where the best one is known well enough."""
        places = sorted(self._rows)
        if not 0 < len(places) < MAX_RATES:
            return None
        try:
            _, height = self._scores(places)
        except NoSuggestion:
            return places[0] - LOWER
        best = int(height.argmin())
        # Outwards while no rate on a side is worse by more than noise, upwards first.
        for side, end in ((1, len(places) - 1), (-1, 0)):
            others = places[best + 1 :] if side > 0 else places[:best]
            if not any(self._is_worse(other, places[best]) for other in others):
                return places[end] + side * COARSE
        sides = [side for side in (-1, 1) if abs(places[best + side] - places[best]) > 1.5 * FINE]
        if not sides:
            return None
        side = min(sides, key=lambda side: height[best + side])
        return (places[best] + places[best + side]) / 2.0

    def _is_worse(self, place: float, best: float) -> bool:
        """Whether the last losses of a rate are above those of the best by more than noise.

        Both are on the same batches, so that their differences count.
        """
        kept = scored(self._shape[1], SCORED)
        more = (self._rows[place] - self._rows[best])[0, -kept:]
        if not np.isfinite(more).all():
            return True
        error = float(np.std(more, ddof=1)) / kept**0.5 if kept > 1 else 0.0
        return float(np.mean(more)) > WORSE * error

    def _unrepeated(self, repeat: int) -> float | None:
        """The best rate or a neighbour of it without this repeat, the nearest first."""
        places = sorted(self._rows)
        if not places:
            return None
        try:
            _, height = self._scores(places)
        except NoSuggestion:
            return None
        best = int(height.argmin())
        near = [
            place
            for place in places[max(best - 1, 0) : best + 2]
            if np.isnan(self._rows[place][repeat]).all()
        ]
        return min(near, key=lambda place: abs(place - places[best]), default=None)

    def _scores(self, places: Sequence[float]) -> tuple[Array, Array]:
        rows = np.array([self._rows[place] for place in places])
        missing = np.isnan(rows).all(axis=-1)
        return scores(10.0 ** np.array(places), rows, missing=missing, first=self._first)


def read_probe(
    rates: npt.ArrayLike,
    losses: npt.ArrayLike,
    ramp: Suggestion | None = None,
    first: Sequence[float] | None = None,
) -> Suggestion:
    """The suggestion of a probe: two thirds of the rate of the lowest final loss.

    The score of a training is the mean of the last third of its losses, and infinite where one is
    missing. Scores are mapped to the scale of `suggest` and averaged over the repeats. The best
    rate is the lowest point of the parabola through the lowest score and its neighbours, or the
    lowest score itself where it is the first or the last. It becomes `high`; `suggested` is
    10**-0.18 times it, as the rates above may be unstable; and `low` is that of the ramp, or else
    the lowest rate.

    Args:
        rates: the rates that were tried, in any order.
        losses: the raw losses, of (rates, steps) or (rates, repeats, steps), from the same state
            and, for each repeat, on the same batches; NaN throughout for a repeat that a rate does
            not have.
        ramp: what the ramp of the range test suggested.
        first: losses before training, such as the first ones of the ramp; by default the first loss
            of each training.

    Raises:
        NoSuggestion: no rate got below the first losses by more than their noise.
        ValueError: rates and losses differ in length.

    >>> rates = [0.1, 0.3, 1.0, 3.0, 10.0]
    >>> losses = [[abs(1 - rate) ** (2 * k) for k in range(40)] for rate in rates]
    >>> low, suggested, high = read_probe(rates, losses)
    >>> print(f"{low:.2f} {suggested:.2f} {high:.2f}")
    0.10 0.37 0.55
    """
    shaped = np.asarray(losses, float)
    repeated = shaped if shaped.ndim == 3 else shaped[:, None]
    missing = np.isnan(repeated).all(axis=-1) if repeated.ndim == 3 else None
    x, height = scores(rates, losses, missing=missing, first=first)
    best = int(height.argmin())
    inside = 0 < best < len(x) - 1
    place = x[best]
    if inside and height[best + 1] < UNSTABLE:
        near = slice(best - 1, best + 2)
        place = parabola_vertex(x[near], height[near])
    high = float(10.0**place)
    low = float(10.0 ** x[0]) if ramp is None else ramp.low
    unstable = x[height >= UNSTABLE].min(initial=np.inf)
    pick = float(10.0 ** min(place - MARGIN, unstable - BELOW_UNSTABLE))
    found = around(low, pick, high, BRACKETED if inside else OPEN)
    if not inside:
        end, more = ("lowest", "lower") if best == 0 else ("highest", "higher")
        found.warning = (
            f"the best of the rates that were tried is the {end}, {10.0 ** x[best]:.3g}, so that "
            f"{more} ones may be better: raise max_steps"
        )
    return found


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
    least = 0.0 if first is None else _noise_of_fall(before, losses[best], part)
    if not depth > least:  # nor where it is NaN
        raise NoSuggestion(
            "no rate that was tried got the loss below its first: try lower ones", "flat"
        )
    heights = np.where(made, scaled(ends, level, depth), 0.0).sum(axis=1) / made.sum(axis=1)
    order = np.argsort(rates, kind="stable")
    return np.log10(rates[order]), heights[order]


def _noise_of_fall(first: Array, losses: Array, part: float) -> float:
    """The fall from the first losses to the end of a training that noise may make alone."""
    kept = losses[-scored(len(losses), part) :]
    if min(len(first), len(kept)) < 3 or not np.isfinite(kept).all():
        return 0.0
    errors = (MEDIAN_TO_MEAN_ERROR**2 / len(first), 1.0 / len(kept))
    both = (noise_of(each) ** 2 * error for each, error in zip((first, kept), errors, strict=True))
    return float(SIGNIFICANT * sum(both) ** 0.5)


def final_means(losses: Array, part: float) -> Array:
    """The mean over the last part of each training; infinite where a loss was not finite.

    `losses` is of (..., steps).
    """
    steps = losses.shape[-1]
    kept = scored(steps, part)
    finite = np.isfinite(losses).all(axis=-1) & (steps > 0)
    last = np.where(finite[..., None], losses[..., max(0, steps - kept) :], 0.0)
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
