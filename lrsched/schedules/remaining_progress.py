"""Schedules as functions of what remains of a run, from 1 down to 0."""

from __future__ import annotations

from typing import Any, NamedTuple

from lrsched._core.checks import Refusal
from lrsched._core.number_kinds import integer, number
from lrsched._core.schedule import Schedule

_REMAINING = number()
_TOTAL = integer(1, "steps")
ROUNDING = 2.0**-44  # of the run: what rounding makes of a whole number of steps


class RemainingProgress(NamedTuple):
    """A schedule as a function of the fraction of the run that remains.

    Made by `remaining_progress`. It pickles, compares, and its `repr` evaluates back.
    """

    schedule: Schedule
    total_steps: int

    def __call__(self, remaining: float) -> float:
        """The value where this fraction of the run remains."""
        remaining = Refusal("remaining_progress").check("remaining", _REMAINING, remaining)
        count = (1.0 - remaining) * self.total_steps
        nearest = round(count)
        is_whole = abs(count - nearest) <= ROUNDING * self.total_steps
        return self.schedule(max(nearest if is_whole else count, 0))

    def __repr__(self) -> str:
        return f"remaining_progress({self.schedule!r}, {self.total_steps})"


def remaining_progress(schedule: Schedule, total_steps: int) -> RemainingProgress:
    """A schedule as a function of the fraction of the run that remains, from 1 down to 0.

        f(p) = schedule((1 - p) * total_steps)

    So stable-baselines3 takes its `learning_rate` and its `clip_range`. The schedule's steps are
    what that library counts: timesteps of the environment.

    Args:
        schedule: the schedule. Its fractions of the run are resolved with `total_steps`.
        total_steps: the length of the run in steps, at least 1.

    Raises:
        TypeError: `schedule` is not a schedule, or `total_steps` is not an integer.
        ValueError: `total_steps` < 1, or a duration is in another unit.

    Elsewhere: rl-baselines3-zoo's "lin_0.1" is `remaining_progress(linear(0.1, 0.0, total_steps),
    total_steps)`.

    >>> from lrsched import linear, run_fraction
    >>> rate = remaining_progress(linear(3e-4, 0.0, run_fraction(1.0)), 1_000_000)
    >>> [rate(remaining) for remaining in (1.0, 0.5, 0.0)]
    [0.0003, 0.00015, 0.0]
    """
    refuse = Refusal("remaining_progress")
    if not isinstance(schedule, Schedule):
        refuse("schedule", "a schedule", schedule, TypeError)
    total: Any = refuse.check("total_steps", _TOTAL, total_steps)
    resolved = schedule.resolve(total_steps=total)
    if not resolved.is_resolved:
        resolved(0)  # raises
    return RemainingProgress(resolved, total)
