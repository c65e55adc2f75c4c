"""Training after a range test is the training without one, to the last bit."""

import functools
import gc
import itertools
import os
import random
import tempfile
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, SequentialLR, StepLR
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import lrsched
from lrsched_torch import lambda_lr, range_test, range_test_model
from lrsched_torch._snapshot.snapshot import Snapshot
from lrsched_torch._snapshot.storage import DiskStorage

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

    def __init__(self, optimizer: str = "sgd", prior: int = 0) -> None:
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        self.net = Net()
        self.net.frozen.eval()
        self.loose = nn.Parameter(torch.ones(CLASSES))  # in no module
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
        x, y = batch
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
        random_states = torch.get_rng_state(), random.getstate(), np.random.get_state()
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
        own = [value.dtype, value.shape, value.requires_grad, value.detach().numpy().tobytes()]
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


FATES = ["finished", "diverged", "nonfinite", Planned, KeyboardInterrupt]
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
        world.scheduler.step()  # steers against the sweep
        world.net.eval()
        world.net.norm.train()
        world.net.frozen.requires_grad_(True)
        if self.fate == "nonfinite" and self.calls["step"] > self.at:
            return loss * float("nan")
        if self.fate == "diverged" and self.calls["step"] > self.at + 1:
            return loss * 1e6
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

    def run(self, memory: Any = "device") -> Any:
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
            )
        finally:
            handle.remove()


@functools.cache
def undisturbed(optimizer: str, prior: int) -> tuple[Any, Any, Any]:
    world = World(optimizer, prior)
    return world.image(), world.train(UPDATES), world.image()


@pytest.mark.filterwarnings(ORDER)
@settings(max_examples=60, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    prior=st.sampled_from([0, 3]),
    fate=st.sampled_from(FATES),
    place=st.sampled_from(PLACES),
    at=st.integers(0, 6),
    memory=st.sampled_from(["device", "cpu", "disk"]),
)
@example("adam", 3, "finished", "step", 0, "device")
@example("amsgrad", 0, KeyboardInterrupt, "optimizer", 3, "disk")
def test_training_goes_on_as_if_there_had_been_no_test(
    optimizer: str, prior: int, fate: Any, place: str, at: int, memory: str
) -> None:
    before, losses, after = undisturbed(optimizer, prior)
    world = World(optimizer, prior)
    doomed = Doomed(world, fate, place, at)
    if isinstance(fate, type):
        with pytest.raises(fate):
            doomed.run(memory)
    else:
        found = doomed.run(memory)
        assert found.stopped == fate
    assert sum(doomed.calls.values())
    assert world.image() == before
    assert world.train(UPDATES) == losses
    assert world.image() == after


def test_the_comparison_can_fail() -> None:
    """Without the restoration, all parts of the image differ that a test can change."""
    world, before = World(), World().image()
    world.train(3)
    torch.set_rng_state(torch.get_rng_state())
    changed = [a != b for a, b in zip(world.image(), before, strict=True)]
    assert changed == [True] * 9 + [False]  # modes


# What is put back


def test_the_same_objects_are_put_back_with_the_same_contents() -> None:
    tensor, array = torch.arange(3.0), np.arange(3.0)
    world: dict[str, Any] = {
        "tensor": tensor,
        "array": array,
        "list": [tensor, {"deep": deque([1, 2], maxlen=2)}],
        "set": {1, 2},
        "ordered": OrderedDict(a=1, b=2),
    }
    inside = [world["list"], world["list"][1], world["list"][1]["deep"], world["set"]]
    ordered = world["ordered"]
    kept = Snapshot()
    kept.keep(world)
    with kept.restored():
        tensor.add_(1)
        array += 1
        world["list"][1]["deep"].append(7)
        world["list"][1]["new"] = 1
        world["list"].clear()
        world["set"].add(3)
        ordered.move_to_end("a")
        world["tensor"] = torch.zeros(5)
        del world["array"]
        world["more"] = 1
    assert list(world) == ["tensor", "array", "list", "set", "ordered"]
    assert world["tensor"] is tensor
    assert tensor.tolist() == [0.0, 1.0, 2.0]
    assert world["array"] is array
    assert array.tolist() == [0.0, 1.0, 2.0]
    assert [world["list"], world["list"][1], world["list"][1]["deep"], world["set"]] == [
        [tensor, {"deep": deque([1, 2])}],
        {"deep": deque([1, 2])},
        deque([1, 2]),
        {1, 2},
    ]
    assert all(a is b for a, b in zip(inside[:1], [world["list"]], strict=True))
    assert list(ordered) == ["a", "b"]


