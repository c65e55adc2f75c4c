"""What the range test in torch refuses, and that it does so before anything is touched."""

from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from torch import nn

import lrsched
from lrsched_torch import range_test
from tests.torch.range_test_task import RAMP, STEPS, Task


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"step": 3}, TypeError, "step must be a function from a batch to its loss, got 3"),
        ({"optimizer": None}, TypeError, "optimizer must be a torch optimizer, got None"),
        ({"batches": 3}, TypeError, "batches must be an iterable of batches, got 3"),
        ({"steps": 0}, ValueError, r"steps must be an integer >= 1 \(updates\), got 0"),
        ({"steps": 2.0}, TypeError, r"steps must be an integer >= 1 \(updates\), got 2.0"),
        ({"accumulate": 0}, ValueError, r"accumulate must be an integer >= 1 \(batches\), got 0"),
        (
            {"max_steps": STEPS - 1},
            ValueError,
            rf"max_steps must be at least steps \({STEPS}\), or None, got {STEPS - 1}",
        ),
        ({"max_steps": 0}, ValueError, r"max_steps must be an integer >= 1 \(updates\), or None"),
        ({"max_steps": 99.5}, TypeError, r"max_steps must be an integer >= 1 \(updates\), or None"),
        ({"max_steps": True}, TypeError, r"max_steps must be an integer >= 1 \(updates\), or None"),
        (
            {"probe_steps": 0},
            ValueError,
            r"probe_steps must be an integer >= 1 \(updates\), or Non",
        ),
        ({"probe_steps": 9.0}, TypeError, r"probe_steps must be an integer >= 1 \(updates\), or N"),
        ({"probe_repeats": None}, TypeError, r"probe_repeats must be an integer >= 1 \(runs\)"),
        (
            {"probe_repeats": 0},
            ValueError,
            r"probe_repeats must be an integer >= 1 \(runs\), got 0",
        ),
        ({"every": 0}, ValueError, r"every must be an integer >= 1 \(updates\), got 0"),
        ({"divergence": 1}, ValueError, "divergence must be a number > 1, or None, got 1"),
        ({"memory": "gpu"}, ValueError, "memory must be 'device' or 'cpu' or 'disk', got 'gpu'"),
        ({"refine": 1}, TypeError, "refine must be True or False, got 1"),
        ({"metrics": {}}, TypeError, "metrics must be a function .* got {}"),
        ({"schedule": 0.1}, TypeError, "schedule must be a schedule of plain numbers, or a list"),
        ({"schedule": [RAMP]}, ValueError, "schedule must be a list of 2, one for each"),
        ({"schedule": [RAMP, 3]}, TypeError, "schedule must be a schedule of plain numbers"),
        ({"schedule": lrsched.linear(0.1, -0.1, 9)}, ValueError, "schedule must be one of rates"),
        ({"schedule": [RAMP] * 2, "refine": True}, ValueError, "refine must be False with a list"),
        (
            {"schedule": [RAMP] * 2, "max_steps": 900},
            ValueError,
            r"max_steps must be steps \(\d+\) with a list of schedules, or None, got 900",
        ),
        ({"modules": 3}, TypeError, "modules must be a module, several, or None, got 3"),
        ({"modules": [3]}, TypeError, r"modules must be a module, several, or None, got \[3\]"),
        ({"restore": [3]}, TypeError, "restore must be modules, optimizers, generators, or"),
        (
            {"distributed": True},
            ValueError,
            "distributed must be None or False where torch.distributed is not .*, got True",
        ),
        ({"distributed": 3}, TypeError, "distributed must be True, False, None or a process g"),
        ({"closure": True, "scaler": object()}, ValueError, "scaler must be None with a closure"),
    ],
)
def test_a_refusal_comes_before_anything_is_touched(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    task = Task(0.1, 0.2)
    given = {"step": task.step, "optimizer": task.optimizer, "batches": task.batches}
    with pytest.raises(error, match=f"^range_test: {message}"):
        range_test(**{**given, "schedule": RAMP, "steps": STEPS, **arguments})
    assert task.seen == task.used == []
    assert [group["lr"] for group in task.optimizer.param_groups] == [0.1, 0.2]


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf"), None])
def test_ratios_to_nothing(bad: Any) -> None:
    task = Task(0.1, 0.2)
    task.optimizer.param_groups[0]["lr"] = bad
    with pytest.raises(ValueError, match="lr of param group 0 must be a number >= 0 with keep_ra"):
        task.run()
    assert task.run(keep_ratios=False).stopped == "finished"


def test_a_schedule_that_is_not_resolved() -> None:
    with pytest.raises(ValueError, match=r"resolve it with schedule.resolve\(total_steps=...\)"):
        Task().run(lrsched.cosine_decay(0.1, lrsched.run_fraction(1.0)))


def test_parameters_that_are_not_there_yet() -> None:
    model = nn.LazyLinear(3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="one of initialised parameters"):
        range_test(model, optimizer, [torch.ones(2)])


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (
            lambda loss: loss.expand(3, 2),
            ValueError,
            r"shape of step's loss must be \(\).*\(3, 2\)",
        ),
        (lambda loss: None, TypeError, "step's loss must be a number where there are gradients"),
        (lambda loss: loss + 1j, TypeError, "step's loss must be a real tensor of one number"),
        (lambda loss: "low", TypeError, "step's loss must be a real tensor of one number"),
    ],
)
def test_a_step_without_a_loss(returned: Any, error: Any, message: str) -> None:
    task = Task()
    with pytest.raises(error, match=f"range_test: .*{message}"):
        task.run(step=lambda batch: returned(task.step(batch)))
    assert task.used == []


def test_a_step_without_gradients() -> None:
    task = Task()
    with pytest.raises(ValueError, match=r"step must be a function that leaves gradients"):
        task.run(step=lambda batch: task.loss(batch))
