"""axolotl's YAML, beside the formulas of its schedules in plain Python."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from lrsched import Schedule, epochs, from_config, greedy, linear, reduce_on_plateau, warmup
from tests.configs.compare import compare, refusal
from tests.configs.metrics import reads


def axolotl(name: str | None = "cosine", **others: Any) -> dict[str, Any]:
    """The file that a run has, with the keys beside the schedule."""
    return {
        "base_model": "some/model",
        "datasets": [{"path": "some/data", "type": "alpaca"}],
        "val_set_size": 0.1,
        "output_dir": "./outputs/run",
        "adapter": "lora",
        "sequence_len": 2048,
        "lora_r": 16,
        "gradient_accumulation_steps": 2,
        "micro_batch_size": 2,
        "optimizer": "adamw_8bit",
        "lr_scheduler": name,
        "learning_rate": "2e-4",
        "bf16": "auto",
        "deepspeed": None,
        "logging_steps": 1,
        "weight_decay": 0.0,
        **others,
    }


def warmed_up(up: int, formula: Callable[[int], float]) -> Callable[[int], float]:
    return lambda n: 2e-4 * (n / up if n < up else formula(n))


def half_cosine(n: int, up: int, end: int) -> float:
    return (1 + math.cos(math.pi * min((n - up) / max(end - up, 1), 1))) / 2


@pytest.mark.parametrize("up", [0, 2, 9, 60])
def test_warmup_steps(up: int) -> None:
    formula = warmed_up(up, lambda n: half_cosine(n, up, 500))
    compare(axolotl(warmup_steps=up, max_steps=500), formula, range(500), "axolotl")
    given = {"total_steps": 500, "warmup_steps": up}
    compare(axolotl(num_epochs=3), formula, range(500), "axolotl", **given)


@pytest.mark.parametrize("ratio", [0, 0.05, 0.1, 0.003])
def test_a_warmup_ratio_is_rounded_down(ratio: float) -> None:
    up = int(777 * ratio)
    formula = warmed_up(up, lambda n: half_cosine(n, up, 777))
    config = axolotl(None, warmup_ratio=ratio, num_epochs=3)
    compare(config, formula, range(777), "axolotl", total_steps=777)
    compare(config, formula, range(777), "axolotl", steps_per_epoch=259)


@pytest.mark.parametrize("keys", [{"warmup_steps": 1}, {"warmup_ratio": 0.1}])
def test_one_step_of_warmup_is_two(keys: dict[str, Any]) -> None:
    formula = warmed_up(2, lambda n: half_cosine(n, 2, 19))
    compare(axolotl(max_steps=19, **keys), formula, range(19), "axolotl")


@pytest.mark.parametrize(("total", "up"), [(20, 0), (40, 2), (1000, 30), (5000, 100)])
def test_the_default_warmup(total: int, up: int) -> None:
    formula = warmed_up(up, lambda n: half_cosine(n, up, total))
    compare(axolotl(max_steps=total), formula, range(total), "axolotl")


def test_a_warmup_as_long_as_the_run() -> None:
    for name in ("cosine", "linear"):
        config = axolotl(name, warmup_steps=40, max_steps=40)
        compare(config, lambda n: 2e-4 * n / 40, range(40), "axolotl")
    config = axolotl("rex", warmup_steps=40, max_steps=40)
    compare(config, lambda n: 2e-4 * (n + 1) / 40, range(40), "axolotl")


def test_shares_of_runs_that_the_epochs_end() -> None:
    formula = warmed_up(40, lambda n: half_cosine(n, 40, 1000))
    config = axolotl(warmup_ratio=0.1, num_epochs=2, max_steps=1000)
    compare(config, formula, range(1000), "axolotl", steps_per_epoch=200)
    longer = warmed_up(300, lambda n: half_cosine(n, 300, 1000))
    config["rl"] = "dpo"
    compare(config, longer, range(1000), "axolotl", steps_per_epoch=1500)
    config["rl"] = "grpo"
    config["warmup_ratio"] = 0.0305
    up = warmed_up(31, lambda n: half_cosine(n, 31, 1000))
    compare(config, up, range(1000), "axolotl")


@pytest.mark.parametrize("ratio", [0, 0.1, 1.0])
def test_cosine_min_lr_ratio(ratio: float) -> None:
    formula = warmed_up(50, lambda n: ratio + (1 - ratio) * half_cosine(n, 50, 500))
    config = axolotl(warmup_ratio=0.1, cosine_min_lr_ratio=ratio, cosine_constant_lr_ratio=0)
    compare(config, formula, range(600), "axolotl", total_steps=500)


def test_cosine_constant_lr_ratio() -> None:
    formula = warmed_up(50, lambda n: 0.1 + 0.9 * half_cosine(n, 50, int(503 * 0.8)))
    ratios: dict[str, Any] = {"cosine_min_lr_ratio": 0.1, "cosine_constant_lr_ratio": 0.8}
    config = axolotl(warmup_steps=50, max_steps=503, **ratios)
    compare(config, formula, range(503), "axolotl")
    config["cosine_min_lr_ratio"] = None  # without which the other has no effect
    compare(config, warmed_up(50, lambda n: half_cosine(n, 50, 503)), range(503), "axolotl")


@pytest.mark.parametrize("up", [0, 2, 50])
def test_lr_quadratic_warmup(up: int) -> None:
    def formula(n: int) -> float:
        return 2e-4 * ((n / up) ** 2 if n < up else half_cosine(n, up, 500))

    quadratic: dict[str, Any] = {
        "lr_quadratic_warmup": True,
        "cosine_min_lr_ratio": 0.1,
    }  # without an effect
    config = axolotl(warmup_steps=up, max_steps=500, **quadratic)
    compare(config, formula, range(500), "axolotl")
    config |= {"lr_scheduler": "linear"}
    line = warmed_up(up, lambda n: (500 - n) / (500 - up))
    compare(config, line, range(500), "axolotl")


@pytest.mark.parametrize("up", [0, 2, 50])
@pytest.mark.parametrize("ratio", [None, 0.1])
def test_rex(up: int, ratio: float | None) -> None:
    def formula(n: int) -> float:
        step, low = n + 1, ratio or 0.0
        if step <= up:
            return 2e-4 * step / up
        left = 1 - (step - up) / (500 - up)
        return 2e-4 * (low + (1 - low) * left / (0.1 + 0.9 * left))

    config = axolotl("rex", warmup_steps=up, max_steps=500, cosine_min_lr_ratio=ratio)
    compare(config, formula, range(500), "axolotl")


def one_cycle(n: int, up: float, total: int, first: float, last: float, cosine: bool) -> float:
    def between(a: float, b: float, p: float) -> float:
        return 2e-4 * (b + (a - b) * (1 + math.cos(math.pi * p)) / 2 if cosine else a + (b - a) * p)

    peak = up * total - 1
    if n <= peak:
        return between(first, 1.0, n / peak)
    return between(1.0, last, (n - peak) / (total - 1 - peak))


def test_one_cycle() -> None:
    formula = lambda n: one_cycle(n, 60 / 500, 500, 1 / 25, 1 / 25e4, True)  # noqa: E731
    config = axolotl("one_cycle", warmup_steps=60, max_steps=500)
    compare(config, formula, range(500), "axolotl")
    formula = lambda n: one_cycle(n, 0.3, 500, 1 / 10, 1 / 1000, False)  # noqa: E731
    kwargs = {"pct_start": 0.3, "anneal_strategy": "linear", "div_factor": 10}
    config["lr_scheduler_kwargs"] = kwargs | {"final_div_factor": 100, "cycle_momentum": False}
    compare(config, formula, range(500), "axolotl")


def restarted(step: int, every: int, up: int, down: int, low: float) -> float:
    at = step % every
    if step < every - down or up <= at <= every - down:
        part = 1.0
    else:
        part = at / up if at < up else (every - at) / down
    return low + (1 - low) * part


@pytest.mark.parametrize("keys", [{}, {"jagged_restart_warmup_steps": 20}, {"rl": "dpo"}])
def test_jagged_restarts(keys: dict[str, Any]) -> None:
    up = keys.get("jagged_restart_warmup_steps", 10)

    def formula(n: int) -> float:
        if "rl" in keys:
            return 2e-4 * (half_cosine(n, 0, 500))
        return 2e-4 * half_cosine(n + 1, 0, 500) * restarted(n + 1, 150, up, 1, 1e-3)

    restarts: dict[str, Any] = {"jagged_restart_steps": 150, "jagged_restart_anneal_steps": False}
    config = axolotl(warmup_steps=0, max_steps=500, relora=True, **restarts, **keys)
    compare(config, formula, range(500), "axolotl")


def test_jagged_restarts_of_rex() -> None:
    def formula(n: int) -> float:
        step = n + 2
        left = max(1 - (step - 50) / 450, 0.0)
        curve = step / 50 if step <= 50 else 0.1 + 0.9 * left / (0.1 + 0.9 * left)
        return 2e-4 * curve * restarted(step, 100, 10, 5, 0.1)

    restarts: dict[str, Any] = {"jagged_restart_steps": 100, "jagged_restart_anneal_steps": 5}
    config = axolotl("rex", warmup_steps=50, max_steps=500, cosine_min_lr_ratio=0.1, **restarts)
    compare(config, formula, range(500), "axolotl")


def test_names_of_transformers() -> None:
    formula = warmed_up(50, lambda n: (1 + math.cos(math.pi * ((n - 50) * 3 % 450) / 450)) / 2)
    config = axolotl("cosine_with_restarts", warmup_steps=50, lr_scheduler_kwargs={"num_cycles": 3})
    compare(config, formula, range(500), "axolotl", total_steps=500)
    config = axolotl("constant_with_warmup", warmup_steps=0.1, max_steps=203)
    compare(config, warmed_up(21, lambda n: 1.0), range(203), "axolotl")
    config = axolotl("linear", warmup_steps=50, num_epochs=2)
    assert from_config(config) == warmup(linear(2e-4, 0.0, epochs(2.0, round="up") - 50), 50)


NO_RATE = axolotl()
del NO_RATE["learning_rate"]
SHORT: dict[str, Any] = {"cosine_min_lr_ratio": 0.1, "cosine_constant_lr_ratio": 0.1}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (NO_RATE, "learning_rate is missing; give learning_rate=..."),
        (axolotl(warmup_ratio=0.1), "give total_steps=... (the warmup is a share of it)"),
        (axolotl(sample_packing=True), "give total_steps=... (with sample_packing it depends on"),
        (axolotl(rl="dpo", max_steps=9), "give steps_per_epoch=... (axolotl takes the warmup's sh"),
        (axolotl(warmup_steps=5, warmup_ratio=0.1), "warmup_ratio must be left out beside warmup_"),
        (axolotl("log_sweep", max_steps=9), "lr_scheduler must be 'linear' or 'cosine' or"),
        (
            axolotl("reduce_lr_on_plateau", jagged_restart_steps=90),
            "jagged_restart_steps must be left out beside a scheduler that follows a",
        ),
        (axolotl("rex", max_steps=9, warmup_steps=10), "warmup_steps must be <= 9 (the steps of"),
        (axolotl(warmup_steps=9, max_steps=90, **SHORT), "cosine_constant_lr_ratio must be above"),
        (axolotl(max_steps=9, cosine_min_lr_ratio=2), "cosine_min_lr_ratio must be a number from"),
        (axolotl("one_cycle", warmup_steps=9), "give total_steps=... (the rise has the steps of"),
        (axolotl(relora_steps=150), "relora_steps must be left out (jagged_restart_steps is its n"),
        (axolotl(max_steps=9, jagged_restart_steps=9), "jagged_restart_steps must be >= 11 (the w"),
        (
            axolotl("one_cycle", max_steps=9, lr_scheduler_kwargs={"max_lr": 1}),
            "lr_scheduler_kwargs.max_lr is unknown (known: anneal_strategy, base_momentum, ",
        ),
        (axolotl(deepspeed={"scheduler": {"type": "WarmupLR"}}), "deepspeed.scheduler must be le"),
    ],
)
def test_refusals(config: dict[str, Any], message: str) -> None:
    found = refusal(config)
    assert found.startswith("from_config: axolotl: ")
    assert message in found


def test_what_is_given_must_agree() -> None:
    assert "max_steps must be total_steps (10)" in refusal(axolotl(max_steps=9), total_steps=10)
    found = refusal(axolotl(warmup_ratio=0.1, max_steps=9), warmup_steps=3)
    assert "warmup_ratio must be left out beside warmup_steps, got 0.1" in found


def test_the_second_trainer_of_llama_factory_is_another() -> None:
    """It has the keys `micro_batch_size` and `learning_rate`, too, and no schedule by default."""
    config = {"model": "some/model", "micro_batch_size": 1, "learning_rate": 1e-5, "max_steps": 10}
    assert "a schedule must have one key 'name' or '_target_'" in refusal(config)
    assert isinstance(from_config(config, format="axolotl"), Schedule)


def test_what_follows_a_metric() -> None:
    """It has no warmup, so no length of the run is asked for."""
    kwargs = {"patience": 2, "factor": "0.5"}
    config = axolotl("reduce_lr_on_plateau", lr_scheduler_kwargs=kwargs, sample_packing=True)
    assert reads(config, "axolotl") == reduce_on_plateau(2e-4, 0.5, 2)
    config = axolotl("greedy", warmup_steps=20, lr_scheduler_kwargs={"min_lr": 1e-5})
    assert reads(config, "axolotl") == greedy(2e-4, min_value=1e-5)
