"""Make the updates of range tests and trainings."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence

from lrsched import Schedule
from lrsched.range_test import RangeTest, Recorder
from lrsched.range_test.running.monitor import Monitor
from lrsched_torch._range_test.batches import Batch, Batches, Exhausted
from lrsched_torch._range_test.losses import LOOK_EVERY, LossReader
from lrsched_torch._range_test.measurements import Measurements
from lrsched_torch._range_test.processes import Processes
from lrsched_torch._range_test.rates import Rates
from lrsched_torch._range_test.updates import Updates

Row = Sequence[float]


class Runner:
    """Makes the updates of a test, reads the losses, and stops.

    It may run several tests and trainings; only the losses of the first test are logged.

    Args:
        updates: makes one update.
        source: draws the batches.
        processes: the processes of the test.
        measure: makes what measures numbers between the updates of a test.
        monitor: shows the losses.
    """

    def __init__(
        self,
        updates: Updates,
        source: Batches,
        processes: Processes,
        measure: Callable[[], Measurements],
        monitor: Monitor,
    ) -> None:
        self._updates = updates
        self._source = source
        self._processes = processes
        self._measure = measure
        self._ran = False
        self._monitor = monitor
        self._look_every = LOOK_EVERY if self._waits() else 1
        self._batches: Generator[Iterable[Batch]] | None = None

    def sweep(
        self, rates: Rates, divergence: float | None, schedule: Schedule, label: str
    ) -> RangeTest:
        """Run a test with these rates."""
        rows, values = rates.rows, rates.values
        monitor = self._monitor.unlogged() if self._ran else self._monitor
        reader = self._reader(Recorder(divergence, len(rows)), values, monitor)
        measurements = self._measure()
        source = self._source.again() if self._ran else self._source
        self._ran = True
        self._run(rows, reader, measurements, source)
        return reader.result(schedule, measurements.rows, label, rates.ratios)

    def train(
        self, row: Row, rate: float, steps: int, skipped: int, above: float
    ) -> Sequence[float]:
        """The losses of a training with the same row of rates in each update.

        It begins with the batch after those of the first `skipped` updates. It ends when most of
        its last losses are above a number, and at one that is not finite. There are no losses where
        the batches ran out.
        """
        reader = self._reader(Recorder(None, above=above), [rate] * steps, self._monitor.unlogged())
        self._run([row] * steps, reader, None, self._source.again(skipped))
        recorder = reader.recorder
        return [] if recorder.stopped == "exhausted" else recorder.losses

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
        self,
        rows: Sequence[Row],
        reader: LossReader,
        measurements: Measurements | None,
        source: Batches,
    ) -> None:
        make, may_skip = self._updates.make, self._updates.may_skip
        ahead = 1 if source.is_late else self._look_every
        self._batches = self._processes.batches(source, ahead)
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


class Restarts:
    """Makes further tests and trainings, each from the state in which the first one began.

    Args:
        runner: makes the updates.
        rates: the learning rates of the first test.
        divergence: the multiple of the first losses at which a test ends.
        label: the name of the test in figures.
        rewind: restores the state.
        monitor: shows the losses.
    """

    def __init__(
        self,
        runner: Runner,
        rates: Rates,
        divergence: float | None,
        label: str,
        rewind: Callable[[], None],
        monitor: Monitor,
    ) -> None:
        self._runner = runner
        self._rates = rates
        self._divergence = divergence
        self._label = label
        self._rewind = rewind
        self._monitor = monitor

    def ramp(self, schedule: Schedule, steps: int) -> RangeTest:
        """A test with other rates."""
        self._rewind()
        self._monitor.begin("further rates", steps)
        rates = self._rates.of(schedule, steps)
        return self._runner.sweep(rates, self._divergence, schedule, self._label)

    def train(self, rate: float, steps: int, repeat: int, above: float) -> Sequence[float]:
        """The losses of a training at a constant rate."""
        self._rewind()
        self._monitor.begin(f"training at {rate:.2g}", steps)
        return self._runner.train(self._rates.at(rate), rate, steps, repeat * steps, above)
