"""Run the range test that a set-up's arguments are for."""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from lrsched._core import Refusal
from lrsched.range_test import RangeTest
from lrsched_torch._range_test.model import range_test_model
from lrsched_torch._range_test.range_test import range_test

Test = Callable[..., RangeTest]

EXPECTED = (
    "the arguments of a range test: a mapping such as {'step': step, 'optimizer': optimizer, "
    "'batches': batches} or {'model': model, 'loss_fn': loss_fn, 'optimizer': optimizer, "
    "'loader': loader}, a tuple of them, or a Trainer of transformers or Lightning"
)
# The range tests of trainers, and the modules in which the class Trainer is, once imported.
TRAINERS = {
    "lrsched_torch.transformers": ("transformers.trainer",),
    "lrsched_torch.lightning": ("lightning.pytorch", "pytorch_lightning"),
}


def run(given: Any, **options: Any) -> RangeTest:
    """Run the range test of what a set-up returns: the arguments of one of the range tests.

    Args:
        given: a mapping of arguments by name, a tuple of positional ones, or a single one.
            `range_test` takes (step, optimizer, batches), `range_test_model` (model, loss_fn,
            optimizer, loader), and the range tests of trainers a Trainer first.
        options: further arguments by name.

    Raises:
        TypeError: they are none of these. Also what the range test raises.
    """
    if isinstance(given, Mapping):
        named = {name: value for name, value in given.items() if name != "framework"}
        return _of_names(named)(**named, **options)
    arguments = given if isinstance(given, (tuple, list)) else (given,)
    return _of_places(arguments, given)(*arguments, **options)


def _of_names(given: Mapping[str, Any]) -> Test:
    if "trainer" in given:
        found = _of_trainer(given["trainer"])
        if found is not None:
            return found
    elif "model" in given:
        return range_test_model
    elif "step" in given:
        return range_test
    return Refusal("range_test")("what setup returns", EXPECTED, dict(given), TypeError)


def _of_places(arguments: Any, given: Any) -> Test:
    first, second, third = (*arguments, None, None, None)[:3]
    found = _of_trainer(first)
    if found is not None:
        return found
    if callable(first) and isinstance(second, torch.optim.Optimizer):
        return range_test
    if isinstance(first, nn.Module) and isinstance(third, torch.optim.Optimizer):
        return range_test_model
    return Refusal("range_test")("what setup returns", EXPECTED, given, TypeError)


def _of_trainer(trainer: Any) -> Test | None:
    """The range test of a trainer's framework; None for what is no trainer."""
    for module, places in TRAINERS.items():
        kinds = [getattr(sys.modules.get(place), "Trainer", ()) for place in places]
        if any(isinstance(trainer, kind) for kind in kinds):
            test: Test = importlib.import_module(module).range_test
            return test
    return None


def seed_generators(seed: int) -> None:
    """Seed the global random generators of torch, NumPy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
