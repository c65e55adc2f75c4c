"""nanotron's `learning_rate_scheduler`, beside its formula in plain Python."""

import math
from typing import Any

import pytest

from lrsched import from_config, linear, warmup
from tests.configs.compare import compare, refusal


def nanotron(steps: int = 400, **scheduler: Any) -> dict[str, Any]:
    """The file that a run has, with the sections beside the schedule."""
    return {
        "checkpoints": {"checkpoint_interval": 1000, "checkpoints_path": "checkpoints"},
        "data_stages": [{"name": "stable", "start_training_step": 1, "data": {"seed": 42}}],
        "general": {"project": "runs", "run": "a run", "seed": 42, "step": None},
        "model": {"dtype": "bfloat16", "init_method": {"std": 0.025}},
        "optimizer": {
            "clip_grad": 1.0,
            "learning_rate_scheduler": {"learning_rate": 3e-4, **scheduler},
            "optimizer_factory": {"name": "adamW", "adam_beta1": 0.9, "adam_beta2": 0.95},
            "weight_decay": 0.01,
            "zero_stage": 0,
        },
        "parallelism": {"dp": 4, "pp": 1, "tp": 2},
        "tokens": {"micro_batch_size": 3, "sequence_length": 4096, "train_steps": steps},
    }


def rate(
    n: int,
    up: int,
    begin: int,
    down: int,
    low: float,
    decay: str = "linear",
    rise: str = "linear",
) -> float:
    """The rate of the step n."""
    if n <= up:
        return 3e-4 * n / max(up, 1) if rise == "linear" else 3e-4
    if n < begin:
        return 3e-4
    if n >= begin + down:
        return low
    p = (n - begin) / down
    left = {"linear": 1 - p, "cosine": (1 + math.cos(math.pi * p)) / 2, "1-sqrt": 1 - math.sqrt(p)}
    return low + (3e-4 - low) * left[decay]


def keys(**values: Any) -> dict[str, Any]:
    names = {
        "up": "lr_warmup_steps",
        "begin": "lr_decay_starting_step",
        "down": "lr_decay_steps",
        "low": "min_decay_lr",
        "decay": "lr_decay_style",
        "rise": "lr_warmup_style",
    }
    return {names[key]: value for key, value in values.items()}


@pytest.mark.parametrize("decay", ["linear", "cosine", "1-sqrt"])
@pytest.mark.parametrize("rise", ["linear", "constant"])
@pytest.mark.parametrize("up", [0, 1, 30])
@pytest.mark.parametrize("begin", [None, 30, 250])
def test_all(decay: str, rise: str, up: int, begin: int | None) -> None:
    values: dict[str, Any] = {"up": up, "down": 120, "low": 1e-5, "decay": decay, "rise": rise}
    begins = up if begin is None else begin
    config = nanotron(**keys(begin=begin, **values))
    compare(config, lambda n: rate(n, begin=begins, **values), range(450), "nanotron")


@pytest.mark.parametrize("rise", ["linear", "constant"])
@pytest.mark.parametrize("begin", [0, 10, 39])
@pytest.mark.parametrize("down", [1, 20, 200])
def test_a_decay_that_begins_within_the_warmup(rise: str, begin: int, down: int) -> None:
    values: dict[str, Any] = {"up": 40, "begin": begin, "down": down, "low": 0.0, "rise": rise}
    config = nanotron(**keys(**values))
    compare(config, lambda n: rate(n, **values), range(400), "nanotron")


@pytest.mark.parametrize("begin", [None, 300])
def test_the_decay_has_the_steps_after_the_warmup(begin: int | None) -> None:
    values: dict[str, Any] = {"up": 50, "low": 3e-5, "decay": "cosine", "rise": "linear"}
    formula = lambda n: rate(n, begin=begin or 50, down=350, **values)  # noqa: E731
    compare(nanotron(**keys(begin=begin, down=None, **values)), formula, range(400), "nanotron")
    section = nanotron(**keys(begin=begin, **values))["optimizer"]["learning_rate_scheduler"]
    compare(section, formula, range(400), "nanotron", total_steps=400)


def test_what_is_left_out() -> None:
    config = nanotron(lr_warmup_style="linear")
    compare(config, lambda n: 3e-4 if n else 0.0, range(400), "nanotron")
    section = {"lr_warmup_style": "constant", "min_decay_lr": 0}
    formula = lambda n: rate(n, 20, 20, 80, 0.0, rise="constant")  # noqa: E731
    given = {"learning_rate": 3e-4, "warmup_steps": 20, "total_steps": 100}
    compare(section, formula, range(150), "nanotron", **given)


@pytest.mark.parametrize("rise", ["linear", "constant"])
@pytest.mark.parametrize("begin", [None, 20, 60])
def test_a_decay_of_no_steps(rise: str, begin: int | None) -> None:
    values: dict[str, Any] = {"up": 30, "down": 0, "low": 1e-5, "rise": rise}
    formula = lambda n: rate(n, begin=begin or 30, **values)  # noqa: E731
    compare(nanotron(**keys(begin=begin, **values)), formula, range(100), "nanotron")


@pytest.mark.parametrize("up", [400, 500])
def test_a_warmup_as_long_as_the_run(up: int) -> None:
    config = nanotron(**keys(up=up, low=0.0, rise="linear"))
    compare(config, lambda n: 3e-4 * n / up, range(400), "nanotron")


def test_the_simplest_composition() -> None:
    config = nanotron(**keys(up=50, low="1e-5", rise="linear"))
    assert from_config(config) == warmup(linear(3e-4, 1e-5, 350), 50)


NO_TOKENS = nanotron(lr_warmup_style="linear")
del NO_TOKENS["tokens"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (nanotron(), "optimizer.learning_rate_scheduler.lr_warmup_style is missing"),
        (nanotron(lr_warmup_style="cosine"), "lr_warmup_style must be 'linear' or 'constant', got"),
        (nanotron(lr_warmup_style="linear", lr_decay_style="exp"), "lr_decay_style must be 'linea"),
        (nanotron(lr_warmup_style="linear", min_lr=0), "learning_rate_scheduler.min_lr is unknown"),
        (nanotron(**keys(rise="linear", down=0)), "lr_decay_steps must be above 0, as without a w"),
        (NO_TOKENS, "tokens.train_steps is missing; give total_steps=..."),
        ({"lr_warmup_style": "linear"}, "learning_rate is missing; give learning_rate=..."),
    ],
)
def test_refusals(config: dict[str, Any], message: str) -> None:
    found = refusal(config)
    assert found.startswith("from_config: nanotron: ")
    assert message in found


def test_what_is_given_must_agree() -> None:
    config = nanotron(**keys(up=50, rise="linear"))
    assert "tokens.train_steps must be total_steps (9), which was" in refusal(config, total_steps=9)
    assert "lr_warmup_steps must be warmup_steps (9), which" in refusal(config, warmup_steps=9)
