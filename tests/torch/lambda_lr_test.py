"""`lambda_lr`: exact learning rates in a torch optimizer, before and after a checkpoint."""

import copy
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, SequentialLR, StepLR

import lrsched
from lrsched import Schedule
from lrsched.controllers import reduce_on_plateau
from lrsched_torch import lambda_lr

LINE = lrsched.linear(0.3, 0.0, 10)
STEPS = 20


def sgd(*lrs: Any) -> torch.optim.Optimizer:
    """An optimizer with a param group for each learning rate, by default one."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in lrs or (1.0,)]
    return torch.optim.SGD(groups)


def lrs_of(optimizer: torch.optim.Optimizer) -> list[Any]:
    return [group["lr"] for group in optimizer.param_groups]


def advance(scheduler: LRScheduler, steps: int = 1) -> list[list[Any]]:
    """The groups' learning rates at each of the next updates."""
    seen = []
    for _ in range(steps):
        seen.append(lrs_of(scheduler.optimizer))
        scheduler.optimizer.step()
        scheduler.step()
    return seen


def reloaded(state: Any) -> Any:
    """What a checkpoint gives back where nothing but plain data is allowed in it."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# The learning rates


@pytest.mark.parametrize("made_with", [0.0, 1e-3, 7.0])
def test_the_lr_is_the_schedule_to_the_last_bit(made_with: float) -> None:
    optimizer = sgd(made_with, made_with)
    scheduler = lambda_lr(optimizer, LINE)
    assert isinstance(scheduler, LambdaLR)
    for step in range(STEPS):
        assert lrs_of(optimizer) == scheduler.get_last_lr() == [LINE(step)] * 2
        assert {type(lr) for lr in lrs_of(optimizer)} == {float}
        advance(scheduler)


@pytest.mark.parametrize("sequence", [list, tuple])
def test_a_list_has_a_schedule_for_each_group(sequence: Any) -> None:
    optimizer = sgd(1.0, 1.0)
    other = lrsched.constant(0.5)
    scheduler = lambda_lr(optimizer, sequence([LINE, other]))
    assert advance(scheduler, STEPS) == [[LINE(step), other(step)] for step in range(STEPS)]


def test_keep_ratios_keeps_the_proportions() -> None:
    optimizer = sgd(0.3, 0.1, 0.6)
    seen = advance(lambda_lr(optimizer, LINE, keep_ratios=True), STEPS)
    assert [third for _, _, third in seen] == [LINE(step) for step in range(STEPS)]
    for first, second, third in seen:
        assert (first, second) == pytest.approx((third / 2, third / 6), rel=1e-15)


@pytest.mark.parametrize("step", [1, 5])
def test_keep_ratios_outlasts_a_zero_and_a_checkpoint(step: int) -> None:
    """The proportions are those that the optimizer was made with, not its present ones."""
    saw = lrsched.cyclic(0.0, 0.3, up_steps=5, down_steps=0)
    before = lambda_lr(sgd(0.3, 0.1), saw, keep_ratios=True)
    advance(before, step)
    optimizer = sgd(0.3, 0.1)
    optimizer.load_state_dict(reloaded(before.optimizer.state_dict()))
    constructed = lambda_lr(optimizer, saw, last_step=step - 1, keep_ratios=True)
    loaded = lambda_lr(sgd(0.3, 0.1), saw, keep_ratios=True)
    loaded.load_state_dict(reloaded(before.state_dict()))
    expected = advance(before, STEPS)
    assert advance(constructed, STEPS) == expected
    assert advance(loaded, STEPS) == expected


def test_a_tensor_is_filled_in_place() -> None:
    """A compiled optimizer reads the tensor that it was given."""
    needs("torch", "torch>=2.10")  # before it, torch's `get_last_lr` gives the tensor itself
    tensor = torch.tensor(1.0)
    optimizer = sgd(tensor, 1.0)
    pointer = tensor.data_ptr()
    scheduler = lambda_lr(optimizer, LINE)
    for step in range(STEPS):
        assert optimizer.param_groups[0]["lr"] is tensor
        assert tensor.data_ptr() == pointer
        assert torch.equal(tensor, torch.tensor(LINE(step)))
        assert optimizer.param_groups[1]["lr"] == LINE(step)
        assert scheduler.get_last_lr()[0] is not tensor
        advance(scheduler)


def test_a_tensor_is_filled_in_place_on_loading() -> None:
    state = reloaded(lambda_lr(sgd(), LINE, last_step=6).state_dict())
    tensor = torch.tensor(1.0)
    scheduler = lambda_lr(sgd(tensor), LINE)
    scheduler.load_state_dict(state)
    assert scheduler.optimizer.param_groups[0]["lr"] is tensor
    assert torch.equal(tensor, torch.tensor(LINE(7)))
    last = scheduler.get_last_lr()[0]
    advance(scheduler)
    assert torch.equal(torch.as_tensor(last), torch.tensor(LINE(7)))


def test_groups_that_share_a_tensor_are_parted() -> None:
    """An optimizer puts its default lr into every group: one tensor, which would hold the last."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
    optimizer = torch.optim.SGD(groups, lr=torch.tensor(1.0))
    lambda_lr(optimizer, [LINE, lrsched.constant(0.5)])
    assert lrs_of(optimizer) == [torch.tensor(LINE(0)), torch.tensor(0.5)]


