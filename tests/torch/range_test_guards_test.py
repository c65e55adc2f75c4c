"""A step that makes the update itself, sets a rate or leaves no gradients is refused by name."""

from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as lrs
from torch.optim import optimizer as torch_optimizer

import lrsched
import lrsched_torch
from lrsched_torch import range_test, range_test_model
from tests.torch.range_test_task import RAMP, STEPS, Task, model_task

UPDATE = r"^range_test: step must be .*\(range_test makes the update, so without optimizer.step\(\)"
RATE = r"^range_test: step must be .*\(range_test sets the learning rates, so without scheduler\.st"
GRADIENTS = r"^range_test: step must be .*leaves gradients .* \(loss.backward\(\), and no zero_grad"
ORDER = "ignore:Detected call of `lr_scheduler.step"  # torch's, as no update came before

Make = Callable[[Task], Callable[[], Any]]  # from a task to what its step calls


class Wrapper:
    """An optimizer as Accelerate, Lightning and others wrap it."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    def step(self) -> None:
        self.optimizer.step()


def scaled_step(task: Task) -> Callable[[], Any]:
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    scaler.scale(torch.ones(()))
    return lambda: scaler.step(task.optimizer)


UPDATES: dict[str, Make] = {
    "step": lambda task: task.optimizer.step,
    "step with a closure": lambda task: lambda: task.optimizer.step(lambda: 1.0),
    "a wrapper": lambda task: Wrapper(task.optimizer).step,
    "a gradient scaler": scaled_step,
    "another optimizer": lambda task: torch.optim.Adam([task.weights[0]], lr=0.1).step,
    "an optimizer of its own and these": lambda task: (
        torch.optim.SGD([nn.Parameter(torch.ones(1)), task.weights[-1]], lr=0.1).step
    ),
}


def doing(task: Task, act: Callable[[], Any], first: int = 0) -> Callable[[Any], Any]:
    """The step of the task, followed by an act from a call on."""

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = task.step(batch)
        if len(task.seen) > first:
            act()
        return loss

    return step


def assert_refused(task: Task, act: Callable[[], Any], message: str, first: int, **o: Any) -> None:
    task.seen.clear()
    weights, groups = [w.tolist() for w in task.weights], repr(task.optimizer.param_groups)
    with pytest.raises(ValueError, match=message):
        task.run(step=doing(task, act, first), **o)
    assert len(task.seen) == first + 1  # at the first such call
    assert [w.tolist() for w in task.weights] == weights
    assert repr(task.optimizer.param_groups) == groups
    assert not task.optimizer.state
    assert not torch_optimizer._global_optimizer_pre_hooks
    assert task.run().losses[0] > 0


@pytest.mark.parametrize("first", [0, 5])
@pytest.mark.parametrize("options", [{}, {"accumulate": 2}, {"closure": True}])
@pytest.mark.parametrize("name", UPDATES)
def test_an_update_in_the_step(name: str, options: dict[str, Any], first: int) -> None:
    task = Task(0.1, 0.2)
    assert_refused(task, UPDATES[name](task), UPDATE, first, **options)


def test_an_update_in_the_loss_of_a_model() -> None:
    model, optimizer, loader = model_task()

    def loss_fn(outputs: Any, targets: Any) -> torch.Tensor:
        optimizer.step()
        return nn.functional.cross_entropy(outputs, targets)

    with pytest.raises(ValueError, match=UPDATE):
        range_test_model(model, loss_fn, optimizer, loader, RAMP, STEPS, progress=False)


def test_an_update_with_the_scaler_of_the_test() -> None:
    task = Task()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = task.loss(batch)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.step(task.optimizer)
        scaler.update()
        return loss

    with pytest.raises(ValueError, match=UPDATE):
        task.run(step=step, scaler=scaler)
    assert scaler.get_scale() == 4.0


@pytest.mark.filterwarnings(ORDER)
@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize(("part", "message"), [("optimizer", UPDATE), ("scheduler", RATE)])
def test_what_accelerate_prepared(part: str, message: str, wrapped: bool) -> None:
    """Its own optimizer has no hooks, and its own scheduler is none of torch's."""
    accelerator = needs("accelerate").Accelerator(cpu=True)
    task = Task()
    optimizer, scheduler = accelerator.prepare(task.optimizer, lrs.StepLR(task.optimizer, 30))
    calls = {"optimizer": optimizer.step, "scheduler": scheduler.step}
    task.optimizer = optimizer if wrapped else task.optimizer
    with pytest.raises(ValueError, match=message):
        task.run(step=doing(task, calls[part]))
    assert task.run().stopped == "finished"


