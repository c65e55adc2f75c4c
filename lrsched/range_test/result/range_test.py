"""The result of a learning-rate range test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import Real, Refusal, Whole, choice
from lrsched._core.schedule import Schedule
from lrsched.range_test.reading.lengths import Run, checked_run
from lrsched.range_test.reading.probe import Probe
from lrsched.range_test.reading.recorder import Stopped
from lrsched.range_test.reading.suggestion import Suggestion, plain, said
from lrsched.range_test.reading.valley import NoSuggestion
from lrsched.range_test.result import files as _range_files
from lrsched.range_test.result import plot as _range_plot
from lrsched.range_test.result.compare import compare
from lrsched.range_test.result.contents import arrays, facts, fields
from lrsched.range_test.result.loss_curve import LossCurve
from lrsched.range_test.result.parts import with_metric, without_ends
from lrsched.range_test.result.picture import Picture, picture_of
from lrsched.range_test.result.schedules import ScheduleBuilder
from lrsched.range_test.result.summary import summary

Array = npt.NDArray[np.float64]
_REASON = choice(*get_args(Stopped))


@dataclass(frozen=True, eq=False)
class RangeTest(LossCurve, ScheduleBuilder):
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

    def _rates_for(self, run: Run) -> Suggestion:
        return self.suggest(**run._asdict())

    @property
    def _lowest_ramp(self) -> LossCurve:
        if self.earlier is None or self.learning_rates[0] < self.earlier.learning_rates[0]:
            return self
        return self.earlier._lowest_ramp

    @property
    def summary(self) -> str:
        """What the test did, in a sentence: its ramps, its trainings, and why they were made."""
        return summary(self)

    def with_label(self, label: str) -> RangeTest:
        """The same test with another name in figures and files."""
        return replace(self, label=label)

    def trimmed(self, skip_start: Whole = 0, skip_end: Whole = 0) -> RangeTest:
        """The test without its first and last updates.

        Without its last ones it is "finished": it did not diverge at the rates that are left.

        Raises:
            TypeError, ValueError: a number is not an integer >= 0, or no update is left.
        """
        return replace(self, **without_ends(self, self.metrics, skip_start, skip_end))

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
        return replace(self, **with_metric(self, self.metrics, name, mode))

    def plot(
        self,
        *others: RangeTest,
        ax: Any = None,
        method: str | None = "default",
        total_steps: Whole | None = None,
        shape: str = "constant",
        epoch_steps: Real | None = None,
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
            epoch_steps: as for `suggest`.
            skip_start: the number of updates at the beginning of each test that are left out.
            skip_end: the number of updates at the end of each test that are left out.

        Returns:
            The axes.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
            TypeError, ValueError: as for `suggest`.
        """
        tests = [test.trimmed(skip_start, skip_end) for test in (self, *others)]
        run = checked_run(Refusal("RangeTest.plot"), shape, total_steps, epoch_steps)
        pictures = [test._picture(method, run) for test in tests]
        return _range_plot.draw(pictures, ax)

    def _repr_svg_(self) -> str | None:
        return _range_plot.svg(self._picture("default", Run()))

    def _picture(self, method: str | None, run: Run) -> Picture:
        """The test as it is drawn."""
        return picture_of(self, self.earlier, self.label, self.quantity, method, run)

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
        return compare(self, other)

    def __repr__(self) -> str:
        rates = self.learning_rates
        between = f" from {plain(rates[0])} to {plain(rates[-1])}" if len(rates) else ""
        times = f", {self.repeats} repeats" if self.losses.ndim == 2 else ""
        try:
            found = said(self.suggest())
        except NoSuggestion as refused:
            found = f"no suggestion: {refused}"
        return f"<RangeTest of {len(rates)} updates{between}{times}, {self.stopped}; {found}>"
