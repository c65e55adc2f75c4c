"""The counts at which a schedule is drawn, and its values there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from lrsched._arrays.namespace import MAX_COUNT
from lrsched._core.checks import Kind

POINTS = 400  # more than a screen resolves


def sampled(steps: int) -> list[int]:
    """At most 401 counts from 0 to `steps`."""
    number = min(steps, POINTS)
    return [steps * point // number for point in range(number + 1)]


def curve_of(schedule: Any, steps: int | None = None) -> tuple[list[int], list[float]]:
    """At most 401 counts from 0 to `steps`, and the values there.

    By default `steps` is four times the sum of the schedule's durations, or less where the values
    come to rest earlier.
    """
    if steps is not None:
        return _values_at(schedule, steps)
    longest = sum(
        value for kind, value in _numbers(schedule) if kind.unit == "steps" or type(value) is int
    )
    counts, values = _values_at(schedule, min(max(math.ceil(4 * longest), 100), MAX_COUNT))
    span = max(values) - min(values)
    moving = [n for n, v in zip(counts, values, strict=True) if abs(v - values[-1]) > 1e-3 * span]
    rest = moving[-1] if moving else counts[-1]
    return _values_at(schedule, min(counts[-1], max(1, math.ceil(1.15 * rest))))


def _numbers(schedule: Any) -> Iterator[tuple[Kind, int | float]]:
    """The plain numbers among the hyperparameters, with their kinds."""
    for owner, name, value in schedule.items():
        for member in value if type(value) is tuple else (value,):
            if type(member) in (int, float):
                yield owner._definition.kinds[name], member


def _values_at(schedule: Any, steps: int) -> tuple[list[int], list[float]]:
    counts = sampled(steps)
    return counts, [float(schedule(count)) for count in counts]