TENSORS = {
    "bfloat16": lambda: torch.randn(3, 4).bfloat16(),
    "complex": lambda: torch.randn(3, dtype=torch.complex64),
    "conjugated": lambda: torch.randn(3, dtype=torch.complex64).conj(),
    "bool": lambda: torch.tensor([True, False]),
    "scalar": lambda: torch.tensor(3),
    "empty": lambda: torch.zeros(0, 4),
    "strided": lambda: torch.randn(4, 6).t()[::2],
    "channels last": lambda: torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "expanded": lambda: torch.randn(3, 1).expand(3, 5),
    "sparse": lambda: torch.eye(3).to_sparse(),
}


@pytest.mark.parametrize("memory", ["device", "cpu", "disk"])
@pytest.mark.parametrize("kind", TENSORS)
def test_a_tensor_of_any_kind(kind: str, memory: Any) -> None:
    tensor = TENSORS[kind]()
    expected = tensor.clone()
    kept = Snapshot(memory)
    kept.keep(tensor)
    with kept.restored():
        if kind == "expanded":
            tensor[:, :1].fill_(9)
        else:
            tensor.zero_()
    assert torch.equal(tensor.to_dense(), expected.to_dense())
    assert tensor.stride() == expected.stride() or kind in ("sparse", "expanded", "strided")


def test_data_that_was_exchanged() -> None:
    """Averaged weights are often put into a model so, and half precision too."""
    weight = nn.Parameter(torch.ones(3))
    pointer = weight.data_ptr()
    kept = Snapshot()
    kept.keep(weight)
    with kept.restored():
        weight.data.mul_(2)
        weight.data = torch.zeros(4).half()
    assert weight.data_ptr() == pointer
    assert torch.equal(weight, torch.ones(3))


def test_a_gradient_is_the_same_object_with_the_same_contents() -> None:
    """With its memory: DistributedDataParallel's gradients are views of its buckets."""
    weight, other = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    bucket = torch.arange(3.0)
    weight.grad = gradient = bucket.view(3)
    optimizer = torch.optim.SGD([weight, other], lr=0.1)

    def step(batch: torch.Tensor) -> torch.Tensor:
        bucket.zero_()
        loss = (weight * other * batch).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    range_test(step, optimizer, [torch.ones(3)], RAMP, 4, divergence=None)
    assert weight.grad is gradient
    assert gradient.tolist() == bucket.tolist() == [0.0, 1.0, 2.0]
    assert other.grad is None


def test_parts_that_cannot_be_restored_do_not_keep_the_rest() -> None:
    class Broken:
        def __init__(self, *errors: BaseException) -> None:
            self.errors = [*errors]

        def state_dict(self) -> dict[str, Any]:
            return {}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            if self.errors:
                raise self.errors.pop()

    world = World()
    before = world.image()
    doomed = Doomed(world, "finished", "step", 0)
    options: Any = {"progress": False, "divergence": None}
    with pytest.raises(RuntimeError, match=r"range_test: 1 of .* could not be restored: planned"):
        range_test(
            *(doomed.step, world.optimizer, world.loader, RAMP, 5),
            restore=[Broken(Planned("planned"))],
            **options,
        )
    assert world.image() == before
    with pytest.raises(KeyboardInterrupt):
        range_test(
            *(doomed.step, world.optimizer, world.loader, RAMP, 5),
            restore=[Broken(*[KeyboardInterrupt()] * 3)],
            **options,
        )
    assert world.image() == before


