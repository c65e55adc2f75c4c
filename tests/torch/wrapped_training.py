"""Trainings with Accelerate and with Fabric, the same each time, and range tests that go wrong."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import lrsched
from lrsched.range_test.reading.recorder import FIRST
from lrsched_torch import range_test
from tests.processes import outputs, start
from tests.torch.images import image, random_image
from tests.torch.training_run import Planned

RAMP = lrsched.exponential_ramp(1e-3, 0.3, 19)
STEPS = 20
RATES = [RAMP(count) for count in range(STEPS)]
FATES: list[Any] = ["finished", "diverged", "nonfinite", Planned, KeyboardInterrupt]
PLACES = ["loss", "data", "optimizer", "metrics"]


class Examples(Dataset[torch.Tensor]):
    def __init__(self, run: "Run", count: int) -> None:
        self.inputs = torch.randn(count, 4, generator=torch.Generator().manual_seed(0))
        self.run = run

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> torch.Tensor:
        self.run.come("data")
        return self.inputs[index]


class Run:
    """A model, its optimizer and its loader, as the library has set them up.

    Attributes:
        own: the loss of each batch of this process.
        overflows: the steps whose gradients are infinite.
    """

    model: Any
    optimizer: Any
    loader: Any

    def __init__(self, examples: int = 18, accumulated: int = 1) -> None:
        torch.manual_seed(0)
        self.accumulated = accumulated
        self.net = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.2), nn.Tanh(), nn.Linear(6, 1))
        self.dropout: Any = self.net[1]
        self.bare = torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9)
        self.bare.register_step_pre_hook(self.before_update)
        self.data = DataLoader(Examples(self, examples), batch_size=4, shuffle=True)
        self.own: list[float] = []
        self.used: list[float] = []
        self.overflows = range(0)
        self.fate: Any = None
        self.place, self.at = "", 0
        self.calls = dict.fromkeys(PLACES, 0)

    def before_update(self, *_: Any) -> None:
        self.come("optimizer")
        self.used.append(self.bare.param_groups[0]["lr"])

    def come(self, place: str) -> bool:
        """Count a call of this place, and whether it is to go wrong now."""
        self.calls[place] += 1
        now = place == self.place and self.calls[place] > self.at
        if now and isinstance(self.fate, type):
            raise self.fate("planned")
        return now

    def loss(self, batch: torch.Tensor) -> Any:
        bad = self.come("loss")
        loss = ((self.model(batch) - batch.sum(1, keepdim=True)) ** 2).mean()
        if bad and self.fate in ("diverged", "nonfinite"):
            loss = loss + (1e4 if self.fate == "diverged" else float("nan"))
        self.own.append(loss.item())
        if self.calls["loss"] in self.overflows:
            loss.register_hook(lambda gradient: gradient * float("inf"))
        return loss

    def step(self, batch: torch.Tensor) -> Any:
        raise NotImplementedError

    def train(self, rates: Any) -> list[float]:
        """Train as the library's documentation does it, and return the losses of the updates."""
        raise NotImplementedError

    def batches(self) -> Iterator[torch.Tensor]:
        while True:
            yield from self.loader

    def metrics(self) -> dict[str, float]:
        torch.rand(3)
        self.come("metrics")
        return {"one": 1.0}

    def test(self, fate: Any = "finished", place: str = "", at: int = 0, **options: Any) -> Any:
        """The range test in which something goes wrong."""
        # The first losses set the level above which others are high.
        late = FIRST * self.accumulated if fate == "diverged" else 0
        self.fate, self.place, self.at = fate, place, at + late
        self.calls = dict.fromkeys(PLACES, 0)
        self.own, self.used = [], []
        divergence = None if fate == "finished" else 50.0
        defaults = {"divergence": divergence, "metrics": self.metrics, "every": 2, "schedule": RAMP}
        try:
            return range_test(
                *(self.step, self.optimizer, self.loader),
                **{"steps": STEPS, "progress": False} | defaults | options,
            )
        finally:
            self.fate, self.place = None, ""

    def image(self) -> Any:
        """The state of all, with identities; without what the test itself counts."""
        known: dict[int, Any] = {}
        return [image(part, known) for part in self.parts()], random_image()

    def parts(self) -> list[Any]:
        return [self.net, self.model, self.optimizer, self.bare, self.loader, self.data]

    def after(self) -> Any:
        """What there is after a training."""
        return image([self.train([0.05] * 4), self.net, self.bare.state_dict(), random_image()])


