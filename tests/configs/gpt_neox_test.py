"""GPT-NeoX's YAML, beside the formulas of its scheduler in plain Python."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from lrsched import cosine_decay, delay, from_config, warmup
from tests.configs.compare import compare, refusal


def neox(**keys: Any) -> dict[str, Any]:
    """The file that a run has, with the keys beside the schedule."""
    return {
        "pipe_parallel_size": 1,
        "num_layers": 12,
        "hidden_size": 768,
        "attention_config": [[["flash"], 12]],
        "optimizer": {"type": "Adam", "params": {"lr": 6e-4, "betas": [0.9, 0.95]}},
        "min_lr": 5e-5,
        "zero_optimization": {"stage": 1},
        "train_micro_batch_size_per_gpu": 16,
        "gradient_clipping": 1.0,
        "weight_decay": 0.1,
        "fp16": {"enabled": True, "loss_scale": 0},
        "train_iters": 1000,
        "eval_interval": 100,
        **keys,
    }


def formula(style: str, warmup: float, total: int, low: float = 5e-5) -> Callable[[int], float]:
    def rate(n: int) -> float:
        up = warmup * total
        if up > 0 and n <= up:
            return 6e-4 * max(1, n) / up
        p = (n - up) / (total - up)
        if style == "linear":
            value = 6e-4 * (1 - p)
        elif style == "cosine":
            value = low + (6e-4 - low) / 2 * (math.cos(math.pi * p) + 1)
        elif style == "exponential":
            value = 6e-4 * math.exp(-0.693 * p)
        else:
            value = 6e-4
        return max(value, low)

    return rate


@pytest.mark.parametrize("share", [0, 0.001, 0.0017, 0.002, 0.0153, 0.3])
@pytest.mark.parametrize("style", ["linear", "cosine", "exponential", "constant"])
def test_styles(style: str, share: float) -> None:
    config = neox(lr_decay_style=style, warmup=share)
    compare(config, formula(style, share, 1000), range(1000), "gpt_neox")
    # The cosine rises again after its end.
    config |= {"lr_decay_iters": 1000, "train_iters": 1300}
    compare(config, formula(style, share, 1000), range(1300), "gpt_neox")


def test_a_decay_longer_than_the_run_and_a_warmup_as_long() -> None:
    compare(neox(lr_decay_iters=2000), formula("linear", 0.01, 2000), range(1000), "gpt_neox")
    config = neox(warmup=1.0, lr_decay_style="cosine")
    compare(config, formula("cosine", 1.0, 1000), range(1000), "gpt_neox")


def test_the_defaults_and_a_share_of_the_run() -> None:
    config = neox(min_lr=None, lr_decay_fraction=0.9)
    config["train_iters"] = None
    config["train_epochs"] = 3
    compare(config, formula("linear", 0.01, 899, 0.0), range(999), "gpt_neox", total_steps=999)
    assert "train_iters is missing; give total_steps=..." in refusal(config)
    both = neox(lr_decay_fraction=0.9, lr_decay_iters=500)
    compare(both, formula("linear", 0.01, 500), range(1000), "gpt_neox")


def test_dashes_and_the_simplest_composition() -> None:
    optimizer = {"optimizer": {"type": "Adam", "params": {"lr": "1e-3"}}}
    config = optimizer | {"train-iters": 2000, "lr-decay-style": "cosine", "min-lr": "1e-4"}
    assert from_config(config) == delay(warmup(cosine_decay(1e-3, 1980, 1e-4), 19, 5e-5), 1)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"lr": 1e-3}, "lr must be that of the optimizer (0.0006), or left out, got 0.001"),
        ({"min_lr": 1e-3}, "min_lr must be at most the learning rate (0.0006), got 0.001"),
        ({"warmup": 2000}, "warmup must be a number from 0 to 1, got 2000"),
        ({"warmup": 0.0005}, "the warmup must be 0 or a step or more, not 0.5"),
        ({"lr_decay_style": "WSD"}, "lr_decay_style must be 'linear' or 'cosine' or 'exponential'"),
        (
            {"optimizer": {"type": "OneBitAdam", "params": {"lr": 1e-3}}},
            "optimizer.type must be one whose schedule is GPT-NeoX's, not DeepSpeed's, got 'OneBi",
        ),
    ],
)
def test_refusals(keys: dict[str, Any], message: str) -> None:
    found = refusal(neox(**keys))
    assert found.startswith("from_config: GPT-NeoX: ")
    assert message in found
