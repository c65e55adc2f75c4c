"""fastai's schedulers: functions of the part of the run that is done."""

import itertools
import math
from collections.abc import Callable, Sequence

Part = Callable[[float], float]


def SchedLin(start: float, end: float) -> Part:  # noqa: N802
    return lambda p: start + p * (end - start)


def SchedCos(start: float, end: float) -> Part:  # noqa: N802
    return lambda p: start + (1 - math.cos(math.pi * p)) * (end - start) / 2


def SchedNo(start: float, end: float) -> Part:  # noqa: N802
    return lambda p: start


def SchedExp(start: float, end: float) -> Part:  # noqa: N802
    return lambda p: float(start * (end / start) ** p)


def SchedPoly(start: float, end: float, power: float) -> Part:  # noqa: N802
    return lambda p: float(start + (end - start) * p**power)


def combine_scheds(pcts: Sequence[float], scheds: Sequence[Part]) -> Part:
    """One after the other, each for a part of the run."""
    begins = [0.0, *itertools.accumulate(pcts)]

    def at(p: float) -> float:
        k = min(max(i for i, begin in enumerate(begins) if p >= begin), len(scheds) - 1)
        return scheds[k]((p - begins[k]) / pcts[k])

    return at


def combined_cos(pct: float, start: float, middle: float, end: float) -> Part:
    return combine_scheds([pct, 1 - pct], [SchedCos(start, middle), SchedCos(middle, end)])
