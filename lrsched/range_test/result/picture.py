"""What is drawn of a range test."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lrsched.range_test.reading.lengths import Run
from lrsched.range_test.reading.suggestion import Suggestion
from lrsched.range_test.reading.valley import NoSuggestion
from lrsched.range_test.result.loss_curve import LossCurve

Array = npt.NDArray[np.float64]


class Picture(NamedTuple):
    """What is drawn of a test.

    Attributes:
        rates: the learning rate of each update.
        losses: the raw losses, of (repeats, updates).
        median: the median of the repeats.
        smoothed: the smooth curve; None where the losses are too few.
        suggestion: the suggested rates; None where the losses show none.
        label: the name of the test.
        quantity: what the losses are.
        earlier: the rates and the losses of the ramp before this one, or None.
        trainings: the constant rates and, of (rates, repeats), the losses at the ends of trainings,
            as `Probe.ends` has them; or None.
    """

    rates: Array
    losses: Array
    median: Array
    smoothed: Array | None
    suggestion: Suggestion | None
    label: str
    quantity: str = "loss"
    earlier: tuple[Array, Array] | None = None
    trainings: tuple[Array, Array] | None = None

    @property
    def prefix(self) -> str:
        """What the entries of the legend begin with."""
        return f"{self.label}: " if self.label else ""

    @property
    def drawn_rates(self) -> Array:
        """All rates of the figure."""
        others = [part[0] for part in (self.earlier, self.trainings) if part is not None]
        return np.concatenate([self.rates, *others])

    @property
    def ends(self) -> Array:
        """The finite losses at the ends of trainings."""
        ends = np.empty(0) if self.trainings is None else self.trainings[1]
        return ends[np.isfinite(ends)]


def picture_of(
    test: LossCurve,
    earlier: LossCurve | None,
    label: str,
    quantity: str,
    method: str | None,
    run: Run,
) -> Picture:
    """A test as it is drawn, after an earlier one or none; `method` None draws no suggestion."""
    smooth, found = None, None
    with contextlib.suppress(NoSuggestion):
        smooth = test.smoothed()
    if method is not None:
        with contextlib.suppress(NoSuggestion):
            found = test.suggest(method, **run._asdict())
    return Picture(
        test.learning_rates,
        np.atleast_2d(test.losses),
        test.median,
        smooth,
        found,
        label,
        quantity,
        None if earlier is None else (earlier.learning_rates, earlier.median),
        None if test.probe is None else (test.probe.learning_rates, test.probe.ends),
    )
