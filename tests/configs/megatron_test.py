"""Megatron-LM's arguments, beside the formulas of its scheduler in plain Python."""

import argparse
import math
from collections.abc import Callable
from typing import Any

import pytest

from lrsched import examples, from_config, inverse_sqrt, linear, warmup
from tests.configs.compare import compare, refusal

ARGUMENTS: dict[str, Any] = {
    "num_layers": 24,
    "hidden_size": 1024,
    "seq_length": 4096,
    "micro_batch_size": 4,
    "global_batch_size": 48,
    "rampup_batch_size": None,
    "optimizer": "adam",
    "weight_decay": 0.1,
    "adam_beta2": 0.95,
    "clip_grad": 1.0,
    "bf16": True,
    "lr": 3e-4,
    "min_lr": 2e-5,
    "lr_decay_style": "cosine",
    "lr_decay_iters": 900,
    "lr_decay_samples": None,
    "lr_warmup_iters": 60,
    "lr_warmup_samples": 0,
    "lr_warmup_fraction": None,
    "lr_warmup_init": 1e-6,
    "lr_wsd_decay_style": "exponential",
    "lr_wsd_decay_iters": None,
    "lr_wsd_decay_samples": None,
    "train_iters": 1000,
    "train_samples": None,
    "start_weight_decay": None,
    "end_weight_decay": None,
    "weight_decay_incr_style": "constant",
    "eval_interval": 100,
    "save": "checkpoints",
}


def shape(style: str, p: float) -> float:
    """What is left of the way down, where p of it is done."""
    left: dict[str, float] = {
        "linear": 1 - p,
        "cosine": (1 + math.cos(math.pi * p)) / 2,
        "exponential": 2 * 0.5**p - 1,
        "minus_sqrt": 1 - math.sqrt(p),
    }
    return left[style]


def megatron(
    style: str, up: float, total: float, down: float = 0, wsd: str = "", batch: int = 48
) -> Callable[[float], float]:
    """The rate of an iteration, with lengths in samples."""

    def rate(n: float) -> float:
        t = n * batch
        if up > 0 and t <= up:
            return 1e-6 + (3e-4 - 1e-6) * t / up
        if style == "constant":
            return 3e-4
        if t > total:
            return 2e-5
        if style == "inverse-square-root":
            return max(2e-5, 3e-4 * math.sqrt(max(up, 1)) / math.sqrt(max(t, 1)))
        if style == "WSD":
            begin = total - down
            left = 1.0 if t <= begin else shape(wsd, (t - begin) / down)
        else:
            left = shape(style, (t - up) / (total - up))
        return 2e-5 + (3e-4 - 2e-5) * left

    return rate


STYLES = ["constant", "linear", "cosine", "inverse-square-root"]


@pytest.mark.parametrize("up", [0, 1, 60, 899])
@pytest.mark.parametrize("style", STYLES)
def test_iterations(style: str, up: int) -> None:
    config = ARGUMENTS | {"lr_decay_style": style, "lr_warmup_iters": up}
    formula = megatron(style, up * 48, 900 * 48)
    compare(config, formula, range(1100), "megatron")
    compare(argparse.Namespace(**config), formula, range(1100), "megatron")


@pytest.mark.parametrize("up", [0, 60, 750])  # the last ends after the decay has begun
@pytest.mark.parametrize("wsd", ["linear", "cosine", "exponential", "minus_sqrt"])
def test_wsd(wsd: str, up: int) -> None:
    lengths = {"lr_wsd_decay_iters": 200, "lr_wsd_decay_style": wsd, "lr_warmup_iters": up}
    config = ARGUMENTS | {"lr_decay_style": "WSD"} | lengths
    compare(config, megatron("WSD", up * 48, 900 * 48, 200 * 48, wsd), range(1100), "megatron")


SAMPLES = ARGUMENTS | {
    "train_iters": None,
    "lr_decay_iters": None,
    "lr_warmup_iters": 0,
    "train_samples": 50_000,
    "lr_decay_samples": 43_210,
    "lr_warmup_samples": 2_900,
}


@pytest.mark.parametrize("style", STYLES)
def test_samples(style: str) -> None:
    config = SAMPLES | {"lr_decay_style": style}
    formula = megatron(style, 2_900, 43_210)
    compare(config, formula, range(1100), "megatron")
    config.pop("global_batch_size")
    compare(config, formula, range(1100), "megatron", batch_size=48)


def test_samples_of_wsd_and_of_a_finished_namespace() -> None:
    # Megatron writes the number of iterations into the arguments of a run of samples.
    lengths = {"lr_wsd_decay_samples": 9_999, "lr_decay_style": "WSD", "train_iters": 1041}
    formula = megatron("WSD", 2_900, 43_210, 9_999, "exponential")
    compare(SAMPLES | lengths, formula, range(1100), "megatron")


def ramped(curve: Callable[[int], float], ramp: list[int], size: int) -> list[float]:
    """A curve of the samples at each update, by Megatron's count of the samples consumed."""
    first, increment, samples = ramp
    changes, seen, rates = (size - first) // increment, 0, []
    for _ in range(3000):
        rates.append(curve(seen))
        reached = changes if seen > samples else int(seen / (samples / changes))
        seen += first + increment * min(reached, changes)
    return rates


