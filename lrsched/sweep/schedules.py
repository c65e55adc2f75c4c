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
    """The schedule of each copy; numbers become constant schedules.

    Args:
        refuse: raises the errors of the caller, in its name.
        given: the schedules or learning rates, at least one.

    Raises:
        TypeError: `given` is no sequence, or one of them is neither a schedule nor a number.
        ValueError: there is none, or a number is not finite.

    >>> from lrsched._core import Refusal
    >>> schedules_of(Refusal("sweep"), [0.1])
    (constant(value=0.1),)
    """
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
    """The learning rate of each update, a row for each schedule; all are finite and >= 0.

    Args:
        refuse: raises the errors of the caller, in its name.
        schedules: the schedules.
        steps: the number of updates.

    Raises:
        TypeError: a schedule has an array among its hyperparameters.
        ValueError: a rate is negative or not finite.

    >>> from lrsched import linear
    >>> from lrsched._core import Refusal
    >>> rates_of(Refusal("sweep"), (linear(1.0, 0.0, 4),), 3)
    array([[1.  , 0.75, 0.5 ]])
    """
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
