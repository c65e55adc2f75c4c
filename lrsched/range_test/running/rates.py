"""The learning rates of a range test: those of a schedule, or of the ramp by default."""

from __future__ import annotations

import functools
from typing import Any

from lrsched._core.checks import Refusal
from lrsched._core.schedule import Schedule
from lrsched.range_test.running.options import checked_options
from lrsched.schedules.ramp import exponential_ramp

LOW, HIGH = 1e-7, 10.0  # the ends of a range test by default


@functools.lru_cache
def default_ramp(steps: int, low: float = LOW, high: float = HIGH) -> Schedule:
    """The learning rates of a range test that is given no schedule; both ends are reached."""
    return exponential_ramp(low, high, max(steps - 1, 1))


def ramp_between(refuse: Refusal, schedule: Any, steps: int, low: Any, high: Any) -> Any:
    """The schedule that was given, or the default one: a ramp from `low` to `high`.

    The schedule is not checked. `low` and `high` may be None.
    """
    low, high = checked_options(refuse, low=low, high=high)
    if schedule is not None:
        for name, value in (("low", low), ("high", high)):
            if value is not None:
                refuse(name, "None with a schedule, which has its own rates", value)
        return schedule
    low, high = LOW if low is None else low, HIGH if high is None else high
    if low >= high:
        refuse("low", f"below high ({high:g})", low)
    ramp: Schedule = default_ramp(steps, low, high)
    return ramp


def curve_of(refuse: Refusal, schedule: Schedule, steps: int) -> list[float]:
    """The value of the schedule at every update, which must not be negative."""
    rates = list(map(schedule, range(steps)))
    if min(rates) < 0:
        refuse("schedule", "one of rates >= 0 at every update", min(rates))
    return rates
