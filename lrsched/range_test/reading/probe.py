"""Short trainings at constant rates, and what they suggest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrsched.range_test.reading.scores import SCORED, final_means, parabola_vertex, scores
from lrsched.range_test.reading.suggest import NARROWEST
from lrsched.range_test.reading.suggestion import Suggestion, around
from lrsched.range_test.reading.valley import scaled

Array = npt.NDArray[np.float64]

PROBE_STEPS = 100  # the updates of each training of a refinement
PROBE_REPEATS = 2  # the trainings at each of the best rates of a refinement, on other batches
MARGIN = 0.18  # decades from the best rate down to the suggestion: rates above may be unstable
BELOW_UNSTABLE = 0.5  # decades from the lowest rate that diverged down to the suggestion, at least
UNSTABLE = float(scaled(np.array([np.inf]), 1.0, 1.0)[0])  # the height of a training that diverged
DEVIATION = 0.25  # decades: the standard deviation of what trainings suggest,
PRIOR = 1.3  # and that of a ramp in multiples of the half of its band
BRACKETED = (0.6, 0.35)  # decades down and up to the ends of the band, where the best rate has
OPEN = (1.2, 0.7)  # neighbours, and where it is the lowest or the highest


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

    @property
    def ends(self) -> Array:
        """The mean of the last third of each training, of (rates, repeats).

        It is infinite where the training diverged, and NaN where there was none.
        """
        return np.where(np.isnan(self.rows).all(axis=-1), np.nan, final_means(self.rows, SCORED))

    @property
    def rows(self) -> Array:
        """The losses, of (rates, repeats, updates)."""
        return self.losses if self.losses.ndim == 3 else self.losses[:, None]


def read_probe(
    rates: npt.ArrayLike,
    losses: npt.ArrayLike,
    ramp: Suggestion | None = None,
    first: Sequence[float] | None = None,
) -> Suggestion:
    """The suggestion of a probe: a rate below that of the lowest final loss.

    The score of a training is the mean of the last third of its losses, and infinite where one is
    missing. Scores are mapped to the scale of `suggest` and averaged over the repeats. The best
    rate is the lowest point of the parabola through the lowest score and its neighbours, or the
    lowest score itself where it is the first or the last, or has a neighbour above that diverged.
    It becomes `high`. 10**-0.18 times it, and at most 10**-0.5 times the lowest rate that diverged,
    is the estimate of the trainings. `suggested` is the geometric mean of it and of the suggestion
    of the ramp, weighted by 1 / s**2, where s is 0.25 decades for the trainings, and for the ramp
    1.3 times the half of its band. `low` is that of the ramp, or else the lowest rate.

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
    0.10 0.66 1.00
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
    tried = min(place - MARGIN, unstable - BELOW_UNSTABLE)
    pick = float(10.0 ** (tried if ramp is None else _with_prior(tried, ramp)))
    found = around(low, pick, high, *(BRACKETED if inside else OPEN))
    if not inside:
        end, more = ("lowest", "lower") if best == 0 else ("highest", "higher")
        found.warning = (
            f"the best of the rates that were tried is the {end}, {10.0 ** x[best]:.3g}, so that "
            f"{more} ones may be better: raise max_steps"
        )
    return found


def _with_prior(place: float, ramp: Suggestion) -> float:
    """The mean of what the trainings and the ramp suggest, weighted by their certainty."""
    suggested = float(np.log10(ramp.suggested))
    wide = max(NARROWEST, *(abs(float(np.log10(end)) - suggested) for end in ramp.band))
    weight = (DEVIATION / (PRIOR * wide)) ** 2
    return (place + weight * suggested) / (1.0 + weight)
