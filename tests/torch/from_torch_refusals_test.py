"""Schedulers that `from_torch` refuses, as there is no schedule equal to them."""

from typing import Any

from tests.optional import needing, needs

needs("torch")

import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

import lrsched
from lrsched.controllers import reduce_on_plateau
from lrsched_torch import ControlledLR, from_torch
from tests.torch.torch_schedulers import sgd, step


class Mine(StepLR):
    def get_lr(self) -> list[Any]:
        return [1.0]


class Logged(StepLR):
    def log(self) -> str:
        return "stepping"


class Other(LRScheduler):
    def get_lr(self) -> list[Any]:
        return [1.0] * len(self.optimizer.param_groups)


def grown(optimizer: Optimizer) -> LRScheduler:
    scheduler = StepLR(optimizer, 5)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    return scheduler


def at_its_trough(optimizer: Optimizer) -> LRScheduler:
    scheduler = CosineAnnealingLR(optimizer, 5)
    step(scheduler, 5)
    optimizer.param_groups[0]["lr"] = 0.2
    return scheduler


def test_a_subclass_with_other_methods_is_known() -> None:
    assert from_torch(Logged(sgd(0.1), 5)) == lrsched.step_decay(0.1, 0.1, 5)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda o: None, TypeError, "from_torch: scheduler must be a torch scheduler, got None"),
        (ReduceLROnPlateau, TypeError, "one that follows a metric is ControlledLR(optimizer, "),
        (lambda o: ControlledLR(o, reduce_on_plateau(0.1)), TypeError, "follows a metric"),
        (lambda o: LambdaLR(o, lambda n: 1.0), TypeError, "no other function has a closed form"),
        (lambda o: MultiplicativeLR(o, lambda n: 0.9), TypeError, "than MultiplicativeLR"),
        (
            lambda o: CyclicLR(o, 0.1, 1.0, scale_fn=lambda n: 1.0),
            TypeError,
            "from_torch: scale_fn must be None (a function has no closed form), got <function",
        ),
        (
            lambda o: CosineAnnealingLR(o, 7.5),  # type: ignore[arg-type]
            TypeError,
            "from_torch: T_max must be an integer >= 1 (steps), got 7.5",
        ),
        (lambda o: CyclicLR(o, 0.1, 1.0, 2.5, 1.5), TypeError, "step_size_up must be"),  # type: ignore[arg-type]
        (lambda o: MultiStepLR(o, [2.5]), TypeError, "milestones must be"),  # type: ignore[list-item]
        (lambda o: StepLR(o, -3), ValueError, "step_size must be an integer >= 1"),
        (lambda o: StepLR(o, 3, -0.1), ValueError, "decay_rate must be a number >= 0, got -0.1"),
        (lambda o: Mine(o, 5), TypeError, "must be a StepLR that does not override get_lr, got <"),
        (Other, TypeError, "from_torch: scheduler must be one of torch's own schedulers, got <"),
        (grown, ValueError, "param_groups must be the 1 that the scheduler was made for, got 2"),
        (at_its_trough, ValueError, "the lr must be 0.0, the scheduler's own at its lowest, got"),
        (
            lambda o: SequentialLR(o, [StepLR(o, 3), StepLR(o, 3)], [4])._schedulers[1],
            ValueError,
            "last_epoch must be an integer >= 0 (steps), got -1",
        ),
        (
            lambda o: SequentialLR(o, [StepLR(o, 3)] * 3, [8, 4]),
            ValueError,
            "milestones must be ascending (torch skips what is not), got [8, 4]",
        ),
        needing(
            "torch>=2.6",
            lambda o: SequentialLR(o, [StepLR(o, 3), ChainedScheduler([StepLR(o, 3)])], [4]),
            ValueError,
            "schedulers must be no ChainedScheduler but the first (torch cannot begin it later)",
        ),
        (
            lambda o: SequentialLR(o, [StepLR(o, 3), LinearLR(o, total_iters=0)], [4]),
            ValueError,
            "schedulers must be a LinearLR that begins at its count 0",
        ),
        (
            lambda o: ChainedScheduler([CosineAnnealingLR(o, 5, 0.01), StepLR(o, 3)]),
            ValueError,
            "a ChainedScheduler's members must be factors, or one scheduler at work",
        ),
        (
            lambda o: ChainedScheduler([CyclicLR(o, 0.1, 0.2), ExponentialLR(o, 0.9)]),
            ValueError,
            "this is no product",
        ),
    ],
)
def test_what_cannot_be_known_is_refused(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as refused:
        from_torch(make(sgd(0.1)))
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("make", "key", "text"),
    [
        (lambda o: StepLR(o, 3), "momentum", "key must be 'lr' for what cycles no momentum"),
        (lambda o: CyclicLR(o, 0.1, 0.2, cycle_momentum=False), "momentum", "no momentum"),
        (lambda o: CyclicLR(o, 0.1, 0.2), "betas", "key must be 'momentum', got 'betas'"),
        (lambda o: CyclicLR(o, 0.1, 0.2), "mass", "key must be 'lr', 'momentum' or 'betas'"),
    ],
)
def test_a_momentum_that_is_not_cycled_is_refused(make: Any, key: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        from_torch(make(sgd(0.1)), key=key)
