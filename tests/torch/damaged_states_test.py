"""State dicts that are damaged or another's: loaded, or refused with nothing changed."""

import copy
import random
import warnings
from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch

import lrsched
from lrsched.controllers import reduce_on_plateau
from lrsched_torch import ControlledLR, lambda_lr, on_device, schedule_hyperparameters

LINE = lrsched.linear(1.0, 0.0, 50)
MAKE: dict[str, Callable[[Any], Any]] = {
    "lambda_lr": lambda o: lambda_lr(o, LINE),
    "lambda_lr with ratios": lambda o: lambda_lr(o, LINE, keep_ratios=True),
    "schedule_hyperparameters": lambda o: schedule_hyperparameters(o, momentum=LINE),
    "on_device": lambda o: on_device(o, LINE),
    "ControlledLR": lambda o: ControlledLR(o, reduce_on_plateau(0.1)),
}
VALUES = [
    *(None, True, "5", "", b"1", 1.5, -1, 0, 7, 10**30, -(10**30), 2**31, float("nan")),
    *(float("inf"), [], [1.0], ["x"], {}, {"last_epoch": 3}, (), object(), torch.tensor(3)),
    *(torch.tensor([1.0, 2.0]), 1j, [[1.0]], [None, None], lrsched.constant(1.0)),
]
DAMAGES = 300


def optimizer() -> Any:
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": torch.tensor(lr)} for lr in (1, 0.1)
    ]
    return torch.optim.SGD(groups, lr=1.0, momentum=0.5)


def moved(scheduler: Any) -> None:
    for n in range(3):
        scheduler.step(*([1.0 + n] if isinstance(scheduler, ControlledLR) else []))


def seen(scheduler: Any) -> Any:
    """Everything that a load could change."""
    entries = [
        {name: str(value) for name, value in group.items() if name != "params"}
        for group in scheduler.optimizer.param_groups
    ]
    return str(scheduler.state_dict()), entries


def damage(state: dict[str, Any], draw: random.Random) -> Any:
    if draw.random() < 0.1:
        return draw.choice([*VALUES, [*state.items()], list(state)])
    for _ in range(draw.choice([1, 1, 2, 5])):
        key: Any = draw.choice([*state, "last_epoch", "_step_count", 5])
        if draw.random() < 0.4:
            state.pop(key, None)
        else:
            state[key] = draw.choice(VALUES)
    return state


@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch, and of what a state was written by
@pytest.mark.parametrize("name", MAKE)
def test_a_damaged_state_is_loaded_or_refused_as_a_whole(name: str) -> None:
    draw = random.Random(name)
    source = MAKE[name](optimizer())
    moved(source)
    loaded = 0
    for _ in range(DAMAGES):
        scheduler = MAKE[name](optimizer())
        before = seen(scheduler)
        state = damage(copy.deepcopy(source.state_dict()), draw)
        try:
            scheduler.load_state_dict(state)
        except (TypeError, ValueError) as error:
            refusal = str(error)
        else:
            loaded += 1
            scheduler.load_state_dict(scheduler.state_dict())
            moved(scheduler)
            continue
        assert "load_state_dict: " in refusal
        assert seen(scheduler) == before
        moved(scheduler)
    assert loaded > DAMAGES / 20


@pytest.mark.parametrize("name", MAKE)
def test_a_warning_that_is_an_error_leaves_all_as_it_was(name: str) -> None:
    scheduler = MAKE[name](optimizer())
    before, state = seen(scheduler), scheduler.state_dict() | {"recipe": "another"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="was written with"):
            scheduler.load_state_dict(state)
    assert seen(scheduler) == before
