"""Ultralytics' arguments, beside its trainer's formulas in plain Python."""

import math
from typing import Any

import pytest

from lrsched import from_config
from tests.configs.compare import compare, refusal

ARGS: dict[str, Any] = {
    "task": "detect",
    "mode": "train",
    "model": "yolo11s.pt",
    "data": "coco.yaml",
    "epochs": 12,
    "time": None,
    "patience": 50,
    "batch": 64,
    "imgsz": 640,
    "optimizer": "SGD",
    "seed": 0,
    "cos_lr": False,
    "close_mosaic": 10,
    "resume": False,
    "fraction": 1.0,
    "freeze": None,
    "lr0": 0.02,
    "lrf": 0.05,
    "momentum": 0.92,
    "weight_decay": 0.0005,
    "warmup_epochs": 2.5,
    "warmup_momentum": 0.7,
    "warmup_bias_lr": 0.15,
    "box": 7.5,
    "cls": 0.5,
    "dfl": 1.5,
    "nbs": 64,
    "hsv_h": 0.015,
    "mosaic": 1.0,
}
BATCHES = 37  # in an epoch


def factor(epoch: int, args: dict[str, Any]) -> float:
    p = epoch / args["epochs"]
    if args["cos_lr"]:
        return float((1 - math.cos(math.pi * p)) / 2 * (args["lrf"] - 1) + 1)
    return float(max(1 - p, 0) * (1 - args["lrf"]) + args["lrf"])


def warmed(n: int, begin: float, end: float, args: dict[str, Any]) -> float:
    """The value between two at batch n of the warmup, or the second one after it."""
    length = round(min(args["warmup_epochs"], args["epochs"] - 1) * BATCHES)
    return end if n >= length else begin + (end - begin) * n / length


@pytest.mark.parametrize("warmup_epochs", [0, 0.1, 1, 2.5, 20])
@pytest.mark.parametrize("cos_lr", [False, True])
def test_all_parts(cos_lr: bool, warmup_epochs: float) -> None:
    args = ARGS | {"cos_lr": cos_lr, "warmup_epochs": warmup_epochs}
    counts, given = range(12 * BATCHES), {"steps_per_epoch": BATCHES}

    def rate(n: int) -> float:
        return 0.02 * factor(n // BATCHES, args)

    compare(args, lambda n: warmed(n, 0.0, rate(n), args), counts, "ultralytics", **given)
    bias = lambda n: warmed(n, 0.15, rate(n), args)  # noqa: E731
    compare(args, bias, counts, "ultralytics", part="bias_lr", **given)
    momentum = lambda n: warmed(n, 0.7, 0.92, args)  # noqa: E731
    compare(args, momentum, counts, "ultralytics", part="momentum", **given)


def test_what_is_left_out_has_the_defaults_of_the_library() -> None:
    defaults = {"lr0": 0.01, "lrf": 0.01, "momentum": 0.937, "cos_lr": False, "epochs": 100}
    warmup = {"warmup_epochs": 3.0, "warmup_momentum": 0.8, "warmup_bias_lr": 0.1}
    for part in ("lr", "bias_lr", "momentum"):
        short = from_config({"lr0": None, "lrf": None}, part=part)
        assert short == from_config(defaults | warmup, part=part)
        assert not short.is_resolved


def test_a_run_of_one_epoch_has_no_warmup() -> None:
    args = ARGS | {"epochs": 1}
    for part, value in {"lr": 0.02, "bias_lr": 0.02, "momentum": 0.92}.items():
        given = {"part": part, "steps_per_epoch": BATCHES}
        rates = [value] * BATCHES
        compare(args, rates.__getitem__, range(BATCHES), "ultralytics", **given)


def test_the_optimizer_auto_chooses_the_rate() -> None:
    args = ARGS | {"optimizer": "auto"}
    rate = lambda n: warmed(n, 0.0, 0.002 * factor(n // BATCHES, args), args)  # noqa: E731
    given = {"steps_per_epoch": BATCHES, "learning_rate": 0.002}
    for part in ("lr", "bias_lr"):  # the warmup of the biases begins at 0, too
        compare(args, rate, range(12 * BATCHES), "ultralytics", part=part, **given)
    assert "give learning_rate=... (the optimizer 'auto' chooses it, and ignores" in refusal(args)
    assert "may or may not have a momentum" in refusal(args, part="momentum")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"time": 2.5}, "time must be left out, as the epochs follow from the clock, got 2.5"),
        ({"anchor_t": 4.0}, "anchor_t must be left out, as YOLOv5 warms up for 100 batches or mor"),
        ({"lr0": "fast"}, "lr0 must be a number >= 0, got 'fast'"),
        ({"epochs": 0}, "epochs must be an integer >= 1 (steps), got 0"),
        ({"cos_lr": "yes"}, "cos_lr must be True or False, got 'yes'"),
    ],
)
def test_refusals(keys: dict[str, Any], message: str) -> None:
    found = refusal(ARGS | keys)
    assert found.startswith("from_config: Ultralytics: ")
    assert message in found


def test_refusals_of_parts_and_context() -> None:
    adam = ARGS | {"optimizer": "AdamW"}
    assert "the momentum of AdamW has no schedule" in refusal(adam, part="momentum")
    assert "part must be 'lr' or 'bias_lr' or 'momentum'" in refusal(ARGS, part="weight_decay")
    assert "lr0 must be learning_rate (0.1), which was given" in refusal(ARGS, learning_rate=0.1)
