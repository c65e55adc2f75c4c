"""The updates of range tests in torch: losses, accumulation, mixed precision, closures, metrics."""

from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch
from torch import nn

import lrsched
from lrsched_torch import range_test
from lrsched_torch._range_test import losses as _losses
from lrsched_torch._range_test import runner as _runner
from lrsched_torch._range_test import updates as _updates
from tests.torch.range_test_task import RAMP, STEPS, Task, plain_losses, scaled


def test_the_losses_are_those_of_a_plain_loop() -> None:
    task = Task()
    found = task.run()
    assert found.losses.tolist() == plain_losses(task, found.learning_rates)


def test_accumulation_advances_the_rate_once_an_update() -> None:
    task = Task()

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = task.loss(batch)
        (loss / 3).backward()  # type: ignore[no-untyped-call]
        return loss

    found = task.run(step=step, accumulate=3)
    assert len(task.used) == STEPS
    assert found.losses.tolist() == plain_losses(task, found.learning_rates, 3)


def test_a_step_that_returns_a_number_and_one_that_zeroes_itself() -> None:
    expected = Task().run()
    task = Task()

    def step(batch: torch.Tensor) -> float:
        task.optimizer.zero_grad(set_to_none=False)
        return task.step(batch).item()

    assert task.run(step=step).losses.tolist() == expected.losses.tolist()


def test_losses_on_a_device_are_looked_at_every_few_updates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a GPU; what was trained past the stop does not show."""
    ramp = lrsched.exponential_ramp(1e-3, 100.0, 49)
    task = Task()
    metrics = {"metrics": lambda: {"norm": task.weights[0].norm()}, "every": 3}
    expected = task.run(ramp, 50, **metrics)
    assert expected.stopped == "diverged"
    updates = len(task.used)
    task.used.clear()
    looks: list[int] = []
    real = _losses.means
    monkeypatch.setattr(_updates, "as_loss", lambda loss: loss.detach().reshape(()).clone())

    def looking(losses: Any) -> list[float]:
        looks.append(len(losses))
        return real(losses)

    monkeypatch.setattr(_losses, "means", looking)
    monkeypatch.setattr(_runner.Runner, "_waits", lambda self: True)
    found = task.run(ramp, 50, **metrics)
    assert found.losses.tolist() == expected.losses.tolist()
    assert found.metrics["norm"].tolist() == expected.metrics["norm"].tolist()
    assert updates <= len(task.used) == sum(looks) == 10 * len(looks)


def test_gradients_of_parameters_that_another_optimizer_has_do_not_pile_up() -> None:
    """A step may clip the gradients of the whole model."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)

    def step(batch: torch.Tensor) -> torch.Tensor:
        assert all(p.grad is None for p in model.parameters())
        loss = model(batch).mean()
        loss.backward()
        return torch.as_tensor(loss)

    assert len(range_test(step, optimizer, [torch.ones(4, 2)], RAMP, 3).losses) == 3


def test_a_skipped_update_advances_no_rate() -> None:
    task = Task()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    found = task.run(step=scaled(task, scaler, {0, 1, 5}), scaler=scaler)
    assert (found.stopped, len(found.losses)) == ("finished", STEPS)
    assert [[rate] for rate in found.learning_rates] == task.used
    assert len(task.seen) == STEPS + 3
    assert scaler.get_scale() == 4.0


def test_updates_that_are_always_skipped_end_the_test() -> None:
    task = Task()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    found = task.run(step=scaled(task, scaler, range(3, 1000)), scaler=scaler)
    assert (found.stopped, len(found.losses)) == ("nonfinite", 3)
    assert len(task.seen) < 60


def test_a_scaler_that_is_turned_off() -> None:
    task = Task()
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    found = task.run(step=scaled(task, scaler, ()), scaler=scaler)
    assert found.losses.tolist() == plain_losses(Task(), found.learning_rates)


def test_a_closure_where_the_optimizer_takes_one() -> None:
    expected = Task().run().losses
    task = Task()
    assert task.run(closure=True).losses.tolist() == expected.tolist()


def test_lbfgs_needs_one() -> None:
    weight = nn.Parameter(torch.tensor([3.0]))
    optimizer = torch.optim.LBFGS([weight], max_iter=2)
    calls = []

    def step(batch: Any) -> torch.Tensor:
        calls.append(optimizer.param_groups[0]["lr"])
        loss = (weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    found = range_test(step, optimizer, [0], RAMP, STEPS, progress=False)
    assert found.losses[0] == 9.0
    assert len(found.losses) == STEPS < len(calls)
    assert sorted(set(calls)) == found.learning_rates.tolist()


def test_metrics_every_few_updates() -> None:
    task = Task()
    model = nn.Dropout(0.5)
    modes = []

    def step(batch: torch.Tensor) -> torch.Tensor:
        modes.append((model.training, torch.is_grad_enabled()))
        return task.step(model(batch))

    def metrics() -> dict[str, Any]:
        assert not torch.is_grad_enabled()
        torch.set_grad_enabled(True)
        model.eval()
        torch.rand(5), np.random.rand(2)
        return {"norm": task.weights[0].norm(), "half": 0.5}

    torch.manual_seed(0)
    without = task.run(step=step)
    torch.manual_seed(0)
    found = task.run(step=step, metrics=metrics, every=6)
    assert found.losses.tolist() == without.losses.tolist()
    assert set(modes) == {(True, True)}
    assert found.metrics["half"].tolist() == [[0, 0.5], [6, 0.5], [12, 0.5], [18, 0.5]]
    assert found.metrics["norm"][0, 1] == pytest.approx(2**0.5)  # before any update
    assert len(set(found.metrics["norm"][:, 1])) == 4
    assert without.metrics == {}


def test_a_metric_of_an_update_that_does_not_count_is_dropped() -> None:
    task = Task()
    found = task.run(
        step=lambda batch: task.step(batch) + (float("nan") if len(task.seen) == 6 else 0),
        metrics=lambda: {"one": 1.0},
        every=5,
    )
    assert found.metrics["one"].tolist() == [[0, 1.0]]


def test_a_skipped_update_is_measured_once() -> None:
    task = Task()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    step = scaled(task, scaler, {4, 5})
    found = task.run(step=step, scaler=scaler, metrics=lambda: {"one": 1}, every=4)
    assert found.metrics["one"].tolist() == [[n, 1.0] for n in range(0, STEPS, 4)]


def test_metrics_that_are_no_numbers_by_name() -> None:
    with pytest.raises(TypeError, match="range_test: metrics must be a function that returns num"):
        Task().run(metrics=lambda: 3)


def test_losses_on_a_device_are_read_together() -> None:
    """Between numbers that were read before: those of updates on the CPU."""
    on_device = torch.tensor(2.0), torch.tensor(1.0)
    assert _losses.means([[on_device[0], 4.0], [3.0], [on_device[1]]]) == [3.0, 3.0, 1.0]
