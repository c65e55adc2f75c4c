"""What a snapshot keeps and puts back: tensors, gradients, optimizers, schedulers and scalers."""

from collections import OrderedDict, deque
from types import SimpleNamespace
from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, SequentialLR, StepLR
from torch.utils.data import DataLoader, RandomSampler

import lrsched
from lrsched_torch import lambda_lr, range_test, range_test_model
from lrsched_torch._snapshot.snapshot import Snapshot
from tests.torch.training_run import RAMP, image


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

    with (
        pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step"),
        pytest.raises(ValueError, match="range_test sets the learning rates"),
    ):
        range_test(step, optimizer, [0], RAMP, 8)
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


class Connector(dict[str, Any]):
    """An object of a package, with items and attributes."""


class Loop:
    """Another, whose class a package has only as a base."""


class Held(Loop):
    """One that holds data."""


Loop.__module__ = Connector.__module__ = "package.loops"


def test_objects_of_packages_get_their_attributes_back() -> None:
    """Those that hold data get the same data, with the contents that it then has."""
    loop, connector, held, other = Loop(), Connector(a=1), Held(), SimpleNamespace(count=1)
    loop.connector, loop.held, loop.other, loop.count = connector, held, other, 0  # type: ignore[attr-defined]
    connector.batch = None  # type: ignore[attr-defined]
    data, generator = torch.zeros(2), np.random.default_rng(0)
    held.data, held.generator = data, generator  # type: ignore[attr-defined]
    wanted = np.random.default_rng(0).random()
    kept = Snapshot(packages=("package",), holders=(Held,))
    kept.keep(loop)
    with kept.restored():
        loop.count, loop.new = 5, 1  # type: ignore[attr-defined]
        connector.batch, connector["b"] = 1, 2  # type: ignore[attr-defined]
        data.add_(1)
        generator.random()
        held.data, other.count = None, 2  # type: ignore[attr-defined]
    assert vars(loop) == {"connector": connector, "held": held, "other": other, "count": 0}
    assert (vars(connector), dict(connector)) == ({"batch": None}, {"a": 1})
    assert held.data is data  # type: ignore[attr-defined]
    assert data.tolist() == [1.0, 1.0]
    assert generator.random() == wanted
    assert other.count == 2


def test_data_is_not_copied() -> None:
    """A list of examples is a data set too."""
    examples = [torch.ones(2) for _ in range(3)]
    kept = Snapshot()
    kept.keep(DataLoader(examples, sampler=RandomSampler(examples)))  # type: ignore[arg-type]
    examples[0].zero_()
    kept.rewind()
    assert examples[0].tolist() == [0.0, 0.0]
