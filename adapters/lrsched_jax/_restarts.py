"""Go on with a range test: further ramps, and trainings at constant rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lrsched import Schedule
from lrsched.range_test import RangeTest
from lrsched.range_test.running.runs import Run, range_test_of
from lrsched_jax._checks import rates_array
from lrsched_jax._runs import Plan, Start, run_compiled, run_stepwise


class Restarts:
    """Makes further tests and trainings, each from the start of the first repeat."""

    def __init__(
        self, plan: Plan, start: Start, divergence: float | None, compiled: bool, label: str
    ) -> None:
        self._plan = plan
        self._start = start
        self._divergence = divergence
        self._compiled = compiled
        self._label = label

    def ramp(self, schedule: Schedule, steps: int) -> RangeTest:
        """A test with other rates."""
        self._plan.monitor.begin(f"{self._label}: further rates", steps)
        rates = rates_array(self._plan.training.loss.refuse, "schedule", schedule, steps)
        run = self._run(dataclasses.replace(self._plan, rates=rates), self._divergence, None, 0)
        return range_test_of([run], rates, schedule, self._label, repeated=False)

    def train(self, rate: float, steps: int, repeat: int, above: float) -> Sequence[float]:
        """The losses of a training at a constant rate."""
        self._plan.monitor.begin(f"{self._label}: training at {rate:.2g}", steps)
        rates = np.full(steps, rate, self._plan.rates.dtype)
        plan = dataclasses.replace(self._plan, rates=rates, metrics=None)
        run = self._run(plan, None, above, repeat * steps)
        return [] if run.stopped == "exhausted" else run.losses

    def _run(self, plan: Plan, divergence: float | None, above: float | None, skipped: int) -> Run:
        if self._compiled:
            return run_compiled(plan, self._start, divergence, above, skipped)
        return run_stepwise(plan, self._start.again(skipped), divergence, above)