class Accelerated(Run):
    def __init__(
        self, examples: int = 18, accumulated: int = 1, scaler: Any = None, **options: Any
    ) -> None:
        from accelerate import Accelerator  # type: ignore[import-untyped]
        from accelerate.state import (  # type: ignore[import-untyped]
            AcceleratorState,
            GradientState,
        )

        super().__init__(examples, accumulated)
        AcceleratorState._reset_state()
        GradientState._reset_state()
        options.setdefault("gradient_accumulation_steps", accumulated)
        self.library = Accelerator(cpu=True, **options)
        self.library.scaler = scaler
        self.model, self.optimizer, self.loader = self.library.prepare(
            self.net, self.bare, self.data
        )

    def parts(self) -> list[Any]:
        return [self.library, *super().parts()]

    def step(self, batch: torch.Tensor) -> Any:
        with self.library.accumulate(self.model):
            loss = self.loss(batch)
            self.library.backward(loss)
        return loss

    def train(self, rates: Any) -> list[float]:
        losses, group, left = [], [], list(rates)
        for batch in self.batches():
            self.optimizer.param_groups[0]["lr"] = left[0]
            with self.library.accumulate(self.model):
                loss = self.loss(batch)
                self.library.backward(loss)
                self.optimizer.step()
                self.optimizer.zero_grad()
            group.append(loss.item())
            if self.library.sync_gradients:
                losses.append(sum(group) / len(group))
                group = []
                left.pop(0)
            if not left:
                return losses
        raise AssertionError


class Fabricated(Run):
    def __init__(self, examples: int = 18, accumulated: int = 1, **options: Any) -> None:
        from lightning.fabric import Fabric

        super().__init__(examples, accumulated)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of loaders without workers
            self.library: Any = Fabric(accelerator="cpu", **{"devices": 1} | options)
            self.library.launch()
            self.model, self.optimizer = self.library.setup(self.net, self.bare)
            self.loader = self.library.setup_dataloaders(self.data)
        self.made = 0

    def parts(self) -> list[Any]:
        return [self.library, *super().parts()]

    def step(self, batch: torch.Tensor) -> Any:
        self.made += 1
        waits = self.made % self.accumulated != 0
        with self.library.no_backward_sync(self.model, enabled=waits):
            loss = self.loss(batch)
            self.library.backward(loss / self.accumulated)
        return loss

    def train(self, rates: Any) -> list[float]:
        losses = []
        self.made = 0
        batches = self.batches()
        for rate in rates:
            self.optimizer.param_groups[0]["lr"] = rate
            group = [self.step(batch) for batch in itertools.islice(batches, self.accumulated)]
            self.optimizer.step()
            self.optimizer.zero_grad()
            losses.append(sum(loss.item() for loss in group) / len(group))
        return losses


def check_going_on(make: Callable[[], Run]) -> None:
    """Each training of a test that goes on is one on its own, and nothing is left of any."""
    run = make()
    torch.manual_seed(1)
    before = run.image()
    found = run.test(refine=True, probe_steps=6, probe_repeats=1)
    assert len(run.used) == len(found.losses) + found.probe.updates > STEPS
    assert run.image() == before
    for rate, (losses,) in zip(found.probe.learning_rates, found.probe.losses, strict=True):
        twin = make()
        torch.manual_seed(1)
        made = losses[~np.isnan(losses)].tolist()
        assert twin.train([float(rate)] * len(made)) == made
    again = make()
    before = again.image()
    with pytest.raises(KeyboardInterrupt, match="planned"):
        again.test(KeyboardInterrupt, "optimizer", STEPS + 4, refine=True, probe_steps=6)
    assert len(again.used) == STEPS + 4
    assert again.image() == before


def check_that_nothing_is_left(run: Run, fate: Any, place: str, at: int, **options: Any) -> None:
    """Run a test in which something goes wrong; it leaves everything as it was."""
    before = run.image()
    if isinstance(fate, type):
        with pytest.raises(fate, match="planned"):
            run.test(fate, place, at, **options)
    else:
        found = run.test(fate, place, at, **options)
        assert found.stopped == (fate if place == "loss" else "finished")
    assert sum(run.calls.values())
    assert run.image() == before


def in_two_processes(out: Path, library: str) -> list[dict[str, Any]]:
    """What two processes found that train together."""
    place = {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    options: dict[str, Any] = {"warnings": "default", **place}
    outputs(*(start("wrapped_ranks.py", out, rank, library, **options) for rank in range(2)))
    return [torch.load(out / f"{rank}.pt", weights_only=True) for rank in range(2)]


def check_two_processes(both: list[dict[str, Any]], fate: str, updates: int) -> None:
    """They stop together, also where only the losses of the second are high, or NaN."""
    first, second = (each[fate] for each in both)
    for each in (first, second):
        assert each["restored"]
        assert each["goes on"]
        assert each["stopped"] == fate
        assert len(each["losses"]) == updates
    assert first["losses"] == second["losses"]
    assert first["own"] != second["own"]
    if fate == "finished":
        by_hand = zip(first["by hand"], second["by hand"], strict=True)
        assert first["losses"] == [sum(each) / 2 for each in by_hand]
