"""`ControlledLR`: a schedule and a controller on one optimizer, update by update."""

import gc
import math
import random
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ReduceLROnPlateau

import lrsched
import lrsched_torch
from lrsched import Controller, reduce_on_plateau
from lrsched.controllers import greedy, kl_adaptive, newbob
from lrsched_torch import ControlledLR, lambda_lr, on_device, schedule_hyperparameters
from tests.metrics import greedies, kl_adaptives, metrics, newbobs, values_of
from tests.plateaus import METRICS, PLATEAU, VALUES, anything, metrics_of, plateaus
from tests.stepping import reloaded, sgd

COSINE = lrsched.cosine_decay(0.1, 8)


def lrs(optimizer: torch.optim.Optimizer) -> list[float]:
    return [group["lr"] for group in optimizer.param_groups]


def test_improving_metrics_leave_the_schedule_alone() -> None:
    optimizer = sgd(1.0)
    scheduler = ControlledLR(optimizer, COSINE * reduce_on_plateau())
    found = lrs(optimizer)
    for n in range(8):
        optimizer.step()
        scheduler.step()
        if n % 2:
            scheduler.observe(1.0 / (n + 1))
        found += lrs(optimizer)
    assert found == [COSINE(n) for n in range(9)]


@settings(max_examples=300)
@given(
    st.lists(plateaus(), min_size=1, max_size=4),
    st.lists(anything, max_size=40),
    st.integers(0, 3),
)
def test_groups_are_torchs_to_the_last_bit(
    drawn: Sequence[Controller], moves: list[float | str], first: int
) -> None:
    """Groups with rates and floors of their own, under torch's `min_lr` list."""
    rule: Any = drawn[first % len(drawn)]
    groups = [rule.replace(init_value=each.init_value, end_value=each.end_value) for each in drawn]
    metrics = metrics_of(rule, moves)
    theirs = sgd(*(each.init_value for each in groups))
    own = ReduceLROnPlateau(
        theirs,
        rule.mode,
        rule.decay_rate,
        rule.patience,
        rule.threshold,
        rule.threshold_mode,
        rule.cooldown,
        [each.end_value for each in groups],
        rule.eps,
    )
    optimizer = sgd(*(1.0 for _ in groups))
    scheduler = ControlledLR(optimizer, groups)
    for metric in metrics:
        own.step(metric)
        scheduler.observe(metric)
        assert lrs(optimizer) == lrs(theirs)


@settings(max_examples=60)
@given(newbobs() | kl_adaptives() | greedies() | plateaus(), metrics)
def test_the_rate_is_schedule_times_controller(
    controller: Controller, metrics: Sequence[float]
) -> None:
    optimizer = sgd(1.0, 0.1)
    scheduler = ControlledLR(optimizer, COSINE * controller)
    factors = values_of(controller, metrics)
    for n, (metric, factor) in enumerate(zip(metrics, factors, strict=True), start=1):
        optimizer.step()
        scheduler.step(metric)
        value = COSINE(n) * factor
        assert lrs(optimizer) == [value, value * 0.1] == scheduler.get_last_lr()


def test_nothing_is_touched_between_cuts() -> None:
    optimizer = sgd(1.0)
    scheduler = ControlledLR(optimizer, reduce_on_plateau(0.1, 0.5, patience=1))
    optimizer.param_groups[0]["lr"] = 0.7  # by hand, or another scheduler
    for metric, lr in zip((3.0, 2.0, 2.0, 2.0), (0.7, 0.7, 0.7, 0.05), strict=True):
        scheduler.observe(metric)
        assert lrs(optimizer) == [lr]


def test_floors_of_groups() -> None:
    rate = lrsched.linear(1.0, 0.0, 10) * PLATEAU
    optimizer = sgd(1.0, 1.0)
    scheduler = ControlledLR(
        optimizer, [lrsched.maximum(rate, 0.5), lrsched.maximum(rate * 0.1, 0.01)]
    )
    assert len(scheduler.controls.controllers) == 1
    optimizer.step()
    for metric in METRICS:
        scheduler.step(metric)
    assert lrs(optimizer) == [0.5, 0.01]


def test_groups_added_and_removed() -> None:
    optimizer = sgd(1.0, 0.1)
    scheduler = ControlledLR(optimizer, reduce_on_plateau(0.4, 0.5, patience=0))
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.04})
    scheduler.observe(1.0)
    assert lrs(optimizer) == pytest.approx([0.4, 0.04, 0.04])
    scheduler.observe(1.0)
    assert lrs(optimizer) == pytest.approx([0.2, 0.02, 0.02])
    del optimizer.param_groups[1]
    scheduler.observe(1.0)
    assert lrs(optimizer) == pytest.approx([0.1, 0.01])
    listed = ControlledLR(sgd(1.0), [PLATEAU])
    listed.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    with pytest.raises(ValueError, match="ControlledLR: schedule must be a list of 2, one for"):
        listed.observe(3.0)
    assert listed.state == PLATEAU.init()


