"""What the tests of the page compare its curves with."""

from __future__ import annotations

import math
from typing import Any

import lrsched
from tests.browser.conftest import Explorer

DECAY = lrsched.warmup(lrsched.cosine_decay(0.1, 900), 100)
WARM = "warmup(cosine_decay(0.1,900),100)"
REDRAWN = 1500.0  # milliseconds; under 100
UNITS = 8  # in the last place, by which the C libraries of two Pythons may differ


def units_apart(first: float, second: float) -> float:
    """The distance of two values in units in the last place of the larger."""
    return abs(first - second) / math.ulp(max(abs(first), abs(second)))


def same(explorer: Explorer, schedule: Any) -> bool:
    """Whether the one curve that is drawn is that of a schedule."""
    (values,) = explorer.values()
    pairs = zip(map(schedule, explorer.counts()), map(float, values), strict=True)
    return all(units_apart(*pair) <= UNITS for pair in pairs)
