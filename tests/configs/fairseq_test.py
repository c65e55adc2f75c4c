"""fairseq's arguments and YAML, beside the formulas of its schedulers in plain Python."""

import argparse
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched import constant, cosine_decay, from_config, inverse_sqrt, linear, warmup
from tests.configs.compare import compare, refusal
from tests.configs.metrics import METRICS, Plateau, by_epochs, followed, rates_of, reads

LR, TOTAL = 2e-3, 400
Formula = Callable[[int], float]


def arguments(name: str, lr: Any = (LR,), **params: Any) -> argparse.Namespace:
    """The arguments that a run has, with those beside the schedule."""
    others = {
        "task": "translation",
        "arch": "transformer",
        "optimizer": "adam",
        "adam_betas": "(0.9, 0.98)",
        "clip_norm": 0.0,
        "max_tokens": 4096,
        "max_epoch": 0,
        "max_update": TOTAL,
        "update_freq": [2],
        "stop_min_lr": -1.0,
    }
    return argparse.Namespace(**others, lr=list(lr), lr_scheduler=name, **params)


def hydra(name: str, lr: Any = (LR,), **params: Any) -> dict[str, Any]:
    """The YAML that a run has, with the sections beside the schedule."""
    return {
        "common": {"fp16": True, "log_interval": 200},
        "task": {"_name": "audio_finetuning", "data": "somewhere"},
        "dataset": {"max_tokens": 3200000},
        "optimization": {"max_update": TOTAL, "lr": list(lr), "update_freq": [4]},
        "optimizer": {"_name": "adam", "adam_betas": "(0.9,0.98)", "adam_eps": 1e-8},
        "lr_scheduler": {"_name": name, **params},
        "model": {"_name": "wav2vec_ctc", "mask_prob": 0.65},
    }


def check(name: str, formula: Formula, lr: Any = (LR,), given: Any = (), **params: Any) -> None:
    """Compare the arguments and the YAML at each update."""
    for config in (arguments(name, lr, **params), hydra(name, lr, **params)):
        compare(config, formula, range(TOTAL), "fairseq", **dict(given))


def warmed(up: int, after: Formula, start: float = 0.0) -> Formula:
    return lambda n: start + (LR - start) * n / up if n < up else after(n)


@pytest.mark.parametrize("up", [1, 50, TOTAL])
def test_inverse_sqrt(up: int) -> None:
    after = lambda n: LR * math.sqrt(up / n)  # noqa: E731
    check("inverse_sqrt", warmed(up, after), warmup_updates=up)
    check("inverse_sqrt", warmed(up, after, 1e-7), warmup_updates=up, warmup_init_lr="1e-07")


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("up", [0, 1, 50, TOTAL])
def test_polynomial_decay(up: int, power: float) -> None:
    def decay(total: float, n: int) -> float:
        left = 1 - (n - up) / (total - up)
        return 1e-5 + (LR - 1e-5) * left**power if n < total else 1e-5

    keys = {"warmup_updates": up, "end_learning_rate": 1e-5, "power": power}
    formula = warmed(up, lambda n: LR if n == up else decay(TOTAL, n))
    check("polynomial_decay", formula, **keys, force_anneal=None)
    if up < TOTAL:
        ended = warmed(up, lambda n: decay(300.0, n))
        check("polynomial_decay", ended, **keys, total_num_update=300.0)


@pytest.mark.parametrize("up", [0, 1, 50])
def test_cosine(up: int) -> None:
    def cosine(p: float, low: float, peak: float = LR) -> float:
        return low + (peak - low) * (1 + math.cos(math.pi * p)) / 2

    whole = warmed(up, lambda n: cosine((n - up) / (TOTAL - up), 1e-5), 1e-5)
    check("cosine", whole, warmup_updates=up, min_lr=1e-5)

    def restarts(n: int) -> float:
        cycle, position = divmod(n - up, 90)
        return cosine(position / 90, 1e-5 * 0.5**cycle, LR * 0.5**cycle)

    keys: dict[str, Any] = {"warmup_updates": up, "warmup_init_lr": 1e-6, "lr_period_updates": 90}
    check("cosine", warmed(up, restarts, 1e-6), min_lr=1e-5, lr_shrink=0.5, **keys)

    def longer(shrink: float, low: float, n: int) -> float:
        begin, length, peak = up, 90.0, LR
        while n >= begin + length:
            begin, length, peak = int(begin + length), length * 2, peak * shrink
        return cosine((n - begin) / length, low, peak)

    formula = warmed(up, lambda n: longer(0.5, 0.0, n), 1e-6)
    check("cosine", formula, t_mult=2, lr_shrink=0.5, **keys)
    formula = warmed(up, lambda n: longer(1.0, 1e-5, n), 1e-6)
    check("cosine", formula, t_mult=2, lr_shrink=1, min_lr=1e-5, **keys)