def of_lr(make: Callable[[torch.optim.Optimizer], Any], *args: Any) -> Make:
    def made(task: Task) -> Callable[[], Any]:
        scheduler = make(task.optimizer)
        return lambda: scheduler.step(*args)

    return made


def sequential(optimizer: torch.optim.Optimizer) -> Any:
    parts: list[Any] = [lrs.ConstantLR(optimizer), lrs.CosineAnnealingLR(optimizer, 5)]
    return lrs.SequentialLR(optimizer, parts, [3])


SCHEDULERS: dict[str, Make] = {
    "StepLR, which does not change the rate yet": of_lr(lambda o: lrs.StepLR(o, 30)),
    "LambdaLR of 1": of_lr(lambda o: lrs.LambdaLR(o, lambda count: 1.0)),
    "OneCycleLR": of_lr(lambda o: lrs.OneCycleLR(o, 0.1, 100)),
    "SequentialLR": of_lr(sequential),
    "ChainedScheduler": of_lr(lambda o: lrs.ChainedScheduler([lrs.StepLR(o, 30)], o)),
    "ReduceLROnPlateau": of_lr(lambda o: lrs.ReduceLROnPlateau(o), 1.0),
    "SWALR": of_lr(lambda o: torch.optim.swa_utils.SWALR(o, 0.05)),
    "lambda_lr": of_lr(lambda o: lrsched_torch.lambda_lr(o, lrsched.constant(0.1))),
    "ControlledLR": of_lr(
        lambda o: lrsched_torch.ControlledLR(o, lrsched.reduce_on_plateau(0.1)), 1.0
    ),
    "schedule_hyperparameters": of_lr(
        lambda o: lrsched_torch.schedule_hyperparameters(o, momentum=lrsched.constant(0.1))
    ),
}


@pytest.mark.filterwarnings(ORDER)
@pytest.mark.parametrize("options", [{}, {"modules": ()}, {"closure": True}])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_that_is_stepped(name: str, options: dict[str, Any]) -> None:
    task = Task(0.1, 0.1)
    assert_refused(task, SCHEDULERS[name](task), RATE, 3, **options)


def test_a_scheduler_of_tensors() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([weight], lr=torch.tensor(0.1), capturable=False, foreach=False)
    scheduler = lrsched_torch.on_device(optimizer, lrsched.constant(0.1))

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = (weight * batch).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        scheduler.step()
        return loss

    with pytest.raises(ValueError, match=RATE):
        range_test(step, optimizer, [torch.ones(2)], RAMP, STEPS, progress=False)
    assert optimizer.param_groups[0]["lr"] == torch.tensor(0.1)


def write(task: Task, rate: Any) -> None:
    task.optimizer.param_groups[-1]["lr"] = rate


@pytest.mark.parametrize(
    "act",
    [
        lambda task: write(task, 0.5),
        lambda task: write(task, task.optimizer.param_groups[0]["lr"] * 2),
        lambda task: write(task, torch.tensor(0.1)),
        lambda task: write(task, 1),
        lambda task: task.optimizer.load_state_dict(
            torch.optim.SGD([{"params": [w], "lr": 0.3} for w in task.weights]).state_dict()
        ),
    ],
)
@pytest.mark.parametrize("closure", [False, True])
def test_a_rate_that_is_set(act: Any, closure: bool) -> None:
    task = Task(0.1, 0.2)
    assert_refused(task, lambda: act(task), RATE, 2, closure=closure)


