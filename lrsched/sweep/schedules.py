"""The schedules of a sweep, and their learning rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import Refusal
from lrsched._core.number_kinds import number
from lrsched._core.schedule import Schedule
from lrsched.schedules.ramp import constant

_RATE = number()._replace(expected="a Schedule or a finite number")


def schedules_of(refuse: Refusal, given: Any) -> tuple[Schedule, ...]:
    """The schedule of each copy; numbers become constant schedules."""
    expected = "a sequence of schedules or learning rates"
    if isinstance(given, (str, bytes, Mapping, Schedule)) or not hasattr(given, "__iter__"):
        refuse("schedules", expected, given, TypeError)
    schedules = tuple(
        each
        if isinstance(each, Schedule)
        else constant(refuse.check(f"schedules[{n}]", _RATE, each))
        for n, each in enumerate(given)
    )
    return schedules or refuse("schedules", f"{expected}, at least one", given)


def rates_of(
    refuse: Refusal, schedules: tuple[Schedule, ...], steps: int
) -> npt.NDArray[np.float64]:
    """The learning rate of each update, a row for each schedule; all are finite and >= 0."""
    rows = []
    for index, schedule in enumerate(schedules):
        name = f"schedules[{index}]"
        if not schedule.is_plain:
            refuse(name, "a schedule of plain numbers", schedule, TypeError)
        row = np.array([schedule(count) for count in range(steps)], np.float64)
        if not np.all((row >= 0) & np.isfinite(row)):
            refuse(name, "one of finite rates >= 0 at every update", schedule)
        rows.append(row)
    return np.stack(rows)
