"""Go on with a range test whose ramp leaves the rate uncertain, within a number of updates.

A further ramp covers rates beyond the first one's; short trainings at constant rates decide between
rates near the suggestion. The adapters make the updates, all from the start of the test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import Refusal
from lrsched._core.schedule import Schedule
from lrsched.range_test.reading.probe import PROBE_REPEATS, PROBE_STEPS
from lrsched.range_test.reading.recorder import DIVERGENCE, threshold
from lrsched.range_test.reading.suggestion import Suggestion
from lrsched.range_test.reading.valley import NoSuggestion
from lrsched.range_test.result.range_test import RangeTest
from lrsched.range_test.running.options import checked_options
from lrsched.range_test.running.rates import default_ramp
from lrsched.range_test.running.search import Search

TIMES = 3  # the most updates by default, in multiples of the ramp's
REFINED = 10  # the most updates of a refinement by default, in multiples of a training's
TRAININGS = 6  # the number of trainings for which the updates that are left suffice,
MIN_STEPS = 50  # though each makes so many where that leaves three of them
FEWEST = 3  # trainings, or there are none,
SHORTEST = 20  # and each of so many updates, or of as many as were asked for
UPWARD, DOWNWARD = (3.0, 3.0), (4.0, 1.0)  # decades of a further ramp beyond the ends, and inside
FEWEST_UPDATES = 20  # of a further ramp
UNKNOWN = 2.0  # decades from the last rate down to the first training, where nothing was seen


class Runs(Protocol):
    """Makes updates from the start of the test, on the batches that it began with."""

    def ramp(self, schedule: Schedule, steps: int) -> RangeTest:
        """A range test with other rates."""

    def train(self, rate: float, steps: int, repeat: int, above: float) -> Sequence[float]:
        """The losses of a training at a constant rate.

        It ends when most of its last losses are above a number, and at one that is not finite.
        Repeat r begins with batch r * steps. Where the batches run out there are no losses.
        """


@dataclass(frozen=True)
class Limits:
    """How far a test goes on.

    Attributes:
        steps: the number of updates of the ramp.
        max_steps: the most updates in all; None takes a default.
        refine: whether there are trainings in any case.
        probe_steps: the updates of each training; None takes a default.
        probe_repeats: the trainings at the best rates, with `refine`.
        divergence: the multiple of the first losses at which the test ends.
        is_ramp: whether the rates are those of `default_ramp`; else there is no further one, and by
            default the test goes on only with `refine`.
    """

    steps: int
    max_steps: int | None = None
    refine: bool = False
    probe_steps: int | None = None
    probe_repeats: int = PROBE_REPEATS
    divergence: float | None = DIVERGENCE
    is_ramp: bool = True

    @property
    def none(self) -> Limits:
        """The limits of a test that never goes on."""
        return replace(self, max_steps=self.steps, refine=False)

    @property
    def further(self) -> int:
        """The most updates after the ramp."""
        if self.max_steps is not None:
            return max(self.max_steps - self.steps, 0)
        further = (TIMES - 1) * self.steps if self.is_ramp or self.refine else 0
        refined = REFINED * (self.probe_steps or PROBE_STEPS) if self.refine else 0
        return max(further, refined)

    def training(self, left: int) -> int:
        """The updates of each training, of so many that are left; 0 where there are too few."""
        steps = self.probe_steps
        if steps is None:
            steps = PROBE_STEPS if self.refine else max(MIN_STEPS, left // TRAININGS)
        found = min(steps, left // FEWEST)
        return found if found >= min(steps, SHORTEST) else 0


def limits_of(
    refuse: Refusal,
    steps: int,
    max_steps: Any,
    refine: bool,
    probe_steps: Any,
    probe_repeats: Any,
    divergence: float | None,
    is_ramp: bool,
) -> Limits:
    """The limits of these options; `steps`, `refine` and `divergence` are checked already."""
    checked = checked_options(
        refuse, max_steps=max_steps, probe_steps=probe_steps, probe_repeats=probe_repeats
    )
    most, probe_steps, probe_repeats = checked
    if most is not None and most < steps:
        refuse("max_steps", f"at least steps ({steps}), or None", max_steps)
    return Limits(steps, most, refine, probe_steps, probe_repeats, divergence, is_ramp)


def continued(
    test: RangeTest, runs: Runs, limits: Limits, dtype: npt.DTypeLike = np.float64
) -> RangeTest:
    """The test, gone on with where that is needed or asked for.

    Args:
        test: the ramp.
        runs: makes further updates.
        limits: how many.
        dtype: the dtype in which rates are used.
    """
    left = limits.further
    if not left or "exhausted" in test.stops:  # a reading takes as long as some small updates
        return test
    read = _read(test)
    if limits.is_ramp:
        for upward in (True, False):
            further = _further_ramp(test, read, upward)
            if further is not None and further[1] <= left:
                beyond = runs.ramp(*further)
                left -= beyond.updates
                if (read_beyond := _read(beyond)).found is not None:
                    test = replace(beyond, earlier=test, label=test.label)
                    read = read_beyond
    return _probed(test, read, runs, limits, left, dtype)


class _Read(NamedTuple):
    """What a test suggests, or why it suggests nothing."""

    found: Suggestion | None
    cause: str = ""


def _read(test: RangeTest) -> _Read:
    found = test.ramp_suggestion
    return _Read(None, found.cause) if isinstance(found, NoSuggestion) else _Read(found)


def _further_ramp(test: RangeTest, read: _Read, upward: bool) -> tuple[Schedule, int] | None:
    """A ramp, at the pace of this one, over the rates where its best may be; None if not there."""
    if upward:
        beyond, inside = UPWARD
        is_there = read.found is not None and read.found.still_falls and "finished" in test.stops
    else:
        beyond, inside = DOWNWARD
        is_there = read.cause == "rising"
    rates = test.learning_rates
    if not is_there or len(rates) < 2:
        return None
    first, last = float(rates[0]), float(rates[-1])
    pace = (len(rates) - 1) / math.log10(last / first)
    steps = max(round(pace * (beyond + inside)) + 1, FEWEST_UPDATES)
    ends = (
        (last / 10.0**inside, last * 10.0**beyond)
        if upward
        else (first / 10.0**beyond, first * 10.0**inside)
    )
    return default_ramp(steps, *ends), steps


def _probed(
    test: RangeTest,
    read: _Read,
    runs: Runs,
    limits: Limits,
    left: int,
    dtype: npt.DTypeLike,
) -> RangeTest:
    """The test with trainings around its suggestion, where this is uncertain."""
    found, cause = read
    steps = limits.training(left)
    is_certain = found is not None and found.is_certain
    if steps < 1 or (is_certain and not limits.refine) or cause in ("flat", "few"):
        return test
    if found is not None:
        centre = found.suggested
    elif cause == "rising":
        centre = float(test.learning_rates[0]) / 10.0
    else:
        centre = float(test.learning_rates[-1]) / 10.0**UNKNOWN
    divergence = limits.divergence
    above = math.inf if divergence is None else threshold(test.first_losses, divergence)

    def train(rate: float, repeat: int) -> Sequence[float]:
        return runs.train(rate, steps, repeat, above)

    repeats = limits.probe_repeats if limits.refine else 1
    search = Search(centre, train, steps, repeats, left, test.untrained_losses)
    return replace(test, probe=search.probe(dtype))
