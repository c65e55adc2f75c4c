"""`ControlledLR`: the decisions of torch's ReduceLROnPlateau to the last bit, in its optimizers."""

import math
import warnings
from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau, SequentialLR

from lrsched.controllers import Plateau, PlateauState, reduce_on_plateau
from lrsched_torch import ControlledLR
from tests.backends import TORCH_COMPILES
from tests.plateaus import (
    LENGTH,
    METRICS,
    NAN,
    PLATEAU,
    VALUES,
    anything,
    exact,
    metrics_of,
    plateaus,
    rates_of,
    runs,
    states,
    torchs,
)
from tests.stepping import reloaded, sgd


def observed(scheduler: ReduceLROnPlateau, metric: float) -> PlateauState:
    """The state of torch's scheduler after one more metric."""
    scheduler.step(metric)
    (value,) = scheduler.get_last_lr()
    return PlateauState(value, scheduler.best, scheduler.num_bad_epochs, scheduler.cooldown_counter)


@settings(max_examples=1000)
@given(plateaus() | exact, st.lists(anything, max_size=60))
def test_python_is_torch_to_the_last_bit(plateau: Plateau, moves: list[float | str]) -> None:
    metrics = metrics_of(plateau, moves)
    scheduler, state = torchs(plateau), plateau.init()
    assert state == PlateauState(plateau.init_value, scheduler.best, 0, 0)
    for metric in metrics:
        state = plateau.update(state, metric)
        assert state == observed(scheduler, metric)
        assert list(map(type, state)) == [float, float, int, int]


def test_a_decrease_must_be_larger_than_eps() -> None:
    for eps, value in {0.5: 1.0, math.nextafter(0.5, 0.0): 0.5}.items():
        plateau = reduce_on_plateau(1.0, 0.5, patience=0, eps=eps)
        assert states(plateau, [3.0, 3.0])[-1].value == value
        assert rates_of(torchs(plateau), [3.0, 3.0])[-1] == [value]


def test_torch_compile_takes_an_update_whole() -> None:
    needs("torch", TORCH_COMPILES)
    torch.compiler.reset()
    update = torch.compile(PLATEAU.update, fullgraph=True, backend="eager")
    state = PLATEAU.init(torch.tensor(0.0))
    for metric, value in zip(METRICS, VALUES, strict=True):
        state = update(state, torch.tensor(metric))
        assert state.value == value


def test_a_loss_does_not_keep_its_graph() -> None:
    weight = torch.ones((), requires_grad=True)
    state = PLATEAU.update(PLATEAU.init(), 2 * weight)
    assert state.best == 2.0
    assert not any(x.requires_grad for x in state)


@settings(max_examples=200)
@given(runs, st.integers(0, LENGTH))
def test_resuming_gives_torchs_sequence(run: tuple[Plateau, list[float]], killed: int) -> None:
    plateau, metrics = run
    expected = [[lr, lr] for ((lr,),) in zip(rates_of(torchs(plateau), metrics), strict=True)]
    before = ControlledLR(sgd(7.0, 0.0), plateau, keep_ratios=False)
    assert before.get_last_lr() == [plateau.init_value] * 2
    assert rates_of(before, metrics[:killed]) == expected[:killed]
    after = ControlledLR(sgd(1.0, 2.0), plateau, keep_ratios=False)
    after.load_state_dict(reloaded(before.state_dict()))
    assert after.state == before.state
    assert after.state_dict() == before.state_dict() | {"base_lrs": [1.0, 2.0]}
    assert [group["lr"] for group in after.optimizer.param_groups] == [before.state.value] * 2
    assert rates_of(after, metrics[killed:]) == expected[killed:]


@settings(max_examples=100)
@given(runs, st.integers(0, LENGTH))
def test_the_state_of_torchs_own_is_continued(
    run: tuple[Plateau, list[float]], killed: int
) -> None:
    plateau, metrics = run
    own = torchs(plateau)
    rates_of(own, metrics[:killed])
    scheduler = ControlledLR(sgd(1.0), plateau)
    with pytest.warns(UserWarning, match="was written with another scheduler"):
        scheduler.load_state_dict(reloaded(own.state_dict()))
    assert rates_of(scheduler, metrics[killed:]) == rates_of(own, metrics[killed:])


def test_it_stands_where_torchs_does() -> None:
    optimizer = sgd(1.0)
    scheduler = ControlledLR(optimizer, PLATEAU)
    assert isinstance(scheduler, ReduceLROnPlateau)
    assert isinstance(scheduler, LRScheduler)
    rates_of(scheduler, METRICS[:6])
    last = states(PLATEAU, METRICS[:6])[-1]
    assert (scheduler.best, scheduler.num_bad_epochs, scheduler.cooldown_counter) == last[1:]
    assert scheduler.in_cooldown
    assert scheduler.last_epoch == 6
    with pytest.raises(ValueError, match="ReduceLROnPlateau"):
        SequentialLR(optimizer, [scheduler, scheduler], [3])


