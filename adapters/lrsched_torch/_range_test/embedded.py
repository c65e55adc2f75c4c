"""A range test inside a loop that makes the updates itself, such as that of a trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lrsched import Schedule, constant
from lrsched._core import Refusal
from lrsched.range_test import RangeTest, Recorder
from lrsched.range_test.running.continuation import Limits, continued
from lrsched.range_test.running.monitor import Monitor
from lrsched_torch._range_test import checks
from lrsched_torch._range_test.losses import LOOK_EVERY, LossReader, as_loss
from lrsched_torch._range_test.measurements import Measurements
from lrsched_torch._range_test.options import Options
from lrsched_torch._range_test.processes import processes_of
from lrsched_torch._range_test.rates import Rates
from lrsched_torch._schedulers.tested_ratios import remember_tested

_refuse = Refusal("range_test")


@dataclass(frozen=True)
class Part:
    """One run of a loop for a test: a ramp, or a training at a constant rate.

    Attributes:
        name: what the progress bar calls it.
        schedule: the learning rates, or a list with one schedule for each param group.
        steps: the number of updates.
        skipped: the number of updates whose batches are passed over before the first one.
        above: of a training, the loss above which a loss is high.
    """

    name: str
    schedule: Schedule | Sequence[Schedule] | None
    steps: int
    skipped: int = 0
    above: float | None = None


class EmbeddedTest:
    """Sets the learning rates of a loop that makes its own updates, and records its losses.

    The loop calls `end_batch` after each batch. An update is a call of the optimizer's `step`; the
    rates of the next one are set when the batch ends in which it was called. Its loss is the mean
    of the losses of the batches since the update before. An update is repeated with the same rates
    if none of its batches has a loss, or if a gradient scaler skipped it.

    The loop runs once for each part of the test, each time from the same state. While `skipped` is
    not 0 it makes no updates of its batches, and calls `pass_over` where there would be one.

    Args:
        options: the options of the ramp.
        modules: the modules whose modes `metrics` may change.

    Attributes:
        part: what the loop runs for.
        skipped: the number of updates that are still passed over.
        is_first: whether the loop runs for the first time.
    """

    def __init__(self, options: Options, modules: Sequence[nn.Module] = ()) -> None:
        self.options = options
        self.is_first = True
        self._modules = modules
        self._monitor: Monitor | None = None
        self._begin(Part("range test", options.schedule, options.steps))

    def run(
        self, loop: Callable[[], object], rewind: Callable[[], object], limits: Limits
    ) -> RangeTest:
        """Run the loop, and again where the test goes on.

        Args:
            loop: runs the loop for the present part, inside `driving`.
            rewind: restores the state in which the first run began.
            limits: how far the test goes on.
        """
        self._loop, self._rewind = loop, rewind
        try:
            loop()
            return continued(self.result(), self, limits)
        finally:
            if self._monitor is not None:
                self._monitor.close()

    def ramp(self, schedule: Schedule, steps: int) -> RangeTest:
        """A test with other rates."""
        return self._again(Part("further rates", schedule, steps))

    def train(self, rate: float, steps: int, repeat: int, above: float) -> Sequence[float]:
        """The losses of a training at a constant rate; none where the data has ended."""
        if self._reader is not None and self._reader.recorder.stopped == "exhausted":
            return []
        name = f"training at {rate:.2g}"
        found = self._again(Part(name, constant(float(rate)), steps, repeat * steps, above))
        return [] if found.stopped == "exhausted" else found.losses.tolist()

    def _again(self, part: Part) -> RangeTest:
        self._rewind()
        self.is_first = False
        self._begin(part)
        self._loop()
        return self.result()

    def _begin(self, part: Part) -> None:
        self.part = part
        self.skipped = part.skipped
        metrics = self.options.metrics if part.above is None else None
        self._measurements = Measurements(metrics, self.options.every, self._modules)
        self._reader: LossReader | None = None
        self._losses: list[Any] = []
        self._stepped = False

    @contextmanager
    def driving(self, optimizer: torch.optim.Optimizer) -> Iterator[None]:
        """Set the rates of torch's own optimizer inside the block, and count its updates."""
        options, part = self.options, self.part
        weight = checks.weights_in(optimizer)[0]
        schedules = checks.schedules_of(part.schedule, optimizer)
        ratios = checks.ratios_of(
            optimizer, part.schedule, options.keep_ratios, options.reference_group
        )
        self._schedule = schedules[0]
        self._rates = Rates(optimizer, schedules, ratios, part.steps)
        processes = processes_of(None, weight.device)
        monitor = self._shown(processes.is_main)
        look_every = 1 if weight.is_cpu else LOOK_EVERY
        recorder = (
            Recorder(options.divergence, part.steps)
            if part.above is None
            else Recorder(None, above=part.above)
        )
        reader = LossReader(recorder, self._rates.values, processes, monitor, look_every)
        self._reader = reader
        hooks = [
            optimizer.register_step_pre_hook(self._before_update),
            optimizer.register_step_post_hook(self._after_update),
        ]
        try:
            monitor.begin(part.name, part.steps)
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

    def _shown(self, is_main: bool) -> Monitor:
        """What shows the losses, of the first part also to `log`."""
        options = self.options
        if self._monitor is None:
            self._monitor = Monitor(options.progress and is_main, options.log if is_main else None)
        return self._monitor if self.is_first else self._monitor.unlogged()

    @property
    def made_update(self) -> bool:
        """Whether the optimizer was stepped in the batch that has not ended yet."""
        return self._stepped

    def pass_over(self) -> None:
        """End the batches of an update that are passed over."""
        self.skipped -= 1

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
        """The present part, once the loop has ended and the block of `driving` with it."""
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


@contextmanager
def replaced(value: Any, name: str, other: Any) -> Iterator[None]:
    """Give an object another attribute or method inside the block."""
    attributes = vars(value)
    had, before = name in attributes, attributes.get(name)
    setattr(value, name, other)
    try:
        yield
    finally:
        if had:
            setattr(value, name, before)
        else:
            attributes.pop(name, None)
