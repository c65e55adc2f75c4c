"""timm's arguments, beside timm's formulas in plain Python."""

import argparse
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched import Controller, from_config
from tests.configs.compare import compare, refusal
from tests.configs.metrics import METRICS, Plateau, by_epochs, followed, rates_of, reads

Curve = Callable[[int], float]
PER_EPOCH = 7  # updates


def timm(**changed: Any) -> dict[str, Any]:
    """The arguments of a run, with those beside the schedule."""
    return {
        "data_dir": "/data/imagenet",
        "model": "vit_base_patch16_224",
        "batch_size": 128,
        "opt": "adamw",
        "weight_decay": 0.05,
        "layer_decay": 0.75,
        "clip_grad": None,
        "sched": "cosine",
        "sched_on_updates": False,
        "lr": 0.002,
        "lr_base": 0.1,
        "lr_base_size": 256,
        "lr_base_scale": "",
        "lr_noise": None,
        "lr_noise_pct": 0.67,
        "lr_noise_std": 1.0,
        "lr_cycle_mul": 1.0,
        "lr_cycle_decay": 0.5,
        "lr_cycle_limit": 1,
        "lr_k_decay": 1.0,
        "warmup_lr": 1e-5,
        "min_lr": 1e-6,
        "epochs": 30,
        "start_epoch": None,
        "decay_milestones": [10, 20],
        "decay_epochs": 9,
        "warmup_epochs": 4,
        "warmup_prefix": False,
        "cooldown_epochs": 3,
        "patience_epochs": 10,
        "decay_rate": 0.2,
        "aa": "rand-m9-mstd0.5-inc1",
        "mixup": 0.8,
        "seed": 42,
    } | changed


