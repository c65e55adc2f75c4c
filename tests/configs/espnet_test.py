"""ESPnet's `scheduler`, beside ESPnet's formulas in plain Python."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched import constant, from_config, reduce_on_plateau
from tests.configs.compare import compare, refusal
from tests.configs.metrics import (
    ARGUMENTS,
    METRICS,
    Plateau,
    by_epochs,
    followed,
    rates_of,
    reads,
)

PER_EPOCH = 70


def espnet(name: str | None, **params: Any) -> dict[str, Any]:
    """The file that a run has, with the keys beside the schedule."""
    return {
        "batch_type": "numel",
        "batch_bins": 16000000,
        "accum_grad": 4,
        "max_epoch": 50,
        "patience": None,
        "encoder": "conformer",
        "encoder_conf": {"output_size": 512, "attention_heads": 8},
        "optim": "adam",
        "optim_conf": {"lr": 0.002, "weight_decay": 0.000001},
        "scheduler": name,
        "scheduler_conf": params,
        "best_model_criterion": [["valid", "acc", "max"]],
    }


def check(config: dict[str, Any], formula: Callable[[int], float], total: int = 2500) -> None:
    compare(config, formula, range(total), "espnet", steps_per_epoch=PER_EPOCH, total_steps=total)


@pytest.mark.parametrize("up", [1, 2, 600, 600.5, "1.2e3"])
def test_warmup_lr(up: Any) -> None:
    def rate(n: int) -> float:
        return float(0.002 * float(up) ** 0.5 * min((n + 1) ** -0.5, (n + 1) * float(up) ** -1.5))

    check(espnet("warmuplr", warmup_steps=up), rate)
    check(espnet("WarmupLR", warmup_steps=up), rate)


def test_noam_lr() -> None:
    def rate(n: int) -> float:
        return float(10.0 * 256**-0.5 * min((n + 1) ** -0.5, (n + 1) * 800**-1.5))

    config = espnet("noamlr", model_size=256, warmup_steps=800)
    config["optim_conf"]["lr"] = 10.0
    check(config, rate)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("up", [1, 400, 455, 456])
def test_warmup_step_lr(up: int, size: int) -> None:
    def rate(n: int) -> float:
        step, epoch = n + 1, (n + 1) // 65
        if step <= up:
            return 0.002 * step / up
        return float(0.002 * 0.7 ** ((epoch - up // 65) // size))

    params = {"warmup_steps": up, "steps_per_epoch": 65, "step_size": size, "gamma": 0.7}
    check(espnet("warmupsteplr", **params), rate)


@pytest.mark.parametrize(
    ("steps", "values"),
    [
        ([0, 300, 800], [0.0, 0.0005, 0.002]),
        ([0, 300, 800], [0.0, 0.003, 0.001]),
        ([100, 800.5], [0.0001, 0.001]),
        ([500], [0.002]),
    ],
)
def test_piecewise_linear(steps: list[float], values: list[float]) -> None:
    def rate(n: int) -> float:
        step = n + 1
        if step > steps[-1]:
            return float(0.002 * (steps[-1] / step) ** 0.5)
        pairs = list(zip(steps, values, strict=True))
        for (x, y), (next_x, next_y) in itertools.pairwise(pairs):
            if x <= step <= next_x:
                return float(y + (next_y - y) * (step - x) / (next_x - x))
        return values[0]

    params = {"warmup_steps_list": steps, "warmup_lr_list": values}
    check(espnet("piecewiselinearwarmuplr", **params), rate)


@pytest.mark.parametrize("shares", [(0.1, 0.4, 0.5), (0.0, 0.5, 0.5), (0.25, 0.75, 0.0)])
@pytest.mark.parametrize("total", [2000, 1999])
def test_tristage(total: int, shares: tuple[float, float, float]) -> None:
    up, hold, down = (int(total * share) for share in shares)

    def rate(n: int) -> float:
        step = min(n + 1, total)
        if step < up:
            return 0.002 * (0.02 + 0.98 * step / up)
        if step < up + hold or not down:
            return 0.002
        return 0.002 * math.exp(math.log(0.05) * (step - up - hold) / down)

    names = ("warmup_ratio", "hold_ratio", "decay_ratio")
    params = dict(zip(names, shares, strict=True)) | {"init_lr_scale": 0.02, "final_lr_scale": 0.05}
    config = espnet("tristagelr", max_steps=total, **params)
    compare(config, rate, range(2500), "espnet")


@pytest.mark.parametrize("up", [1, 300, 2000])
def test_linear_decay(up: int) -> None:
    def rate(n: int) -> float:
        if n < up:
            return 0.002 * (1e-4 + (1 - 1e-4) * n / up)
        done = min((n - up) / max(2000 - up, 1), 1)
        return 0.002 * (1 + (1e-3 - 1) * done)

    params = {"warmup_steps": up, "total_steps": 2000, "start_factor": 1e-4, "end_factor": 1e-3}
    compare(espnet("linearwarmupdecaylr", **params), rate, range(2500), "espnet")


@pytest.mark.parametrize("from_zero", [False, True])
@pytest.mark.parametrize("top", [0.002, 0.005])
@pytest.mark.parametrize("up", [0, 1, 400])
def test_exponential_decay(up: int, top: float, from_zero: bool) -> None:
    def rate(n: int) -> float:
        if n == 0:
            return 0.0 if from_zero else top
        if n < up:
            return top * (n + 1) / up if from_zero else 0.002
        return float(top * (1e-5 / top) ** ((n - up) / (2000 - up)))

    params = {"max_lr": top, "min_lr": 1e-5, "total_steps": 2000, "warmup_steps": up}
    config = espnet("exponentialdecaywarmup", warm_from_zero=from_zero, **params)
    compare(config, rate, range(2500), "espnet")


@pytest.mark.parametrize(("growth", "shrink"), [(1.0, 1.0), (1.0, 0.5), (2.0, 1.0), (1.3, 0.8)])
@pytest.mark.parametrize("up", [0, 1, 50])
def test_cosine_cycles(up: int, growth: float, shrink: float) -> None:
    rates, length, position, cycle = [1e-4], 201, 0, 0
    for _ in range(2499):
        position += 1
        if position >= length:
            position, cycle = position - length, cycle + 1
            length = int((length - up) * growth) + up
        top = 0.003 * shrink**cycle
        if position < up:
            rates.append(1e-4 + (top - 1e-4) * position / up)
        else:
            done = (position - up) / (length - up)
            rates.append(1e-4 + (top - 1e-4) * (1 + math.cos(math.pi * done)) / 2)
    params = {"first_cycle_steps": 201, "max_lr": 0.003, "min_lr": 1e-4, "warmup_steps": up}
    config = espnet("CosineAnnealingWarmupRestarts", cycle_mult=growth, gamma=shrink, **params)
    check(config, rates.__getitem__)
    if growth != 1:
        assert "give total_steps=... (the cycles have no end)" in refusal(config)


@pytest.mark.parametrize(
    ("name", "params", "formula"),
    [
        ("steplr", {"step_size": 8, "gamma": 0.5}, lambda e: 0.002 * 0.5 ** (e // 8)),
        ("multisteplr", {"milestones": [5, 20]}, lambda e: 0.002 * 0.1 ** ((e >= 5) + (e >= 20))),
        ("exponentiallr", {"gamma": 0.9}, lambda e: 0.002 * 0.9**e),
        (
            "cosineannealinglr",
            {"T_max": 20, "eta_min": 1e-5},
            lambda e: 1e-5 + (0.002 - 1e-5) * (1 + math.cos(math.pi * e / 20)) / 2,
        ),
    ],
)
def test_schedulers_of_epochs(name: str, params: dict[str, Any], formula: Any) -> None:
    config = espnet(name, **params)
    check(config, lambda n: float(formula(n // PER_EPOCH)))
    assert not from_config(config).is_resolved


def test_warm_restarts() -> None:
    def rate(n: int) -> float:
        length = 300
        while n >= length:
            n, length = n - length, length * 2
        return 1e-5 + (0.002 - 1e-5) * (1 + math.cos(math.pi * n / length)) / 2

    check(espnet("CosineAnnealingWarmRestarts", T_0=300, T_mult=2, eta_min="1e-5"), rate)


def test_no_scheduler() -> None:
    assert from_config(espnet(None), format="espnet")(7) == 0.002


def test_what_is_given() -> None:
    config = espnet("warmuplr")
    del config["optim_conf"]
    given = {"learning_rate": 0.002, "warmup_steps": 600}

    def rate(n: int) -> float:
        return float(0.002 * 600**0.5 * min((n + 1) ** -0.5, (n + 1) * 600**-1.5))

    compare(config, rate, range(1000), "espnet", **given)
    assert "optim_conf.lr is missing; give learning_rate=..." in refusal(config)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("reducelronplateau", {"warmup_steps": 9}, "scheduler_conf.warmup_steps is unknown (known"),
        ("WarmupReduceLROnPlateau", {}, "give steps_per_epoch=... (the warmup must end before th"),
        ("warmupreducelronplateau", {"warmup_steps": 9.5}, "warmup_steps must be an integer >= 1"),
        ("warmuplr", {"warmup_step": 5}, "scheduler_conf.warmup_step is unknown (known: last_epo"),
        ("warmuplr", {"warmup_steps": 0}, "scheduler_conf.warmup_steps must be a number >= 1"),
        ("warmuplr", {"last_epoch": 5}, "scheduler_conf.last_epoch must be -1, as of a run from"),
        ("tristagelr", {"hold_ratio": 0.3}, "decay_ratio must be a share that makes the sum"),
        (
            "piecewiselinearwarmuplr",
            {"warmup_steps_list": [0, 10, 20]},
            "scheduler_conf.warmup_lr_list must be 3 numbers, one for each step",
        ),
        (
            "cosineannealingwarmuprestarts",
            {"first_cycle_steps": 100, "warmup_steps": 100},
            "scheduler_conf.warmup_steps must be < first_cycle_steps (100), got 100",
        ),
        (
            "exponentialdecaywarmup",
            {"max_lr": 0.1, "min_lr": 0.01, "total_steps": 9, "warmup_steps": 9},
            "scheduler_conf.warmup_steps must be < total_steps (9), got 9",
        ),
    ],
)
def test_refusals(name: str, params: dict[str, Any], message: str) -> None:
    found = refusal(espnet(name, **params))
    assert found.startswith("from_config: ESPnet: ")
    assert message in found


def test_a_scheduler_that_is_unknown() -> None:
    found = refusal(espnet("cycliclr"), format="espnet")
    assert "ESPnet: scheduler must be one of warmuplr, noamlr, warmupsteplr" in found


@given(ARGUMENTS, METRICS)
def test_plateau(params: dict[str, Any], metrics: list[float]) -> None:
    made = reads(espnet("ReduceLROnPlateau", **params), "espnet")
    assert followed(made, metrics) == rates_of(Plateau(0.002, **params), metrics)


def test_plateau_without_a_warmup() -> None:
    made = reads(espnet("warmupreducelronplateau", warmup_steps=1, patience=2), "espnet")
    assert made == reduce_on_plateau(0.002, patience=2)


@given(ARGUMENTS, METRICS, st.data())
def test_plateau_after_a_warmup(params: dict[str, Any], metrics: list[float], data: Any) -> None:
    """ESPnet steps it after each update without a metric, and after each epoch with one."""
    up = data.draw(st.integers(1, 7 * (params["patience"] + 1)))
    rule, rates = Plateau(0.002, **params), []
    for epoch, metric in enumerate(metrics):
        for step in range(7 * epoch + 1, 7 * epoch + 8):
            rates.append(rule.rate)
            if step <= up:
                rule.rate = 0.002 * up**-1 * step
        rule.step(metric)
    config = espnet("warmupreducelronplateau", warmup_steps=up, **params)
    made = reads(config, "espnet", steps_per_epoch=7)
    if up == 1:
        made = made * constant(1.0)
    assert by_epochs(made, metrics, 7) == pytest.approx(rates, rel=1e-9)


def test_a_warmup_that_overrides_cuts() -> None:
    config = espnet("warmupreducelronplateau", warmup_steps=22, patience=2)
    found = refusal(config, steps_per_epoch=7)
    assert "scheduler_conf.warmup_steps must be at most 21 (the updates before a first" in found