@pytest.mark.parametrize("how", ["fill_", "mul_", "add_"])
def test_a_tensor_rate_that_is_written(how: str) -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([weight], lr=torch.tensor(0.1), foreach=False)

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = (weight * batch).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        getattr(optimizer.param_groups[0]["lr"], how)(1.0)
        return loss

    with pytest.raises(ValueError, match=RATE):
        range_test(step, optimizer, [torch.ones(2)], RAMP, STEPS, progress=False)
    assert optimizer.param_groups[0]["lr"] == torch.tensor(0.1)


@pytest.mark.filterwarnings(ORDER)
def test_other_parameters_may_be_trained_in_the_step() -> None:
    """As a discriminator is, beside the generator that is tested."""
    expected = Task().run().losses.tolist()
    task = Task()
    other = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([other], lr=0.1)
    scheduler = lrs.StepLR(optimizer, 2)

    def act() -> None:
        optimizer.zero_grad()
        (other**2).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        scheduler.step()
        task.optimizer.param_groups[0]["momentum"] = 0.0

    assert task.run(step=doing(task, act)).losses.tolist() == expected
    assert (other.item(), optimizer.param_groups[0]["lr"]) == (1.0, 0.1)


def test_a_scheduler_without_the_attributes_of_torch_is_let_be() -> None:
    class Own(lrs.LRScheduler):
        def __init__(self) -> None:
            self.count = 0

        def step(self, epoch: int | None = None) -> None:
            self.count += 1

    task, own = Task(), Own()
    assert task.run(step=doing(task, own.step)).stopped == "finished"
    assert own.count == 0


def test_gradients_that_are_thrown_away() -> None:
    for set_to_none in (True, False):
        task = Task(0.1, 0.2)
        act = lambda task=task, none=set_to_none: task.optimizer.zero_grad(set_to_none=none)  # noqa: E731
        assert_refused(task, act, GRADIENTS, 0)
        assert_refused(task, act, GRADIENTS, 0, closure=True)
    task = Task()
    with pytest.raises(ValueError, match=GRADIENTS):
        task.run(step=lambda batch: task.loss(batch))


def test_gradients_of_which_some_are_zero() -> None:
    """Adapters begin with half of their gradients 0, and a loss of 0 has none at all."""
    task = Task(0.1, 0.2)

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = task.loss(batch) + 0 * task.weights[1].sum()
        loss.backward()  # type: ignore[no-untyped-call]
        task.weights[0].grad = None
        return loss

    assert task.run(step=step).stopped == "finished"

    def satisfied(batch: torch.Tensor) -> torch.Tensor:
        loss = 0 * task.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    assert task.run(step=satisfied).stopped == "finished"


def test_sparse_gradients() -> None:
    table = nn.Embedding(5, 2, sparse=True)
    optimizer = torch.optim.SGD(table.parameters(), lr=0.1)

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = (table(batch) ** 2).sum()
        loss.backward()
        return torch.as_tensor(loss)

    found = range_test(step, optimizer, [torch.tensor([1, 2])], RAMP, 3, progress=False)
    assert len(found.losses) == 3


def test_lbfgs_uses_the_rates_that_are_recorded() -> None:
    weight = nn.Parameter(torch.tensor([3.0]))
    optimizer = torch.optim.LBFGS([weight], max_iter=1)

    def step(batch: Any) -> torch.Tensor:
        loss = (weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    rates = lrsched.piecewise_constant([0.1, 0.05, 0.2], [1, 2])
    found = range_test(step, optimizer, [0], rates, 3, progress=False)
    twin = nn.Parameter(torch.tensor([3.0]))
    other, losses = torch.optim.LBFGS([twin], max_iter=1), []
    for update in range(3):
        other.param_groups[0]["lr"] = rates(update)

        def closure() -> Any:
            other.zero_grad()
            loss = (twin**2).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        losses.append(other.step(closure).item())  # type: ignore[no-untyped-call]
    assert found.losses.tolist() == losses