def stepped(config: dict[str, Any], curve: Callable[[int, int], float], first: float) -> Curve:
    """The rate of update n, for a curve of a count and the length of an epoch in it.

    The optimizer's rate, or that of the warmup, is in effect until the first step.
    """
    up, start, rate = config["warmup_epochs"], config["warmup_lr"], config["lr"]
    prefix = config["warmup_prefix"]

    def at(t: int, unit: int) -> float:
        if t < up * unit:
            return float(start + (first - start) * t / (up * unit))
        return curve(t - up * unit if prefix else t, unit) if t else rate

    return lambda n: at(n, PER_EPOCH) if config["sched_on_updates"] else at(n // PER_EPOCH, 1)


def cycles(config: dict[str, Any], shape: Callable[[float], float]) -> Callable[[int, int], float]:
    """Cycles of a shape over the part of each that is done, and then the lowest rate."""
    low = config["min_lr"]

    def at(t: int, unit: int) -> float:
        done, length, top = float(t), float(config["epochs"] * unit), config["lr"]
        for _ in range(config["lr_cycle_limit"]):
            if done < length:
                return float(low + (top - low) * shape(done / length))
            done -= length
            length *= config["lr_cycle_mul"]
            top *= config["lr_cycle_decay"]
        return float(low)

    return at


def check(config: dict[str, Any], formula: Curve) -> None:
    compare(config, formula, range(60 * PER_EPOCH), "timm", steps_per_epoch=PER_EPOCH)


UPDATES = pytest.mark.parametrize("sched_on_updates", [False, True])
WARMUPS = pytest.mark.parametrize(
    "warmup",
    [
        {"warmup_epochs": 0},
        {"warmup_epochs": 1},
        {"warmup_epochs": 4, "warmup_lr": 0.0},
        {"warmup_epochs": 4, "warmup_prefix": True},
        {"warmup_epochs": 30},
        {"warmup_epochs": 30, "warmup_prefix": True},
    ],
    ids=str,
)
CYCLES = pytest.mark.parametrize(
    "cycling",
    [
        {"lr_k_decay": 1.0},
        {"lr_k_decay": 1.5},
        {"epochs": 8, "lr_cycle_limit": 3},
        {"epochs": 8, "lr_cycle_limit": 3, "lr_cycle_mul": 2.0, "lr_cycle_decay": 1.0},
        {"epochs": 9, "lr_cycle_limit": 3, "lr_cycle_mul": 1.5, "lr_k_decay": 0.5},
    ],
    ids=str,
)


@CYCLES
@WARMUPS
@UPDATES
def test_cosine(sched_on_updates: bool, warmup: dict[str, Any], cycling: dict[str, Any]) -> None:
    config = timm(sched_on_updates=sched_on_updates, **warmup, **cycling)
    k = config["lr_k_decay"]
    curve = cycles(config, lambda p: (1 + math.cos(math.pi * p**k)) / 2)
    check(config, stepped(config, curve, config["lr"]))


@CYCLES
@WARMUPS
@UPDATES
def test_poly(sched_on_updates: bool, warmup: dict[str, Any], cycling: dict[str, Any]) -> None:
    config = timm(sched="poly", sched_on_updates=sched_on_updates, **warmup, **cycling)
    k = config["lr_k_decay"]
    curve = cycles(config, lambda p: float((1 - p**k) ** 0.2))
    check(config, stepped(config, curve, config["lr"]))


@CYCLES
@WARMUPS
@UPDATES
def test_tanh(sched_on_updates: bool, warmup: dict[str, Any], cycling: dict[str, Any]) -> None:
    config = timm(sched="tanh", sched_on_updates=sched_on_updates, **warmup, **cycling)
    curve = cycles(config, lambda p: (1 - math.tanh(-7 + 10 * p)) / 2)
    unit = PER_EPOCH if sched_on_updates else 1
    reached = curve(config["warmup_epochs"] * unit, unit)
    first = config["lr"] if config["warmup_prefix"] else reached
    check(config, stepped(config, curve, first))


@WARMUPS
@UPDATES
@pytest.mark.parametrize("every", [1, 9, 2.5])
def test_step(sched_on_updates: bool, warmup: dict[str, Any], every: float) -> None:
    config = timm(sched="step", decay_epochs=every, decay_rate=0.9, **warmup)
    config["sched_on_updates"] = sched_on_updates

    def curve(t: int, unit: int) -> float:
        return float(0.002 * 0.9 ** (t // (every * unit)))

    check(config, stepped(config, curve, 0.002))


@WARMUPS
@UPDATES
@pytest.mark.parametrize("milestones", [[10, 20], [2, 3, 50], [12]])
def test_multi_step(sched_on_updates: bool, warmup: dict[str, Any], milestones: list[int]) -> None:
    """The milestones act one step early."""
    config = timm(
        sched="multistep",
        sched_on_updates=sched_on_updates,
        decay_milestones=milestones,
        **warmup,
    )

    def curve(t: int, unit: int) -> float:
        return float(0.002 * 0.2 ** sum(t + 1 >= each * unit for each in milestones))

    check(config, stepped(config, curve, 0.002))


def test_a_step_of_2_4_epochs() -> None:
    config = timm(sched="step", decay_epochs=2.4, decay_rate=0.97, warmup_epochs=0)
    check(config, lambda n: 0.002 * 0.97 ** (n // PER_EPOCH // 2.4))
    config["sched_on_updates"] = True
    assert "give steps_per_epoch=... (decay_epochs are no whole number" in refusal(config)
    found = refusal(config, steps_per_epoch=PER_EPOCH)
    assert "decay_epochs must be a number whose multiples are no whole epochs" in found
    compare(config, lambda n: 0.002 * 0.97 ** (n // 12), range(200), "timm", steps_per_epoch=5)


def test_a_milestone_before_the_first_step() -> None:
    config = timm(sched="multistep", decay_milestones=[1, 6], warmup_epochs=0)
    check(config, lambda n: 0.002 * 0.2 ** ((n >= PER_EPOCH) + (n >= 5 * PER_EPOCH)))
    config["warmup_epochs"], config["warmup_prefix"] = 3, True
    assert "decay_milestones must be > 1 with warmup_prefix" in refusal(config)


def test_no_schedule() -> None:
    check(timm(sched="none"), lambda n: 0.002)


@pytest.mark.parametrize(
    ("changed", "rate"),
    [
        ({"opt": "sgd"}, 0.4),
        ({"opt": "AdamW"}, 0.2),
        ({"opt": "lamb", "lr_base_scale": "linear"}, 0.4),
        ({"lr_base_scale": "sqrt", "lr_base": "0.05"}, 0.1),
        ({"opt": "sgd", "lr_base_size": 512}, 0.2),
    ],
)
def test_base_rate(changed: dict[str, Any], rate: float) -> None:
    config = timm(sched="none", lr=None, **changed)
    compare(config, lambda n: rate, [0, 9], "timm", batch_size=1024)
    assert "give batch_size=... (lr_base is scaled with that of all devices)" in refusal(config)


def test_defaults() -> None:
    def rate(n: int) -> float:
        epoch = n // PER_EPOCH
        if epoch < 5:
            return 1e-5 + (0.1 - 1e-5) * epoch / 5
        return 0.05 * (1 + math.cos(math.pi * epoch / 300))

    config = {"model": "resnet50", "opt": "sgd", "sched": "cosine"}
    compare(config, rate, range(2100), "timm", learning_rate=0.1, steps_per_epoch=PER_EPOCH)
    options = argparse.Namespace(lr="0.1", lr_k_decay="1.0", warmup_prefix=False)
    compare(options, rate, range(2100), "timm", steps_per_epoch=PER_EPOCH)


def test_lengths_stay_in_epochs() -> None:
    schedule = from_config(timm(sched="step", warmup_epochs=0))
    assert repr(schedule) == "step_decay(init_value=0.002, decay_rate=0.2, step_size=epochs(9))"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sched": "plateau", "sched_on_updates": True}, "sched_on_updates must be False with sch"),
        ({"sched": "plateau", "warmup_epochs": 1.5}, "warmup_epochs must be an integer"),
        ({"sched": "onecycle"}, "sched must be 'cosine' or 'tanh' or 'step' or 'multistep' or"),
        ({"lr_noise": [0.4, 0.9]}, "lr_noise must be left out, as its random numbers are those"),
        ({"unscale_lr": False}, "unscale_lr must be True: DeiT scales lr with the batch"),
        ({"sched": "step", "decay_epochs": 2.2}, "decay_epochs must be a number whose multiples"),
        ({"lr_cycle_mul": 3.0, "lr_cycle_limit": 6}, "lr_cycle_mul must be a number whose resta"),
        ({"lr_cycle_mul": 0.5}, "lr_cycle_mul must be a number >= 1, got 0.5"),
        ({"epochs": 0}, "epochs must be an integer >= 1"),
    ],
)
def test_refusals(changed: dict[str, Any], message: str) -> None:
    found = refusal(timm(**changed))
    assert found.startswith("from_config: timm: ")
    assert message in found


def plateau(**changed: Any) -> dict[str, Any]:
    return timm(**{"sched": "plateau", "warmup_epochs": 0, "patience_epochs": 2} | changed)


@given(METRICS, st.integers(0, 3), st.sampled_from([0.0, 1e-6, 1e-4]))
def test_plateau(metrics: list[float], patience: int, low: float) -> None:
    config = plateau(eval_metric="top5", patience_epochs=patience, min_lr=low)
    rule = Plateau(0.002, 0.2, patience, "max", min_lr=low)
    assert followed(reads(config, "timm"), metrics) == rates_of(rule, metrics)


@pytest.mark.parametrize(
    ("changed", "mode"),
    [
        ({}, "max"),
        ({"eval_metric": "loss"}, "min"),
        ({"eval_metric": "top1", "val_split": ""}, "min"),
        ({"eval_metric": "top1", "val_split": "validation"}, "max"),
    ],
)
def test_mode_of_a_plateau(changed: dict[str, Any], mode: str) -> None:
    assert from_config(plateau(**changed), kind=Controller).mode == mode


@given(METRICS, st.integers(1, 6), st.integers(1, 4))
def test_plateau_after_a_warmup(metrics: list[float], up: int, every: int) -> None:
    """timm shows it no metric of an epoch of the warmup."""
    config = plateau(warmup_epochs=up, val_interval=every, eval_metric="loss", warmup_lr=1e-4)
    shown = [metric for value in metrics for metric in (*[None] * (every - 1), value)]
    rule = Plateau(0.002, 0.2, 2, "min", min_lr=1e-6)
    rule.rate, rates = 1e-4, []
    for epoch, metric in enumerate(shown, 1):
        rates += [rule.rate] * PER_EPOCH
        if epoch <= up:
            rule.rate = 1e-4 + epoch * ((0.002 - 1e-4) / up)
        elif metric is not None:
            rule.step(metric)
    made = reads(config, "timm", steps_per_epoch=PER_EPOCH)
    assert by_epochs(made, shown, PER_EPOCH) == pytest.approx(rates, rel=1e-9)
    assert from_config(config).resolve(steps_per_epoch=PER_EPOCH) == made
