"""A range test inside a loop that makes the updates itself, such as that of a trainer."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import DIVERGENCE, RangeTest, Recorder
from lrsched.range_test.monitor import Log, Monitor, check_log
from lrsched.range_test.options import check_metrics, checked_options, curve_of, ramp_between
from lrsched_torch._range_test import checks
from lrsched_torch._range_test.losses import LOOK_EVERY, LossReader, as_loss
from lrsched_torch._range_test.measurements import Measurements, Metrics
from lrsched_torch._range_test.processes import processes_of
from lrsched_torch._range_test.rates import Rates
from lrsched_torch._schedulers.tested_ratios import remember_tested

_refuse = Refusal("range_test")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a range test that every loop has, checked as far as no optimizer is needed."""

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
            "schedule": schedule,
        }.items():
            object.__setattr__(self, name, value)


class EmbeddedTest:
    """Sets the learning rates of a loop that makes its own updates, and records its losses.

    The loop calls `end_batch` after each batch. An update is a call of the optimizer's `step`; the
    rates of the next one are set when the batch ends in which it was called. Its loss is the mean
    of the losses of the batches since the update before. An update is repeated with the same rates
    if none of its batches has a loss, or if a gradient scaler skipped it.

    Args:
        options: the options of the test.
        modules: the modules whose modes `metrics` may change.
    """

    def __init__(self, options: Options, modules: Sequence[nn.Module] = ()) -> None:
        self.options = options
        self._measurements = Measurements(options.metrics, options.every, modules)
        self._reader: LossReader | None = None
        self._losses: list[Any] = []
        self._stepped = False

    @contextmanager
    def driving(self, optimizer: torch.optim.Optimizer) -> Iterator[None]:
        """Set the rates of torch's own optimizer inside the block, and count its updates."""
        options = self.options
        weight = checks.weights_in(optimizer)[0]
        schedules = checks.schedules_of(options.schedule, optimizer, False)
        ratios = checks.ratios_of(
            optimizer, options.schedule, options.keep_ratios, options.reference_group
        )
        self._schedule = schedules[0]
        self._rates = Rates(optimizer, schedules, ratios, options.steps)
        processes = processes_of(None, weight.device)
        monitor = Monitor(
            options.progress and processes.is_main, options.log if processes.is_main else None
        )
        look_every = 1 if weight.is_cpu else LOOK_EVERY
        recorder = Recorder(options.divergence, options.steps)
        reader = LossReader(recorder, self._rates.values, processes, monitor, look_every)
        self._reader = reader
        hooks = [
            optimizer.register_step_pre_hook(self._before_update),
            optimizer.register_step_post_hook(self._after_update),
        ]
        try:
            monitor.begin("range test", options.steps)
            self._begin_update()
            yield
            if recorder.stopped == "exhausted":
                reader.read()
            remember_tested(optimizer, self._rates.ratios)
            if recorder.stopped != "finished":
                monitor.fill()
        finally:
            for hook in hooks:
                hook.remove()
            monitor.close()

    @property
    def made_update(self) -> bool:
        """Whether the optimizer was stepped in the batch that has not ended yet."""
        return self._stepped

    def end_batch(self, loss: torch.Tensor | float | None, skipped: bool = False) -> bool:
        """End a batch, and return whether the test goes on.

        Args:
            loss: the loss of the batch, or None for none.
            skipped: whether a gradient scaler skipped the update for which the batch was the last.
        """
        assert self._reader is not None
        if loss is not None:
            self._losses.append(as_loss(loss))
        if not self._stepped and not skipped:
            return True
        losses, self._losses, stepped, self._stepped = self._losses, [], self._stepped, False
        if not stepped:
            return self._reader.skip(losses)
        if not losses:
            self._reader.skip_without_loss()
            return True
        goes_on = self._reader.add(losses)
        if goes_on:
            self._begin_update()
        return goes_on

    def rates_at(self, rate: float) -> Sequence[float]:
        """The rates of the param groups, by their ratios, for a rate of the test."""
        return self._rates.at(rate)

    def result(self) -> RangeTest:
        """The test, once the loop has ended and the block of `driving` with it."""
        if self._reader is None:
            _refuse("the trainer", "one that trains", None)
        return self._reader.result(
            self._schedule, self._measurements.rows, self.options.label, self._rates.ratios
        )

    def _begin_update(self) -> None:
        assert self._reader is not None
        self._measurements.before(self._reader.count)
        self._rates.set(self._rates.rows[self._reader.count])

    def _before_update(
        self, optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Check the rates that the update will use: after its closure, if it has one."""
        self._check_rates()
        closure = kwargs.get("closure")
        if closure is None:
            return args, kwargs

        def checked() -> Any:
            loss = closure()
            self._check_rates()
            return loss

        return args, {**kwargs, "closure": checked}

    def _check_rates(self) -> None:
        if self._rates.were_written():
            expected = "left to the test (a scheduler or a callback has set others)"
            _refuse("the learning rates", expected, self._rates.current())

    def _after_update(self, *_: Any) -> None:
        self._stepped = True
