"""How far float32 values are from exact ones, in units of the last place."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from mpmath import mp

from lrsched import Schedule
from lrsched._schedule import leaves
from tests import ways
from tests.oracles import exact
from tests.strategies import LAST
from tests.ways import Way

SMALLEST_NORMAL = 2.0**-126


def ulps(got: float, wanted: Any) -> float:
    """The error in units of the last place that float32 has at the exact value.

    Where the exact value is below the smallest normal number, XLA and GPUs flush it to zero: there
    anything from zero to that number counts as right.
    """
    if abs(wanted) < SMALLEST_NORMAL:
        return 0.0 if abs(got) <= SMALLEST_NORMAL else float("inf")
    last_place = mp.ldexp(1, int(mp.floor(mp.log(abs(wanted), 2))) - 23)
    return float(abs(got - wanted) / last_place)


def telling_counts(schedule: Schedule, generator: np.random.Generator, number: int) -> list[int]:
    """Counts at large, of every magnitude, and around where the schedule changes."""
    marks = [0, LAST]
    for mark in leaves(schedule.params.values()):
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
    return [min(max(int(count), 0), LAST) for count in found]


def has_subnormal_factor(schedule: Schedule, count: int) -> bool:
    """Whether a product has a factor below the smallest normal number, whose digits are lost."""
    inner = [value for value in schedule.params.values() if isinstance(value, Schedule)]
    return schedule.name in ("product", "scale") and any(
        0 < abs(exact(factor, count)) < SMALLEST_NORMAL for factor in inner
    )


def worst(schedule: Schedule, counts: Iterable[int], way: Way = ways.jax_jit) -> tuple[float, int]:
    """The largest error of the schedule in float32, by default compiled by JAX, and its count."""
    counts = list(counts)
    got = way(schedule, counts)
    errors = [
        0.0 if has_subnormal_factor(schedule, n) else ulps(float(x), exact(schedule, n))
        for x, n in zip(got, counts, strict=True)
    ]
    at = int(np.argmax(errors))
    return errors[at], counts[at]