@pytest.mark.parametrize("keep_ratios", [False, True])
def test_the_schedule_is_evaluated_once_a_step(keep_ratios: bool) -> None:
    calls = []

    def scale(cycle: float) -> float:
        calls.append(cycle)
        return 1.0

    counting = lrsched.cyclic(0.0, 1.0, up_steps=1, mode=scale)
    scheduler = lambda_lr(sgd(1.0, 2.0, 3.0), counting, keep_ratios=keep_ratios)
    advance(scheduler, 6)
    assert calls == [0, 0, 1, 1, 2, 2, 3]


def test_step_warns_its_caller_as_torch_does() -> None:
    scheduler = lambda_lr(sgd(), LINE)
    with pytest.warns(UserWarning, match="before `optimizer.step") as warned:
        scheduler.step()
    assert warned[0].filename == __file__
    scheduler.optimizer.step()
    with pytest.warns(UserWarning, match="epoch parameter") as warned:
        scheduler.step(7)
    assert warned[0].filename == __file__
    assert scheduler.last_epoch == 7
    assert scheduler.get_last_lr() == lrs_of(scheduler.optimizer) == [LINE(7)]


# Checkpoints


def test_a_checkpoint_is_plain_data() -> None:
    scheduler = lambda_lr(sgd(torch.tensor(1.0), 1.0), LINE)
    advance(scheduler, 3)
    state = scheduler.state_dict()
    assert reloaded(state) == json.loads(json.dumps(state)) == state
    assert state["last_epoch"] == 3
    assert state["recipe"] == [repr(LINE)]


RESUME = """
import json
import sys

import torch

import lrsched
from lrsched_torch import lambda_lr

seen = []
path, by, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
for saved in torch.load(path, weights_only=True):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    optimizer.load_state_dict(saved["optimizer"])
    schedule = lrsched.from_json(saved["recipe"])
    if by == "last_step":
        scheduler = lambda_lr(optimizer, schedule, last_step=saved["step"] - 1)
    else:
        scheduler = lambda_lr(optimizer, schedule)
        scheduler.load_state_dict(saved["scheduler"])
    lrs = []
    for _ in range(steps):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    seen.append(lrs)
print(json.dumps(seen))
"""


@pytest.mark.parametrize("by", ["load_state_dict", "last_step"])
def test_resuming_in_a_new_process_changes_no_bit(by: str, tmp_path: Path) -> None:
    recipes = [
        lrsched.multi_step_decay(0.3, 0.1, [5, 5, 9]),
        lrsched.cosine_restarts(0.3, 3, period_mult=2),
        lrsched.warmup(lrsched.cosine_decay(0.3, 8), 4),
    ]
    checkpoints, expected = [], []
    for recipe in recipes:
        scheduler = lambda_lr(sgd(), recipe)
        for step in range(STEPS):
            checkpoints.append(
                {
                    "step": step,
                    "recipe": recipe.to_json(),
                    "optimizer": copy.deepcopy(scheduler.optimizer.state_dict()),
                    "scheduler": scheduler.state_dict(),
                }
            )
            expected.append([recipe(count) for count in range(step, step + STEPS)])
            advance(scheduler)
    path = tmp_path / "checkpoints.pt"
    torch.save(checkpoints, path)
    resumed = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", RESUME, path, by, str(STEPS)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout) == expected


