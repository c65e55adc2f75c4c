"""The two ways to run a range test: a loop over compiled updates, and one compiled loop."""

from __future__ import annotations

import itertools
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrsched._core import Real
from lrsched.range_test import Recorder, Stopped
from lrsched_jax._batches import Batches, stacked
from lrsched_jax._model import Model
from lrsched_jax._training import Outline, Training

LOOK_AFTER = 0.002  # seconds, beside which it takes next to nothing to read a loss

Rows = list[tuple[int, float]]


@dataclass
class Run:
    """What was seen: the losses, why it stopped, and rows of (update, value) by name."""

    losses: list[float]
    stopped: Stopped
    metrics: dict[str, Rows] = field(default_factory=dict)


@dataclass
class Start:
    """Where a run begins: a model, its key, and its batches, also stacked once they were."""

    model: Model
    key: Any
    given: Any
    batches: Batches
    stack: tuple[Any, int, int] | None = None

    def stacked(self, steps: int) -> tuple[Any, int, int]:
        """The batches on a first axis, how many these are, and for how many updates."""
        if self.stack is None:
            self.stack = stacked(self.given, self.batches, steps)
        return self.stack


@dataclass(frozen=True)
class Plan:
    """What all runs of a test have in common."""

    training: Training
    rates: Any
    look_every: int
    metrics: Callable[..., Mapping[str, Real]] | None
    every: int
    advance: Callable[[int], Any] = lambda updates: None

    def outline(self, start: Start) -> Outline:
        """What is known of the updates before they run."""
        model, batch = start.model, start.batches.first
        return self.training.outline(model.params, model.state, self.rates[0], start.key, batch)


def run_stepwise(plan: Plan, start: Start, divergence: float | None) -> Run:
    """Update after update. Losses stay on the device, and are looked at every few updates."""
    block, model, key = plan.look_every, start.model, start.key
    rates = np.resize(plan.rates, (-(-len(plan.rates) // block), block))
    turns = jax.device_put(list(rates))
    carry, seen, update = plan.training.begin(
        model.params, model.state, rates[0], key, start.batches.first
    )
    recorder = Recorder(divergence)
    numbers: list[Any] = []
    measured: dict[str, Rows] = {}
    # Processes that looked at different times would stop at different times.
    in_time = LOOK_AFTER if jax.process_count() == 1 else float("inf")
    looked = time.perf_counter()
    count = -1
    for count, batch in zip(range(len(plan.rates)), start.batches, strict=False):
        if plan.metrics is not None and count % plan.every == 0:
            found = plan.metrics(*model.loss.shown(carry.params, carry.model_state))
            for name, value in found.items():
                measured.setdefault(str(name), []).append((count, float(value)))
        before = seen
        carry, seen = update(carry, seen, turns[count // block], key, batch)
        if (count + 1) % block == 0 or time.perf_counter() - looked > in_time:
            # All but this update, which the device has to do meanwhile.
            fresh = _unseen(before, len(numbers), count)
            numbers += fresh
            plan.advance(len(fresh))
            if not _take(recorder, numbers):
                break
            looked = time.perf_counter()
    else:
        numbers += _unseen(seen, len(numbers), count + 1)
        if _take(recorder, numbers) and count + 1 < len(plan.rates):
            recorder.stopped = "exhausted"
    return _run(recorder, plan.outline(start).names, numbers, measured)


def _unseen(seen: Any, since: int, until: int) -> list[Any]:
    held = np.asarray(seen).tolist()
    return [held[number % len(held)] for number in range(since, until)]


def _take(recorder: Recorder, numbers: list[Any]) -> bool:
    """Give the recorder the losses that it has not had, and say whether to go on."""
    fresh = itertools.islice(numbers, len(recorder.losses), None)
    return all(map(recorder.record, map(operator.itemgetter(0), fresh)))


def _run(recorder: Recorder, names: list[str], numbers: Any, measured: dict[str, Rows]) -> Run:
    """What counts of what was seen: nothing from after the stop."""
    end = len(recorder.losses)
    metrics = {
        name: [(count, row[column]) for count, row in enumerate(numbers[:end])]
        for column, name in enumerate(names, start=1)
    }
    measured = {name: [row for row in rows if row[0] < end] for name, rows in measured.items()}
    return Run(recorder.losses, recorder.stopped, metrics | measured)


def run_compiled(
    plan: Plan,
    start: Start,
    divergence: float | None,
    rate: float | None = None,
    order: Sequence[int] | None = None,
) -> Run:
    """All updates in one compiled loop; or, by one constant rate, those on batches in an order.

    What is given changes no shape, so that nothing is compiled again for it.
    """
    steps = len(plan.rates)
    stack, size, available = start.stacked(steps)
    model, key = start.model, start.key
    rates = plan.rates if rate is None else np.full_like(plan.rates, rate)
    limit = min(steps if order is None else len(order), available)
    seen, count = plan.training.loop(None)(
        *(model.params, model.state, key, stack),
        *(_index(steps, size, order), rates, limit, _threshold(divergence)),
    )
    return _after(seen, count, available < steps, divergence, plan.outline(start).names)


def run_vmapped(plan: Plan, starts: Sequence[Start], divergence: float | None) -> list[Run]:
    """All repeats in one compiled loop, batched by `vmap`; it runs until the last has stopped."""
    steps = len(plan.rates)
    stacks, sizes, availables = zip(*(start.stacked(steps) for start in starts), strict=True)
    if len(starts) == 1 or len(set(sizes)) > 1:
        return [run_compiled(plan, start, divergence) for start in starts]
    arguments = [
        [start.model.params for start in starts],
        [start.model.state for start in starts],
        [start.key for start in starts],
        list(stacks),
    ]
    axes = tuple(None if all(x is given[0] for x in given) else 0 for given in arguments)
    batched = [
        given[0] if axis is None else jax.tree.map(lambda *leaves: jnp.stack(leaves), *given)
        for given, axis in zip(arguments, axes, strict=True)
    ]
    limit = min(steps, min(availables))
    seen, counts = plan.training.loop(axes)(
        *batched, _index(steps, sizes[0]), plan.rates, limit, _threshold(divergence)
    )
    names = plan.outline(starts[0]).names
    return [
        _after(*of_one, limit < steps, divergence, names)
        for of_one in zip(np.asarray(seen), np.asarray(counts), strict=True)
    ]


def _after(seen: Any, count: Any, short: bool, divergence: float | None, names: list[str]) -> Run:
    """The run that a compiled loop made; what exactly counts of it, the recorder says."""
    recorder = Recorder(divergence)
    seen, count = jax.device_get((seen, count))
    numbers = seen[:count].tolist()
    if _take(recorder, numbers) and short:
        recorder.stopped = "exhausted"
    return _run(recorder, names, numbers, {})


def _index(steps: int, size: int, order: Sequence[int] | None = None) -> Any:
    made = np.arange(steps) if order is None else np.resize(order, steps)
    return (made % size).astype(np.int32)


def _threshold(divergence: float | None) -> float:
    """A little more than the recorder's: rounded, it must not stop the device before that."""
    return float("inf") if divergence is None else divergence * (1 + 2**-20)