def test_a_tensor_is_filled_in_place() -> None:
    tensor = torch.tensor(7.0)
    scheduler = ControlledLR(sgd(tensor, 7.0), PLATEAU)
    for metric, value in zip(METRICS, VALUES, strict=True):
        last = scheduler.get_last_lr()[0]
        kept = float(last)
        scheduler.step(torch.tensor(metric))
        assert scheduler.optimizer.param_groups[0]["lr"] is tensor
        assert tensor == value
        assert scheduler.optimizer.param_groups[1]["lr"] == value
        assert float(last) == kept
    again = ControlledLR(sgd(torch.tensor(7.0)), PLATEAU)
    again.load_state_dict(reloaded(scheduler.state_dict()))
    assert again.optimizer.param_groups[0]["lr"] == VALUES[-1]


def test_a_group_that_is_added_keeps_its_ratio() -> None:
    scheduler = ControlledLR(sgd(1.0), PLATEAU)
    scheduler.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1})
    assert rates_of(scheduler, METRICS) == [[value, value * 0.1] for value in VALUES]


def test_training_with_it_warns_of_nothing() -> None:
    scheduler = ControlledLR(sgd(1.0), PLATEAU)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.optimizer.step()
        scheduler.step(1.0)


def test_another_plateau_in_the_checkpoint_warns_and_only_its_state_is_taken() -> None:
    before = ControlledLR(sgd(1.0), PLATEAU)
    rates_of(before, METRICS[:5])
    after = ControlledLR(sgd(1.0), PLATEAU.replace(decay_rate=0.1))
    with pytest.warns(UserWarning, match="the schedule in the code is kept") as warned:
        after.load_state_dict(reloaded(before.state_dict()))
    assert repr(PLATEAU) in str(warned[0].message)
    assert repr(after.schedules[0]) in str(warned[0].message)
    assert warned[0].filename == __file__
    assert rates_of(after, METRICS[5:6]) == [[0.05]]


GOOD = ControlledLR(sgd(1.0), PLATEAU).state_dict()


def with_state(**changes: Any) -> dict[str, Any]:
    return GOOD | {"states": [GOOD["states"][0] | changes]}


@pytest.mark.parametrize(
    ("state", "error", "text"),
    [
        ([3], TypeError, "state_dict must be a mapping, got [3]"),
        ({}, TypeError, "states[0].value must be a number, got None"),
        ({"last_epoch": 3, "_last_lr": 1}, TypeError, "states[0].value must be a number, got No"),
        (GOOD | {"last_epoch": "3"}, TypeError, "last_epoch must be an integer (steps), got '3'"),
        (GOOD | {"states": []}, TypeError, "states must be a list of 1, the number of contr"),
        (GOOD | {"states": [3]}, TypeError, "states[0] must be a mapping with value, best, bad_"),
        (with_state(value=NAN), ValueError, "states[0].value must be a finite number, got nan"),
        (with_state(best="1"), TypeError, "states[0].best must be a number, got '1'"),
        (with_state(best=True), TypeError, "states[0].best must be a number, got True"),
        (with_state(bad_steps=-1), ValueError, "states[0].bad_steps must be an integer >= 0, got"),
        (with_state(cooldown_left=0.5), TypeError, "states[0].cooldown_left must be an integer, "),
    ],
)
def test_a_state_of_something_else_is_refused(
    state: Any, error: type[Exception], text: str
) -> None:
    scheduler = ControlledLR(sgd(1.0), PLATEAU)
    rates_of(scheduler, METRICS[:3])
    before = scheduler.state_dict()
    with pytest.raises(error) as refused:
        scheduler.load_state_dict(state)
    assert str(refused.value).startswith(f"load_state_dict: {text}")
    assert scheduler.state_dict() == before


@pytest.mark.parametrize(
    ("attempt", "text"),
    [
        (lambda new: new(None, PLATEAU), "optimizer must be a torch optimizer, got None"),
        (
            lambda new: new(sgd(1.0), 0.1),
            "schedule must be a controller or a schedule of plain numbers, or a list of them, got ",
        ),
        (
            lambda new: new(sgd(1.0), needs("jax").tree.map(needs("jax.numpy").asarray, PLATEAU)),
            "schedule must be a controller or a schedule of plain numbers, or a list of them, got ",
        ),
        (
            lambda new: new(sgd(1.0), PLATEAU, count_updates=1),
            "count_updates must be True or False, got 1",
        ),
        (lambda new: new(sgd(1.0), PLATEAU).observe(None), "observe: metric must be a number, got"),
        (lambda new: new(sgd(1.0), PLATEAU).step("x"), "step: metrics must be a number, got 'x'"),
        (
            lambda new: new(sgd(1.0), PLATEAU).step(torch.zeros(2)),
            "step: metrics must be a number, got tensor([0., 0.])",
        ),
    ],
)
def test_bad_arguments_are_refused_in_torch(attempt: Callable[[Any], Any], text: str) -> None:
    with pytest.raises(TypeError) as refused:
        attempt(ControlledLR)
    prefix = "" if text.partition(" ")[0].endswith(":") else "ControlledLR: "
    assert str(refused.value).startswith(f"{prefix}{text}")