rates = st.floats(1e-6, 10.0)
lengths = st.integers(1, STEPS)
schedules = st.one_of(
    st.builds(lrsched.linear, rates, rates, lengths),
    st.builds(lrsched.multi_step_decay, rates, st.floats(0.0, 2.0), st.lists(lengths).map(sorted)),
    st.builds(lrsched.cosine_restarts, rates, lengths, st.integers(1, 3), rates),
    st.builds(lrsched.cyclic, rates, rates, lengths, lengths, st.just("triangular2")),
    st.builds(lrsched.one_cycle, rates, st.integers(2, STEPS), st.floats(0.0, 1.0)),
    st.builds(lrsched.warmup, st.builds(lrsched.exponential_decay, rates, rates), lengths),
)


@settings(max_examples=200, deadline=None)
@given(
    schedule=schedules,
    groups=st.lists(rates, min_size=1, max_size=3),
    keep_ratios=st.booleans(),
    killed=st.integers(0, STEPS),
)
def test_resuming_gives_the_same_sequence(
    schedule: Schedule, groups: list[float], keep_ratios: bool, killed: int
) -> None:
    scheduler = lambda_lr(sgd(*groups), schedule, keep_ratios=keep_ratios)
    advance(scheduler, killed)
    optimizer_state = reloaded(scheduler.optimizer.state_dict())
    state = reloaded(scheduler.state_dict())
    expected = advance(scheduler, STEPS)

    loaded = lambda_lr(sgd(*groups), schedule, keep_ratios=keep_ratios)
    loaded.load_state_dict(state)
    assert advance(loaded, STEPS) == expected

    optimizer = sgd(*groups)
    optimizer.load_state_dict(optimizer_state)
    constructed = lambda_lr(optimizer, schedule, last_step=killed - 1, keep_ratios=keep_ratios)
    assert advance(constructed, STEPS) == expected


def test_another_recipe_in_the_checkpoint_warns_and_is_not_taken() -> None:
    old, new = LINE, lrsched.constant(0.5)
    before = lambda_lr(sgd(), old)
    advance(before, 3)
    scheduler = lambda_lr(sgd(), new)
    with pytest.warns(UserWarning, match="the schedule in the code is kept") as warned:
        scheduler.load_state_dict(reloaded(before.state_dict()))
    text = str(warned[0].message)
    assert repr(old) in text
    assert repr(new) in text
    assert warned[0].filename == __file__
    assert scheduler.last_epoch == 3
    assert scheduler.schedules == (new,)
    assert advance(scheduler, STEPS) == [[new(count)] for count in range(3, 3 + STEPS)]


def test_the_state_of_torchs_step_lr_gives_its_step() -> None:
    before = StepLR(sgd(), step_size=2)
    advance(before, 5)
    scheduler = lambda_lr(sgd(), LINE)
    with pytest.warns(UserWarning, match="another scheduler"):
        scheduler.load_state_dict(reloaded(before.state_dict()))
    assert advance(scheduler, STEPS) == [[LINE(count)] for count in range(5, 5 + STEPS)]


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ([3], r"state_dict must be a mapping, got \[3\]"),
        ({}, r"last_epoch must be an integer \(steps\), got None"),
        *(
            ({"last_epoch": step}, r"last_epoch must be an integer \(steps\), got ")
            for step in (None, "3", 3.0, True, torch.tensor(3.0))
        ),
        (
            {"last_epoch": 3, "_step_count": "x"},
            r"_step_count must be an integer \(steps\), got 'x'",
        ),
    ],
)
def test_a_state_without_a_step_is_refused(state: Any, text: str) -> None:
    scheduler = lambda_lr(sgd(), LINE)
    advance(scheduler, 2)
    before = scheduler.state_dict()
    with pytest.raises(TypeError, match=f"load_state_dict: {text}"):
        scheduler.load_state_dict(state)
    assert scheduler.state_dict() == before
    assert lrs_of(scheduler.optimizer) == [LINE(2)]


# Refusals


