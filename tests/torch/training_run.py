"""A run of training that is the same each time, and range tests in it that go wrong."""

import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, StepLR
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import lrsched
from lrsched.range_test.reading.recorder import FIRST
from lrsched_torch import range_test

FEATURES, CLASSES, UPDATES = 6, 3, 20
RAMP = lrsched.exponential_ramp(1e-4, 1.0, 15)


class Net(nn.Module):
    """Batch norm, dropout, tied and frozen weights, and state that no `state_dict` has."""

    seen: torch.Tensor
    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(FEATURES, FEATURES)
        self.second = nn.Linear(FEATURES, FEATURES)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(FEATURES)
        self.dropout = nn.Dropout(0.3)
        self.frozen = nn.Linear(FEATURES, FEATURES).requires_grad_(False)
        self.last = nn.Linear(FEATURES, CLASSES)
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.calls = 0
        self.history: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.seen += 1.0
        self.mean = self.mean * 0.9 + x.detach().mean(0)  # assigned anew
        self.history.append(x.detach().mean())
        self.cached = x.detach()  # there was no such attribute
        x = self.dropout(self.norm(self.first(x).relu() + self.second(x)))
        outputs: torch.Tensor = self.last(x + self.frozen(x)) + 1e-3 * self.mean.sum()
        return outputs


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.9),
    "adam": lambda groups: torch.optim.Adam(groups, lr=0.01),
    "amsgrad": lambda groups: torch.optim.AdamW(groups, lr=0.01, amsgrad=True),
    "tensor lr": lambda groups: torch.optim.Adam(groups, lr=torch.tensor(0.01), foreach=False),
    "adagrad": lambda groups: torch.optim.Adagrad(groups, lr=0.01),
}


class World:
    """A run of training, the same each time it is made."""

    def __init__(self, optimizer: str = "sgd", prior: int = 0, device: str = "cpu") -> None:
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        self.device = device
        self.net = Net().to(device)
        self.net.frozen.eval()
        self.loose = nn.Parameter(torch.ones(CLASSES, device=device))  # in no module
        body = [p for n, p in self.net.named_parameters() if not n.startswith("last")]
        groups: list[dict[str, Any]] = [
            {"params": body, "name": "body"},
            {"params": [*self.net.last.parameters(), self.loose], "lr": torch.tensor(0.001)},
        ]
        if optimizer != "tensor lr":
            groups[1]["lr"] = 0.001
        self.optimizer = OPTIMIZERS[optimizer](groups)
        self.scheduler = StepLR(self.optimizer, 7, 0.5)
        data = torch.randn(40, FEATURES)
        dataset = TensorDataset(data, data[:, :CLASSES].argmax(1))
        self.generator = torch.Generator().manual_seed(1)
        sampler = RandomSampler(dataset, generator=self.generator)
        self.loader = DataLoader(dataset, 8, sampler=sampler)
        self.augment = np.random.default_rng(2)
        self.train(prior)

    def loss(self, batch: Any) -> torch.Tensor:
        x, y = (part.to(self.device) for part in batch)
        noise = random.random() + np.random.rand() + self.augment.random()
        outputs = self.net(x * (1 + 0.01 * noise)) * self.loose
        loss = nn.functional.cross_entropy(outputs, y)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def train(self, updates: int) -> list[float]:
        losses: list[float] = []
        while len(losses) < updates:
            for batch in itertools.islice(self.loader, updates - len(losses)):
                self.optimizer.zero_grad()
                losses.append(self.loss(batch).item())
                self.optimizer.step()
                self.scheduler.step()
        return losses

    def image(self) -> Any:
        """All of it, as plain values."""
        of_torch = [torch.get_rng_state()]
        if self.device != "cpu":
            of_torch.append(torch.cuda.get_rng_state())
        random_states = of_torch, random.getstate(), np.random.get_state()
        reachable_state = (
            self.net,
            self.optimizer,
            self.scheduler,
            self.loader.sampler,
            self.augment,
        )
        modes = [module.training for module in self.net.modules()]
        return image([*reachable_state, self.loose, *random_states, modes])


