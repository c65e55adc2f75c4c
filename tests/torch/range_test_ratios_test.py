"""After a range test a schedule trains the param groups as they were tested, or says otherwise."""

import warnings
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched_torch import ControlledLR, lambda_lr, on_device, schedule_hyperparameters
from tests.torch.range_test_task import RAMP, Task

RECIPE = lrsched.cosine_decay(0.1, 10)
MADE: dict[str, Any] = {
    "lambda_lr": lambda_lr,
    "ControlledLR": lambda o, s, **k: ControlledLR(o, s * lrsched.reduce_on_plateau(1.0), **k),
    "schedule_hyperparameters": lambda o, s, **k: schedule_hyperparameters(o, lr=s, **k),
    "on_device": on_device,
}


def rates(task: Task) -> list[float]:
    return [float(group["lr"]) for group in task.optimizer.param_groups]


@settings(max_examples=60, derandomize=True)
@given(
    lrs=st.lists(st.sampled_from([0.4, 0.1, 0.05, 1.0]), min_size=1, max_size=3),
    tested=st.sampled_from([{}, {"keep_ratios": False}, {"reference_group": 0}]),
    trained=st.sampled_from([{}, {"keep_ratios": False}, {"reference_group": 0}]),
    name=st.sampled_from(["lambda_lr", "ControlledLR", "schedule_hyperparameters"]),
)
def test_a_warning_where_and_only_where_the_proportions_differ(
    lrs: list[float], tested: Any, trained: Any, name: str
) -> None:
    task = Task(*lrs)
    found = task.run(**tested)
    used = task.used[0]
    assert found.ratios == tuple(rate / found.learning_rates[0] for rate in used)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scheduler = MADE[name](task.optimizer, RECIPE, **trained)
    value = RECIPE(0)
    ratios = [rate / value for rate in rates(task)]
    differ = ratios != pytest.approx(found.ratios, rel=1e-9)
    assert [str(w.message).partition(":")[0] for w in caught] == [name] * differ
    assert all(w.filename == __file__ for w in caught)
    del scheduler


def test_what_the_warning_says() -> None:
    task = Task(0.4, 0.1)
    task.run(keep_ratios=False)
    with pytest.warns(
        UserWarning,
        match=r"lambda_lr: the param groups get the ratios \(1, 0.25\) to the schedule, and the "
        r"range test of this optimizer used the ratios \(1, 1\): pass the same keep_ratios",
    ):
        lambda_lr(task.optimizer, RECIPE)


def test_lists_of_schedules() -> None:
    """In proportion they have ratios; otherwise no single schedule can follow them."""
    task = Task(0.4, 0.1)
    found = task.run([RAMP, RAMP * 0.25])
    assert found.ratios == pytest.approx((1.0, 0.25), rel=1e-12)
    lambda_lr(task.optimizer, RECIPE)
    task = Task(0.4, 0.1)
    assert task.run([RAMP, lrsched.linear(1e-2, 0.0, 20)]).ratios is None
    with pytest.warns(UserWarning, match="used schedules of different shapes"):
        lambda_lr(task.optimizer, RECIPE)
    lambda_lr(task.optimizer, [RECIPE, RECIPE])


def test_on_device_warns_too() -> None:
    task = Task(torch.tensor(0.4), torch.tensor(0.1))
    task.run(keep_ratios=False)
    with pytest.warns(UserWarning, match="on_device: the param groups get the ratios"):
        on_device(task.optimizer, RECIPE)


def test_a_group_that_was_added_since_is_not_compared() -> None:
    task = Task(0.4, 0.1)
    task.run(keep_ratios=False)
    task.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.2})
    lambda_lr(task.optimizer, RECIPE)
