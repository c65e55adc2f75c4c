"""OLMo-core's saved JSON, beside the formulas of its schedulers in plain Python."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from lrsched import (
    advance,
    cooldown,
    cosine_decay,
    epochs,
    from_config,
    linear,
    tokens,
    warmup,
)
from tests.configs.compare import compare, refusal

LR, TOTAL, TOKENS = 4e-4, 500, 256
Formula = Callable[[float], float]  # of a count in steps or tokens


def scheduler(name: str, **params: Any) -> dict[str, Any]:
    return {
        "lr_field": "lr",
        "initial_lr_field": "initial_lr",
        "units": "steps",
        **params,
        "_CLASS_": f"olmo_core.optim.scheduler.{name}",
    }


def olmo(name: str, duration: Any = (TOTAL, "steps"), **params: Any) -> dict[str, Any]:
    """The file that a run saves, with the sections beside the schedule."""
    value, unit = duration
    return {
        "model": {"d_model": 4096, "_CLASS_": "olmo_core.nn.transformer.TransformerConfig"},
        "dataset": {"sequence_length": 32},
        "data_loader": {"global_batch_size": TOKENS, "seed": 34521, "num_workers": 4},
        "train_module": {
            "rank_microbatch_size": 64,
            "optim": {
                "lr": LR,
                "weight_decay": 0.1,
                "betas": [0.9, 0.95],
                "group_overrides": [{"params": ["embeddings.weight"], "opts": {}}],
                "_CLASS_": "olmo_core.optim.SkipStepAdamWConfig",
            },
            "scheduler": scheduler(name, **params),
            "max_grad_norm": 1.0,
            "_CLASS_": "olmo_core.train.train_module.TransformerTrainModuleConfig",
        },
        "trainer": {
            "save_folder": "somewhere",
            "max_duration": {
                "value": value,
                "unit": unit,
                "_CLASS_": "olmo_core.train.common.Duration",
            },
            "callbacks": {
                "checkpointer": {"save_interval": 1000},
                "batch_size_scheduler": {"batch_sizes": [], "schedule": [], "enabled": True},
            },
        },
        "init_seed": 12536,
    }


def check(config: dict[str, Any], formula: Formula, unit: int = 1, **context: Any) -> None:
    """Compare at each update of the run, whose count is that after it."""
    compare(config, lambda n: formula((n + 1) * unit), range(TOTAL), "olmo_core", **context)


def warmed(up: float, after: Formula, peak: float = LR, start: float = 1e-6) -> Formula:
    return lambda t: start + (peak - start) * t / up if t < up else after(t)


def half(p: float) -> float:
    return (1 + math.cos(math.pi * p)) / 2


END, LOW = 0.2 * LR, 1e-5


def tail(before: Formula, total: float, down: float) -> Formula:
    """A line down to the lowest rate at the end."""

    def rate(t: float) -> float:
        begin = total - down
        return before(t) if t < begin else LOW + (before(begin) - LOW) * (total - t) / down

    return rate


def formulas(up: float, total: float, down: float) -> dict[str, Formula]:
    """The rate of each scheduler at a count."""
    n = total - up
    cosine = warmed(up, lambda t: END + (LR - END) * half((t - up) / n))
    middle = (LR + END) / 2
    power = warmed(up, lambda t: LR * (t / up) ** -0.7)
    return {
        "ConstantScheduler": lambda t: LR,
        "ConstantWithWarmup": warmed(up, lambda t: LR),
        "LinearWithWarmup": warmed(up, lambda t: LR - (LR - END) * (t - up) / n),
        "CosWithWarmup": cosine,
        "HalfCosWithWarmup": warmed(
            up, lambda t: END + (LR - END) * half((t - up + n) / (2 * n)), middle
        ),
        "InvSqrtWithWarmup": warmed(up, lambda t: END + (LR - END) * math.sqrt(up / t)),
        "WSD": tail(warmed(up, lambda t: LR), total, down),
        "PowerLR": tail(power, total, down),
        "CosWithWarmupAndLinearDecay": tail(cosine, total, down),
        "ExponentialScheduler": lambda t: 1e-6 * (LR / 1e-6) ** (min(t, total) / total),
    }


def params(name: str, up: Any, down: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if name == "ExponentialScheduler":
        return {"lr_min": 1e-6}
    if name != "ConstantScheduler":
        found = {"warmup_min_lr": 1e-6, **up}
    if name in ("WSD", "PowerLR", "CosWithWarmupAndLinearDecay"):
        found |= {"decay_min_lr": LOW, **down}
    if "Cos" in name or name in ("LinearWithWarmup", "InvSqrtWithWarmup"):
        found["alpha_f"] = 0.2
    return found | ({"b": -0.7} if name == "PowerLR" else {})


@pytest.mark.parametrize("name", sorted(formulas(1, 2, 1)))
def test_each_scheduler(name: str) -> None:
    expected = formulas(60, TOTAL, 90)[name]
    check(olmo(name, **params(name, {"warmup": 60}, {"decay": 90})), expected)
    check(olmo(name, **params(name, {"warmup_steps": 60}, {"decay_steps": 90})), expected)
    shares = {"warmup_fraction": 0.1211}, {"decay_fraction": 0.1789}
    check(olmo(name, **params(name, *shares)), formulas(61, TOTAL, 89)[name])
    check(olmo(name, **params(name, {"warmup": 1}, {})), formulas(1, TOTAL, 50)[name])


@pytest.mark.parametrize("name", sorted(formulas(1, 2, 1)))
def test_each_scheduler_in_tokens(name: str) -> None:
    total = TOTAL * TOKENS + 77
    expected = formulas(9_999, total, 23_456)[name]
    lengths = {"warmup": 9_999}, {"decay": 23_456}
    config = olmo(name, (total, "tokens"), units="tokens", **params(name, *lengths))
    check(config, expected, TOKENS)
    config["data_loader"] = {}
    check(config, expected, TOKENS, tokens_per_step=TOKENS)
    shares = {"warmup_fraction": 0.1}, {"decay_fraction": 0.15}
    expected = formulas(round(total * 0.1), total, round(total * 0.15))[name]
    config = olmo(name, (total, "tokens"), units="tokens", **params(name, *shares))
    check(config, expected, TOKENS)


@pytest.mark.parametrize("name", ["CosWithWarmup", "LinearWithWarmup", "HalfCosWithWarmup"])
def test_another_end_and_a_warmup_as_long_as_the_run(name: str) -> None:
    before = formulas(40, 300, 1)[name]
    config = olmo(name, t_max=300, **params(name, {"warmup": 40}, {}))
    check(config, lambda t: before(min(t, 300)))
    share = olmo(name, t_max=300, **params(name, {"warmup_fraction": 0.133}, {}))
    check(share, lambda t: before(min(t, 300)))
    long = olmo(name, **params(name, {"warmup": TOTAL}, {}))
    peak = (LR + END) / 2 if "Half" in name else LR
    check(long, warmed(TOTAL, lambda t: END, peak))


def test_composable() -> None:
    def formula(t: float) -> float:
        if t < 50:
            return 1e-6 + (LR - 1e-6) * t / 50
        if t < 250:
            return 1e-4 + (LR - 1e-4) * half((t - 50) / 200)
        return 5e-5 + (2e-4 - 5e-5) * (1 - min((t - 250) / 150, 1))

    stages = [
        {"duration": 50, "start_lr": 1e-6, "end_lr_fraction": 1.0},
        {"duration": 200, "shape": "cosine", "end_lr": 1e-4},
        {"duration": 150, "shape": "linear", "start_lr_fraction": 0.5, "end_lr": 5e-5},
    ]
    check(olmo("ComposableScheduler", stages=stages), formula)

    def overridden(t: float) -> float:
        p = min((t - 120) / 100, 1)
        return formula(t) if t < 120 else LOW + (formula(120) - LOW) * half(p)

    override = {"start": 120, "duration": 100, "shape": "cosine", "end_lr": LOW}
    check(olmo("ComposableScheduler", stages=stages, override_decay=override), overridden)


def test_sequential() -> None:
    inner = [
        scheduler("CosWithWarmup", warmup=30, alpha_f=0.5),
        scheduler("LinearWithWarmup", warmup=20, alpha_f=0.1),
        scheduler("InvSqrtWithWarmup", warmup_fraction=0.1),
    ]

    def formula(t: float) -> float:
        if t <= 150:
            return LR * t / 30 if t < 30 else LR * (0.5 + 0.5 * half((t - 30) / 120))
        peak, t = LR / 2, t - 150
        if t <= 200:
            return peak * t / 20 if t < 20 else peak * (1 - 0.9 * (t - 20) / 180)
        peak, t = peak * 0.1, t - 200
        return peak * t / 15 if t < 15 else peak * (0.1 + 0.9 * math.sqrt(15 / t))

    for ends in ([150, 200], [150, 200, 150]):
        check(olmo("SequentialScheduler", schedulers=inner, schedulers_max=ends), formula)
    check(olmo("SequentialScheduler", schedulers=inner, schedulers_max_steps=[150, 200]), formula)

    def overridden(t: float) -> float:
        p = min((t - 151) / 100, 1)
        return formula(t) if t < 151 else formula(151) + (0.01 * LR - formula(151)) * p

    keys = {"schedulers": inner, "schedulers_max": [150, 200]}
    override = {"start": 151, "duration": 100, "end_lr_fraction": 0.01}
    check(olmo("SequentialScheduler", override_decay=override, **keys), overridden)


@pytest.mark.parametrize("first", [30_000, 30_720])  # between two steps, and at one
def test_sequential_in_tokens(first: int) -> None:
    total = TOTAL * TOKENS
    inner = [scheduler("ConstantScheduler"), scheduler("LinearWithWarmup", warmup=5_000)]

    def formula(t: float) -> float:
        if t <= first:
            return LR
        t -= first
        if t < 5_000:
            return LR * t / 5_000
        return LR * (1 - 0.9 * (t - 5_000) / (total - first - 5_000))

    keys = {"schedulers": inner, "schedulers_max": [first], "units": "tokens"}
    config = olmo("SequentialScheduler", (total, "tokens"), **keys)
    check(config, formula, TOKENS)
    config["data_loader"] = {}
    assert "give tokens_per_step=... (one scheduler begins where another ends)" in refusal(config)


@pytest.mark.parametrize("shares", [False, True])
def test_wsds(shares: bool) -> None:
    def formula(t: float) -> float:
        if t < 20:
            return 1e-6 + (0.5 * LR - 1e-6) * t / 20
        if t <= 200:
            down, left, peak = 40, 200 - t, 0.5 * LR
        elif t <= 350:
            down, left, peak = (30 if shares else 40), 350 - t, LR
        else:
            return LOW
        return LOW + (peak - LOW) * min(left / down, 1)

    lengths = {"warmup_fraction": 0.1, "decay_fraction": 0.2} if shares else {"warmup": 20}
    lengths |= {} if shares else {"decay": 40}
    keys = {"period_lengths": [200, 150], "period_lr_multipliers": [0.5, 1.0]}
    check(olmo("WSDS", warmup_min_lr=1e-6, decay_min_lr=LOW, **keys, **lengths), formula)


def test_where_the_scheduler_is() -> None:
    params = {"warmup_steps": 20, "alpha_f": 0.0}
    cosine = scheduler("CosWithWarmup", **params)
    expected = advance(warmup(cosine_decay(LR, TOTAL - 20), 20), 1)
    duration = {"max_duration": {"value": TOTAL, "unit": "steps"}}
    optim = {"optim": {"lr": LR}}
    by_type = {"train_module": optim | {"scheduler": {"type": "cos_with_warmup", **params}}}
    assert from_config(by_type | {"trainer": duration}) == expected
    older = duration | {"callbacks": {"lr_scheduler": {"scheduler": cosine}}}
    assert from_config(optim | {"trainer": older}) == expected
    assert from_config(optim | {"scheduler": cosine, "trainer": duration}) == expected
    assert from_config(cosine, learning_rate=LR, total_steps=TOTAL) == expected
    assert "lr is missing; give learning_rate=..." in refusal(cosine)
    lost = refusal(cosine, learning_rate=LR)
    assert "give total_steps=... (trainer.max_duration is left out)" in lost


def test_more_tokens_than_an_integer_of_32_bits_holds() -> None:
    total, size = 6 * 10**12, 2**22
    lengths = {"warmup": 8388608000}, {"decay": 10**11}
    config = olmo("WSD", (total, "tokens"), units="tokens", **params("WSD", *lengths))
    config["data_loader"]["global_batch_size"] = size
    schedule, expected = from_config(config), formulas(8388608000, total, 10**11)["WSD"]
    for count in (0, 1999, 2000, 500_000, total // size - 10):
        assert schedule(count) == pytest.approx(expected((count + 1) * size), rel=1e-9)


def test_the_length_of_the_run() -> None:
    def expected(total: Any) -> Any:
        return advance(linear(LR, 0.1 * LR, total), 1)

    keys = {"warmup": 0}
    assert from_config(olmo("LinearWithWarmup", (3, "epochs"), **keys)) == expected(epochs(3))
    given = from_config(olmo("LinearWithWarmup", (3, "epochs"), **keys), steps_per_epoch=40)
    assert given == expected(120)
    in_tokens = olmo("LinearWithWarmup", (100 * TOKENS - 5, "tokens"), **keys)
    assert from_config(in_tokens) == expected(100)
    in_tokens["data_loader"] = {}
    assert from_config(in_tokens) == expected(tokens(100 * TOKENS - 5, round="up"))
    shares = olmo("WSD", (3, "epochs"), warmup=0)
    down = epochs(0.1 * 3, round="nearest")
    schedule = from_config(shares).params["schedule"]
    assert schedule.params["steps"] == down
    assert schedule == cooldown(schedule.params["schedule"], epochs(3) - down, down)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("CosWithWarmup", {}, "scheduler.warmup is missing, as is warmup_fraction"),
        ("CosWithWarmup", {"warmup": 5, "warmup_fraction": 0.1}, "warmup is there, and so is warm"),
        ("CosWithWarmup", {"warmup": 5, "warmup_steps": 6}, "warmup and warmup_steps are both th"),
        ("CosWithWarmup", {"warmup": 5, "t_min": 0}, "scheduler.t_min is unknown (known: _CLASS_,"),
        ("CosWithWarmup", {"warmup": 5, "lr_field": "alpha"}, "lr_field must be 'lr', got 'alpha'"),
        ("CosWithWarmup", {"warmup": 5, "warmup_min_lr": 1}, "must be at most the rate after it"),
        ("WSD", {"warmup": 300, "decay": 201}, "the warmup (300) and the decay (201) must fit in"),
        ("CosineDecay", {}, "_CLASS_ must be one of ConstantScheduler, ConstantWithWarmup, WSD,"),
        ("ComposableScheduler", {"stages": []}, "stages must be at least one stage, got []"),
        ("SequentialScheduler", {"schedulers": []}, "schedulers_max is missing"),
        ("WSDS", {"period_lengths": [9], "warmup": 0}, "decay is missing, as is decay_fraction"),
    ],
)
def test_refusals(name: str, params: dict[str, Any], message: str) -> None:
    found = refusal(olmo(name, **params))
    assert found.startswith("from_config: OLMo-core: ")
    assert message in found


def test_a_batch_size_that_changes_is_refused() -> None:
    config = olmo("CosWithWarmup", warmup=5)
    sizes = config["trainer"]["callbacks"]["batch_size_scheduler"]
    sizes["batch_sizes"] = [256, 512]
    message = "callbacks.batch_size_scheduler.batch_sizes must be empty, as it scales the rate"
    assert message in refusal(config)
    sizes["enabled"] = False
    assert from_config(config) == from_config(olmo("CosWithWarmup", warmup=5))