def test_tri_stage() -> None:
    def formula(up: int, hold: int, down: int, start: float, end: float) -> Formula:
        def rate(n: int) -> float:
            if n < up:
                return LR * (start + (1 - start) * n / up)
            return float(LR * end ** min(max(n - up - hold, 0) / down, 1))

        return rate

    lengths = {"warmup_steps": 30, "hold_steps": 70, "decay_steps": 200}
    check("tri_stage", formula(30, 70, 200, 0.01, 0.01), phase_ratio=None, **lengths)
    scales = {"init_lr_scale": 0.1, "final_lr_scale": 0.05}
    for shares in ([0.1, 0.4, 0.5], "(0.1, 0.4, 0.5)"):
        check("tri_stage", formula(40, 160, 200, 0.1, 0.05), phase_ratio=shares, **scales)
    check("tri_stage", formula(0, 0, 200, 0.01, 0.01), decay_steps=200)


@pytest.mark.parametrize("shrink_min", [False, True])
@pytest.mark.parametrize("shrink", [1.0, 0.3])
def test_triangular(shrink: float, shrink_min: bool) -> None:
    def formula(n: int) -> float:
        cycle = n // 60
        factor = shrink**cycle
        low = LR * (factor if shrink_min else 1)
        return low + (5e-3 * factor - low) * (1 - abs(n / 30 - 2 * cycle - 1))

    keys = {"max_lr": 5e-3, "lr_period_updates": 61, "lr_shrink": shrink}
    check("triangular", formula, shrink_min=shrink_min, **keys)


@pytest.mark.parametrize("up", [0, 40])
def test_step(up: int) -> None:
    after = lambda n: max(LR * 0.6 ** ((n - up) // 50), 1e-4)  # noqa: E731
    keys = {"lr_deacy_period": 50, "lr_decay": 0.6, "min_lr": 1e-4, "warmup_updates": up}
    check("step", warmed(up, after, 1e-4), **keys)


@pytest.mark.parametrize("anneal", [None, 1, 2, 4, 7])
@pytest.mark.parametrize("rates", [(LR,), (LR, 1e-3, 5e-4)])
@pytest.mark.parametrize("up", [0, 1, 75])
def test_fixed(up: int, rates: tuple[float, ...], anneal: int | None) -> None:
    def formula(n: int) -> float:
        epoch = n // 50 + 1
        rate = rates[min(epoch, len(rates)) - 1]
        if anneal is not None and epoch >= anneal:
            rate = rates[-1] * 0.5 ** (epoch + 1 - anneal)
        return rate * (n + 1) / up if n < up else rate

    keys = {"warmup_updates": up, "force_anneal": anneal, "lr_shrink": 0.5}
    check("fixed", formula, rates, {"steps_per_epoch": 50}, **keys)


def test_options_as_they_are_spelled_and_the_defaults() -> None:
    options = {"--lr": "5e-4", "--lr-scheduler": "inverse_sqrt", "--warmup-init-lr": "1e-07"}
    expected = warmup(inverse_sqrt(5e-4, 4000), 4000, 1e-7)
    assert from_config(options) == expected
    assert from_config({key[2:]: value for key, value in options.items()}) == expected
    two = from_config({"lr": "[0.1, 0.01]", "lr_scheduler": "fixed", "force_anneal": None})
    assert two.params["values"] == (0.1, 0.01)
    assert from_config(hydra("fixed", (0.1,))) == constant(0.1)


def test_the_simplest_compositions() -> None:
    expected = warmup(cosine_decay(LR, TOTAL - 50), 50)
    assert from_config(hydra("cosine", warmup_updates=50)) == expected
    expected = warmup(linear(LR, 0.0, TOTAL - 50), 50)
    assert from_config(arguments("polynomial_decay", warmup_updates=50)) == expected
    without = hydra("polynomial_decay", warmup_updates=50) | {"optimization": {"lr": [LR]}}
    assert from_config(without, total_steps=TOTAL) == expected
    assert "give total_steps=... (max_update is left out)" in refusal(without)
    saved = hydra("polynomial_decay", warmup_updates=50, total_num_update="400")
    saved["lr_scheduler"]["lr"] = saved.pop("optimization")["lr"]
    assert from_config(saved) == expected


def test_a_composite_optimizer_with_one_group() -> None:
    cosine = {"_name": "cosine", "warmup_updates": 50}
    config = hydra("cosine") | {"lr_scheduler": "pass_through"}
    group = {"lr_float": LR, "optimizer": {"_name": "adam"}, "lr_scheduler": cosine}
    config["optimizer"] = {"_name": "composite", "groups": {"default": group}}
    expected = warmup(cosine_decay(LR, TOTAL - 50), 50)
    assert from_config(config) == expected
    config["lr_scheduler"] = {"_name": "pass_through"}
    group |= {"lr_float": None, "optimizer": {"_name": "adam", "lr": [LR]}}
    assert from_config(config) == expected
    config["optimizer"]["groups"]["other"] = group
    message = "a pass_through scheduler must have an optimizer with one group"
    assert message in refusal(config)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("inverse_sqrt", {"warmup_updates": 0}, "lr_scheduler.warmup_updates must be 1 or more"),
        ("inverse_sqrt", {"power": 2}, "lr_scheduler.power is unknown (known: _name, lr, "),
        ("polynomial_decay", {"force_anneal": 5}, "force_anneal must be left out, as it makes"),
        ("cosine", {"t_mult": 2, "min_lr": 1e-5, "lr_period_updates": 9}, "min_lr must be 0 where"),
        ("tri_stage", {"warmup_steps": 5}, "lr_scheduler.decay_steps must be 1 or more (updates)"),
        ("tri_stage", {"phase_ratio": [0.5, 0.4, 0.2]}, "must be three numbers whose sum is 1"),
        ("triangular", {}, "lr_scheduler.max_lr is missing"),
        ("step", {"min_lr": 1.0}, "lr_scheduler.min_lr must be at most the learning rate (0.002)"),
        ("reduce_lr_on_plateau", {"lr_shrink": 1}, "lr_shrink must be a number >= 0 and < 1, got"),
        ("reduce_lr_on_plateau", {"warmup_updates": 9}, "give steps_per_epoch=... (fairseq shows"),
        ("manual", {"epoch2lr": "{}"}, "the rates of 'manual' are Python text, which is not eva"),
    ],
)
def test_refusals(name: str, params: dict[str, Any], message: str) -> None:
    found = refusal(hydra(name, **params))
    assert found.startswith("from_config: fairseq: ")
    assert message in found


