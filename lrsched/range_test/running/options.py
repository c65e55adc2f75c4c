"""What the options of range tests may be, in every framework."""

from __future__ import annotations

import math
from typing import Any

from lrsched._core.checks import FLAG, Refusal, choice, optional
from lrsched._core.number_kinds import integer, number

_updates, _runs = integer(1, "updates"), integer(1, "runs")
_rate = optional(number("> 0"))
_multiple = optional(number("> 1"))
# Infinity never stops for a finite loss, and neither does None.
_divergence = _multiple._replace(
    convert=lambda value: None if value == math.inf else _multiple.convert(value)
)

OPTIONS = {
    "steps": _updates,
    "accumulate": integer(1, "batches"),
    "chunksize": integer(1, "schedules"),
    "compiled": FLAG,
    "divergence": _divergence,
    "every": _updates,
    "high": _rate,
    "look_every": _updates,
    "low": _rate,
    "memory": choice("device", "cpu", "disk"),
    "probe_repeats": _runs,
    "max_steps": optional(_updates),
    "probe_steps": optional(_updates),
    "refine": FLAG,
    "repeats": _runs,
    "vmap": optional(FLAG),
}


def checked_options(refuse: Refusal, **options: Any) -> list[Any]:
    """The values to keep of these options, in the order in which they are given."""
    return [refuse.check(name, OPTIONS[name], value) for name, value in options.items()]


def check_metrics(refuse: Refusal, metrics: Any, expected: str) -> None:
    """Refuse `metrics` that are neither a function nor None."""
    if metrics is not None and not callable(metrics):
        refuse("metrics", f"{expected}, or None", metrics, TypeError)
