"""Simulated trainings whose best rate is known, as `continued` and `Search` make them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lrsched import Schedule
from lrsched.range_test import Probe, RangeTest, Recorder
from lrsched.range_test.running.rates import default_ramp
from lrsched.range_test.running.search import Search

Array = npt.NDArray[np.float64]
Train = Callable[[float, int], Sequence[float]]
CURVATURES = np.geomspace(1e-3, 1.0, 20)


@dataclass
class Descent:
    """Gradient descent on a quadratic, whose batches have noise; it diverges from 2 / sharpest on.

    Attributes:
        sharpest: the largest curvature.
        noise: the standard deviation of the loss of a batch; the loss falls from 2.
        batches: how many batches there are before they run out.
        divergence: the multiple of the first losses at which a range test ends.
        made: the number of updates of each run.
        calls: what was asked for.
    """

    sharpest: float = 10.0
    noise: float = 0.01
    batches: int = 10**6
    divergence: float | None = 4.0
    made: list[int] = field(default_factory=list)
    calls: list[tuple[object, ...]] = field(default_factory=list)

    def losses(self, rates: Iterable[float], recorder: Recorder, first_batch: int = 0) -> Recorder:
        """Record the losses at these rates; batch n has the same noise in each run."""
        generator = np.random.default_rng(first_batch)
        curvatures, point = self.sharpest * CURVATURES, np.ones(len(CURVATURES))
        self.made.append(0)
        for rate in rates:
            if sum(self.made) == self.batches:
                recorder.stopped = "exhausted"
                break
            self.made[-1] += 1
            with np.errstate(over="ignore", invalid="ignore"):
                fall = float(curvatures @ point**2 / curvatures.sum())
                point = point - rate * curvatures * point
            if not recorder.record(2.0 * fall + self.noise * generator.normal()):
                break
        return recorder

    def test(self, schedule: Schedule, steps: int) -> RangeTest:
        """A range test with these rates."""
        rates = np.array([schedule(count) for count in range(steps)])
        recorder = self.losses(rates, Recorder(self.divergence, steps))
        count = len(recorder.losses)
        return RangeTest(rates[:count], np.array(recorder.losses), recorder.stopped, schedule)

    def first(self, steps: int = 200) -> RangeTest:
        """The ramp with which a test begins; it does not count as one that was asked for."""
        found = self.test(default_ramp(steps), steps)
        self.made.clear()
        return found

    def ramp(self, schedule: Schedule, steps: int) -> RangeTest:
        """As in `Runs`."""
        self.calls.append(("ramp", schedule(0), schedule(steps - 1), steps))
        return self.test(schedule, steps)

    def train(self, rate: float, steps: int, repeat: int, above: float) -> Sequence[float]:
        """As in `Runs`."""
        self.calls.append(("train", rate, steps, repeat, above))
        recorder = self.losses([rate] * steps, Recorder(None, above=above), repeat * steps)
        return [] if recorder.stopped == "exhausted" else recorder.losses

    def final(self, rate: float, steps: int) -> float:
        """The mean of the last third of a training without noise; infinite where it diverged."""
        calm = Descent(self.sharpest, 0.0)
        losses = calm.losses([rate] * steps, Recorder(None, above=8.0)).losses
        return float(np.mean(losses[-(steps // 3) :])) if len(losses) == steps else np.inf

    def best(self, steps: int) -> float:
        """The rate of the lowest final loss."""
        rates = np.geomspace(0.01, 3.0, 200) / self.sharpest
        return float(min(rates, key=lambda rate: self.final(rate, steps)))


# A task for searches by trainings of so many updates, which begin at these losses.
TASK = Descent(sharpest=1.0, noise=0.0)
STEPS = 40
FIRST = [2.0] * 10


def trains(task: Descent, steps: int = STEPS) -> Train:
    """The trainings of a task, which end above four times the first losses."""
    return lambda rate, repeat: task.train(rate, steps, repeat, 8.0)


def searched(
    train: Train, centre: float, updates: int = 10**4, steps: int = STEPS, repeats: int = 1
) -> Probe:
    found = Search(centre, train, steps, repeats, updates, FIRST).probe()
    assert found is not None
    return found


def driven(start: float) -> tuple[Array, Array]:
    """The rates of a search from this one, and their losses."""
    found = searched(trains(TASK), start)
    return found.learning_rates, found.losses