@pytest.mark.parametrize("ramp", [[8, 8, 10_007], [4, 4, 2_000], ["16", "32", "300"]])
@pytest.mark.parametrize("style", ["constant", "linear", "cosine", "inverse-square-root", "WSD"])
def test_a_batch_size_that_grows(style: str, ramp: list[Any]) -> None:
    wsd = {"lr_decay_style": style, "rampup_batch_size": ramp, "lr_wsd_decay_samples": 9_999}
    numbers = [int(x) for x in ramp]
    by_samples = megatron(style, 2_900, 43_210, 9_999, "exponential", batch=1)
    rates = ramped(by_samples, numbers, 48)
    compare(SAMPLES | wsd, rates.__getitem__, range(3000), "megatron")
    by_iters = megatron(style, 60 * 48, 900 * 48, 200 * 48, "exponential", batch=1)
    rates = ramped(by_iters, numbers, 48)
    compare(
        ARGUMENTS | wsd | {"lr_wsd_decay_iters": 200, "lr_wsd_decay_samples": None},
        rates.__getitem__,
        range(3000),
        "megatron",
    )


def test_lengths_in_samples_stay_without_a_batch_size() -> None:
    config = {"lr": 0.1, "train_samples": 1e10, "lr_warmup_samples": 3e9}
    decay = linear(0.1, 0.0, examples(7 * 10**9))
    assert from_config(config) == warmup(decay, examples(3 * 10**9))
    without = {"lr": 0.1, "train_samples": 5000, "lr_decay_style": "inverse-square-root"}
    assert "global_batch_size is missing; give batch_size=..." in refusal(without)
    formula = lambda n: 0.1 if n == 0 else 0.1 / math.sqrt(64 * n) if n <= 78 else 0.0  # noqa: E731
    compare(without, formula, range(100), "megatron", batch_size=64)


def consumed(size_after: Callable[[int], int], updates: int) -> list[int]:
    """The samples before each update."""
    samples = [0]
    for _ in range(updates):
        samples.append(samples[-1] + size_after(samples[-1]))
    return samples


def test_a_batch_size_that_is_ramped_up() -> None:
    def size(samples: int) -> int:
        if samples > 1000:
            return 48
        return 16 + 8 * int(samples / (1000 / 4))

    rate, seen = megatron("cosine", 2_900, 43_210), consumed(size, 1100)
    for ramp in ([16, 8, 1000], ["16", "8", "1000"], "16 8 1000"):
        config = SAMPLES | {"rampup_batch_size": ramp}
        compare(config, lambda n: rate(seen[n] / 48), range(1100), "megatron")
    lengths = {"lr_wsd_decay_samples": 9_999, "lr_decay_style": "WSD"}
    wsd = megatron("WSD", 2_900, 43_210, 9_999, "exponential")
    config = SAMPLES | lengths | {"rampup_batch_size": [16, 8, 1000]}
    compare(config, lambda n: wsd(seen[n] / 48), range(1100), "megatron")


def test_a_batch_size_in_steps_of_tokens() -> None:
    def size(samples: int) -> int:
        return 24 if samples < 2_000_000 // 512 else 40 if samples < 5_500_000 // 512 else 96

    rate, seen = megatron("cosine", 2_900, 43_210), consumed(size, 1100)
    config = SAMPLES | {"seq_length": 512, "global_batch_size": None}
    for text in ("0:24 2M:40 5.5M:96", "5500K:96, 0:24, 2e6:40"):
        steps = config | {"step_batch_size_schedule": text}
        compare(steps, lambda n: rate(seen[n] / 48), range(1100), "megatron")


@pytest.mark.parametrize(
    "text", ["", "24", "5000:24", "0:24 0:48", "0:24 2X:48", "0:0", "0:24 9e99:4"]
)
def test_bad_steps_of_the_batch_size(text: str) -> None:
    found = refusal(SAMPLES | {"step_batch_size_schedule": text})
    assert "step_batch_size_schedule must be like '0:384 200B:768' (tokens, and a size" in found


def test_bad_ramps_of_the_batch_size() -> None:
    found = refusal(SAMPLES | {"rampup_batch_size": [16, 8]})
    assert "rampup_batch_size must be three numbers (the first size, the inc" in found
    found = refusal(SAMPLES | {"rampup_batch_size": [16, 7, 1000]})
    assert "increment must be a divisor of end_value - init_value (32), got 7" in found
    found = refusal(SAMPLES | {"rampup_batch_size": [16, 8, 9], "global_batch_size": None})
    assert "global_batch_size is missing; give batch_size=..." in found


