"""The options of a range test inside a loop that makes the updates itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import DIVERGENCE, PROBE_REPEATS
from lrsched.range_test.running.continuation import Limits, limits_of
from lrsched.range_test.running.monitor import Log, check_log
from lrsched.range_test.running.options import check_metrics, checked_options
from lrsched.range_test.running.rates import curve_of, ramp_between
from lrsched_torch._range_test import checks
from lrsched_torch._range_test.measurements import Metrics

_refuse = Refusal("range_test")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a ramp that every loop has, checked as far as no optimizer is needed."""

    schedule: Schedule | Sequence[Schedule] | None = None
    steps: int = 200
    low: float | None = None
    high: float | None = None
    divergence: float | None = DIVERGENCE
    keep_ratios: bool = True
    reference_group: int | None = None
    metrics: Metrics | None = None
    every: int = 10
    log: Log | None = None
    progress: bool = True
    label: str = "torch"
    is_ramp: bool = field(init=False)  # whether no schedule was given

    def __post_init__(self) -> None:
        steps, every, divergence = checked_options(
            _refuse, steps=self.steps, every=self.every, divergence=self.divergence
        )
        check_metrics(_refuse, self.metrics, "a function that returns numbers by name")
        check_log(_refuse, self.log)
        schedule = ramp_between(_refuse, self.schedule, steps, self.low, self.high)
        for each in checks.schedules_in(schedule):
            curve_of(_refuse, each, steps)
        checks.check_ratios(schedule, self.keep_ratios, self.reference_group, sys.maxsize)
        for name, value in {
            "steps": steps,
            "every": every,
            "divergence": divergence,
            "is_ramp": self.schedule is None,
            "schedule": schedule,
        }.items():
            object.__setattr__(self, name, value)

    def limits(
        self,
        max_steps: Any = None,
        refine: Any = False,
        probe_steps: Any = None,
        probe_repeats: Any = PROBE_REPEATS,
    ) -> Limits:
        """How far a test with these options goes on."""
        (refine,) = checked_options(_refuse, refine=refine)
        further = max_steps, refine, probe_steps, probe_repeats
        limits = limits_of(_refuse, self.steps, *further, self.divergence, self.is_ramp)
        return checks.limits_with(self.schedule, None, 1, limits)
