"""Run a range test: as a loop over compiled updates, or as one compiled loop."""

from __future__ import annotations

import itertools
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrsched._core import Real
from lrsched.range_test import Recorder
from lrsched.range_test.running.monitor import Monitor
from lrsched.range_test.running.runs import Run
from lrsched_jax._batches import Batches
from lrsched_jax._divergence import divergence_of
from lrsched_jax._model import Fixed, Model
from lrsched_jax._stacks import Stacks
from lrsched_jax._training import Outline, Training
from lrsched_jax._types import Key

LOOK_AFTER = 0.002  # seconds between readings of losses; a reading takes almost no time beside it

Rows = list[tuple[int, float]]  # (update, value)


@dataclass
class Start:
    """The start of a run.

    Attributes:
        model: the model.
        key: the random key of the run, or None.
        batches: the batches.
        others: other numbers to show with each of its losses, by name.
        stacks: the stacked batches, once they are needed.
    """

    model: Model
    key: Key
    batches: Batches
    others: Mapping[str, int] = field(default_factory=dict)
    stacks: Stacks | None = None

    @property
    def fixed(self) -> Fixed:
        """What the updates read and do not change."""
        return Fixed(self.key, self.model.held)

    def stacked(self, steps: int) -> Stacks:
        """The stacked batches, made for so many updates when they are first needed."""
        if self.stacks is None:
            self.stacks = Stacks(self.batches, steps)
        return self.stacks

    def again(self, skipped: int = 0) -> Start:
        """The same start with the batches from the beginning, less the first ones."""
        return replace(self, batches=self.batches.again(skipped))


@dataclass(frozen=True)
class Plan:
    """What all runs of a test have in common.

    Attributes:
        training: the compiled updates.
        rates: the learning rate of each update.
        look_every: the number of updates after which their losses are read.
        metrics: the user's function, or None.
        every: the number of updates between two calls of `metrics`.
        monitor: shows the losses once they are read.
    """

    training: Training
    rates: Any
    look_every: int
    metrics: Callable[..., Mapping[str, Real]] | None
    every: int
    monitor: Monitor

    def outline(self, start: Start) -> Outline:
        """Trace an update without running it."""
        model, batch = start.model, start.batches.first
        return self.training.outline(model.params, model.state, self.rates[0], start.fixed, batch)


