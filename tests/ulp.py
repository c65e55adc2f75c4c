"""How far float32 values are from exact ones, in units of the last place."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from mpmath import mp, mpf

from lrsched import Schedule
from tests.backends import Backend, Values
from tests.oracles import exact
from tests.strategies import LAST

SMALLEST_NORMAL = 2.0**-126


def ulps(got: float, wanted: Any, scale: float = 1.0) -> float:
    """The error in units of the last place that float32 has at the exact value.

    Where the exact value is below the smallest normal number, XLA and GPUs flush it to zero: there
    anything from zero to that number counts as right. So it does with the weight that a value as
    large as `scale` has in the exact one.
    """
    if abs(wanted) < SMALLEST_NORMAL:
        return 0.0 if abs(got) <= SMALLEST_NORMAL else float("inf")
    if abs(got - wanted) < 64 * SMALLEST_NORMAL * scale:
        return 0.0
    last_place = mp.ldexp(1, int(mp.floor(mp.log(abs(wanted), 2))) - 23)
    return float(abs(got - wanted) / last_place)


def telling_counts(schedule: Schedule, generator: np.random.Generator, number: int) -> list[int]:
    """Counts at large, of every magnitude, and around where the schedule changes."""
    marks = [0, LAST]
    for mark in schedule.leaves():
        if type(mark) is int:
            marks += [mark, 2 * mark, marks[-1] + mark]
    scales = np.exp2(generator.uniform(0, 31, number))
    found = [
        *generator.integers(0, LAST, number, endpoint=True).tolist(),
        *scales.astype(int).tolist(),
        *(mark - int(away) for mark in marks for away in scales[: number // 8] / 8),
        *(generator.integers(0, max(marks) + 1, number)).tolist(),
        *(mark + away for mark in marks for away in (-2, -1, 0, 1)),
    ]
    found += found[: -len(found) % 64]  # few lengths, as JAX compiles for each
    return [min(max(int(count), 0), LAST) for count in found]


def has_subnormal_factor(schedule: Schedule, count: int) -> bool:
    """Whether a product has a factor below the smallest normal number, whose digits are lost."""
    inner = [value for value in schedule.params.values() if isinstance(value, Schedule)]
    return schedule.name in ("product", "scale") and any(
        0 < abs(exact(factor, count)) < SMALLEST_NORMAL for factor in inner
    )


def error_of(schedule: Schedule, count: int, got: float, wanted: Any) -> float:
    """The error of a value of the schedule, in units of the last place; NaN is infinitely wrong."""
    if got != got:
        return float("inf")
    if has_subnormal_factor(schedule, count):
        return 0.0
    scale = max([1.0, *(x for x in schedule.leaves() if isinstance(x, float))])
    error = ulps(got, wanted, scale)
    if error > 1 and has_real_lengths(schedule):
        # Rounding may decide whether a count misses a boundary by 2**-44 of itself.
        low, high = values_about(schedule, count, 2.0**-43)
        return (
            0.0 if low <= got <= high else min(ulps(got, low, scale), ulps(got, high, scale), error)
        )
    return error


def has_real_lengths(schedule: Schedule) -> bool:
    """Whether times are no whole numbers, so that their differences must be rounded."""
    return any(
        type(each) is float or owner.name == "resume"  # which goes on by fractions of a step
        for owner, name, value in schedule.items()
        if owner._definition.kinds[name].unit in ("steps", "times") or owner.name == "resume"
        for each in (value if type(value) is tuple else (value,))
    )


def values_about(schedule: Schedule, count: int, part: float) -> tuple[Any, Any]:
    """The least and the greatest of the exact values at a count and beside it, by such a part."""
    values = [exact(schedule, count * (1 + mpf(sign) * part)) for sign in (-1, 0, 1)]
    return min(values), max(values)


def worst(schedule: Schedule, counts: Iterable[int], backend: Backend) -> tuple[float, int]:
    """The largest error of the schedule in float32, and its count."""
    counts = list(counts)
    return largest_error(schedule, counts, backend(schedule, counts))


def largest_error(schedule: Schedule, counts: list[int], values: Values) -> tuple[float, int]:
    """The largest error of values of the schedule, and its count."""
    errors = [
        error_of(schedule, count, float(value), exact(schedule, count))
        for value, count in zip(values, counts, strict=True)
    ]
    at = int(np.argmax(errors))
    return errors[at], counts[at]
