"""`from_torch`: torch's own schedulers, wherever they stand, stepped on beside the schedule."""

from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import assume, given, settings
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)
from torch.optim.swa_utils import SWALR

import lrsched
from lrsched import Schedule
from lrsched_torch import from_torch, lambda_lr
from tests.torch.torch_schedulers import (
    AFTER_A_TROUGH,
    LR,
    STEPS,
    Make,
    befores,
    check,
    count_of,
    groups,
    lrs_of,
    nested,
    one_cycles,
    rates,
    refusing,
    sgd,
    single,
    step,
    stepped,
)


@settings(max_examples=500)
@given(lrs=groups, make=single, before=befores)
def test_goes_on_as_torch_does(lrs: list[float], make: Make, before: int) -> None:
    scheduler = make(sgd(*lrs))
    step(scheduler, before)
    check(scheduler, lost=AFTER_A_TROUGH if type(scheduler) is CosineAnnealingLR else 1e-12)


@settings(max_examples=200)
@given(make=one_cycles(), before=befores)
def test_one_cycle_up_to_its_last_update(make: Make, before: int) -> None:
    scheduler: Any = make(sgd(1.0, 0.1))
    assume(before < scheduler.total_steps)
    step(scheduler, before)
    found = from_torch(scheduler)
    for count in range(before, scheduler.total_steps):
        expected = pytest.approx(lrs_of(scheduler.optimizer)[1], rel=1e-12)
        assert isinstance(found, Schedule)
        assert found(count) == expected
        if count < scheduler.total_steps - 1:  # then torch leaves the curve, or divides by 0
            step(scheduler)


@settings(max_examples=500)
@given(lrs=groups, make=single, before=befores, edit=rates)
def test_goes_on_from_a_changed_lr(lrs: list[float], make: Make, before: int, edit: float) -> None:
    """What is in `initial_lr` no longer tells it. A part of 1e-9 counts as rounding."""
    scheduler = make(sgd(*lrs))
    step(scheduler, before)
    assume(all(abs(lr - edit) > 1e-8 * edit for lr in lrs_of(scheduler.optimizer)))
    for group in scheduler.optimizer.param_groups:
        group["lr"] = edit
    with refusing("from_torch: the lr must be"):
        found = from_torch(scheduler)
    # Just before its end, an anneal tells little of its beginning: torch and this divide by that.
    check(scheduler, lost=1e-10)
    for schedule in found if isinstance(found, list) else [found]:
        assert schedule(count_of(scheduler) - STEPS) == pytest.approx(edit, rel=1e-10)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # torch's own, nested
@settings(max_examples=500)
@given(lrs=groups, make=nested(2), before=befores)
def test_nested_ones_go_on_as_torch_does(lrs: list[float], make: Make, before: int) -> None:
    """Wherever there is an equal schedule, torch's own quirks in nesting included."""
    scheduler = stepped(make, before, *lrs)
    with refusing("is no product", "begins at its count 0", "the lr must be"):
        from_torch(scheduler)
    check(scheduler, lost=1e-10)


def test_lambda_lr_and_optax_go_on_from_here() -> None:
    optax, jnp = needs("optax"), needs("jax.numpy")
    scheduler = SequentialLR(
        optimizer := sgd(0.1),
        [LinearLR(optimizer, 0.25, 1.0, 10), CosineAnnealingLR(optimizer, 40)],
        [10],
    )
    step(scheduler, 17)
    recipe = from_torch(scheduler)
    assert isinstance(recipe, Schedule)
    ours = lambda_lr(sgd(9.0), recipe, last_step=scheduler.last_epoch - 1)
    transformation = optax.sgd(recipe)
    state = transformation.init(jnp.zeros(()))
    for _ in range(17):
        _, state = transformation.update(jnp.ones(()), state)
    for _ in range(30):
        lr = optimizer.param_groups[0]["lr"]
        update, state = transformation.update(jnp.ones(()), state)
        assert lrs_of(ours.optimizer) == pytest.approx([lr], rel=1e-12)
        assert -float(update) == pytest.approx(lr, rel=1e-6)
        step(scheduler)
        step(ours)


fall = lrsched.exponential_decay(0.5, 0.9)


