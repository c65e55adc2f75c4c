"""DeepSpeed's `scheduler`, beside DeepSpeed's formulas in plain Python."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.configs.compare import compare, refusal


def deepspeed(name: str, **params: Any) -> dict[str, Any]:
    """The file that a run has, with the sections beside the schedule."""
    return {
        "train_batch_size": 512,
        "gradient_clipping": 1.0,
        "optimizer": {"type": "AdamW", "params": {"lr": 3e-4, "betas": [0.9, 0.95]}},
        "scheduler": {"type": name, "params": params},
        "zero_optimization": {"stage": 2},
    }


def after_first(formula: Callable[[int], float]) -> Callable[[int], float]:
    """The rate of update n: DeepSpeed counts from -1 with the value at 0."""
    return lambda n: formula(max(n - 1, 0))


@pytest.mark.parametrize("kind", ["linear", "log"])
def test_warmup_lr(kind: str) -> None:
    def formula(t: int) -> float:
        if t >= 400:
            return 3e-4
        done = t / 400 if kind == "linear" else math.log(t + 1) / math.log(400)
        return 1e-5 + (3e-4 - 1e-5) * done

    params = {"warmup_min_lr": 1e-5, "warmup_max_lr": 3e-4, "warmup_num_steps": 400}
    config = deepspeed("WarmupLR", warmup_type=kind, **params)
    compare(config, after_first(formula), range(1000), "deepspeed")
    compare(config["scheduler"], after_first(formula), range(1000), "deepspeed")


@pytest.mark.parametrize("up", [0, 1, 2, 300])
def test_warmup_decay_lr(up: int) -> None:
    def formula(t: int) -> float:
        steps = max(up, 2)
        if t < steps:
            return 3e-4 * math.log(t + 1) / math.log(steps)
        return 3e-4 * max(0.0, (1000 - t) / (1000 - steps))

    config = deepspeed("WarmupDecayLR", warmup_max_lr="3e-4", warmup_num_steps=up)
    compare(config, after_first(formula), range(1200), "deepspeed", total_steps=1000)


def test_a_file_that_leaves_all_to_its_trainer() -> None:
    """transformers and Accelerate put 0 in place of the lowest rate, as they have none."""
    keys = ("warmup_min_lr", "warmup_max_lr", "warmup_num_steps", "total_num_steps")
    config = deepspeed("WarmupDecayLR", warmup_type="linear", **dict.fromkeys(keys, "auto"))
    given = {"learning_rate": 3e-4, "warmup_steps": 100, "total_steps": 1000}

    def formula(t: int) -> float:
        return 3e-4 * (t / 100 if t < 100 else max(0.0, (1000 - t) / 900))

    compare(config, after_first(formula), range(1200), "deepspeed", **given)


def test_warmup_cosine_lr() -> None:
    def formula(t: int) -> float:
        if t < 100:
            return 3e-4 * (0.1 + 0.9 * t / 100)
        p = min((t + 1 - 100) / 900, 1)
        return 3e-4 * (0.01 + 0.99 * (1 + math.cos(math.pi * p)) / 2)

    params = {"warmup_min_ratio": 0.1, "cos_min_ratio": 0.01, "warmup_type": "linear"}
    config = deepspeed("WarmupCosineLR", total_num_steps=1e3, warmup_num_steps=100, **params)
    compare(config, after_first(formula), range(1000), "deepspeed")


ONE_CYCLE = {
    "cycle_first_step_size": 200,
    "cycle_first_stair_count": 0,
    "cycle_second_step_size": 300,
    "decay_step_size": 50,
    "cycle_min_lr": 1e-4,
    "cycle_max_lr": 2e-3,
    "decay_lr_rate": 0.5,
    "cycle_min_mom": 0.85,
    "cycle_max_mom": 0.99,
    "decay_mom_rate": 0.0,
}


@pytest.mark.parametrize(("stairs", "others"), [(0, None), (0, 0), (10, None), (8, 7), (0, 30)])
def test_one_cycle(stairs: int, others: int | None) -> None:
    def up(t: int) -> float:
        if t > 500:
            return 0.0
        place, steps = (t, 200) if t <= 200 else (500 - t, 300)
        count = stairs if t <= 200 or others is None else others
        return math.floor(place * count / steps) / count if count else place / steps

    def rate(t: int) -> float:
        if t > 500:
            return 1e-4 / (1 + 0.5 * (t - 500) / 50)
        return 1e-4 + (2e-3 - 1e-4) * up(t)

    counts = {"cycle_first_stair_count": stairs, "cycle_second_stair_count": others}
    config = deepspeed("OneCycle", **ONE_CYCLE | counts)
    compare(config, rate, range(1000), "deepspeed")
    momentum = lambda t: 0.99 - (0.99 - 0.85) * up(t)  # noqa: E731
    compare(config, momentum, range(1000), "deepspeed", part="momentum")


@pytest.mark.parametrize("stairs", [False, True])
def test_lr_range_test(stairs: bool) -> None:
    def formula(t: int) -> float:
        steps = t // 200 if stairs else t / 200
        return 1e-4 * (1 + 5 * steps)

    params = {"lr_range_test_min_lr": 1e-4, "lr_range_test_step_size": 200}
    config = deepspeed(
        "LRRangeTest", lr_range_test_step_rate=5, lr_range_test_staircase=stairs, **params
    )
    compare(config, formula, range(1000), "deepspeed", total_steps=1000)
    assert "give total_steps=..." in refusal(config)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("WarmupLR", {"warmup_max_lr": "auto"}, "params.warmup_max_lr is 'auto'; give learning_r"),
        ("WarmupDecayLR", {"total_num_steps": "auto"}, "steps is 'auto'; give total_steps=..."),
        ("WarmupDecayLR", {}, "params.total_num_steps is missing; give total_steps=..."),
        ("WarmupLR", {"warmup_steps": 5}, "scheduler.params.warmup_steps is unknown (known: "),
        ("WarmupLR", {"warmup_type": "cosine"}, "must be 'log' or 'linear', got 'cosine'"),
        ("OneCycle", ONE_CYCLE | {"cycle_max_lr": "high"}, "cycle_max_lr must be a finite number"),
    ],
)
def test_refusals(name: str, params: dict[str, Any], message: str) -> None:
    found = refusal(deepspeed(name, **params))
    assert found.startswith("from_config: DeepSpeed: ")
    assert message in found


def test_what_is_given_must_agree() -> None:
    config = deepspeed("WarmupDecayLR", total_num_steps=900)
    assert "must be total_steps (1000), which was given" in refusal(config, total_steps=1000)
