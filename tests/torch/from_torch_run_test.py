"""What `from_torch` makes of a torch scheduler for a run of a known length."""

from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given, settings
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    SequentialLR,
)

import lrsched
from lrsched import Schedule
from lrsched_torch import from_torch
from tests.torch.torch_schedulers import nested, refusing, sgd, stepped

Make = Callable[[torch.optim.Optimizer], LRScheduler]


def recipe(*parts: Make, milestones: list[int] | None = None) -> Make:
    if milestones is None:
        return parts[0]
    return lambda o: SequentialLR(o, [make(o) for make in parts], milestones)


LINE: Make = lambda o: LinearLR(o, 0.25, 1.0, 10)  # noqa: E731
COSINE: Make = lambda o: CosineAnnealingLR(o, 90, eta_min=0.01)  # noqa: E731
LEVEL: Make = lambda o: ConstantLR(o, 1.0, 1)  # noqa: E731
MEMBERS = "a ChainedScheduler's members must be"
DECAY = lrsched.cosine_decay(0.5, 90, 0.01)


@pytest.mark.parametrize(
    ("make", "total", "wanted"),
    [
        (recipe(COSINE), 90, DECAY),
        (recipe(COSINE), 50, DECAY),
        (recipe(COSINE), 91, lrsched.cyclic(0.5, 0.01, 90, shape="cosine")),
        (recipe(LINE, COSINE, milestones=[10]), 100, lrsched.warmup(DECAY, 10, 0.125)),
        (
            recipe(LINE, LEVEL, COSINE, milestones=[10, 30]),
            120,
            lrsched.warmup(lrsched.join([lrsched.constant(0.5), DECAY], [20]), 10, 0.125),
        ),
        (recipe(LINE, COSINE, milestones=[10]), 10, lrsched.linear(0.125, 0.5, 10)),
    ],
)
def test_a_run_that_ends_with_the_cosine(make: Make, total: int, wanted: Schedule) -> None:
    assert from_torch(make(sgd(0.5)), total_steps=total) == wanted


@pytest.mark.filterwarnings("ignore:Detected call of .lr_scheduler.step:UserWarning")
@settings(max_examples=100)
@given(nested(2))
def test_the_values_up_to_the_end_are_those_of_the_scheduler(make: Any) -> None:
    for total in (1, 7, 30, 100):
        with refusing("is no product", "begins at its count 0", "the lr must be", MEMBERS):
            whole = from_torch(stepped(make, 0, 0.5))
        found = from_torch(stepped(make, 0, 0.5), total_steps=total)
        assert isinstance(whole, Schedule)
        assert isinstance(found, Schedule)
        for count in range(total):
            assert found(count) == pytest.approx(whole(count), rel=1e-12, abs=1e-15)


def test_a_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="from_torch: total_steps must be an integer >= 1"):
        from_torch(COSINE(sgd(0.5)), total_steps=0)
