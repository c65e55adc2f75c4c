"""`from_torch` of torch's schedulers after a checkpoint."""

import pickle
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingWarmRestarts,
    MultiStepLR,
    OneCycleLR,
    StepLR,
)
from torch.optim.swa_utils import SWALR

from lrsched_torch import from_torch
from tests.torch.torch_schedulers import (
    Make,
    befores,
    check,
    groups,
    nested,
    one_cycles,
    refusing,
    sgd,
    step,
    stepped,
)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # torch's own, nested
@settings(max_examples=300)
@given(lrs=groups, make=nested(1) | one_cycles(), before=befores, whole=st.booleans())
def test_goes_on_after_a_checkpoint(lrs: list[float], make: Make, before: int, whole: bool) -> None:
    """With or without the optimizer's own state: without it, torch goes on from its first lr."""
    if isinstance(scheduler := stepped(make, 0, *lrs), OneCycleLR):
        before = min(before, scheduler.total_steps - 2)
    scheduler = stepped(make, before, *lrs)
    saved = pickle.dumps((scheduler.state_dict(), scheduler.optimizer.state_dict()))
    resumed = make(sgd(*lrs))
    state, of_optimizer = pickle.loads(saved)
    resumed.load_state_dict(state)
    if whole:
        resumed.optimizer.load_state_dict(of_optimizer)
    with refusing("is no product", "begins at its count 0", "the lr must be"):
        from_torch(resumed)
    if isinstance(resumed, OneCycleLR):
        check(resumed, resumed.total_steps - before - 1)
    else:
        check(resumed, lost=1e-10)


@pytest.mark.parametrize("count", [5, 10, 20])
def test_a_resumption_that_decays_twice_goes_on_from_there(count: int) -> None:
    """pytorch#102261: the factor of a boundary is already in the lr that was loaded."""
    for make in (
        lambda o, last=-1: StepLR(o, 10, 0.1, last),
        lambda o, last=-1: MultiStepLR(o, [10, 20, 30], 0.1, last),
        lambda o, last=-1: ConstantLR(o, 0.5, 10, last),
    ):
        first = make(sgd(1.0))
        step(first, count)
        optimizer = sgd(1.0)
        optimizer.load_state_dict(first.optimizer.state_dict())
        check(make(optimizer, count - 1))


@pytest.mark.parametrize("last_epoch", [4, 9, 30, 35])
@pytest.mark.parametrize("mult", [1, 2])
def test_a_resumption_that_misses_a_cycle_goes_on_from_there(last_epoch: int, mult: int) -> None:
    """Made with a late `last_epoch`, torch's restarts have the length of the second cycle."""
    needs("torch", "torch>=2.10")  # before it, they are computed in another way
    optimizer = sgd(1.0)
    optimizer.param_groups[0]["initial_lr"] = 1.0
    scheduler = CosineAnnealingWarmRestarts(optimizer, 10, mult, last_epoch=last_epoch)
    check(scheduler, 150)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_swa_counts_its_calls_not_its_steps(strategy: Any) -> None:
    optimizer = sgd(1.0)
    optimizer.param_groups[0]["initial_lr"] = 0.7
    check(SWALR(optimizer, 0.1, 20, strategy, last_epoch=8))