def test_a_step_with_a_metric_is_a_step_and_an_observation() -> None:
    one, other = sgd(1.0), sgd(1.0)
    both, each = ControlledLR(one, COSINE * PLATEAU), ControlledLR(other, COSINE * PLATEAU)
    for optimizer in (one, other):
        optimizer.step()
    for n, metric in enumerate(METRICS):
        both.step(metric if n % 3 else None)
        each.step()
        if n % 3:
            each.observe(torch.tensor(metric))
        assert lrs(one) == lrs(other)
        assert both.state == each.state
        assert both.last_epoch == each.last_epoch == n + 1


def test_updates_that_are_skipped_are_not_counted() -> None:
    """With `count_updates` the scheduler follows a gradient scaler, and trainers of plateaus."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    rate = lrsched.warmup(lrsched.constant(0.4), 4) * PLATEAU
    scheduler = ControlledLR(optimizer, rate, count_updates=True)
    scaler, found = torch.amp.GradScaler("cpu", init_scale=2.0, growth_interval=10**6), []
    for n in range(6):
        found += lrs(optimizer)
        scaler.scale(torch.zeros(()))
        weight.grad = torch.full((1,), math.inf if n == 2 else 0.0)
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()  # counts nothing
    assert found == pytest.approx([0.0, 0.1, 0.2, 0.2, 0.3, 0.4])
    assert scheduler.last_epoch == 5
    for metric in (4.0, 4.0, 4.0):
        scheduler.step(metric)
    assert lrs(optimizer) == [0.2]
    assert scheduler.last_epoch == 5
    del scheduler
    gc.collect()
    optimizer.step()


@pytest.mark.parametrize("seed", range(12))
def test_it_resumes_in_any_order(seed: int) -> None:
    """Killed at random and loaded in either order, the same rates follow."""
    draw = random.Random(seed)
    controller = draw.choice([PLATEAU, newbob(0.5), kl_adaptive(0.01), greedy(0.5, window_size=3)])
    rate = lrsched.warmup(lrsched.cosine_decay(0.1, 30, 0.01), 5) * controller
    metrics = [draw.choice([draw.random(), 1.0, math.nan]) for _ in range(40)]
    kill = draw.randrange(40)

    def made(*lrs: float) -> Any:
        optimizer = sgd(*lrs)
        return optimizer, ControlledLR(optimizer, rate)

    def train(optimizer: Any, scheduler: ControlledLR, steps: range) -> list[list[float]]:
        found = []
        for n in steps:
            optimizer.step()
            scheduler.step(metrics[n] if n % 3 == 0 else None)
            found.append(lrs(optimizer))
        return found

    optimizer, scheduler = made(1.0, 0.1)
    before = train(optimizer, scheduler, range(kill))
    state = reloaded({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()})
    expected = train(optimizer, scheduler, range(kill, 40))
    optimizer, scheduler = made(1.0, 0.1)
    loads: list[Callable[[], object]] = [
        lambda: optimizer.load_state_dict(state["optimizer"]),
        lambda: scheduler.load_state_dict(state["scheduler"]),
    ]
    draw.shuffle(loads)
    for load in loads:
        load()
    if kill:
        assert lrs(optimizer) == before[-1]
    assert train(optimizer, scheduler, range(kill, 40)) == expected


def test_a_state_of_before_2026_12_is_read() -> None:
    scheduler = ControlledLR(sgd(1.0), PLATEAU)
    scheduler.load_state_dict(
        {
            "last_epoch": 7,
            "value": 0.25,
            "best": 1.0,
            "num_bad_epochs": 1,
            "cooldown_counter": 0,
            "_last_lr": [0.25],
            "recipe": repr(PLATEAU),
        }
    )
    assert scheduler.state == (0.25, 1.0, 1, 0)
    assert lrs(scheduler.optimizer) == [0.25]
    assert lrsched_torch.PlateauLR is ControlledLR


def test_a_changed_recipe_warns_with_the_rates() -> None:
    before = ControlledLR(sgd(1.0), COSINE * PLATEAU)
    before.optimizer.step()
    before.step()
    for changed, text in {
        COSINE * PLATEAU * 0.5: r"\(the lr was .* and is .* now\)",
        COSINE * newbob(): None,
    }.items():
        after = ControlledLR(sgd(1.0), changed)
        if text is None:
            with pytest.raises(TypeError, match=r"states\[0\] must be a mapping with value, prev"):
                after.load_state_dict(before.state_dict())
            assert after.last_epoch == 0
        else:
            with pytest.warns(UserWarning, match=text) as warned:
                after.load_state_dict(before.state_dict())
            assert warned[0].filename == __file__


def test_a_warning_that_is_an_error_changes_nothing() -> None:
    before = ControlledLR(sgd(1.0), PLATEAU)
    for metric in METRICS:
        before.observe(metric)
    after = ControlledLR(sgd(1.0), PLATEAU.replace(patience=5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="the schedule in the code is kept"):
            after.load_state_dict(before.state_dict())
    assert after.state == PLATEAU.init()
    assert lrs(after.optimizer) == [1.0]


OF_THE_STEP: dict[str, Callable[[Any], Any]] = {
    "ScheduleLR": lambda o: lambda_lr(o, COSINE),
    "HyperparameterLR": lambda o: schedule_hyperparameters(o, lr=COSINE),
    "DeviceLR": lambda o: on_device(o, COSINE),
}
OF_A_METRIC: dict[str, Callable[[Any], Any]] = {
    "ControlledLR": lambda o: ControlledLR(o, PLATEAU),
    "ControlledHyperparameterLR": lambda o: schedule_hyperparameters(o, lr=PLATEAU),
}


@pytest.mark.parametrize("metric_first", [True, False])
@pytest.mark.parametrize("metric", OF_A_METRIC)
@pytest.mark.parametrize("step", OF_THE_STEP)
def test_two_that_would_undo_each_other_are_refused(
    step: str, metric: str, metric_first: bool
) -> None:
    pairs = [(step, OF_THE_STEP[step]), (metric, OF_A_METRIC[metric])]
    (first, make_first), (_, make_second) = pairs[::-1] if metric_first else pairs
    optimizer = sgd(torch.tensor(1.0))
    scheduler: Any = make_first(optimizer)
    with pytest.raises(ValueError, match=f": a {first} sets the lr of this optimizer already, and"):
        make_second(optimizer)
    del scheduler
    gc.collect()
    assert make_second(optimizer) is not None


def test_other_keys_are_no_conflict() -> None:
    optimizer = sgd(1.0, momentum=0.9)
    kept = lambda_lr(optimizer, COSINE)
    scheduler = schedule_hyperparameters(optimizer, momentum=PLATEAU * 0.9)
    assert (kept.last_epoch, scheduler.last_epoch) == (0, 0)


def test_any_hyperparameter_follows_a_metric() -> None:
    optimizer = torch.optim.AdamW(
        [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": lr} for lr in (1.0, 0.1)]
    )
    decay = lrsched.linear(1.0, 0.0, 20) * PLATEAU
    scheduler: Any = schedule_hyperparameters(
        optimizer, lr=COSINE, weight_decay=decay, betas=(PLATEAU * 0.9, None)
    )
    assert ReduceLROnPlateau in type(scheduler).mro()
    assert len(scheduler.controls.controllers) == 1
    optimizer.step()
    for n, (metric, value) in enumerate(zip(METRICS, VALUES, strict=True), start=1):
        scheduler.step()
        scheduler.observe(metric)
        for group, ratio in zip(optimizer.param_groups, (1.0, 0.1), strict=True):
            assert group["lr"] == COSINE(n) * ratio
            assert group["weight_decay"] == lrsched.linear(1.0, 0.0, 20)(n) * value
            assert group["betas"] == (value * 0.9, 0.999)
    again: Any = schedule_hyperparameters(
        optimizer, lr=COSINE, weight_decay=decay, betas=(PLATEAU * 0.9, None)
    )
    again.load_state_dict(reloaded(scheduler.state_dict()))
    assert again.state == scheduler.state
    assert optimizer.param_groups[0]["betas"] == (VALUES[-1] * 0.9, 0.999)


def test_the_metric_may_be_of_any_type_and_the_rate_a_tensor() -> None:
    tensor = torch.tensor(7.0, dtype=torch.float64)
    scheduler = ControlledLR(sgd(tensor), reduce_on_plateau(0.3, 0.5, patience=0))
    loss = torch.tensor(3.0, dtype=torch.bfloat16, requires_grad=True)
    for metric in (loss, loss.detach().half(), 3):
        scheduler.observe(metric)
    assert scheduler.optimizer.param_groups[0]["lr"] is tensor
    assert tensor == 0.075


@pytest.mark.parametrize(
    ("given_", "error", "text"),
    [
        (COSINE, ValueError, "schedule must be one that follows a metric (lambda_lr takes any ot"),
        ([PLATEAU, PLATEAU], ValueError, "schedule must be a list of 1, one for each param group"),
        (lambda n: 0.1, TypeError, "schedule must be a controller or a schedule of plain numbers"),
    ],
)
def test_other_recipes_are_refused(given_: Any, error: type[Exception], text: str) -> None:
    optimizer = sgd(1.0)
    with pytest.raises(error) as refused:
        ControlledLR(optimizer, given_)
    assert str(refused.value).startswith(f"ControlledLR: {text}")
    assert lrs(optimizer) == [1.0]


def test_durations_are_named() -> None:
    rate = lrsched.cosine_decay(0.1, lrsched.epochs(3)) * PLATEAU
    with pytest.raises(ValueError, match=r"resolve it with schedule\.resolve"):
        ControlledLR(sgd(1.0), rate)


def test_only_a_plateau_has_torchs_attributes() -> None:
    scheduler = ControlledLR(sgd(1.0), newbob())
    with pytest.raises(AttributeError, match="does not follow one reduce_on_plateau alone"):
        _ = scheduler.best
