"""Run a range test: the updates at rising rates, the metrics, and the probe."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence

from lrsched import Schedule
from lrsched.range_test import RangeTest, Recorder
from lrsched.range_test.monitor import Monitor
from lrsched.range_test.probe import MAX_RATES
from lrsched_torch._range_test.batches import Batch, Batches, Exhausted
from lrsched_torch._range_test.losses import LOOK_EVERY, LossReader
from lrsched_torch._range_test.measurements import Measurements
from lrsched_torch._range_test.processes import Processes
from lrsched_torch._range_test.updates import Updates

Row = Sequence[float]


class Runner:
    """Makes the updates of a test, reads the losses, and stops.

    Args:
        updates: makes one update.
        source: draws the batches.
        processes: the processes of the test.
        measurements: the numbers that are measured between updates.
        monitor: shows the losses.
    """

    def __init__(
        self,
        updates: Updates,
        source: Batches,
        processes: Processes,
        measurements: Measurements,
        monitor: Monitor,
    ) -> None:
        self._updates = updates
        self._source = source
        self._processes = processes
        self._measurements = measurements
        self._monitor = monitor
        self._look_every = LOOK_EVERY if self._waits() else 1
        self._batches: Generator[Iterable[Batch]] | None = None

    def sweep(
        self,
        rows: Sequence[Row],
        rates: Sequence[float],
        divergence: float | None,
        schedule: Schedule,
        label: str,
        ratios: tuple[float, ...] | None,
    ) -> RangeTest:
        """Run the test with one row of rates for each update; `rates` are those to record."""
        self._monitor.begin("range test", len(rows))
        reader = self._reader(Recorder(divergence), rates, self._monitor)
        self._run(rows, reader, self._measurements)
        return reader.result(schedule, self._measurements.rows, label, ratios)

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
            rows = [rates_at(rate)] * len(updates)
            reader = self._reader(Recorder(None), [rate] * len(updates), self._monitor.unlogged())
            self._run(rows, reader, None)
            return reader.recorder.losses

        self._monitor.begin("probe", MAX_RATES * steps * repeats)
        return test.with_probe(train, steps, repeats)

    def close(self) -> None:
        """Close the batches and what is shown."""
        if self._batches is not None:
            self._batches.close()
        self._monitor.close()

    def _reader(self, recorder: Recorder, rates: Sequence[float], monitor: Monitor) -> LossReader:
        return LossReader(recorder, rates, self._processes, monitor, self._look_every)

    def _waits(self) -> bool:
        """Whether reading a loss waits for the device, and nothing else waits in each update."""
        updates = self._updates
        host = all(weight.is_cpu for weight in updates.parameters)
        return not (host or updates.closure or updates.may_skip)

    def _run(
        self, rows: Sequence[Row], reader: LossReader, measurements: Measurements | None
    ) -> None:
        make, may_skip = self._updates.make, self._updates.may_skip
        ahead = 1 if self._source.is_late else self._look_every
        self._batches = self._processes.batches(self._source, ahead)
        for batches in self._batches:
            if measurements is not None:
                measurements.before(reader.count)
            try:
                losses, applied = make(rows[reader.count], batches)
            except Exhausted:
                reader.read()
                break
            if may_skip and self._processes.any(not applied):
                if reader.skip(losses):
                    continue
                break
            if not losses:
                reader.skip_without_loss()
                continue
            if not reader.add(losses):
                break
        else:
            reader.read()
        self._batches.close()
        if reader.recorder.stopped != "finished":
            self._monitor.fill()
