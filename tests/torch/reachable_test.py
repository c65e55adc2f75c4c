"""What a training step refers to is found, and put back after a range test."""

import random
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

from lrsched_torch import range_test, range_test_model
from lrsched_torch._snapshot.reachable import reachable_state
from tests.torch.training_run import FEATURES, RAMP, World, image


def test_everything_else_that_the_step_refers_to() -> None:
    """Averaged weights, the other optimizer of a GAN, a generator of noise."""
    world = World()
    average = torch.optim.swa_utils.AveragedModel(world.net)
    other = nn.Linear(FEATURES, 1)
    other_optimizer = torch.optim.Adam(other.parameters())
    noise = torch.Generator().manual_seed(4)

    def step(batch: Any) -> torch.Tensor:
        average.update_parameters(world.net)
        other_optimizer.zero_grad()
        other(batch[0] + torch.randn(batch[0].shape, generator=noise)).sum().backward()
        other_optimizer.step()
        return world.loss(batch)

    before = image([average, other, other_optimizer, noise]), world.image()
    range_test(step, world.optimizer, world.loader, RAMP, 5, divergence=None)
    assert (image([average, other, other_optimizer, noise]), world.image()) == before


GLOBAL = SimpleNamespace(net=nn.Linear(2, 2), noise=np.random.default_rng(5))


def loss_of_globals(batch: torch.Tensor) -> torch.Tensor:
    noise = torch.as_tensor(GLOBAL.noise.random(2)).float()
    GLOBAL.net.calls = batch
    loss = (GLOBAL.net(batch) + noise).pow(2).mean()
    loss.backward()
    return torch.as_tensor(loss)


def test_globals_that_a_function_names_which_the_step_calls() -> None:
    optimizer = torch.optim.SGD(GLOBAL.net.parameters(), lr=0.1)
    before = image([GLOBAL.net, GLOBAL.noise])
    range_test(lambda batch: loss_of_globals(batch), optimizer, [torch.ones(3, 2)], RAMP, 4)
    assert image([GLOBAL.net, GLOBAL.noise]) == before


def test_only_what_is_named() -> None:
    """With modules named, nothing is looked for; `restore` adds to them."""
    world = World()
    average = nn.Linear(2, 2)
    clock = random.Random(3)

    def step(batch: Any) -> torch.Tensor:
        nn.init.ones_(average.weight)
        clock.random()
        return world.loss(batch)

    options: Any = {"modules": world.net, "divergence": None}
    before = image(average), clock.getstate(), world.image()
    for restore in ([average, clock, world.augment], [world.augment]):
        range_test(step, world.optimizer, world.loader, RAMP, 3, restore=restore, **options)
        same = image(average) == before[0], clock.getstate() == before[1]
        assert same == ((True, True) if len(restore) == 3 else (False, False))
        assert world.image() == before[2]


def test_a_model_that_the_step_only_reaches_by_a_detour_must_be_named() -> None:
    registry = weakref.WeakValueDictionary[str, Any]()
    norm = nn.BatchNorm1d(3, affine=False)
    model = nn.Sequential(nn.Linear(3, 3), norm)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = StepLR(optimizer, 2)
    registry["model"], registry["scheduler"] = model, scheduler

    def step(batch: Any) -> torch.Tensor:
        loss = registry["model"](batch).pow(3).mean()
        loss.backward()
        registry["scheduler"].last_epoch += 1
        return torch.as_tensor(loss)

    batches = [torch.randn(5, 3)]
    options: dict[str, Any] = {"divergence": None, "progress": False}
    before = image([model, scheduler])
    expected = (
        r"range_test: modules must be the modules that are trained \(nothing that step refers"
    )
    with pytest.raises(ValueError, match=expected):
        range_test(step, optimizer, batches, RAMP, 4, **options)
    assert image([model, scheduler]) == before
    explicit: list[dict[str, Any]] = [
        {"modules": model, "restore": [scheduler]},
        {"restore": [model, scheduler]},
    ]
    for named in explicit:
        range_test(step, optimizer, batches, RAMP, 4, **options, **named)
        assert image([model, scheduler]) == before


def test_generators_of_a_dataset_and_of_samplers() -> None:
    class Noisy(torch.utils.data.Dataset[Any]):
        def __init__(self) -> None:
            self.generators: list[Any] = [np.random.default_rng(0), random.Random(0)]
            self.legacy = np.random.RandomState(0)

        def __len__(self) -> int:
            return 12

        def __getitem__(self, index: int) -> torch.Tensor:
            return torch.tensor([g.random() for g in self.generators] + [self.legacy.rand()])

    class Epochs(torch.utils.data.Sampler[int]):
        def __init__(self) -> None:
            self.epoch, self.order = 0, list(range(12))

        def __iter__(self) -> Iterator[int]:
            self.epoch += 1
            random.Random(self.epoch).shuffle(self.order)
            return iter(self.order)

    loader = DataLoader(Noisy(), batch_size=4, sampler=Epochs())
    weight = nn.Parameter(torch.ones(1, 3))

    def batches() -> list[torch.Tensor]:
        return [*loader, *loader]

    before = batches()
    loader = DataLoader(Noisy(), batch_size=4, sampler=Epochs())
    optimizer = torch.optim.SGD([weight], lr=0.1)

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = (weight * batch).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    range_test(step, optimizer, loader, RAMP, 8, divergence=None)
    assert all(map(torch.equal, batches(), before))


def test_persistent_workers_start_anew() -> None:
    torch.manual_seed(0)
    dataset = TensorDataset(torch.ones(8, 1), torch.zeros(8, 1))
    # Not forked: JAX may have threads in this process.
    workers: dict[str, Any] = {"num_workers": 1, "multiprocessing_context": "forkserver"}
    loader = DataLoader(dataset, 4, persistent_workers=True, **workers)
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    range_test_model(model, nn.MSELoss(), optimizer, loader, RAMP, 3, progress=False)
    assert loader._iterator is None


@pytest.mark.parametrize(("items", "found"), [(100, True), (101, False)])
def test_a_container_of_more_than_a_hundred_items_is_data(items: int, found: bool) -> None:
    net = nn.Linear(2, 2)
    containers: list[Any] = [0] * (items - 1) + [net]

    def step() -> None:
        assert containers

    assert any(each is net for each in reachable_state(step)) is found