@pytest.mark.parametrize("times", [0, 7])
@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda o: StepLR(o, 5), lrsched.step_decay(LR, 0.1, 5)),
        (lambda o: MultiStepLR(o, [9, 3]), lrsched.multi_step_decay(LR, 0.1, [3, 9])),
        (lambda o: ConstantLR(o, 0.5, 5), lrsched.piecewise_constant([0.05, LR], [5])),
        (lambda o: ConstantLR(o, 1.0, 5), lrsched.constant(LR)),
        (lambda o: LinearLR(o, 0.5, 0.1, 5), lrsched.linear(0.05, 0.1 * LR, 5)),
        (lambda o: ExponentialLR(o, 0.9), lrsched.exponential_decay(LR, 0.9)),
        (lambda o: PolynomialLR(o, 9, 2), lrsched.polynomial(LR, 0.0, 9, 2)),
        (lambda o: CosineAnnealingLR(o, 9), lrsched.cyclic(LR, 0.0, 9, shape="cosine")),
        (lambda o: CosineAnnealingWarmRestarts(o, 2, 3), lrsched.cosine_restarts(LR, 2, 3)),
        (lambda o: CyclicLR(o, 0.1, 0.2, 3, 8), lrsched.cyclic(0.1, 0.2, 3, 8)),
        (lambda o: OneCycleLR(o, 0.2, 30), lrsched.one_cycle(0.2, 30)),
        (lambda o: LambdaLR(o, fall), fall * LR),
        (lambda o: lambda_lr(o, fall), fall),
        (lambda o: SWALR(o, 0.05, 20), lrsched.anneal(LR, 0.05, 20, "cosine")),
        (lambda o: ChainedScheduler([ExponentialLR(o, 0.9)]), lrsched.exponential_decay(LR, 0.9)),
        (
            lambda o: ChainedScheduler([StepLR(o, 3), CosineAnnealingWarmRestarts(o, 4)]),
            lrsched.cosine_restarts(LR, 4),  # it overwrites what came before it
        ),
        (
            lambda o: SequentialLR(o, [ExponentialLR(o, 0.9), SWALR(o, 0.05, 20)], [3]),
            None,  # SWALR anneals from the lr that it meets
        ),
        (
            lambda o: SequentialLR(o, [ConstantLR(o, 0.5, 9), StepLR(o, 4)], [5]),
            lrsched.join(
                [lrsched.piecewise_constant([0.05, LR], [9]), lrsched.step_decay(LR, 0.1, 4)], [5]
            ),
        ),
        (
            lambda o: ChainedScheduler([LinearLR(o, 0.5, 1.0, 5), ExponentialLR(o, 0.9)]),
            lrsched.linear(0.05, LR, 5) * lrsched.exponential_decay(1.0, 0.9),
        ),
    ],
)
def test_the_recipe_is_the_one_that_a_person_would_write(
    make: Make, times: int, wanted: Schedule | None
) -> None:
    found = check(stepped(make, times), 22)
    assert wanted is None or found == wanted


def test_groups_that_agree_share_a_schedule() -> None:
    assert from_torch(stepped(lambda o: StepLR(o, 5), 0, 0.1, 0.1)) == lrsched.step_decay(
        0.1, 0.1, 5
    )
    found = from_torch(stepped(lambda o: StepLR(o, 5), 0, 0.1, 0.2))
    assert found == [lrsched.step_decay(lr, 0.1, 5) for lr in (0.1, 0.2)]
    assert check(stepped(lambda o: lambda_lr(o, fall, reference_group=0), 3, 0.1, 0.4))[0] == fall
    assert check(stepped(lambda o: lambda_lr(o, fall), 3, 0.1, 0.4))[1] == fall
    assert check(stepped(lambda o: lambda_lr(o, [fall, 2 * fall]), 3, 0.1, 0.4))[0] == fall


def test_a_float32_tensor_rounds_more() -> None:
    scheduler = ExponentialLR(sgd(torch.tensor(0.1)), 0.9)
    step(scheduler, 30)
    found = from_torch(scheduler)
    assert found == lrsched.exponential_decay(float(torch.tensor(0.1)), 0.9)


def test_a_sequence_with_a_one_cycle_begins_as_torch_does() -> None:
    """It overwrites `initial_lr`, from which torch then begins the other."""
    optimizer = sgd(0.1)
    members = [LinearLR(optimizer, 0.5, 1.0, 5), OneCycleLR(optimizer, 1.0, 40)]
    scheduler = SequentialLR(optimizer, members, [5])
    assert lrs_of(optimizer) == [pytest.approx(0.5 / 25)]
    check(scheduler, 44)


def test_an_initial_lr_of_before_stays_for_a_step() -> None:
    """CyclicLR's first lr is that of the scheduler before it (pytorch#21965)."""
    optimizer = sgd(0.5)
    ExponentialLR(optimizer, 0.9)
    scheduler = CyclicLR(optimizer, 0.1, 0.2, 5)
    assert lrs_of(optimizer) == [0.5]
    check(scheduler)


@pytest.mark.parametrize("times", [0, 4, 12])
@pytest.mark.parametrize(
    "make",
    [
        lambda o: CyclicLR(o, 0.1, 0.2, 5, mode="triangular2"),
        lambda o: OneCycleLR(o, 0.2, 40),
        lambda o: OneCycleLR(o, 0.2, 40, three_phase=True, anneal_strategy="linear"),
    ],
)
def test_the_momentum_that_is_cycled(make: Make, times: int) -> None:
    weights = [torch.nn.Parameter(torch.zeros(1))]
    both: list[tuple[Optimizer, Any, Callable[[dict[str, Any]], float]]] = [
        (torch.optim.SGD(weights, lr=0.1, momentum=0.5), "momentum", lambda g: g["momentum"]),
        (torch.optim.Adam(weights, lr=0.1), "betas", lambda g: g["betas"][0]),
    ]
    for optimizer, key, value in both:
        scheduler = make(optimizer)
        step(scheduler, times)
        found = from_torch(scheduler, key=key)
        assert isinstance(found, Schedule)
        for count in range(times, 39):
            assert found(count) == pytest.approx(value(optimizer.param_groups[0]), rel=1e-12)
            step(scheduler)


@pytest.mark.parametrize("before", [0, 3, 20])
def test_a_cosine_with_factors_that_end_before_its_trough_is_converted(before: int) -> None:
    def make(optimizer: Optimizer) -> Any:
        return ChainedScheduler(
            [LinearLR(optimizer, 0.1, 1.0, 5), CosineAnnealingLR(optimizer, 30)]
        )

    check(stepped(make, before), 100)


def test_a_cosine_with_a_factor_that_goes_on_is_no_product() -> None:
    optimizer = sgd(LR)
    scheduler = ChainedScheduler([ExponentialLR(optimizer, 0.9), CosineAnnealingLR(optimizer, 30)])
    with pytest.raises(ValueError, match="this is no product"):
        from_torch(scheduler)
