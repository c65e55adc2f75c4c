"""The result of a learning-rate range test."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import Refusal, Whole, choice
from lrsched._core.number_kinds import integer
from lrsched._core.schedule import Schedule
from lrsched.range_test import files as _range_files
from lrsched.range_test import plot as _range_plot
from lrsched.range_test.compare import Side, compare
from lrsched.range_test.contents import arrays, facts, fields
from lrsched.range_test.lengths import change, checked_run
from lrsched.range_test.metrics import metric_curve, shifted
from lrsched.range_test.probe import Probe, read_probe
from lrsched.range_test.recorder import Stopped, first_losses
from lrsched.range_test.schedules import ScheduleBuilder
from lrsched.range_test.suggest import (
    extend_past_stop,
    median,
    smoothed,
    spread,
    suggest,
)
from lrsched.range_test.suggestion import Suggestion, plain, said
from lrsched.range_test.summary import summary
from lrsched.range_test.valley import NoSuggestion

__all__ = ["NoSuggestion", "Probe", "RangeTest", "Suggestion"]

Array = npt.NDArray[np.float64]
_REASON = choice(*get_args(Stopped))
_SKIPPED = integer(0, "updates")


@dataclass(frozen=True, eq=False)
class RangeTest(ScheduleBuilder):
    """The learning rates that a range test used, and the raw loss of each update.

    Attributes:
        learning_rates: the rate of each update as it was used; in a repeated test, those of the
            longest repeat.
        losses: the raw loss of each update, before it was applied; in a repeated test a row for
            each repeat, NaN after it stopped.
        stopped: why the test ended: "finished"; "diverged", where most of the last losses were far
            above the first ones (they are recorded); "nonfinite", at a NaN or an infinity (which is
            not recorded); "exhausted", when the batches ran out. In a repeated test one for each
            repeat.
        schedule: the schedule of the learning rates, or None.
        metrics: other recorded numbers by name ("a_0", "a_1", ... in a repeated test), as rows of
            (update, value).
        probe: trainings at constant rates around the suggestion, or None.
        label: the name of the test in figures.
        quantity: what `losses` are, where they are a metric (see `for_metric`).
        ratios: of a test whose optimizer has several param groups, the ratio of each group's rate
            to `learning_rates`; None if these changed from update to update, or nothing is known.
        earlier: the test before, whose rates showed that the best lies beyond them, or None.
    """

    learning_rates: Array
    losses: Array
    stopped: Stopped | tuple[Stopped, ...] = "finished"
    schedule: Schedule | None = None
    metrics: Mapping[str, Array] = field(default_factory=dict)
    probe: Probe | None = None
    label: str = ""
    quantity: str = "loss"
    ratios: tuple[float, ...] | None = None
    earlier: RangeTest | None = None

    def __post_init__(self) -> None:
        rates = np.asarray(self.learning_rates, np.float64)
        losses = np.asarray(self.losses, np.float64)
        refuse = Refusal("RangeTest")
        if rates.ndim != 1 or not np.all(np.isfinite(rates)):
            refuse("learning_rates", "a sequence of finite numbers", self.learning_rates)
        if losses.ndim not in (1, 2) or losses.shape[-1] != len(rates):
            refuse("losses", f"{len(rates)} numbers, or rows of as many", self.losses)
        for reason in self.stops:
            refuse.check("stopped", _REASON, reason)
        if self.probe is not None and not self.probe.is_whole:
            refuse("probe", "rates above 0, and losses for each", self.probe)
        if not isinstance(self.earlier, (RangeTest, type(None))):
            refuse("earlier", "a RangeTest, or None", self.earlier, TypeError)
        object.__setattr__(self, "learning_rates", rates)
        object.__setattr__(self, "losses", losses)

    @property
    def repeats(self) -> int:
        """How many times the test was run."""
        return 1 if self.losses.ndim == 1 else len(self.losses)

    @property
    def stops(self) -> tuple[Stopped, ...]:
        """Why each repeat ended."""
        return self.stopped if isinstance(self.stopped, tuple) else (self.stopped,)

    @property
    def updates(self) -> int:
        """The number of updates, those of earlier ramps and of the probe included.

        An update whose loss was not finite counts.
        """
        found = int(np.isfinite(self.losses).sum()) + self.stops.count("nonfinite")
        found += 0 if self.probe is None else self.probe.updates
        return found if self.earlier is None else found + self.earlier.updates

    @property
    def median(self) -> Array:
        """The loss at each learning rate; of repeats the median, until half of them have stopped.

        A repeat that has stopped counts as above all others.
        """
        return median(self.losses)

    def suggest(
        self,
        method: str = "default",
        *,
        total_steps: Whole | None = None,
        shape: str = "constant",
        skip_start: Whole = 0,
        skip_end: Whole = 0,
    ) -> Suggestion:
        """The learning rates that the test suggests: (low, suggested, high).

        `low` and `high` are Smith's base and maximum rates, for a cyclic schedule; `suggested` is
        a constant rate for about 200 updates, or the rate for the run that `shape` and
        `total_steps` describe. `band` is where the best rate lies with a chance of 80 %, and
        `warning` says what makes it uncertain. The default method reads the trainings of the probe
        where there is one.

        With c and e of the shape, all rates are multiplied by c (200 / total_steps)**e; lengths
        below 100 and above 2400 count as these, as nothing else was measured. For a constant rate c
        is 1 and e is 0.2. For the peak of "warmup_cosine" or "one_cycle" c is 1.6 and e is 0: on
        the tasks that chose them, such runs of 150 and of 2400 updates had about the same best
        peak. For "cyclic", which was not measured, all rates stay as they are. One factor for all
        tasks leaves much to chance: docs/explanation/range-tests-quality.md says how much.

        Args:
            method: "default"; "steepest", where the smooth curve falls fastest; or the rule of
                another library, its faults included: "torch-lr-finder", "ignite", "lightning",
                and fastai's "valley", "slide", "minimum" and "steep", which
                docs/explanation/range-tests-quality.md compares. These have no band.
            total_steps: the number of updates of the run, or None.
            shape: "constant", "warmup_cosine", "one_cycle" or "cyclic".
            skip_start: the number of updates at the beginning that are left out.
            skip_end: the number of updates at the end that are left out.

        Raises:
            NoSuggestion: the losses show no rate; the message has the reason. It is a ValueError.
            TypeError, ValueError: there is no such method or shape, total_steps is no such number,
                or all updates are left out.
        """
        run = checked_run(Refusal("RangeTest.suggest"), shape, total_steps)
        test = self.trimmed(skip_start, skip_end) if skip_start or skip_end else self
        factor = change(*run)
        found = test._suggest(method)
        return found if factor == 1.0 else found.times(factor)

    def _rates_for(self, shape: str, total_steps: int | None) -> Suggestion:
        return self.suggest(shape=shape, total_steps=total_steps)

    def _suggest(self, method: str) -> Suggestion:
        """The suggestion for the reference run."""
        if method != "default":
            return suggest(*self._curve(), method)
        ramp = self.ramp_suggestion
        if self.probe is not None:
            found = None if isinstance(ramp, NoSuggestion) else ramp
            rates, losses = self.probe.learning_rates, self.probe.losses
            try:
                return read_probe(rates, losses, found, self.first_losses)
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

    @property
    def summary(self) -> str:
        """What the test did, in a sentence: its ramps, its trainings, and why they were made."""
        return summary(self)

    @property
    def first_losses(self) -> list[float]:
        """The losses that set the level before training: those of the first updates."""
        losses = self.median
        finite = losses[np.isfinite(losses)]
        return list(finite[: first_losses(len(losses))])

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

    def with_label(self, label: str) -> RangeTest:
        """The same test with another name in figures and files."""
        return replace(self, label=label)

    def trimmed(self, skip_start: Whole = 0, skip_end: Whole = 0) -> RangeTest:
        """The test without its first and last updates.

        Without its last ones it is "finished": it did not diverge at the rates that are left.

        Raises:
            TypeError, ValueError: a number is not an integer >= 0, or no update is left.
        """
        start, end = Refusal("RangeTest").checked(
            skip_start=(_SKIPPED, skip_start), skip_end=(_SKIPPED, skip_end)
        )
        count = len(self.learning_rates)
        if start + end >= count:
            Refusal("RangeTest")("skip_start + skip_end", f"less than {count} updates", start + end)
        kept = slice(start, count - end)
        stopped: Stopped | tuple[Stopped, ...] = self.stopped
        if end:
            whole: Stopped = "finished"
            stopped = (whole,) * len(stopped) if isinstance(stopped, tuple) else whole
        return replace(
            self,
            stopped=stopped,
            learning_rates=self.learning_rates[kept],
            losses=self.losses[..., kept],
            metrics={name: shifted(rows, kept) for name, rows in self.metrics.items()},
        )

    def for_metric(self, name: str, mode: str = "min") -> RangeTest:
        """The test with a recorded metric in the place of the loss, for its figure and suggestion.

            test = range_test(..., metrics=lambda: {"val_loss": validate(model)}, every=5)
            test.for_metric("val_loss").suggest()

        It has the updates before which the metric was recorded, from 10 on for a suggestion.

        Args:
            name: the name of the metric; in a repeated test "a" stands for "a_0", "a_1", ...
            mode: "min" if a low metric is good, such as a loss. With "max", such as an accuracy,
                `losses` are the negative metric.

        Raises:
            TypeError, ValueError: no such metric was recorded, or mode is another.
        """
        repeats = None if self.losses.ndim == 1 else self.repeats
        rates, values = metric_curve(self.learning_rates, self.metrics, repeats, name, mode)
        quantity = name if mode == "min" else f"-{name}"
        return replace(
            self,
            learning_rates=rates,
            losses=values,
            metrics={},
            probe=None,
            quantity=quantity,
            earlier=None,
        )

    def plot(
        self,
        *others: RangeTest,
        ax: Any = None,
        method: str | None = "default",
        total_steps: Whole | None = None,
        shape: str = "constant",
        skip_start: Whole = 0,
        skip_end: Whole = 0,
    ) -> Any:
        """Draw loss over learning rate with matplotlib, and return the axes.

        Shows the raw losses, the smoothed curve, the range of repeats, and the rates that `method`
        suggests (None: no rates), of this test and of others. The darker part around the suggested
        rate is its band. Pale dots are the losses of an earlier ramp. A marker is the mean of the
        last third of a training at a constant rate; those that diverged, or ended above the figure,
        are crosses at the top.

        Args:
            others: further tests to draw.
            ax: the axes to draw on; by default new ones.
            method: as for `suggest`, or None.
            total_steps: as for `suggest`.
            shape: as for `suggest`.
            skip_start: the number of updates at the beginning of each test that are left out.
            skip_end: the number of updates at the end of each test that are left out.

        Returns:
            The axes.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
            TypeError, ValueError: as for `suggest`.
        """
        tests = [test.trimmed(skip_start, skip_end) for test in (self, *others)]
        pictures = [test._picture(method, total_steps, shape) for test in tests]
        return _range_plot.draw(pictures, ax)

    def _repr_svg_(self) -> str | None:
        return _range_plot.svg(self._picture("default"))

    def _picture(
        self, method: str | None, total_steps: Whole | None = None, shape: str = "constant"
    ) -> _range_plot.Picture:
        """The test as it is drawn."""
        smooth, found = None, None
        with contextlib.suppress(NoSuggestion):
            smooth = self.smoothed()
        if method is not None:
            with contextlib.suppress(NoSuggestion):
                found = self.suggest(method, total_steps=total_steps, shape=shape)
        rates, losses = self.learning_rates, np.atleast_2d(self.losses)
        picture = _range_plot.Picture(
            rates, losses, self.median, smooth, found, self.label, self.quantity
        )
        if self.earlier is not None:
            picture = picture._replace(earlier=(self.earlier.learning_rates, self.earlier.median))
        if self.probe is not None:
            picture = picture._replace(trainings=(self.probe.learning_rates, self.probe.ends))
        return picture

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the test to a .json or .npz file. If that fails, an older file stays."""
        _range_files.write(path, facts(self), arrays(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RangeTest:
        """Read a file that `save` wrote. Reading runs no code.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no range test.
        """
        return _range_files.read(path, lambda facts, arrays: cls(**fields(facts, arrays, cls)))

    def to_csv(self) -> str:
        """A table of update, learning rate and loss (of each repeat), as CSV."""
        return _range_files.to_csv(self.learning_rates, self.losses)

    def compare(self, other: RangeTest) -> str:
        """A report on the differences of two tests: in rates, losses and suggestions."""
        return compare(self._side(), other._side())

    def _side(self) -> Side:
        suggested: float | str
        try:
            suggested = self.suggest().suggested
        except NoSuggestion as refused:
            suggested = str(refused)
        return Side(self.learning_rates, self.median, str(self.stopped), suggested)

    def __repr__(self) -> str:
        rates = self.learning_rates
        between = f" from {plain(rates[0])} to {plain(rates[-1])}" if len(rates) else ""
        times = f", {self.repeats} repeats" if self.losses.ndim == 2 else ""
        try:
            found = said(self.suggest())
        except NoSuggestion as refused:
            found = f"no suggestion: {refused}"
        return f"<RangeTest of {len(rates)} updates{between}{times}, {self.stopped}; {found}>"