@pytest.mark.parametrize("style", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("share", [0.0005, 0.001])
def test_a_warmup_of_less_than_an_iteration(style: str, share: float) -> None:
    config = ARGUMENTS | {"lr_warmup_iters": 0, "lr_warmup_fraction": share}
    formula = megatron(style, share * 900 * 48, 900 * 48)
    compare(config | {"lr_decay_style": style}, formula, range(1100), "megatron")


@pytest.mark.parametrize("share", [0, 0.0515, "0.1"])
def test_warmup_fraction(share: Any) -> None:
    config = ARGUMENTS | {"lr_warmup_iters": 0, "lr_warmup_fraction": share}
    formula = megatron("cosine", float(share) * 900 * 48, 900 * 48)
    compare(config, formula, range(1100), "megatron")
    config = SAMPLES | {"lr_warmup_samples": 0, "lr_warmup_fraction": share}
    formula = megatron("cosine", float(share) * 43_210, 43_210)
    compare(config, formula, range(1100), "megatron")


def test_options_as_they_are_spelled_and_the_defaults() -> None:
    options = {"--lr": "2e-3", "--train-iters": "500", "--lr-warmup-iters": "20"}
    expected = warmup(linear(2e-3, 0.0, 480), 20)
    assert from_config(options) == expected
    assert from_config({key[2:]: value for key, value in options.items()}) == expected
    assert from_config({"lr": 2e-3, "lr_warmup_iters": 20}, total_steps=500) == expected
    floored = {"lr": 0.1, "lr_warmup_iters": 4, "lr_decay_style": "inverse-square-root"}
    schedule = from_config(floored, total_steps=50)
    assert schedule.params["schedules"][0] == warmup(inverse_sqrt(0.1, 4), 4)


@pytest.mark.parametrize("style", ["linear", "cosine"])
def test_weight_decay(style: str) -> None:
    def formula(n: int) -> float:
        p = min(n / 1000, 1)
        return 0.02 + (0.3 - 0.02) * (p if style == "linear" else (1 - math.cos(math.pi * p)) / 2)

    keys = {"start_weight_decay": 0.02, "end_weight_decay": 0.3, "weight_decay_incr_style": style}
    compare(ARGUMENTS | keys, formula, range(1100), "megatron", part="weight_decay")
    in_samples = SAMPLES | keys | {"train_samples": 48_000}
    compare(in_samples, formula, range(1100), "megatron", part="weight_decay")


def test_other_parts() -> None:
    compare(ARGUMENTS, lambda n: 0.1, range(100), "megatron", part="weight_decay")
    finished = ARGUMENTS | {"start_weight_decay": 0.1, "end_weight_decay": 0.1}
    compare(finished, lambda n: 0.1, range(100), "megatron", part="weight_decay")
    keys = {"decoupled_lr": 3e-4, "lr": 2e-4, "min_lr": 1e-5, "decoupled_min_lr": 2e-5}
    formula = megatron("cosine", 60 * 48, 900 * 48)
    compare(ARGUMENTS | keys, formula, range(1100), "megatron", part="decoupled_lr")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"lr": None, "lr_decay_style": "cosine"}, "lr is missing; give learning_rate=..."),
        ({"rampup_batch_size": [8, 8]}, "rampup_batch_size must be three numbers (the first size"),
        ({"rampup_batch_size": [9, 8, 9]}, "increment must be a divisor of end_value - init_val"),
        ({"lr_decay_tokens": 10**9}, "lr_decay_tokens must be left out, as it is one of Megatron-"),
        ({"warmup": 0.01}, "warmup must be left out, as Megatron takes lr_warmup_fraction instead"),
        ({"train_samples": 1000}, "train_iters and train_samples are both there"),
        ({"lr_warmup_samples": 5}, "lr_warmup_samples must be left out, as the run is one of trai"),
        ({"lr_warmup_fraction": 0.1}, "lr_warmup_fraction and lr_warmup_iters are both there"),
        ({"lr_warmup_iters": 900}, "the warmup (900) must be shorter than the decay (900 with"),
        ({"lr_decay_style": "WSD"}, "lr_wsd_decay_iters is missing"),
        ({"lr_decay_style": "polynomial"}, "lr_decay_style must be 'constant' or 'linear' or "),
        ({"min_lr": 1e-3}, "the lowest rate (0.001) must be at most the highest (0.0003)"),
        ({"lr-decay-style": "linear"}, "lr-decay-style is there twice, as lr_decay_style, too"),
    ],
)
def test_refusals(keys: dict[str, Any], message: str) -> None:
    found = refusal(ARGUMENTS | keys)
    assert found.startswith("from_config: Megatron-LM: ")
    assert message in found


def test_refusals_of_wsd_and_of_weight_decay() -> None:
    long = ARGUMENTS | {"lr_decay_style": "WSD", "lr_wsd_decay_iters": 901}
    assert "lr_wsd_decay_iters must be from 1 to the whole decay (900), got 901" in refusal(long)
    changed = ARGUMENTS | {"end_weight_decay": 0.2}
    message = "end_weight_decay must be weight_decay (0.1), as it is constant, got 0.2"
    assert message in refusal(changed, part="weight_decay")
    grows = ARGUMENTS | {"weight_decay_incr_style": "linear"}
    assert "start_weight_decay is missing" in refusal(grows, part="weight_decay")
    endless = dict.fromkeys(("lr_decay_iters", "train_iters"))
    assert "train_iters is missing; give total_steps=..." in refusal(ARGUMENTS | endless)
