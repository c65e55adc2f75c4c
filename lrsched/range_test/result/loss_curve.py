"""Read losses over learning rates: as a curve, and for the rates that they suggest."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import Real, Refusal, Whole
from lrsched.range_test.reading.curves import extend_past_stop, median, smoothed
from lrsched.range_test.reading.lengths import checked_run
from lrsched.range_test.reading.probe import Probe, read_probe
from lrsched.range_test.reading.recorder import Stopped, first_losses
from lrsched.range_test.reading.suggest import spread, suggest
from lrsched.range_test.reading.suggestion import Suggestion
from lrsched.range_test.reading.valley import NoSuggestion, untrained

Array = npt.NDArray[np.float64]


class LossCurve(ABC):
    """Losses at rising learning rates, and trainings at constant ones, which suggest rates.

    A class that has these four attributes and `trimmed` inherits what is read from them.
    `RangeTest` says what each attribute holds.
    """

    learning_rates: Array
    losses: Array
    stopped: Stopped | tuple[Stopped, ...]
    probe: Probe | None

    @abstractmethod
    def trimmed(self, skip_start: Whole = 0, skip_end: Whole = 0) -> Self:
        """The curve without its first and last updates."""

    @property
    def median(self) -> Array:
        """The loss at each learning rate; of repeats the median, until half of them have stopped.

        A repeat that has stopped counts as above all others.
        """
        return median(self.losses)

    @property
    def first_losses(self) -> list[float]:
        """The losses that say from where on a loss is too high: those of the first updates."""
        losses = self._lowest_ramp.median
        finite = losses[np.isfinite(losses)]
        count = min(first_losses(len(losses)), len(finite))
        return list(finite[: untrained(finite, count)])

    @property
    def untrained_losses(self) -> list[float]:
        """The losses before training began, of up to half of the updates."""
        losses = self._lowest_ramp.median
        finite = losses[np.isfinite(losses)]
        count = max(first_losses(len(losses)), len(finite) // 2)
        return list(finite[: untrained(finite, min(count, len(finite)))])

    @property
    def _lowest_ramp(self) -> LossCurve:
        """The rising rates from the lowest one on, here or before."""
        return self

    def suggest(
        self,
        method: str = "default",
        *,
        total_steps: Whole | None = None,
        shape: str = "constant",
        epoch_steps: Real | None = None,
        skip_start: Whole = 0,
        skip_end: Whole = 0,
    ) -> Suggestion:
        """The learning rates that the test suggests: (low, suggested, high).

        `low` and `high` are Smith's base and maximum rates, for a cyclic schedule; `suggested` is
        a constant rate for about 200 updates, or the rate for the run that `shape`, `total_steps`
        and `epoch_steps` describe. `band` is where the best rate lies with a chance of 80 %, and
        `warning` says what makes it uncertain. The default method reads the trainings of the probe
        where there is one.

        With c and e of the shape, all rates are multiplied by

            c (200 / total_steps)**e min(1, 20 epoch_steps / total_steps)

        For a constant rate c is 1 and e is 0.2; there, lengths below 100 and above 2400 count as
        these, as nothing else was measured. For the peak of "warmup_cosine" or "one_cycle" c is 1.6
        and e is 0. For "cyclic" both leave the rates as they are. The last factor is for runs that
        pass more than 20 times over the same examples: they over-fit less at lower rates. These
        numbers were chosen on the tuned tasks of docs/explanation/range-tests-quality.md, which
        says how much they leave to chance.

        Args:
            method: "default"; "steepest", where the smooth curve falls fastest; or the rule of
                another library, its faults included: "torch-lr-finder", "ignite", "lightning",
                and fastai's "valley", "slide", "minimum" and "steep", which
                docs/explanation/range-tests-quality.md compares. These have no band.
            total_steps: the number of updates of the run, or None.
            shape: "constant", "warmup_cosine", "one_cycle" or "cyclic".
            epoch_steps: the number of updates in a pass over the data, `len(loader)`, where every
                pass has the same examples. Leave it out where they are augmented, or where the data
                does not repeat.
            skip_start: the number of updates at the beginning that are left out.
            skip_end: the number of updates at the end that are left out.

        Raises:
            NoSuggestion: the losses show no rate; the message has the reason. It is a ValueError.
            TypeError, ValueError: there is no such method or shape, total_steps or epoch_steps is
                no such number, or all updates are left out.
        """
        run = checked_run(Refusal("RangeTest.suggest"), shape, total_steps, epoch_steps)
        test = self.trimmed(skip_start, skip_end) if skip_start or skip_end else self
        found = test._suggest(method)
        return found if run.factor == 1.0 else found.times(run.factor)

    def _suggest(self, method: str) -> Suggestion:
        """The suggestion for the reference run."""
        if method != "default":
            return suggest(*self._curve(), method)
        ramp = self.ramp_suggestion
        if self.probe is not None:
            found = None if isinstance(ramp, NoSuggestion) else ramp
            rates, losses = self.probe.learning_rates, self.probe.losses
            try:
                return read_probe(rates, losses, found, self.untrained_losses)
            except NoSuggestion:
                if found is None:
                    raise
        if isinstance(ramp, NoSuggestion):
            raise NoSuggestion(str(ramp), ramp.cause)
        return ramp

    @functools.cached_property
    def ramp_suggestion(self) -> Suggestion | NoSuggestion:
        """What the rising rates alone suggest, without the probe, or why they suggest nothing."""
        try:
            return suggest(*self._curve())
        except NoSuggestion as refused:
            return refused.with_traceback(None)

    def _curve(self) -> tuple[Array, Array]:
        """The rates and losses that suggestions are read from."""
        return extend_past_stop(self.learning_rates, self.losses, self.stopped)

    def spread(self, method: str = "default") -> float:
        """The standard deviation of the repeats' suggestions, in decades.

        Raises:
            NoSuggestion: fewer than two of the repeats suggest one.
        """
        return spread(*self._curve(), method)

    def smoothed(self) -> Array:
        """The loss at each learning rate without noise or lag, for figures."""
        return smoothed(self.learning_rates, self.losses)
