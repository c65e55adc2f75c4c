"""OLMo's YAML, beside the formulas of its schedulers in plain Python."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from lrsched import advance, cosine_decay, epochs, from_config, linear, tokens, warmup
from tests.configs.compare import compare, refusal

LR, BATCH, LENGTH = 4e-4, 8, 32
TOKENS = BATCH * LENGTH  # in a step


def olmo(duration: Any = 500, **scheduler: Any) -> dict[str, Any]:
    """The file that a run has, with the sections beside the schedule."""
    return {
        "run_name": "a-run",
        "seed": 6198,
        "model": {"d_model": 2048, "n_layers": 16, "max_sequence_length": LENGTH},
        "optimizer": {
            "name": "adamw",
            "learning_rate": LR,
            "weight_decay": 0.1,
            "betas": [0.9, 0.95],
        },
        "scheduler": scheduler,
        "tokenizer": {"identifier": "a-tokenizer"},
        "save_interval": 1000,
        "load_path": None,
        "reset_optimizer_state": False,
        "max_duration": duration,
        "global_train_batch_size": BATCH,
        "device_train_microbatch_size": 2,
        "max_grad_norm": 1.0,
    }


def formula(
    name: str, up: float, total: float, alpha: float, start: float, unit: int = 1
) -> Callable[[int], float]:
    """The rate of update n, whose count in steps or tokens is that after it."""
    end = LR * alpha

    def decayed(kind: str, step: float) -> float:
        if kind == "inverse_sqrt_with_warmup":
            return LR * math.sqrt(up / max(up, step))
        if kind.startswith("constant"):
            return LR
        if step >= total:
            return end
        p = (step - up) / (total - up)
        cosine = (1 + math.cos(math.pi * p)) / 2
        left = {"linear_with_warmup": 1 - p, "cosine_with_warmup": cosine}
        return end + (LR - end) * left.get(kind, (1 - p) * cosine)

    def rate(n: int) -> float:
        step = (n + 1) * unit
        if name != "constant" and step < up:
            return start + (LR - start) * step / up
        if name == "max_scheduler":
            return max(decayed(f"{kind}_with_warmup", step) for kind in ("cosine", "inverse_sqrt"))
        return decayed(name, step)

    return rate


NAMES = [
    "cosine_with_warmup",
    "linear_with_warmup",
    "inverse_sqrt_with_warmup",
    "max_scheduler",
    "constant",
    "constant_with_warmup",
    "cosine_linear_envelope",
]


@pytest.mark.parametrize("up", [0, 1, 60, 500, 700])
@pytest.mark.parametrize("name", NAMES)
def test_steps(name: str, up: int) -> None:
    if not up and name in ("inverse_sqrt_with_warmup", "max_scheduler"):
        return  # they are refused
    keys = {"name": name, "units": "steps", "t_warmup": up}
    config = olmo(alpha_f=0.05, warmup_min_lr=1e-6, **keys)
    compare(config, formula(name, up, 500, 0.05, 1e-6), range(600), "olmo")
    config = olmo(2000, t_max=400, **keys)
    compare(config, formula(name, up, 400, 0.1, 0.1 * LR), range(600), "olmo")


@pytest.mark.parametrize("name", NAMES)
def test_tokens(name: str) -> None:
    keys = {"name": name, "units": "tokens", "t_warmup": 9000.0, "alpha_f": 0.05}
    expected = formula(name, 9000, 100_001, 0.05, 0.0, TOKENS)
    ended = olmo("1ep", t_max="100001", warmup_min_lr=0.0, **keys)
    compare(ended, expected, range(500), "olmo")
    run = olmo("100001T", warmup_min_lr=0.0, **keys)
    compare(run, expected, range(390), "olmo")
    for config in (ended, run):
        del config["global_train_batch_size"]
        compare(config, expected, range(390), "olmo", tokens_per_step=TOKENS)


def test_the_length_of_the_run() -> None:
    keys = {"name": "cosine_with_warmup", "units": "steps", "t_warmup": 10, "warmup_min_lr": 0}

    def expected(total: Any) -> Any:
        return advance(warmup(cosine_decay(LR, total - 10, 0.1 * LR), 10), 1)

    assert from_config(olmo(300, **keys)) == expected(300)
    assert from_config(olmo("3e2", **keys)) == expected(300)
    assert from_config(olmo(f"{299 * TOKENS + 1}T", **keys)) == expected(300)
    assert from_config(olmo("2ep", **keys)) == expected(epochs(2))
    assert from_config(olmo("2ep", **keys), steps_per_epoch=150) == expected(300)
    assert from_config(olmo("2ep", **keys), total_steps=300) == expected(300)
    assert from_config(olmo(None, **keys), total_steps=300) == expected(300)
    unknown = olmo("5e9T", **keys) | {"global_train_batch_size": None}
    assert from_config(unknown) == expected(tokens(5 * 10**9, round="up"))


def test_more_tokens_than_an_integer_of_32_bits_holds() -> None:
    keys = {"name": "cosine_with_warmup", "units": "tokens", "t_warmup": 8388608000, "t_max": 5e12}
    config = olmo("6e12T", warmup_min_lr=0.0, **keys) | {"model": {}}
    decay = cosine_decay(LR, tokens(5 * 10**12) - tokens(8388608000), 0.1 * LR)
    assert from_config(config) == advance(warmup(decay, tokens(8388608000)), 1)
    step = 1024 * 4096
    resolved = from_config(config, tokens_per_step=step)
    expected = formula("cosine_with_warmup", 8388608000, 5e12, 0.1, 0.0, step)
    for count in (0, 1999, 2000, 500_000, 1_192_091, 1_192_092):
        assert resolved(count) == pytest.approx(expected(count), rel=1e-9)


def test_the_scheduler_alone() -> None:
    keys = {"name": "linear_with_warmup", "units": "tokens", "t_warmup": 0, "t_max": 1e9}
    expected = advance(linear(0.5, 0.05, tokens(10**9)), 1)
    assert from_config(keys, learning_rate=0.5) == expected


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"units": "epochs"}, "scheduler.units must be 'steps' or 'tokens', got 'epochs'"),
        ({"warmup_min_lr": 1.0}, "scheduler.warmup_min_lr must be at most the learning rate (0."),
        ({"t_warmup": "10ba"}, "scheduler.t_warmup must be an integer >= 0, got '10ba'"),
        ({"alpha": 0.1}, "scheduler.alpha is unknown (known: alpha_f, "),
    ],
)
def test_refusals(keys: dict[str, Any], message: str) -> None:
    found = refusal(olmo(**({"name": "cosine_with_warmup", "units": "steps"} | keys)))
    assert found.startswith("from_config: OLMo: ")
    assert message in found


def test_more_refusals() -> None:
    keys: dict[str, Any] = {"name": "inverse_sqrt_with_warmup", "units": "steps", "t_warmup": 0}
    assert "t_warmup must be 1 or more, as its inverse square root needs a wa" in refusal(
        olmo(**keys)
    )
    keys = {"name": "cosine_with_warmup", "units": "steps"}
    assert "max_duration must be a number of steps, or one with T or ep" in refusal(
        olmo("aT", **keys)
    )
    assert "max_duration is missing; give total_steps=..." in refusal(olmo(None, **keys))
    reset = olmo(**keys) | {"reset_optimizer_state": True}
    assert "as a new warmup begins at the step of the checkpoint" in refusal(reset)
    assert from_config(reset | {"reset_trainer_state": True}) == from_config(olmo(**keys))
    other = refusal(olmo(**keys), tokens_per_step=1000)
    assert "must be that of tokens_per_step (1000 tokens), which was given, got 256" in other