def image(value: Any) -> Any:
    """A value as plain data that compares bit for bit, with its gradients and attributes."""
    if isinstance(value, torch.Tensor):
        own = [
            value.dtype,
            value.shape,
            value.requires_grad,
            value.detach().cpu().numpy().tobytes(),
        ]
        return [*own, image(value.grad) if value.is_leaf else None]
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, torch.Generator):
        return image(value.get_state())
    if isinstance(value, np.random.Generator):
        return image(value.bit_generator.state)
    if isinstance(value, dict):
        return [(k if isinstance(k, str) else image(k), image(v)) for k, v in value.items()]
    if isinstance(value, (list, tuple, deque)):
        return [image(part) for part in value]
    if isinstance(value, (nn.Module, torch.optim.Optimizer)):
        return image({k: v for k, v in vars(value).items() if k not in ("step", "_opt_called")})
    if isinstance(value, (LRScheduler, RandomSampler)):
        hidden = ("optimizer", "data_source")
        return image({k: v for k, v in vars(value).items() if k not in hidden})
    return value if isinstance(value, (int, float, str, bytes, type(None))) else type(value)


class Planned(Exception):  # noqa: N818
    """What goes wrong in a test."""


REFUSED = ["steps the optimizer", "steps the scheduler", "sets a rate", "zeroes the gradients"]
FATES = ["finished", "diverged", "nonfinite", Planned, KeyboardInterrupt, *REFUSED]
ORDER = "ignore:Detected call of `lr_scheduler.step"  # torch's, of schedulers stepped in `step`
PLACES = ["step", "after backward", "optimizer", "metrics", "data"]


class Doomed:
    """A range test in a world, which goes wrong at an update."""

    def __init__(self, world: World, fate: Any, place: str, at: int) -> None:
        self.world, self.fate, self.place, self.at = world, fate, place, at
        self.calls = dict.fromkeys(PLACES, 0)

    def come(self, place: str) -> None:
        self.calls[place] += 1
        if isinstance(self.fate, type) and place == self.place and self.calls[place] > self.at:
            raise self.fate("planned")

    def step(self, batch: Any) -> torch.Tensor:
        world = self.world
        self.come("step")
        loss = world.loss(batch)
        self.come("after backward")
        world.scheduler.last_epoch += 1
        world.net.eval()
        world.net.norm.train()
        world.net.frozen.requires_grad_(True)
        if self.fate == "steps the optimizer" and self.calls["step"] > self.at:
            world.optimizer.step()
        if self.fate == "steps the scheduler" and self.calls["step"] > self.at:
            world.scheduler.step()
        if self.fate == "sets a rate" and self.calls["step"] > self.at:
            world.optimizer.param_groups[1]["lr"] = 0.5
        if self.fate == "zeroes the gradients":
            world.optimizer.zero_grad(set_to_none=self.at % 2 == 0)
        if self.fate == "nonfinite" and self.calls["step"] > self.at:
            return loss * float("nan")
        if self.fate == "diverged" and self.calls["step"] > max(self.at, FIRST):
            return loss * 1e6  # after the losses that set the level
        return loss

    def metrics(self) -> dict[str, Any]:
        torch.rand(3), random.random(), np.random.rand()
        self.world.net.train()
        self.come("metrics")
        return {"accuracy": torch.tensor(0.5)}

    def batches(self) -> Iterator[Any]:
        for batch in self.world.loader:
            self.come("data")
            yield batch

    def run(self, memory: Any = "device", **options: Any) -> Any:
        world, steps = self.world, 16
        doomed = self

        class Batches:
            def __iter__(self) -> Iterator[Any]:
                return doomed.batches()

        handle = world.optimizer.register_step_pre_hook(lambda *_: self.come("optimizer"))
        try:
            return range_test(
                *(self.step, world.optimizer, Batches(), RAMP, steps),
                memory=memory,
                metrics=self.metrics,
                every=2,
                divergence=None if self.fate == "finished" else 50.0,
                **options,
            )
        finally:
            handle.remove()
