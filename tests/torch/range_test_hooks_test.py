"""What a range test calls once an update, and steps that skip a batch."""

from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import clip_grad_norm_

import lrsched
from tests.torch.range_test_task import RAMP, STEPS, Task, scaled


def clipped_losses(task: Task, rates: Any, each: int, limit: float) -> list[float]:
    """A training loop with clipping as anybody writes it."""
    weights = [w.detach().clone().requires_grad_() for w in task.weights]
    optimizer = torch.optim.SGD(weights)
    task.weights, losses = weights, []  # type: ignore[assignment]
    count = 0
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        parts = []
        for _ in range(each):
            loss = task.loss(task.batches[count % len(task.batches)])
            (loss / each).backward()  # type: ignore[no-untyped-call]
            parts.append(loss.item())
            count += 1
        clip_grad_norm_(weights, limit)
        optimizer.step()
        losses.append(sum(parts) / each)
    return losses


@pytest.mark.parametrize("each", [1, 3])
@pytest.mark.parametrize("with_scaler", [False, True])
def test_clipping_once_an_update(each: int, with_scaler: bool) -> None:
    """Of the accumulated gradients, without the scale of a scaler."""
    task = Task()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10) if with_scaler else None
    norms: list[float] = []

    def clip() -> None:
        norms.append(float(clip_grad_norm_(task.weights, 0.25)))

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = task.loss(batch)
        part = loss / each
        (part if scaler is None else scaler.scale(part)).backward()  # type: ignore[no-untyped-call]
        return loss

    found = task.run(step=step, accumulate=each, before_update=clip, scaler=scaler)
    assert len(norms) == STEPS
    assert max(norms) > 0.25
    assert found.losses.tolist() == clipped_losses(Task(), found.learning_rates, each, 0.25)


def test_the_hook_is_called_before_the_update_and_after_the_gradients() -> None:
    task = Task()
    calls: list[str] = []
    task.optimizer.register_step_pre_hook(lambda *_: calls.append("update"))

    def step(batch: torch.Tensor) -> torch.Tensor:
        calls.append("step")
        return task.step(batch)

    task.run(steps=3, step=step, accumulate=2, before_update=lambda: calls.append("hook"))
    assert calls == ["step", "step", "hook", "update"] * 3


def test_an_update_that_a_scaler_skips_has_the_hook_again() -> None:
    task, hooks = Task(), []
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    found = task.run(
        step=scaled(task, scaler, infinite={2, 3}),
        scaler=scaler,
        before_update=lambda: hooks.append(1),
    )
    assert len(hooks) == STEPS + 2
    assert len(found.losses) == STEPS


def test_an_error_of_the_hook_restores_everything() -> None:
    task = Task()
    before = task.weights[0].detach().clone()

    def fail() -> None:
        if len(task.used) == 4:
            raise RuntimeError("no norm")

    with pytest.raises(RuntimeError, match="no norm"):
        task.run(before_update=fail)
    assert torch.equal(task.weights[0], before)


@settings(max_examples=50, derandomize=True)
@given(skipped=st.sets(st.integers(0, 40)), each=st.integers(1, 3))
def test_a_step_may_skip_a_batch(skipped: set[int], each: int) -> None:
    """The update has the batches that are left, and where none is left there is no update."""
    task = Task()
    losses: list[list[float]] = [[]]

    def step(batch: torch.Tensor) -> torch.Tensor | None:
        count = len(task.seen)
        if count % each == 0 and losses[-1]:
            losses.append([])
        if count in skipped:
            task.seen.append(None)
            return None
        loss = task.step(batch)
        losses[-1].append(loss.item())
        return loss

    found = task.run(step=step, accumulate=each)
    assert found.stopped == "finished"
    assert found.losses.tolist() == [sum(x) / len(x) for x in losses]
    assert [[rate] for rate in found.learning_rates] == task.used


def test_a_step_that_skips_everything_is_refused() -> None:
    task = Task()

    def step(batch: torch.Tensor) -> None:
        task.loss(batch)

    with pytest.raises(TypeError, match="step's loss must be a number for some batches"):
        task.run(step=step)


def test_the_log_has_each_update_once() -> None:
    task = Task()
    rows: list[Any] = []
    found = task.run(log=lambda values, step: rows.append((step, values)))
    assert [step for step, _ in rows] == list(range(STEPS))
    assert [x["learning_rate"] for _, x in rows] == found.learning_rates.tolist()
    assert [x["loss"] for _, x in rows] == found.losses.tolist()


def test_the_log_of_a_test_that_stops_and_is_refined() -> None:
    """The log has the losses that made it stop, and none of the probe."""
    task = Task()
    steps: list[int] = []
    ramp = lrsched.exponential_ramp(1e-3, 100.0, 49)
    found = task.run(
        ramp, 50, refine=True, probe_steps=3, log=lambda values, step: steps.append(step)
    )
    assert found.stopped == "diverged"
    assert steps == list(range(len(found.losses)))


def test_low_and_high() -> None:
    task = Task()
    found = task.run(None, low=1e-4, high=0.1, max_steps=STEPS, divergence=None)
    assert found.schedule == lrsched.exponential_ramp(1e-4, 0.1, STEPS - 1)
    assert found.learning_rates[[0, -1]].tolist() == pytest.approx([1e-4, 0.1], rel=1e-12)
    found = task.run(None, high=0.1, max_steps=STEPS)
    assert found.schedule == lrsched.exponential_ramp(1e-7, 0.1, STEPS - 1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"low": 0.0}, ValueError, "low must be a number > 0, or None, got 0.0"),
        ({"high": "1"}, TypeError, "high must be a number > 0"),
        ({"low": 1.0, "high": 0.1}, ValueError, r"low must be below high \(0.1\), got 1.0"),
        (
            {"schedule": RAMP, "high": 0.1},
            ValueError,
            "high must be None with a schedule, which has its own rates, got 0.1",
        ),
        ({"before_update": 1.0}, TypeError, "before_update must be a function without arguments"),
        ({"log": "wandb"}, TypeError, r"log must be a function log\(values, step\), or None"),
    ],
)
def test_wrong_options(options: Any, error: Any, message: str) -> None:
    task = Task()
    with pytest.raises(error, match=f"range_test: {message}"):
        task.run(options.pop("schedule", None), **options)
    assert task.used == []
