"""The result of a sweep."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import Refusal
from lrsched._core.schedule import Schedule
from lrsched.range_test.reading.lengths import Run
from lrsched.range_test.reading.scores import final_means
from lrsched.range_test.reading.suggestion import Suggestion
from lrsched.range_test.reading.valley import NoSuggestion
from lrsched.range_test.result import files as _files
from lrsched.range_test.result.plot import axes_or_new, svg_of
from lrsched.range_test.result.schedules import ScheduleBuilder
from lrsched.sweep import plot as _sweep_plot
from lrsched.sweep.contents import CONTENT, arrays, facts, fields
from lrsched.sweep.read import PART, final_losses, suggest

Array = npt.NDArray[np.float64]
Index = int | tuple[int, int]  # of a schedule, or of a schedule and a repeat


@dataclass(frozen=True, eq=False)
class Sweep(ScheduleBuilder):
    """The losses of copies of one training under different schedules.

    Attributes:
        schedules: the schedule of each copy.
        learning_rates: the learning rate of each update, a row for each schedule.
        losses: the loss before each update, of (schedules, steps), or of (schedules, repeats,
            steps). Of a training that is missing, or ended early, they are NaN from there on.
        metrics: other recorded numbers by name, in the shape of the losses; NaN where there are
            none.
        params: in JAX with `keep_params`, the parameters after the last update, with a first axis
            for the copies; else None.
        model_state: the same for the model state.
        failures: what happened to trainings that are missing or incomplete, by the index of the
            schedule, or of (schedule, repeat). A loss that is not finite is no failure.
        label: the name of the sweep in figures.
    """

    schedules: tuple[Schedule, ...]
    learning_rates: Array
    losses: Array
    metrics: Mapping[str, Array] = field(default_factory=dict)
    params: Any = None
    model_state: Any = None
    failures: Mapping[Index, str] = field(default_factory=dict)
    label: str = ""

    def __post_init__(self) -> None:
        refuse = Refusal("Sweep")
        schedules = tuple(self.schedules)
        if not schedules or not all(isinstance(each, Schedule) for each in schedules):
            refuse("schedules", "a sequence of schedules, at least one", self.schedules)
        number = len(schedules)
        rates = np.asarray(self.learning_rates, np.float64)
        if rates.ndim != 2 or len(rates) != number or not np.all(np.isfinite(rates)):
            refuse("learning_rates", f"{number} rows of finite numbers", self.learning_rates)
        losses = np.asarray(self.losses, np.float64)
        if losses.ndim not in (2, 3) or (len(losses), losses.shape[-1]) != rates.shape:
            expected = f"of (schedules, steps) or (schedules, repeats, steps) for {rates.shape}"
            refuse("losses", expected, self.losses)
        if losses.ndim == 3 and not losses.shape[1]:
            refuse("losses", "of at least one repeat", self.losses)
        metrics = {name: np.asarray(each, np.float64) for name, each in self.metrics.items()}
        for name, each in metrics.items():
            if each.shape != losses.shape:
                refuse(f"metrics[{name!r}]", f"of the shape of the losses, {losses.shape}", each)
        trainings = set(_indices(losses))
        for index in self.failures:
            if index not in trainings or isinstance(index, bool):
                expected = "one of a schedule" + (" and a repeat" if losses.ndim == 3 else "")
                refuse("an index of failures", expected, index)
        for name, value in {
            "schedules": schedules,
            "learning_rates": rates,
            "losses": losses,
            "metrics": metrics,
        }.items():
            object.__setattr__(self, name, value)

    @property
    def repeats(self) -> int:
        """How many times each schedule was used."""
        return 1 if self.losses.ndim == 2 else self.losses.shape[1]

    @property
    def highest(self) -> Array:
        """The highest learning rate of each schedule in the sweep."""
        highest: Array = self.learning_rates.max(axis=1, initial=0.0)
        return highest

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Which trainings are in `failures`, of (schedules, repeats)."""
        found = np.zeros((len(self.schedules), self.repeats), bool)
        for index in self.failures:
            found[index if isinstance(index, tuple) else (index, 0)] = True
        return found

    def final_losses(self, part: float = PART) -> Array:
        """The final loss of each schedule: the mean over the last part of the updates.

        It is infinite where a loss of the training was not finite, and NaN where the training is in
        `failures`. Of repeats it is the median; those that are missing do not count.

        Args:
            part: which part of the updates, above 0 and at most 1; at least one update counts.

        Raises:
            TypeError, ValueError: part is no such number.
        """
        return final_losses(Refusal("Sweep.final_losses"), self._rows, self.missing, part)

    def best(self) -> Schedule:
        """The schedule of the lowest final loss; of equal ones the first.

        Raises:
            NoSuggestion: no training has a finite final loss.
        """
        found = self.final_losses()
        if not np.isfinite(found).any():
            raise NoSuggestion("no training has a finite final loss: add lower rates")
        return self.schedules[int(np.where(np.isfinite(found), found, np.inf).argmin())]

    def suggest(self, within: float = 0.05) -> Suggestion:
        """The learning rates that the sweep suggests: (low, suggested, high).

        The score of a training is the mean over the last tenth of its losses, on the scale on which
        `RangeTest.suggest` reads them, and is averaged over repeats. It is read over the highest
        rate of each schedule; where schedules share one, the best of them counts. `suggested` is
        the lowest point of the parabola through the lowest score and its two neighbours. Between
        `low` and `high` the loss falls by almost as much as at the best rate.

        Args:
            within: the part of the best fall that may be missing at `low` and `high`, from 0 to 1.
                These are interpolated between the rates of the sweep.

        Returns:
            The three rates, `low <= suggested <= high`.

        Raises:
            NoSuggestion: fewer than three rates have a training, no loss fell, or the lowest score
                is at the lowest or the highest rate; the message has the reason, and what to
                change. It is a ValueError.
            TypeError, ValueError: within is no such number.

        Elsewhere: `wandb.sweep`, Optuna and Ray Tune search for the best value and give no range.

        >>> import lrsched, numpy as np
        >>> rates = [0.01, 0.1, 1.0]
        >>> losses = [[1.0, 0.8], [1.0, 0.2], [1.0, 3.0]]
        >>> found = Sweep(tuple(map(lrsched.constant, rates)), np.repeat(rates, 2).reshape(3, 2),
        ...               losses)
        >>> print("%.3f %.3f %.3f" % found.suggest())
        0.082 0.082 0.106
        """
        refuse = Refusal("Sweep.suggest")
        return suggest(refuse, self.highest, self._rows, self.missing, within)

    def _rates_for(self, run: Run) -> Suggestion:
        """Those of the sweep, which has trained with schedules of its own."""
        return self.suggest()

    @property
    def _rows(self) -> Array:
        """The losses, of (schedules, repeats, steps)."""
        return self.losses if self.losses.ndim == 3 else self.losses[:, None]

    def plot(self, ax: Any = None, *, final: bool = False) -> Any:
        """Draw the losses of all trainings over the steps with matplotlib, and return the axes.

        A cross is at the last finite loss of a training that diverged. Losses that are far above
        the first ones may leave the figure.

        Args:
            ax: the axes to draw on; by default new ones.
            final: whether to draw the final loss of each schedule over its highest learning rate
                instead, on a logarithmic axis, with what `suggest` says. Schedules whose final
                loss is not finite, or is above the figure, are crosses at the top.

        Returns:
            The axes.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
        """
        ax = axes_or_new(ax)
        if final:
            _sweep_plot.draw_final(ax, self._picture(), self._suggestion())
        else:
            _sweep_plot.draw_losses(ax, self._picture())
        return ax

    def _repr_svg_(self) -> str | None:
        return svg_of(lambda ax: self.plot(ax))

    def _picture(self) -> _sweep_plot.Picture:
        return _sweep_plot.Picture(
            self.schedules,
            self.highest,
            self._rows,
            self.missing,
            final_means(self._rows, PART),
            self.final_losses(),
            self.label,
        )

    def _suggestion(self) -> Suggestion | str:
        """What the sweep suggests, or why it suggests nothing."""
        try:
            return self.suggest()
        except NoSuggestion as refused:
            return str(refused)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the sweep to a .json or .npz file. If that fails, an older file stays.

        The schedules are written as recipes. `params` and `model_state` are not written.

        Raises:
            ValueError: the path has another ending.
            OSError: the file cannot be written.
        """
        _files.write(path, facts(self), arrays(self), CONTENT)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Sweep:
        """Read a file that `save` wrote. Reading runs no code.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no sweep.
        """
        return _files.read(path, lambda facts, arrays: cls(**fields(facts, arrays)), CONTENT)

    def __repr__(self) -> str:
        schedules, steps = self.learning_rates.shape
        times = f", {self.repeats} repeats" if self.losses.ndim == 3 else ""
        lost = f", {len(self.failures)} of them missing" if self.failures else ""
        found = self._suggestion()
        said = f"no suggestion: {found}" if isinstance(found, str) else f"suggested {found[1]:.3g}"
        return f"<Sweep of {schedules} schedules over {steps} updates{times}{lost}; {said}>"


def _indices(losses: Array) -> list[Index]:
    """The index of each training, as `failures` has it."""
    if losses.ndim == 2:
        return list(range(len(losses)))
    return [(schedule, repeat) for schedule, repeat in np.ndindex(losses.shape[:2])]
