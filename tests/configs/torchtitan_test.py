"""torchtitan's sections, beside its formula in plain Python."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest

from lrsched import constant, from_config, linear, warmup
from tests.configs.compare import compare, refusal


def torchtitan(steps: int = 500, **scheduler: Any) -> dict[str, Any]:
    """The file that a run has, with the sections beside the schedule."""
    return {
        "job": {"dump_folder": "./outputs", "description": "a run"},
        "metrics": {"log_freq": 10, "enable_tensorboard": True},
        "model": {"name": "llama3", "flavor": "8B"},
        "optimizer": {"name": "AdamW", "lr": 3e-4, "eps": 1e-8},
        "lr_scheduler": scheduler,
        "training": {"local_batch_size": 1, "seq_len": 8192, "max_norm": 1.0, "steps": steps},
        "checkpoint": {"enable": False, "interval": 500},
        "validation": {"enable": False, "steps": 1200},
    }


LEFT: dict[str, Callable[[float], float]] = {
    "linear": lambda p: 1 - p,
    "sqrt": lambda p: 1 - math.sqrt(p),
    "cosine": lambda p: (1 + math.cos(math.pi * p)) / 2,
}


def factor(
    n: int, up: int, total: int, ratio: float | None, kind: str = "linear", low: float = 0.0
) -> float:
    up = min(up, total)
    down = total - up if ratio is None else min(round(total * ratio), total - up)
    stable_until = total + 1 - down
    if n < up:
        return (n + 1) / up
    if n < stable_until:
        return 1.0
    return low + (1 - low) * LEFT[kind]((n + 1 - stable_until) / down)


@pytest.mark.parametrize("kind", LEFT)
@pytest.mark.parametrize("ratio", [None, 0.2, 1.0])
@pytest.mark.parametrize("up", [0, 1, 50])
@pytest.mark.parametrize("low", [0.0, 0.1])
def test_all(kind: str, ratio: float | None, up: int, low: float) -> None:
    settings: dict[str, Any] = {
        "warmup_steps": up,
        "decay_ratio": ratio,
        "decay_type": kind,
        "min_lr_factor": low,
    }
    formula = lambda n: 3e-4 * factor(n, up, 500, ratio, kind, low)  # noqa: E731
    compare(torchtitan(**settings), formula, range(500), "torchtitan")
    settings["lr_min"] = settings.pop("min_lr_factor")
    compare(torchtitan(**settings), formula, range(500), "torchtitan")


@pytest.mark.parametrize("steps", [25, 35, 333])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_a_ratio_is_rounded_half_to_even(steps: int, ratio: float) -> None:
    formula = lambda n: 3e-4 * factor(n, 4, steps, ratio)  # noqa: E731
    config = torchtitan(steps, warmup_steps=4, decay_ratio=ratio)
    compare(config, formula, range(steps), "torchtitan")


@pytest.mark.parametrize("total", [400, 2000])
def test_another_number_of_steps_for_the_schedule(total: int) -> None:
    formula = lambda n: 3e-4 * factor(n, 50, total, 0.2)  # noqa: E731
    config = torchtitan(400, warmup_steps=50, decay_ratio=0.2, total_steps=total)
    compare(config, formula, range(400), "torchtitan")


def test_what_is_left_out() -> None:
    formula = lambda n: 3e-4 * factor(n, 200, 10_000, None)  # noqa: E731
    config = torchtitan()
    del config["lr_scheduler"]
    compare(config, lambda n: 3e-4 * factor(n, 200, 500, None), range(500), "torchtitan")
    del config["training"]
    config["lr_scheduler"] = {"decay_type": "linear"}
    compare(config, formula, range(10_000), "torchtitan")
    given = {"total_steps": 70, "warmup_steps": 7}
    compare(config, lambda n: 3e-4 * factor(n, 7, 70, None), range(70), "torchtitan", **given)


def test_a_warmup_as_long_as_the_run() -> None:
    for up in (100, 120):
        config = torchtitan(100, warmup_steps=up)
        assert from_config(config) == warmup(constant(3e-4), 100, count_from=1)
        compare(config, lambda n: 3e-4 * (n + 1) / 100, range(100), "torchtitan")


def test_the_simplest_composition() -> None:
    assert from_config(torchtitan(warmup_steps=0)) == linear(3e-4, 0.0, 500)
    config = torchtitan(warmup_steps=50)
    assert from_config(config) == warmup(linear(3e-4, 0.0, 450), 50, count_from=1)


@pytest.mark.parametrize("up", [0, 1, 40])
def test_the_warmup_in_the_section_training(up: int) -> None:
    def formula(n: int) -> float:
        return 3e-4 * ((n + 1) / (up + 1) if n < up else 1 - (n - up) / (300 - up))

    config = torchtitan(300)
    del config["lr_scheduler"]
    config["training"]["warmup_steps"] = up
    compare(config, formula, range(300), "torchtitan")


def group(lr: float) -> dict[str, Any]:
    return {"pattern": ".*", "optimizer_name": "AdamW", "optimizer_kwargs": {"lr": lr}}


@dataclasses.dataclass
class Scheduler:
    warmup_steps: int = 50
    total_steps: int | None = None
    decay_ratio: float | None = None
    decay_type: str = "cosine"
    min_lr_factor: float = 0.1


@dataclasses.dataclass
class Training:
    steps: int = 400


@dataclasses.dataclass
class Optimizer:
    param_groups: list[dict[str, Any]]


@dataclasses.dataclass
class Config:
    optimizer: Optimizer
    lr_scheduler: Scheduler = dataclasses.field(default_factory=Scheduler)
    training: Training = dataclasses.field(default_factory=Training)


def test_dataclasses_with_groups() -> None:
    formula = lambda n: 3e-4 * factor(n, 50, 400, None, "cosine", 0.1)  # noqa: E731
    compare(Config(Optimizer([group(3e-4), group(3e-4)])), formula, range(400), "torchtitan")
    several = Config(Optimizer([group(1e-3), group(3e-4)]))
    compare(several, formula, range(400), "torchtitan", learning_rate=3e-4)
    assert "give learning_rate=... (the groups have different rates)" in refusal(several)
    assert "optimizer.param_groups must be groups with the" in refusal(several, learning_rate=1.0)


NO_RATE = torchtitan(warmup_steps=5)
del NO_RATE["optimizer"]["lr"]
BOTH_WARMUPS = torchtitan(decay_type="linear")
BOTH_WARMUPS["training"]["warmup_steps"] = 10


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (NO_RATE, "optimizer.lr is missing; give learning_rate=..."),
        (BOTH_WARMUPS, "training.warmup_steps must be left out beside the section lr_scheduler"),
        (torchtitan(warmup_steps=5, decay_rate=0.1), "lr_scheduler.decay_rate is unknown (known: "),
        (torchtitan(decay_type="exp"), "decay_type must be 'linear' or 'sqrt' or 'cosine', got 'e"),
        (torchtitan(lr_min=0.1, min_lr_factor=0.1), "lr_scheduler.lr_min must be left out beside"),
        (torchtitan(0, warmup_steps=5), "training.steps must be an integer >= 1 (steps), got 0"),
        (torchtitan(decay_ratio=-0.1), "lr_scheduler.decay_ratio must be a number >= 0, got -0.1"),
    ],
)
def test_refusals(config: dict[str, Any], message: str) -> None:
    found = refusal(config)
    assert found.startswith("from_config: torchtitan: ")
    assert message in found


def test_what_is_given_must_agree() -> None:
    assert "must be total_steps (1000), which" in refusal(
        torchtitan(warmup_steps=5), total_steps=1000
    )
    assert "must be warmup_steps (9), which" in refusal(torchtitan(warmup_steps=5), warmup_steps=9)
