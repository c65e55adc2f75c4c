"""mmcv's `lr_config`, beside mmcv's formulas in plain Python."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from lrsched import epochs, from_config, multi_step_decay, warmup
from tests.configs.compare import compare, refusal

PER_EPOCH = 15  # iterations
EPOCHS = 16
TOTAL = EPOCHS * PER_EPOCH


def mmcv(policy: str, by_iterations: bool = False, **keys: Any) -> dict[str, Any]:
    """The file that a run has, with the sections beside the schedule."""
    runner = {"type": "EpochBasedRunner", "max_epochs": EPOCHS}
    if by_iterations:
        runner = {"type": "IterBasedRunner", "max_iters": TOTAL}
    return {
        "model": {"type": "MaskRCNN", "backbone": {"type": "ResNet", "depth": 50}},
        "data": {"samples_per_gpu": 2, "workers_per_gpu": 2},
        "optimizer": {"type": "SGD", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.0001},
        "optimizer_config": {"grad_clip": None},
        "lr_config": {"policy": policy, **keys},
        "runner": runner,
        "checkpoint_config": {"interval": 1},
        "auto_scale_lr": {"enable": False, "base_batch_size": 16},
    }


def cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


def check(config: dict[str, Any], policy: Callable[[int], float], unit: int) -> None:
    """Compare over the run; the policy is one of the epoch, or of the iteration."""
    keys = config["lr_config"]
    ratio, steps = float(keys.get("warmup_ratio", 0.1)), keys.get("warmup_iters", 0)
    steps *= PER_EPOCH if keys.get("warmup_by_epoch") else 1

    def rate(n: int) -> float:
        value = policy(n // unit)
        if n >= steps:
            return value
        if keys["warmup"] == "linear":
            return float(value * (1 - (1 - n / steps) * (1 - ratio)))
        return float(value * ratio ** (1 - n / steps if keys["warmup"] == "exp" else 1))

    compare(config, rate, range(TOTAL), "mmcv", steps_per_epoch=PER_EPOCH)


WARMUPS = pytest.mark.parametrize(
    "warmup",
    [
        {},
        {"warmup": "linear", "warmup_iters": 40, "warmup_ratio": 0.001},
        {"warmup": "linear", "warmup_iters": 1},
        {"warmup": "constant", "warmup_iters": 40, "warmup_ratio": "1e-3"},
        {"warmup": "exp", "warmup_iters": 3, "warmup_ratio": 0.2, "warmup_by_epoch": True},
        {"warmup": "linear", "warmup_iters": EPOCHS * PER_EPOCH, "warmup_ratio": 1.0},
    ],
    ids=str,
)
UNITS = pytest.mark.parametrize("unit", [1, PER_EPOCH])


@WARMUPS
@UNITS
@pytest.mark.parametrize(
    ("policy", "keys", "formula"),
    [
        ("fixed", {}, lambda t, n: 0.02),
        ("step", {"step": [8, 11]}, lambda t, n: 0.02 * 0.1 ** ((t >= 8) + (t >= 11))),
        (
            "step",
            {"step": 5, "gamma": 0.5, "min_lr": 3e-3},
            lambda t, n: max(0.02 * 0.5 ** (t // 5), 3e-3),
        ),
        ("exp", {"gamma": 0.97}, lambda t, n: 0.02 * 0.97**t),
        (
            "poly",
            {"power": 0.9, "min_lr": 1e-4},
            lambda t, n: 1e-4 + (0.02 - 1e-4) * (1 - t / n) ** 0.9,
        ),
        ("poly", {}, lambda t, n: 0.02 * (1 - t / n)),
        ("inv", {"gamma": 0.1, "power": 0.75}, lambda t, n: 0.02 * (1 + 0.1 * t) ** -0.75),
        ("CosineAnnealing", {"min_lr": 1e-5}, lambda t, n: cosine(0.02, 1e-5, t / n)),
        ("CosineAnnealing", {"min_lr_ratio": 0.01}, lambda t, n: cosine(0.02, 2e-4, t / n)),
        (
            "FlatCosineAnnealing",
            {"start_percent": 0.7, "min_lr": 0},
            lambda t, n: cosine(0.02, 0, max(t - round(0.7 * n), 0) / (n - round(0.7 * n))),
        ),
        (
            "FlatCosineAnnealing",
            {"start_percent": 0.99, "min_lr": 0},
            lambda t, n: 0.02 if n == EPOCHS else cosine(0.02, 0, max(t - 238, 0) / 2),
        ),
        ("LinearAnnealing", {"min_lr_ratio": 0.1}, lambda t, n: 0.02 - 0.018 * t / n),
    ],
)
def test_policies(
    policy: str, keys: dict[str, Any], formula: Any, unit: int, warmup: dict[str, Any]
) -> None:
    total = TOTAL // unit
    for by_iterations in (False, True)[: 2 if unit == 1 else 1]:
        config = mmcv(policy, by_iterations, by_epoch=unit > 1, **keys, **warmup)
        check(config, lambda t: float(formula(t, total)), unit)


@WARMUPS
@UNITS
def test_restarts(unit: int, warmup: dict[str, Any]) -> None:
    first, second = 6 * PER_EPOCH // unit, 10 * PER_EPOCH // unit
    keys: dict[str, Any] = {"periods": [first, second], "restart_weights": [1, 0.5], "min_lr": 1e-4}

    def formula(t: int) -> float:
        if t < first:
            return cosine(0.02, 1e-4, t / first)
        return cosine((0.02 + 1e-4) / 2, 1e-4, (t - first) / second)

    check(mmcv("CosineRestart", by_epoch=unit > 1, **keys, **warmup), formula, unit)


@WARMUPS
@pytest.mark.parametrize("gamma", [1, 0.5])
@pytest.mark.parametrize("times", [1, 2, 7])
@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("ratios", [(10, 1e-4), [5.0], 8.0])
def test_cyclic(
    ratios: Any, strategy: str, times: int, gamma: float, warmup: dict[str, Any]
) -> None:
    top = ratios if isinstance(ratios, float) else ratios[0]
    low = 1e-4 if isinstance(ratios, tuple) else top / 1e5
    length = TOTAL // times
    up = int(0.3 * length)

    def formula(t: int) -> float:
        scale = gamma ** (t // length)
        peak, t = 0.02 * (1 - scale + top * scale), t % length
        ends, done = ((0.02, peak), t / up) if t < up else ((peak, 0.02 * low), 0.0)
        done = done if t < up else (t - up) / (length - up)
        if strategy == "linear":
            return ends[0] + (ends[1] - ends[0]) * done
        return cosine(*ends, done)

    keys = {"target_ratio": ratios, "cyclic_times": times, "step_ratio_up": 0.3, "gamma": gamma}
    check(mmcv("cyclic", **keys, anneal_strategy=strategy, **warmup), formula, 1)


@WARMUPS
@pytest.mark.parametrize("total", [None, 300])
def test_one_cycle(total: int | None, warmup: dict[str, Any]) -> None:
    last, top = (total or TOTAL) - 1, 0.4 * (total or TOTAL) - 1

    def formula(t: int) -> float:
        if t <= top:
            return cosine(4e-3, 0.1, t / top)
        return cosine(0.1, 4e-7, (t - top) / (last - top))

    keys: dict[str, Any] = {"max_lr": 0.1, "pct_start": 0.4, "total_steps": total}
    config = mmcv("OneCycle", **keys, **warmup)
    del config["lr_config"]["total_steps"]
    if total:
        config["lr_config"]["total_steps"] = total
    check(config, formula, 1)


def test_base_rate_and_older_keys() -> None:
    config = mmcv("step", step=[8, 11])
    del config["runner"], config["optimizer"]
    config["total_epochs"] = EPOCHS
    config["auto_scale_lr"]["enable"] = True
    context: dict[str, Any] = {
        "learning_rate": 0.01,
        "batch_size": 32,
        "steps_per_epoch": PER_EPOCH,
    }
    compare(config, lambda n: 0.02 * 0.1 ** ((n >= 120) + (n >= 165)), range(TOTAL), **context)
    assert "optimizer.lr is missing; give learning_rate=..." in refusal(config)
    assert "give batch_size=... (auto_scale_lr is enabled)" in refusal(config, learning_rate=0.1)


def test_lengths_stay_in_epochs() -> None:
    config = mmcv("step", step=[8, 11], warmup="linear", warmup_iters=500, warmup_ratio=0.001)
    decay = multi_step_decay(0.02, 0.1, [epochs(8), epochs(11)])
    assert from_config(config) == warmup(decay, 500, 0.001, mode="times")


@pytest.mark.parametrize(
    ("policy", "keys", "message"),
    [
        ("YOLOX", {}, "lr_config.policy must be one of Fixed, Step, Exp, Poly, Inv, CosineAnn"),
        ("step", {}, "lr_config.step is missing"),
        ("step", {"step": [11, 8]}, "lr_config.step must be in ascending order, got (11, 8)"),
        ("step", {"step": [8], "steps": [8]}, "lr_config.steps is unknown (known: by_epoch, gamma"),
        ("step", {"step": [8], "warmup": "cosine"}, "lr_config.warmup must be 'constant' or 'lin"),
        ("step", {"step": [8], "warmup": "exp"}, "lr_config.warmup_iters is missing"),
        ("CosineAnnealing", {}, "lr_config.min_lr is missing"),
        ("CosineAnnealing", {"min_lr": 0, "min_lr_ratio": 0.1}, "min_lr_ratio must be left out be"),
        ("cyclic", {"by_epoch": True}, "lr_config.by_epoch must be False with this policy"),
        ("cyclic", {}, "give steps_per_epoch=... (the policy rounds shares of the run)"),
        ("OneCycle", {"max_lr": [0.1, 0.2]}, "lr_config.max_lr must be a number >= 0"),
        (
            "CosineRestart",
            {"periods": [3, 9], "min_lr": 0},
            "lr_config.restart_weights must be 2 numbers, one for each period",
        ),
    ],
)
def test_refusals(policy: str, keys: dict[str, Any], message: str) -> None:
    found = refusal(mmcv(policy, **keys))
    assert found.startswith("from_config: mmcv: ")
    assert message in found


def test_refusals_outside_of_the_policy() -> None:
    config = mmcv("step", by_iterations=True, step=[8, 11])
    assert "lr_config.by_epoch must be False with this policy, or a runner" in refusal(config)
    config = mmcv("step", step=[8, 11])
    config["optimizer_config"]["cumulative_iters"] = 4
    assert "optimizer_config.cumulative_iters must be 1, as the rate follows" in refusal(config)
