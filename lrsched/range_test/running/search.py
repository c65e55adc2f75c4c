"""Search for the best rate by short trainings at constant rates, all from the same state.

In a range test every rate continues from what lower rates have reached; here each starts afresh.
The adapters train.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lrsched.range_test.reading.probe import Probe
from lrsched.range_test.reading.scores import is_above, rises, scores
from lrsched.range_test.reading.valley import NoSuggestion

Array = npt.NDArray[np.float64]
Train = Callable[[float, int], Sequence[float]]

COARSE, FINE = 0.5, 0.25  # decades between the first rates, and between the last
LOWER = 1.0  # decades to the next rate, where all losses have risen
MAX_RATES = 11  # after which the search ends


class Search:
    """Trains at one rate after the other, each chosen by the losses of those before.

    The first three rates are half a decade apart. The search goes on to higher rates, and then to
    lower ones, until on each side of the best rate one is worse by more than noise; then it halves
    the gaps around the best rate, to a quarter of a decade. While no loss has fallen it tries
    higher rates, or where all losses have risen lower ones. At last it trains at the best rate and
    its neighbours again, on other batches. It ends when another training might make more updates
    than are left, and at one that returns no losses.

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
        """Train at a rate if there are enough updates left, and say whether there were losses."""
        steps = self._shape[1]
        if steps > self._left:
            return False
        found = self._train(10.0**place, repeat)
        self._left -= len(found) + (len(found) < steps)  # an update without a finite loss
        if not len(found):
            self._left = 0
            return False
        row = self._rows.setdefault(place, np.full(self._shape, np.nan))
        row[repeat, : len(found)] = found
        return True

    def _next(self) -> float | None:
        """The next rate to try; None where the best one is known well enough."""
        places = sorted(self._rows)
        if not 0 < len(places) < MAX_RATES:
            return None
        try:
            _, height = self._scores(places)
        except NoSuggestion:
            return self._next_unseen(places)
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

    def _next_unseen(self, places: Sequence[float]) -> float | None:
        """The next rate where no loss has fallen: above those whose losses have not risen."""
        lowest = places[0]
        calm = [place for place in places if not self._is_worse(place, lowest)]
        if not calm or rises(self._first, self._rows[lowest][0]):
            return lowest - LOWER
        higher = [place for place in places if place > calm[-1]]
        if not higher:
            return calm[-1] + COARSE
        gap = higher[0] - calm[-1]
        return calm[-1] + gap / 2.0 if gap > 1.5 * FINE else None

    def _is_worse(self, place: float, best: float) -> bool:
        """Whether the last losses of a rate are above those of the best by more than noise."""
        return is_above(self._rows[place][0], self._rows[best][0])

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
