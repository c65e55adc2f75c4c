"""The learning rates of a range test, and whether something else wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import RangeTest
from lrsched.range_test.running.rates import curve_of

_refuse = Refusal("range_test")


class Rates:
    """The learning rates of every update and param group, in the precision of the optimizer's.

    Args:
        optimizer: the optimizer whose param groups get the rates.
        schedules: one schedule for all groups, or one for each.
        ratios: the ratio of each group to one schedule.
        steps: the number of updates.

    Attributes:
        rows: for each update, the rate of each group.
        values: the value of the schedule for each update, as the reference group has it.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedules: Sequence[Schedule],
        ratios: Sequence[float],
        steps: int,
    ) -> None:
        self._optimizer = optimizer
        self._ratios = ratios
        self._written: list[tuple[Any, int]] = []
        curves = [curve_of(_refuse, schedule, steps) for schedule in schedules]
        self._are_ratios = len(curves) == 1
        if self._are_ratios:
            curves *= len(self._groups)
        columns = list(map(_in_dtype, curves, self._ratios, self._groups))
        self.rows = list(zip(*columns, strict=True))
        self.values = columns[ratios.index(1.0)] if 1.0 in ratios else curves[0]

    def of(self, schedule: Schedule, steps: int) -> Rates:
        """The rates of another schedule, with the same ratios."""
        return Rates(self._optimizer, [schedule], self._ratios, steps)

    @property
    def ratios(self) -> tuple[float, ...] | None:
        """The ratio of each group's rate to the value, None if it changes between updates."""
        if self._are_ratios:
            return tuple(self._ratios)
        values, rows = np.array(self.values)[:, None], np.array(self.rows)
        ratios = rows[values.argmax()] / values.max() if values.any() else rows[0]
        kept = np.allclose(rows, values * ratios, rtol=1e-9, atol=0.0)
        return tuple(ratios.tolist()) if kept else None

    @property
    def _groups(self) -> list[dict[str, Any]]:
        """The param groups as they are now: loading a state replaces them."""
        return self._optimizer.param_groups

    def at(self, rate: float) -> Sequence[float]:
        """The rates of the groups for a given value of the schedule."""
        return [
            _in_dtype([rate], *each)[0] for each in zip(self._ratios, self._groups, strict=True)
        ]

    def as_used(self, test: RangeTest) -> RangeTest:
        """The test with the rates of its trainings as the reference group had them."""
        if test.probe is None or 1.0 not in self._ratios:
            return test
        group = self._groups[self._ratios.index(1.0)]
        used = np.array(_in_dtype(test.probe.learning_rates.tolist(), 1.0, group))
        return replace(test, probe=replace(test.probe, learning_rates=used))

    def set(self, row: Sequence[float]) -> None:
        """Set the rates of the groups; a tensor is filled in place."""
        for group, rate in zip(self._groups, row, strict=False):  # a step may add a group
            if type(group["lr"]) is not float and isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self._written = [(group["lr"], _version(group["lr"])) for group in self._groups]

    def current(self) -> list[float]:
        """The rates that the groups have."""
        return [float(group["lr"]) for group in self._groups]

    def were_written(self) -> bool:
        """Whether a rate was written after they were set. Reads no value from a device."""
        return any(
            group["lr"] is not lr or _version(lr) != version
            for group, (lr, version) in zip(self._groups, self._written, strict=False)
        )


def _version(lr: Any) -> int:
    """How often a tensor was written."""
    return lr._version if isinstance(lr, torch.Tensor) else 0


def _in_dtype(rates: list[float], ratio: float, group: Mapping[str, Any]) -> list[float]:
    """The rates times `ratio`, rounded to the dtype of the group's lr if that is a tensor."""
    rates = [rate * ratio for rate in rates] if ratio != 1.0 else rates
    lr = group["lr"]
    return torch.tensor(rates, dtype=lr.dtype).tolist() if isinstance(lr, torch.Tensor) else rates