@pytest.mark.parametrize("optimizer", [None, 0.1, [torch.nn.Parameter(torch.zeros(1))]])
def test_what_is_no_optimizer_is_refused(optimizer: Any) -> None:
    with pytest.raises(TypeError, match="lambda_lr: optimizer must be a torch optimizer, got"):
        lambda_lr(optimizer, LINE)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"schedule": 0.1},
            TypeError,
            r"schedule must be a schedule of plain numbers, or a list of them "
            r"\(lrsched.constant\(0.1\) is one\), got 0.1",
        ),
        ({"schedule": lambda step: 0.1}, TypeError, r"torch's LambdaLR takes any function\), got"),
        (
            {"schedule": reduce_on_plateau(0.1)},
            TypeError,
            r"\(ControlledLR takes one that follows a metric\), got",
        ),
        (
            {"schedule": StepLR(sgd(0.1), 5)},
            TypeError,
            r"\(from_torch makes one of torch's schedulers\), got",
        ),
        (
            {"schedule": lambda count: 0.1},
            TypeError,
            "schedule must be a schedule of plain numbers",
        ),
        ({"schedule": [LINE, 0.1]}, TypeError, "schedule must be a schedule of plain numbers"),
        ({"schedule": {LINE}}, TypeError, "schedule must be a schedule of plain numbers"),
        ({"schedule": []}, ValueError, r"a list of 2, one for each param group, got \[\]"),
        ({"schedule": [LINE]}, ValueError, "a list of 2, one for each param group"),
        ({"schedule": [LINE] * 3}, ValueError, "a list of 2, one for each param group"),
        (
            {"schedule": [LINE] * 2, "reference_group": 0},
            ValueError,
            "reference_group must be None",
        ),
        ({"reference_group": 0}, ValueError, "the lr of param group 0 must be above 0"),
        ({"last_step": -2}, ValueError, "last_step must be an integer >= -1 \\(steps\\), got -2"),
        ({"last_step": 2.0}, TypeError, "last_step must be an integer >= -1 \\(steps\\), got 2.0"),
        (
            {"last_step": True},
            TypeError,
            "last_step must be an integer >= -1 .* got True",
        ),
        (
            {"last_step": None},
            TypeError,
            "last_step must be an integer >= -1 .* got None",
        ),
    ],
)
def test_a_refusal_leaves_the_optimizer_as_it_was(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    optimizer = sgd(0.0, 0.1)
    groups = [dict(group) for group in optimizer.param_groups]
    with pytest.raises(error, match=f"lambda_lr: .*{message}"):
        lambda_lr(optimizer, **{"schedule": LINE, **arguments})
    assert optimizer.param_groups == groups


# Beside torch's own


def test_a_schedule_is_a_factor_of_torchs_lambda_lr() -> None:
    scheduler = LambdaLR(sgd(2.0), LINE)
    assert advance(scheduler, STEPS) == [[2.0 * LINE(step)] for step in range(STEPS)]


def test_a_checkpoint_of_torchs_lambda_lr_does_not_change_the_schedule() -> None:
    """torch updates the `__dict__` of a callable with the saved one; a schedule's is empty."""
    before = LambdaLR(sgd(2.0), LINE)
    advance(before, 3)
    new = lrsched.constant(0.5)
    scheduler = LambdaLR(sgd(2.0), new)
    scheduler.load_state_dict(reloaded(before.state_dict()))
    assert scheduler.last_epoch == 3
    assert new == lrsched.constant(0.5)
    assert vars(new) == {}
    advance(scheduler)
    assert lrs_of(scheduler.optimizer) == [1.0]


PIECES = [LINE, lrsched.cosine_decay(0.3, 4), lrsched.constant(0.01)]
MILESTONES = [5, 9]


def sequential() -> SequentialLR:
    optimizer = sgd()
    return SequentialLR(optimizer, [lambda_lr(optimizer, piece) for piece in PIECES], MILESTONES)


def test_sequential_lr_joins_them() -> None:
    joined = lrsched.join(PIECES, MILESTONES)
    assert advance(sequential(), STEPS) == [[joined(step)] for step in range(STEPS)]


@pytest.mark.parametrize("step", [0, 1, 4, 5, 6, 9, 12])
def test_sequential_lr_resumes(step: int) -> None:
    before = sequential()
    advance(before, step)
    state = reloaded(before.state_dict())
    scheduler = sequential()
    scheduler.load_state_dict(state)
    assert advance(scheduler, STEPS) == advance(before, STEPS)
