"""icefall's options, beside Eden's formula in plain Python."""

import argparse
from typing import Any

import pytest

from tests.configs.compare import compare, refusal

PER_EPOCH = 230


def icefall(**changed: Any) -> dict[str, Any]:
    """The options of a run, with those beside the schedule."""
    return {
        "world_size": 4,
        "num_epochs": 30,
        "start_epoch": 1,
        "start_batch": 0,
        "exp_dir": "zipformer/exp",
        "ref_duration": 600,
        "context_size": 2,
        "max_duration": 1000,
        "use_fp16": True,
        "lr_batches": 7500.0,
        "lr_epochs": 3.5,
    } | changed


def eden(n: int, warmup: bool = True) -> float:
    """The rate of update n, which icefall counts from 1."""
    batch, epoch = n + 1, n // PER_EPOCH
    factor = 0.5 + 0.5 * min(batch / 500, 1) if warmup else 1
    by_batches = ((batch**2 + 7500**2) / 7500**2) ** -0.25
    return float(0.045 * by_batches * ((epoch**2 + 3.5**2) / 3.5**2) ** -0.25 * factor)


def test_eden() -> None:
    context = {"steps_per_epoch": PER_EPOCH}
    compare(icefall(base_lr=0.045), eden, range(7000), "icefall", **context)
    options = argparse.Namespace(**icefall(base_lr="0.045", lr_hours=0))
    compare(options, eden, range(1000), "icefall", **context)
    compare(icefall(), eden, range(1000), "icefall", learning_rate=0.045, **context)


def test_an_older_recipe() -> None:
    context = {"steps_per_epoch": PER_EPOCH}
    config = icefall(initial_lr=0.045)
    compare(config, lambda n: eden(n, warmup=False), range(7000), "icefall", **context)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({}, "base_lr is missing; give learning_rate=..."),
        ({"base_lr": 0.045, "lr_hours": 30000}, "lr_hours must be 0 or less, as the hours of an"),
        ({"base_lr": 0.045, "lr_epochs": 0}, "lr_epochs must be a number > 0, got 0"),
    ],
)
def test_refusals(changed: dict[str, Any], message: str) -> None:
    found = refusal(icefall(**changed))
    assert found.startswith("from_config: icefall: ")
    assert message in found
