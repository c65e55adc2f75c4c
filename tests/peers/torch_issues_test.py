"""Where torch's schedulers go wrong or surprise, and what the same recipe gives here.

Each test shows what the installed torch does and fails when that changes: then it can go. Issues of
one schedule stand in `tests/schedules/`.
"""

import dataclasses
import math
import pickle
from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    StepLR,
)

import lrsched
from lrsched import Schedule
from tests.stepping import Make, Resume, advance, lr_of, reloaded, resumed, sgd, stepped


@dataclasses.dataclass(frozen=True)
class Decay:
    rate: float

    def __call__(self, count: int) -> float:
        return self.rate**count


@dataclasses.dataclass(frozen=True, slots=True)
class SlottedDecay:
    rate: float

    def __call__(self, count: int) -> float:
        return self.rate**count


def test_pytorch_lambda_lr_replaces_a_frozen_schedule_by_the_checkpoint() -> None:
    """The state holds the callable's `__dict__`, so loading undoes an edited recipe in silence."""
    lambda_lr = needs("lrsched_torch").lambda_lr
    written = LambdaLR(sgd(), Decay(0.9)).state_dict()
    edited = Decay(0.5)
    LambdaLR(sgd(), edited).load_state_dict(written)
    assert edited == Decay(0.9)

    ours = lrsched.exponential_decay(1.0, 0.5)
    written = LambdaLR(sgd(), lrsched.exponential_decay(1.0, 0.9)).state_dict()
    LambdaLR(sgd(), ours).load_state_dict(written)
    assert ours == lrsched.exponential_decay(1.0, 0.5)

    optimizer = sgd()
    scheduler = lambda_lr(optimizer, ours)
    written = lambda_lr(sgd(), lrsched.exponential_decay(1.0, 0.9)).state_dict()
    with pytest.warns(UserWarning, match="the schedule in the code is kept"):
        scheduler.load_state_dict(written)
    assert advance(optimizer, scheduler, 2) == [1.0, 0.5]


@pytest.mark.parametrize("factor", [SlottedDecay(0.9), math.cos], ids=["slots", "builtin"])
def test_pytorch_lambda_lr_has_no_state_of_a_callable_without_a_dict(factor: Any) -> None:
    with pytest.raises(AttributeError, match="__dict__"):
        LambdaLR(sgd(), factor).state_dict()
    schedule = lrsched.exponential_decay(1.0, 0.9)
    assert reloaded(LambdaLR(sgd(), schedule).state_dict())["lr_lambdas"] == [{}]


def test_lightly_1902_numpy_rates_break_the_checkpoint() -> None:
    """A factor in NumPy makes the lr a NumPy scalar, which is no plain data; ours are floats."""

    def checkpoint(factor: Callable[[int], float]) -> Any:
        optimizer = sgd()
        LambdaLR(optimizer, factor)
        return reloaded(optimizer.state_dict())

    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        checkpoint(lambda count: np.float64(0.9) ** count)
    ours = lrsched.exponential_decay(np.float64(1.0), np.float64(0.9))
    assert type(ours(3)) is float
    assert checkpoint(ours)["param_groups"][0]["lr"] == 1.0


def test_lightly_1352_lambda_lr_multiplies_by_the_rate() -> None:
    """A rate taken for a factor is applied twice; `lambda_lr` takes rates."""
    lambda_lr = needs("lrsched_torch").lambda_lr
    schedule = lrsched.constant(0.1)
    assert stepped(lambda o: LambdaLR(o, schedule), 1, lr=0.1) == pytest.approx([0.01])
    assert stepped(lambda o: lambda_lr(o, schedule), 1, lr=0.1) == [0.1]


def test_pytorch_lambda_lr_breaks_on_a_new_param_group() -> None:
    """It has as many factors as there were groups at its making."""
    lambda_lr = needs("lrsched_torch").lambda_lr

    def grown(make: Make) -> list[float]:
        optimizer = sgd()
        scheduler = make(optimizer)
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1})
        optimizer.step()
        scheduler.step()
        return [group["lr"] for group in optimizer.param_groups]

    with pytest.raises(ValueError, match="zip"):
        grown(lambda o: LambdaLR(o, lrsched.exponential_decay(1.0, 0.5)))
    assert grown(lambda o: lambda_lr(o, lrsched.exponential_decay(1.0, 0.5))) == [0.5, 0.05]


def test_pytorch_119168_making_a_scheduler_changes_a_restored_optimizer() -> None:
    """Made after the optimizer is loaded, it warms up from the loaded rate (also #65342)."""
    lambda_lr = needs("lrsched_torch").lambda_lr

    def resumed(make: Make) -> list[float]:
        optimizer = sgd()
        scheduler = make(optimizer)
        advance(optimizer, scheduler, 5)
        states = optimizer.state_dict(), scheduler.state_dict()
        again = sgd()
        again.load_state_dict(states[0])
        scheduler = make(again)
        scheduler.load_state_dict(states[1])
        return [lr_of(optimizer), lr_of(again)]

    theirs = resumed(lambda o: LinearLR(o, 0.1, 1.0, 10))
    assert theirs == pytest.approx([0.55, 0.055])
    ours = resumed(lambda o: lambda_lr(o, lrsched.linear(0.1, 1.0, 10)))
    assert ours == pytest.approx([0.55, 0.55], rel=1e-15)


@pytest.mark.parametrize(
    ("make", "schedule", "wrong"),
    [
        (lambda o, last: StepLR(o, 10, 0.1, last), lrsched.step_decay(1.0, 0.1, 10), 0.01),
        (
            lambda o, last: MultiStepLR(o, [10], 0.1, last),
            lrsched.multi_step_decay(1.0, 0.1, [10]),
            0.01,
        ),
        (
            lambda o, last: ConstantLR(o, 0.5, 10, last),
            lrsched.piecewise_constant([0.5, 1.0], [10]),
            2.0,
        ),
    ],
)
def test_resuming_at_a_boundary_acts_twice(make: Resume, schedule: Schedule, wrong: float) -> None:
    """pytorch#102261, not mended in these: the factor is already in the lr that was loaded."""
    assert resumed(make, 10, lr=schedule(10), initial_lr=1.0) == pytest.approx(wrong)
    assert schedule(10) == stepped(lambda o: make(o, -1), steps=11)[10]


@pytest.mark.parametrize(("eta_min", "at_4"), [(0.0, 0.6545084972), (0.1, 0.6997049523)])
def test_chained_scheduler_is_no_product(eta_min: float, at_4: float) -> None:
    """Each member works on what it finds (pytorch#129565), a product only where the floor is 0."""
    lrs = stepped(
        lambda o: ChainedScheduler([LinearLR(o, 0.1, 1.0, 4), CosineAnnealingLR(o, 10, eta_min)]),
        steps=5,
    )
    assert lrs[4] == pytest.approx(at_4)
    product = lrsched.linear(0.1, 1.0, 4) * lrsched.cosine_decay(1.0, 10, eta_min)
    exact = eta_min + (1.0 - eta_min) * math.cos(math.pi / 2 * 0.4) ** 2
    assert product(4) == pytest.approx(exact, rel=1e-15)
    assert (lrs[4] == pytest.approx(exact)) is (eta_min == 0.0)
