"""`diff` of torch's schedulers, which are left as they were."""

import copy
from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

import lrsched
from lrsched.diff import diff
from tests.strategies import schedules

COSINE = lrsched.cosine_decay(0.1, 90, 0.01)


def optimizer(lr: float = 0.1) -> torch.optim.Optimizer:
    weights = torch.nn.Parameter(torch.ones(3))
    made = torch.optim.Adam([weights], lr=lr)
    weights.sum().backward()  # type: ignore[no-untyped-call]
    made.step()
    return made


TORCH: dict[str, Callable[[Any], Any]] = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lrsched.cyclic(0.1, 1.0, 5)),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 20),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, 5, cycle_momentum=False),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, 60),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o), lr_scheduler.StepLR(o, 3)], [8]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o), lr_scheduler.StepLR(o, 3)]
    ),
}


@given(schedules, st.integers(1, 50))
def test_a_schedule_is_the_same_as_a_tensor_of_its_values(schedule: Any, steps: int) -> None:
    curve = [schedule(count) for count in range(steps)]
    found = diff(schedule, torch.tensor(curve), steps, rtol=1e-6, atol=1e-30)
    assert found.same, str(found)
    assert (found.first, found.number) == (None, 0)


def test_a_schedule_whose_rate_is_learned() -> None:
    rate = torch.tensor(0.1, requires_grad=True)
    assert diff(lrsched.constant(rate), [0.1, 0.1], 2).same


@pytest.mark.parametrize("name", TORCH)
def test_a_torch_scheduler_is_compared_and_not_advanced(name: str) -> None:
    made = optimizer()
    scheduler = TORCH[name](made)
    state = copy.deepcopy((made.state_dict(), scheduler.state_dict()))
    parameters = made.param_groups[0]["params"][0].clone()
    found = diff(scheduler, [0.0] * 20, 20)
    after = made.state_dict(), scheduler.state_dict()
    assert str(after) == str(state)
    assert torch.equal(made.param_groups[0]["params"][0], parameters)
    rates = []
    for _ in range(20):
        rates.append(made.param_groups[0]["lr"])
        made.step()
        scheduler.step()
    assert found.a.tolist() == rates


def test_a_torch_scheduler_against_a_schedule() -> None:
    made = optimizer()
    scheduler = lr_scheduler.CosineAnnealingLR(made, 90, eta_min=0.01)
    assert diff(scheduler, COSINE, 91).same
    climbs = diff(scheduler, COSINE, 120)
    assert climbs.first == 91
    made.step()
    scheduler.step()
    assert diff(scheduler, COSINE, 80).shift == -1
    scaled = lr_scheduler.LambdaLR(optimizer(0.5), COSINE)
    assert diff(scaled, COSINE, 90).factor == pytest.approx(0.5)


def test_a_torch_schedulers_moments_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = lr_scheduler.StepLR(optimizer(), 3)

    def forbidden(*args: Any) -> None:
        raise AssertionError("a tensor was copied")

    monkeypatch.setattr(torch.Tensor, "__deepcopy__", forbidden)
    assert diff(scheduler, lrsched.step_decay(0.1, 0.1, 3), 9).same


def test_a_torch_scheduler_at_its_end() -> None:
    scheduler = lr_scheduler.OneCycleLR(optimizer(), 0.1, 5)
    with pytest.raises(ValueError, match="diff: a at step 6 must not raise, got ValueError: Tried"):
        diff(scheduler, COSINE, 50)


def test_a_scheduler_that_needs_a_metric_is_refused() -> None:
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer())
    with pytest.raises(TypeError, match="diff: a must be a scheduler that needs no metric, got <"):
        diff(plateau, COSINE, 5)