def run_stepwise(
    plan: Plan, start: Start, divergence: float | None, above: float | None = None
) -> Run:
    """Make one compiled update after the other.

    The losses stay on the device, in a buffer of `look_every` rows, and are read every few updates.
    """
    size, model, fixed = plan.look_every, start.model, jax.device_put(start.fixed)
    rates = np.resize(plan.rates, (-(-len(plan.rates) // size), size))
    rates_on_device = jax.device_put(list(rates))
    carry, buffer, update = plan.training.begin(
        model.params, model.state, rates[0], fixed, start.batches.first
    )
    recorder = Recorder(divergence, len(plan.rates), above)
    records: list[Any] = []
    measured: dict[str, Rows] = {}
    # Processes that read the losses at different times would stop at different times.
    look_after = LOOK_AFTER if jax.process_count() == 1 else float("inf")
    last_look = time.perf_counter()
    count = -1
    for count, batch in zip(range(len(plan.rates)), start.batches, strict=False):
        if plan.metrics is not None and count % plan.every == 0:
            arguments = model.loss.arguments(carry.params, carry.model_state, model.held)
            numbers = plan.metrics(*arguments)
            for name, value in numbers.items():
                measured.setdefault(str(name), []).append((count, float(value)))
        before = buffer
        carry, buffer = update(carry, buffer, rates_on_device[count // size], fixed, batch)
        if (count + 1) % size == 0 or time.perf_counter() - last_look > look_after:
            # Without this update, which the device makes meanwhile.
            new = _read(before, len(records), count)
            records += new
            if not _record(plan, start, recorder, records):
                break
            last_look = time.perf_counter()
    else:
        records += _read(buffer, len(records), count + 1)
        if _record(plan, start, recorder, records) and count + 1 < len(plan.rates):
            recorder.stopped = "exhausted"
    return _run(recorder, plan.outline(start).names, records, measured)


def _read(buffer: Any, since: int, until: int) -> list[Any]:
    """The rows of these updates; update n is in row n modulo the size of the buffer."""
    rows = np.asarray(buffer).tolist()
    return [rows[number % len(rows)] for number in range(since, until)]


def _record(plan: Plan, start: Start, recorder: Recorder, records: list[Any]) -> bool:
    """Record and show the losses that are new, and return whether to continue."""
    known = len(recorder.losses)
    new = itertools.islice(records, known, None)
    goes_on = all(map(recorder.record, map(operator.itemgetter(0), new)))
    losses = recorder.losses[known:]
    rates = plan.rates[known : known + len(losses)]
    plan.monitor.read(known, rates, losses, **start.others)
    return goes_on


def _run(recorder: Recorder, names: list[str], records: Any, measured: dict[str, Rows]) -> Run:
    """The run with everything after the stop dropped."""
    end = len(recorder.losses)
    metrics = {
        name: [(count, row[column]) for count, row in enumerate(records[:end])]
        for column, name in enumerate(names, start=1)
    }
    measured = {name: [row for row in rows if row[0] < end] for name, rows in measured.items()}
    return Run(recorder.losses, recorder.stopped, metrics | measured)


def run_compiled(
    plan: Plan,
    start: Start,
    divergence: float | None,
    above: float | None = None,
    skipped: int = 0,
) -> Run:
    """Make all updates in one compiled loop.

    It begins with the batch after so many that are skipped, and ends where losses are too high: see
    `Recorder`. A plan of fewer updates than the first one of this start compiles nothing again.
    """
    steps, model, stacks = len(plan.rates), start.model, start.stacked(len(plan.rates))
    stack, places = stacks.of(steps, skipped)
    limit, width = len(places), max(stacks.width, steps)
    if not limit:
        return Run([], "exhausted")
    records, count = plan.training.loop(None)(
        *(model.params, model.state, start.fixed, stack),
        *(np.resize(places, width), np.resize(plan.rates, width), limit),
        divergence_of(divergence, steps, above),
    )
    return _run_of_loop(plan, start, records, count, limit < steps, divergence, above)


def run_vmapped(plan: Plan, starts: Sequence[Start], divergence: float | None) -> list[Run]:
    """Run all repeats in one compiled loop, batched by `vmap`, until the last one has stopped."""
    steps = len(plan.rates)
    stacks, places = zip(*(start.stacked(steps).of(steps) for start in starts), strict=True)
    if len(starts) == 1 or not all(np.array_equal(each, places[0]) for each in places):
        return [run_compiled(plan, start, divergence) for start in starts]
    arguments = [
        [start.model.params for start in starts],
        [start.model.state for start in starts],
        [start.key for start in starts],
        [start.model.held for start in starts],
        list(stacks),
    ]
    axes: list[Any] = [None if all(x is each[0] for x in each) else 0 for each in arguments]
    params, state, key, held, stack = (
        each[0] if axis is None else jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
        for each, axis in zip(arguments, axes, strict=True)
    )
    limit = len(places[0])
    records, counts = plan.training.loop((*axes[:2], Fixed(*axes[2:4]), axes[4]))(
        *(params, state, Fixed(key, held), stack),
        *(np.resize(places[0], steps), plan.rates, limit),
        divergence_of(divergence, steps),
    )
    return [
        _run_of_loop(plan, start, rows, count, limit < steps, divergence)
        for start, rows, count in zip(starts, np.asarray(records), np.asarray(counts), strict=True)
    ]


def _run_of_loop(
    plan: Plan,
    start: Start,
    records: Any,
    count: Any,
    is_short: bool,
    divergence: float | None,
    above: float | None = None,
) -> Run:
    """The run of a compiled loop; the recorder decides where exactly it stopped."""
    recorder = Recorder(divergence, len(plan.rates), above)
    records, count = jax.device_get((records, count))
    rows = records[:count].tolist()
    if _record(plan, start, recorder, rows) and is_short:
        recorder.stopped = "exhausted"
    return _run(recorder, plan.outline(start).names, rows, {})