def test_an_interrupt_before_the_restoration_began(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.ones(3)
    kept = Snapshot()
    kept.keep(weight)
    real, calls = kept.rewind, iter([KeyboardInterrupt])

    def interrupted() -> None:
        for error in calls:
            raise error
        real()

    monkeypatch.setattr(kept, "rewind", interrupted)
    with pytest.raises(KeyboardInterrupt), kept.restored():
        weight.zero_()
    assert weight.tolist() == [1.0] * 3


# Optimizers of their own making


class Odd(torch.optim.Optimizer):
    """Keeps state in objects, in attributes and in another optimizer."""

    def __init__(self, params: Any, lr: Any = 0.1) -> None:
        super().__init__(params, {"lr": lr})
        self.inner = torch.optim.Adam(self.param_groups)
        self.count = 0
        self.average = torch.zeros(3)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.count += 1
        for group in self.param_groups:
            group["betas"] = (0.1 * self.count, 0.9)
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["preconditioner"] = SimpleNamespace(matrix=torch.eye(3), uses=0)
                state["preconditioner"].matrix.add_(1)
                state["preconditioner"].uses += 1
                self.average.add_(p.grad)
        self.inner.step()


@pytest.mark.parametrize("prior", [0, 2])
def test_an_optimizer_with_state_in_odd_places(prior: int) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = Odd([weight])

    def step(batch: Any) -> torch.Tensor:
        loss = (weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def facts() -> Any:
        states = [vars(s["preconditioner"]) for s in optimizer.state.values()]
        return image([weight, states, vars(optimizer)])

    for _ in range(prior):
        step(None)
        optimizer.step()
    before = facts()
    range_test(step, optimizer, [0], RAMP, 5, progress=False)
    assert facts() == before
    step(None)
    optimizer.step()
    assert facts() != before


def test_lbfgs() -> None:
    weight = nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer: Any = torch.optim.LBFGS([weight], max_iter=3)

    def step(batch: Any) -> torch.Tensor:
        loss: torch.Tensor = ((weight - batch) ** 4).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def closure() -> float:
        optimizer.zero_grad()
        return step(torch.ones(2)).item()

    optimizer.step(closure)
    before = image([weight, vars(optimizer)])
    ramp = lrsched.exponential_ramp(1e-3, 1e-1, 9)
    found = range_test(step, optimizer, [torch.ones(2)], ramp, 10, progress=False)
    assert image([weight, vars(optimizer)]) == before
    assert len(found.losses) == 10
    assert np.all(np.diff(found.losses) < 0)


# Schedulers, scalers and what else hangs on an optimizer


def test_the_warning_about_the_order_of_calls_comes_as_before() -> None:
    """torch notes on the optimizer that it was called; a range test is no such call."""
    for tested in (False, True):
        weight = nn.Parameter(torch.ones(1))
        optimizer = torch.optim.SGD([weight], lr=0.1)
        scheduler = LambdaLR(optimizer, lambda count: 1.0)
        if tested:
            range_test_model(Times(weight), nn.MSELoss(), optimizer, PAIRS, steps=3)
        with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step"):
            scheduler.step()


class Times(nn.Module):
    """A factor."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


PAIRS = [(torch.ones(4, 1), torch.zeros(4, 1))]


def test_schedulers_that_are_made_of_others() -> None:
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    parts = [lambda_lr(optimizer, lrsched.linear(0.1, 0.0, 10)), StepLR(optimizer, 2)]
    scheduler = SequentialLR(optimizer, parts, [3])
    before = image([scheduler, optimizer])

    def step(batch: Any) -> torch.Tensor:
        loss = (weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        scheduler.step()
        return loss

    with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step"):
        found = range_test(step, optimizer, [0], RAMP, 8, divergence=None)
    assert found.learning_rates.tolist() == [RAMP(count) for count in range(8)]
    assert image([scheduler, optimizer]) == before


def test_a_scaler_is_as_it_was() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)

    def step(batch: Any) -> torch.Tensor:
        loss = (weight**2).sum()
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss

    for prior in (False, True):
        if prior:
            step(None)
            scaler.step(optimizer)
            scaler.update()
        before = image(vars(scaler))
        found = range_test(step, optimizer, [0], RAMP, 6, scaler=scaler, divergence=None)
        assert len(found.losses) == 6
        assert image(vars(scaler)) == before


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


def test_a_model_that_the_step_only_reaches_by_a_detour_is_found() -> None:
    """The parameters lead to it, and it to the modules around it and its attached scheduler."""
    registry = weakref.WeakValueDictionary[str, Any]()
    norm = nn.BatchNorm1d(3, affine=False)
    model = nn.Sequential(nn.Linear(3, 3), norm)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = StepLR(optimizer, 2)
    registry["model"], registry["scheduler"] = model, scheduler

    def step(batch: Any) -> torch.Tensor:
        loss = registry["model"](batch).pow(3).mean()
        loss.backward()
        registry["scheduler"].step()
        return torch.as_tensor(loss)

    before = image([model, scheduler])
    with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step"):
        range_test(step, optimizer, [torch.randn(5, 3)], RAMP, 4, divergence=None)
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


# Memory


@pytest.mark.filterwarnings(ORDER)
def test_the_file_is_gone(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    open_files = set(os.listdir("/proc/self/fd"))
    world = World()
    for fate in ("finished", Planned):
        doomed = Doomed(world, fate, "step", 2)
        if fate is Planned:
            with pytest.raises(Planned):
                doomed.run("disk")
        else:
            doomed.run("disk")
        assert os.listdir(tmp_path) == []
    gc.collect()
    assert set(os.listdir("/proc/self/fd")) <= open_files


def test_a_file_that_was_cut_off_is_noticed() -> None:
    disk = DiskStorage()
    read = disk.store(torch.ones(100))
    disk._file.truncate(10)
    with pytest.raises(OSError, match="shorter than 400"):
        read()
    disk.close()
