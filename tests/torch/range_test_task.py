"""Trainings for the tests of the range test in torch."""

import itertools
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lrsched
from lrsched.range_test import RangeTest
from lrsched_torch import range_test

RAMP = lrsched.exponential_ramp(1e-3, 0.3, 19)
STEPS = 20


class Task:
    """A regression on fixed batches, and the rates that its optimizer was called with."""

    def __init__(self, *lrs: Any, batches: int = 7) -> None:
        generator = torch.Generator().manual_seed(0)
        self.weights = [nn.Parameter(torch.ones(2)) for _ in lrs or (1.0,)]
        groups = [{"params": [w], "lr": lr} for w, lr in zip(self.weights, lrs or (1.0,))]  # noqa: B905
        self.use(torch.optim.SGD(groups))
        self.batches = list(torch.rand(batches, 8, 2, generator=generator))
        self.seen: list[Any] = []

    def use(self, optimizer: torch.optim.Optimizer) -> None:
        """Drive it, and note the rates of its groups at each call: not on it, as it is restored."""
        self.optimizer = optimizer
        self.used: list[list[float]] = []
        groups, used = optimizer.param_groups, self.used
        optimizer.register_step_pre_hook(lambda *_: used.append([float(g["lr"]) for g in groups]))

    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        return sum(((batch * w).sum(1) ** 2).mean() for w in self.weights)  # type: ignore[return-value]

    def step(self, batch: torch.Tensor) -> torch.Tensor:
        self.seen.append(batch)
        loss = self.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def run(self, schedule: Any = RAMP, steps: int = STEPS, **options: Any) -> RangeTest:
        batches = options.pop("batches", self.batches)
        step = options.pop("step", self.step)
        options.setdefault("progress", False)
        return range_test(step, self.optimizer, batches, schedule, steps, **options)


def plain_losses(task: Task, rates: Any, each: int = 1) -> list[float]:
    """A training loop as anybody writes it."""
    weights = [w.detach().clone().requires_grad_() for w in task.weights]
    optimizer = torch.optim.SGD(weights)
    task.weights, losses = weights, []  # type: ignore[assignment]
    batches = itertools.cycle(task.batches)
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        parts = []
        for batch in itertools.islice(batches, each):
            loss = task.loss(batch)
            (loss / each).backward()  # type: ignore[no-untyped-call]
            parts.append(loss.item())
        optimizer.step()
        losses.append(sum(parts) / each)
    return losses


def end(losses: Sequence[float], divergence: float = 4.0) -> int:
    """The number of losses after which a test of at most 200 updates has diverged."""
    first = losses[:10]
    middle, width = statistics.median(first), max(first) - min(first)
    bound = middle + max((divergence - 1.0) * abs(middle), 2.0 * width)
    return next(
        count
        for count in range(11, len(losses) + 1)
        if sum(loss > bound for loss in losses[max(count - 5, 10) : count]) >= 3
    )


def scaled(task: Task, scaler: torch.amp.GradScaler, infinite: Any) -> Any:
    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = task.loss(batch)
        factor = float("inf") if len(task.seen) in infinite else 1.0
        task.seen.append(batch)
        (scaler.scale(loss) * factor).backward()  # type: ignore[no-untyped-call]
        return loss

    return step


class Valley(Task):
    """A loss that falls, and rises where the rate is too high; nothing else is random."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = [nn.Parameter(torch.tensor([1.0, 1.0]))]
        self.use(torch.optim.SGD(self.weights, lr=1.0, momentum=0.5))
        self.scale = torch.tensor([1.0, 10.0])

    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        return (self.scale * self.weights[0] ** 2).sum() + 0.01 * batch.mean()


class Groups(Valley):
    """With a param group for each of some learning rates."""

    def __init__(self, *lrs: Any) -> None:
        super().__init__()
        self.weights = [nn.Parameter(torch.tensor([1.0, 1.0])) for _ in lrs]
        self.use(
            torch.optim.SGD([{"params": [w], "lr": lr} for w, lr in zip(self.weights, lrs)], lr=1.0)  # noqa: B905
        )

    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        return sum((self.scale * w**2).sum() for w in self.weights) + 0.01 * batch.mean()


UP: dict[str, Any] = {"steps": 60, "high": 0.01}  # to where the loss of a `Valley` still falls
REFINED: dict[str, Any] = {**UP, "max_steps": 400, "refine": True, "probe_steps": 15}


def gone_on(task: Task, **options: Any) -> tuple[RangeTest, RangeTest, Any]:
    """The last ramp, the one before, and the trainings, of a test that has all of them."""
    found = task.run(None, **{**REFINED, **options})
    assert found.earlier is not None
    assert found.probe is not None
    return found, found.earlier, found.probe


def trainings(probe: Any) -> Iterator[tuple[float, int, list[float]]]:
    """The rate, the repeat and the losses of each training."""
    for rate, rows in zip(probe.learning_rates.tolist(), probe.losses, strict=True):
        for repeat, row in enumerate(rows):
            if np.isfinite(row).any():
                yield rate, repeat, row[np.isfinite(row)].tolist()


def model_task() -> tuple[nn.Module, torch.optim.Optimizer, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    data = torch.randn(40, 4)
    loader = DataLoader(TensorDataset(data, data[:, :3].argmax(1)), 8, shuffle=True)
    return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), loader
