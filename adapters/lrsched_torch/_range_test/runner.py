"""Run a range test: the updates at rising rates, the metrics, and the probe."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import RangeTest, Recorder
from lrsched.range_test.probe import MAX_RATES
from lrsched.range_test.progress_bar import ProgressBar
from lrsched_torch._range_test.batches import Batch, Batches
from lrsched_torch._range_test.processes import Processes
from lrsched_torch._range_test.updates import Updates, means
from lrsched_torch._snapshot.restore import save_random_state

_refuse = Refusal("range_test")

Metrics = Callable[[], Mapping[str, Any]]
Row = Sequence[float]

LOOK_EVERY = 10  # updates between two readings of losses, if reading waits for the device
MOST_SKIPS = 40  # skips in a row; each halves the scale, so 40 take it from 2**24 to 2**-16


class Runner:
    """Makes the updates of a test, reads the losses, and stops.

    Args:
        updates: makes one update.
        source: draws the batches.
        processes: the processes of the test.
        metrics: the user's function, or None.
        every: the number of updates between two calls of `metrics`.
        progress: whether to show a progress bar.
        modules: the modules whose modes `metrics` may change.
    """

    def __init__(
        self,
        updates: Updates,
        source: Batches,
        processes: Processes,
        metrics: Metrics | None,
        every: int,
        progress: bool,
        modules: Sequence[nn.Module],
    ) -> None:
        self._updates = updates
        self._source = source
        self._processes = processes
        self._metrics = metrics
        self._every = every
        self._rows: dict[str, list[tuple[int, float]]] = {}
        self._look_every = LOOK_EVERY if self._waits() else 1
        self._modules = modules
        self._bar = ProgressBar(progress and processes.is_main)
        self._batches: Generator[list[Batch]] | None = None
        self._skips = 0

    def sweep(
        self,
        rows: Sequence[Row],
        rates: Sequence[float],
        divergence: float | None,
        schedule: Schedule,
        label: str,
    ) -> RangeTest:
        """Run the test with one row of rates for each update; `rates` are those to record."""
        recorder = Recorder(divergence)
        self._bar.begin("range test", len(rows))
        self._run(rows, recorder, self._metrics)
        count = len(recorder.losses)
        return RangeTest(
            np.array(rates[:count]),
            np.array(recorder.losses),
            recorder.stopped,
            schedule,
            {name: _array(values, count) for name, values in self._rows.items()},
            label=label,
        )

    def refine(
        self,
        test: RangeTest,
        steps: int,
        repeats: int,
        rewind: Callable[[], None],
        rates_at: Callable[[float], Row],
    ) -> RangeTest:
        """Add a probe of the rates around the test's suggestion, if it has one."""
        kept = self._source.kept

        def train(rate: float, updates: list[int]) -> list[float]:
            rewind()
            batches = [batch for update in updates for batch in kept[update]]
            self._source = Batches(batches, len(kept[0]), keep=0)
            recorder = Recorder(None)
            self._run([rates_at(rate)] * len(updates), recorder, None)
            return recorder.losses

        self._bar.begin("probe", MAX_RATES * steps * repeats)
        return test.with_probe(train, steps, repeats)

    def close(self) -> None:
        """Close the batches and the progress bar."""
        if self._batches is not None:
            self._batches.close()
        self._bar.close()

    def _waits(self) -> bool:
        """Whether reading a loss waits for the device, and nothing else waits in each update."""
        updates = self._updates
        host = all(weight.is_cpu for weight in updates.parameters)
        return not (host or updates.closure or updates.scaler is not None)

    def _run(self, rows: Sequence[Row], recorder: Recorder, metrics: Metrics | None) -> None:
        recorder.stopped = "exhausted"  # unless the test stops for another reason
        make, scaled, last = self._updates.make, self._updates.scaler is not None, len(rows) - 1
        pending: list[list[Any]] = []  # losses that were not read yet
        update, measured = 0, -1
        self._batches = self._processes.batches(self._source, self._look_every)
        for batches in self._batches:
            if metrics is not None and update % self._every == 0 and update > measured:
                self._measure(metrics, update)
                measured = update
            losses, applied = make(rows[update], batches)
            if scaled and self._processes.any(not applied):
                if self._gives_up(losses):
                    recorder.stopped = "nonfinite"
                    break
                continue
            self._skips = 0
            pending.append(losses)
            if update == last or len(pending) == self._look_every:
                if not self._look(pending, recorder):
                    break
                if update == last:
                    recorder.stopped = "finished"
                    break
            update += 1
        else:
            if pending:
                self._look(pending, recorder)
        self._batches.close()
        if recorder.stopped != "finished":
            self._bar.fill()

    def _look(self, pending: list[list[Any]], recorder: Recorder) -> bool:
        """Read the pending losses, and return whether to continue."""
        values = self._processes.mean(means(pending))
        pending.clear()
        self._bar.advance(len(values))
        return all(map(recorder.record, values))

    def _gives_up(self, losses: list[Any]) -> bool:
        """Whether to stop repeating an update that the scaler skipped."""
        self._skips += 1
        (loss,) = self._processes.mean(means([losses]))
        return self._skips > MOST_SKIPS or not math.isfinite(loss)

    def _measure(self, metrics: Metrics, update: int) -> None:
        """Call the user's function between two updates, without effect on them."""
        restore = save_random_state()
        modes = [module.training for module in self._modules]
        try:
            with torch.no_grad():
                values = metrics()
        finally:
            for module, mode in zip(self._modules, modes, strict=True):
                module.training = mode
            restore()
        if not isinstance(values, Mapping):
            expected = "a function that returns numbers by name"
            _refuse("metrics", expected, values, TypeError)
        for name, value in values.items():
            number = value.item() if isinstance(value, torch.Tensor) else float(value)
            self._rows.setdefault(name, []).append((update, number))


def _array(rows: list[tuple[int, float]], count: int) -> Any:
    """The rows of the first `count` updates: those after the stop are dropped."""
    kept = [row for row in rows if row[0] < count]
    return np.array(kept, np.float64).reshape(-1, 2)
