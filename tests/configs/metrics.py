"""What follows a metric: the rules of torch and its kin in plain Python, and metrics for them."""

import math
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from lrsched import Controller, Schedule, from_config

NAN = math.nan


def _runs(length: int) -> st.SearchStrategy[list[float]]:
    """Metrics that improve, stay, go up and down, or are NaN, some of each in any order."""
    improving = st.integers(1, length).map(lambda n: [4.0 * 0.9**k for k in range(n)])
    flat = st.integers(1, length).map(lambda n: [0.5] * n)
    lost = st.integers(1, 4).map(lambda n: [NAN] * n)
    noisy = st.lists(st.floats(1e-3, 10.0), min_size=1, max_size=length)
    pieces = st.lists(st.one_of(improving, flat, lost, noisy), min_size=1, max_size=6)
    return pieces.map(lambda found: [metric for piece in found for metric in piece])


METRICS = _runs(12)

# Arguments of torch's class; the patience is low enough for several cuts.
ARGUMENTS = st.fixed_dictionaries(
    {"patience": st.integers(0, 3)},
    optional={
        "mode": st.sampled_from(["min", "max"]),
        "factor": st.sampled_from([0.0, 0.1, 0.5, "0.9"]),
        "threshold": st.sampled_from([0, 1e-4, 0.2]),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": st.integers(0, 3),
        "min_lr": st.sampled_from([0, "1e-3", 0.05, [1e-3], [0.01, 0.01]]),
        "eps": st.sampled_from([0.0, 1e-8, 1e-2]),
    },
)


class Plateau:
    """torch's `ReduceLROnPlateau`; a library that warms up sets its `rate` meanwhile."""

    def __init__(
        self,
        rate: float,
        factor: Any = 0.1,
        patience: int = 10,
        mode: str = "min",
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: Any = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.rate = rate
        low = min_lr[0] if isinstance(min_lr, list) else min_lr
        self.factor, self.min_lr, self.eps = float(factor), float(low), eps
        self.patience, self.cooldown = patience, cooldown
        self.sign = 1.0 if mode == "min" else -1.0
        self.threshold, self.is_relative = threshold, threshold_mode == "rel"
        self.best, self.bad, self.cooling = self.sign * math.inf, 0, 0

    def step(self, metric: float) -> None:
        """Observe a metric."""
        if self.is_relative:
            bar = self.best * (1.0 - self.sign * self.threshold)
        else:
            bar = self.best - self.sign * self.threshold
        is_better = metric < bar if self.sign > 0 else metric > bar
        self.bad += 1
        if is_better:
            self.best, self.bad = metric, 0
        if self.cooling > 0:
            self.cooling, self.bad = self.cooling - 1, 0
        if self.bad > self.patience:
            lower = max(self.rate * self.factor, self.min_lr)
            self.rate = lower if self.rate - lower > self.eps else self.rate
            self.cooling, self.bad = self.cooldown, 0


def rates_of(scheduler: Any, metrics: Sequence[float]) -> list[float]:
    """The rates of a `Plateau` before the first metric, and after each."""
    found = [scheduler.rate]
    for metric in metrics:
        scheduler.step(metric)
        found.append(scheduler.rate)
    return found


def followed(controller: Controller, metrics: Sequence[float]) -> list[float]:
    """The values of a controller before the first metric, and after each."""
    assert isinstance(controller, Controller)
    state = controller.init()
    found = [state.value]
    for metric in metrics:
        state = controller.update(state, metric)
        found.append(state.value)
    return found


def by_epochs(schedule: Schedule, metrics: Sequence[float | None], per_epoch: int) -> list[float]:
    """The rate of each update, where a metric, if it is not None, follows each epoch."""
    assert isinstance(schedule, Schedule)
    state, found = schedule.init_state(), []
    for epoch, metric in enumerate(metrics):
        during = schedule.with_state(state)
        found += [during(epoch * per_epoch + n) for n in range(per_epoch)]
        state = state if metric is None else schedule.observe(state, metric)
    return found


def reads(config: Any, format: str, **context: Any) -> Any:
    """What a configuration is read as; the keys must tell the format, too."""
    made = from_config(config, **context)
    assert from_config(config, format=format, **context) == made
    return made