def test_refusals_of_rates() -> None:
    message = (
        "lr must be one rate, as those of further epochs are for 'fixed' alone, got [0.1, 0.2]"
    )
    assert message in refusal(hydra("cosine", (0.1, 0.2)))
    assert "lr must be learning_rate (0.1), got [0.002]" in refusal(
        hydra("cosine"), learning_rate=0.1
    )
    without = hydra("cosine") | {"optimization": {"max_update": 10}}
    assert "optimization.lr is missing; give learning_rate=..." in refusal(without)
    assert from_config(without, learning_rate=0.1) == cosine_decay(0.1, 10)


PLATEAU = {"lr_shrink": "0.5", "lr_threshold": 1e-3}


@given(METRICS, st.integers(0, 3), st.booleans())
def test_plateau(metrics: list[float], patience: int, maximize: bool) -> None:
    params: dict[str, Any] = PLATEAU | {"lr_patience": patience, "warmup_init_lr": 1e-5}
    flag = {"maximize_best_checkpoint_metric": maximize}
    made = reads(arguments("reduce_lr_on_plateau", **params, **flag), "fairseq")
    rule = Plateau(LR, 0.5, patience, "max" if maximize else "min", 1e-3)
    assert followed(made, metrics) == rates_of(rule, metrics)
    config = hydra("reduce_lr_on_plateau", **params)
    assert reads(config | {"checkpoint": flag}, "fairseq") == made
    assert reads(hydra("reduce_lr_on_plateau", **params, **flag), "fairseq") == made


@given(METRICS, st.integers(0, 3), st.integers(1, 30), st.sampled_from([-1.0, 0.0, 1e-4, 5e-3]))
def test_plateau_after_a_warmup(metrics: list[float], patience: int, up: int, first: float) -> None:
    """fairseq steps it after each update, and with the metric of each epoch after the warmup."""
    start = max(first, 0.0)
    rule, rates, ended = Plateau(LR, 0.5, patience, "min", 1e-3), [], False
    rule.rate = start
    for epoch, metric in enumerate(metrics):
        for done in range(7 * epoch + 1, 7 * epoch + 8):
            rates.append(rule.rate)
            ended = done > up
            rule.rate = rule.rate if ended else start + done * ((LR - start) / up)
        if ended:
            rule.step(metric)
    params = PLATEAU | {"lr_patience": patience, "warmup_updates": up, "warmup_init_lr": first}
    for config in (arguments, hydra):
        made = reads(config("reduce_lr_on_plateau", **params), "fairseq", steps_per_epoch=7)
        assert by_epochs(made, metrics, 7) == pytest.approx(rates, rel=1e-9)
