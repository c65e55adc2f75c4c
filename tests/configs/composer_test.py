"""Composer's and llm-foundry's `scheduler`, beside Composer's formulas in plain Python."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from lrsched import from_config
from tests.configs.compare import compare, refusal

LR = 1.5e-4


def foundry(name: str, max_duration: Any = "800ba", **params: Any) -> dict[str, Any]:
    """The file of an llm-foundry run, with the sections beside the schedule."""
    return {
        "max_seq_len": 2048,
        "model": {"name": "mpt_causal_lm", "d_model": 768},
        "train_loader": {"name": "text", "drop_last": True},
        "scheduler": {"name": name, **params},
        "optimizer": {"name": "decoupled_adamw", "lr": LR, "betas": [0.9, 0.95]},
        "algorithms": {"gradient_clipping": {"clipping_type": "norm"}},
        "max_duration": max_duration,
        "eval_interval": "500ba",
        "global_train_batch_size": 96,
        "precision": "amp_bf16",
    }


def after_first(formula: Callable[[float], float]) -> Callable[[int], float]:
    """The rate of update n: the trainer steps its schedulers before it counts the batch."""
    return lambda n: formula(max(n - 1, 0))


def half_cosine(p: float) -> float:
    return (1 + math.cos(math.pi * min(p, 1))) / 2


def warmed(up: float, after: Callable[[float], float]) -> Callable[[float], float]:
    return lambda t: LR * (t / up if t < up else after(t))


def cosine(up: float, end: float, low: float) -> Callable[[float], float]:
    def after(t: float) -> float:
        p = (t - up) / (end - up) if end > up else 0
        return low + (1 - low) * half_cosine(p)

    return warmed(up, after)


@pytest.mark.parametrize("up", [0, 1, 90, 800])
@pytest.mark.parametrize("name", ["cosine_with_warmup", "CosineAnnealingWithWarmupScheduler"])
def test_cosine(name: str, up: int) -> None:
    config = foundry(name, t_warmup=f"{up}ba", alpha_f="1e-1")
    compare(config, after_first(cosine(up, 800, 0.1)), range(801), "composer")
    compare(config["scheduler"], after_first(cosine(up, 800, 0.1)), range(801), "composer",
            learning_rate=LR, total_steps=800)  # fmt: skip


@pytest.mark.parametrize(
    ("max_duration", "t_warmup", "up", "end"),
    [
        ("800ba", "0.06dur", 48, 800),
        ("801ba", "0.29dur", 232, 801),
        ("8ep", "0.06dur", 48, 800),
        ("8ep", "1ep", 100, 800),
        (8, "90BA", 90, 800),
        ("8ep", "3e1ba", 30, 800),
        ("76800sp", "9000sp", 93.75, 800),
        ("76800sp", "0.0611dur", 4692 / 96, 800),
        ("157286400tok", "3e7tok", 3e7 / 196608, 800),
        ("157286400tok", "0.06dur", 9437184 / 196608, 800),
    ],
)
def test_times(max_duration: Any, t_warmup: str, up: float, end: float) -> None:
    config = foundry("cosine_with_warmup", max_duration, t_warmup=t_warmup, alpha_f=0.1)
    sizes = {"steps_per_epoch": 100, "tokens_per_step": 96 * 2048}
    formula = after_first(cosine(up, end, 0.1))
    compare(config, formula, range(801), "composer", **sizes)
    later = from_config(config).resolve(**sizes)
    for n in range(801):
        assert later(n) == pytest.approx(formula(n), rel=1e-9)


def test_a_fraction_of_a_run_whose_length_is_given() -> None:
    section = {"name": "cosine_with_warmup", "t_warmup": "0.06dur"}
    compare(section, after_first(cosine(48, 801, 0)), range(801), "composer",
            learning_rate=LR, total_steps=801)  # fmt: skip
    unresolved = from_config(section, learning_rate=LR)
    assert unresolved.resolve(total_steps=801) == from_config(
        section, learning_rate=LR, total_steps=801
    )
    config = foundry("cosine_with_warmup", "8ep", t_warmup="1ep")
    compare(config, after_first(cosine(100, 800, 0)), range(801), "composer", total_steps=800)


def test_linear_with_warmup() -> None:
    def after(t: float) -> float:
        return 0.5 + (0.1 - 0.5) * min(t - 50, 950) / 950

    formula = lambda t: LR * (0.5 * t / 50 if t < 50 else after(t))  # noqa: E731
    params = {"t_warmup": "50ba", "alpha_i": 0.5, "alpha_f": 0.1, "t_max": "1000ba"}
    config = foundry("linear_decay_with_warmup", **params)
    compare(config, after_first(formula), range(801), "composer")
    flat = foundry("linear_decay_with_warmup", t_warmup="50ba", alpha_f=1.0)
    compare(flat, after_first(warmed(50, lambda t: 1)), range(801), "composer")


def test_constant_with_warmup() -> None:
    config = foundry("constant_with_warmup", t_warmup="50ba", alpha=0.5, t_max="1dur")
    formula = lambda t: LR * 0.5 * min(t / 50, 1)  # noqa: E731
    compare(config, after_first(formula), range(801), "composer")


@pytest.mark.parametrize(("power", "given"), [(2, {}), (0.5, {"power": 0.5})])
def test_polynomial_with_warmup(power: float, given: dict[str, Any]) -> None:
    def after(t: float) -> float:
        return float(0.1 + 0.9 * (1 - min(t - 50, 750) / 750) ** power)

    config = foundry("polynomial_with_warmup", t_warmup="50ba", alpha_f=0.1, **given)
    compare(config, after_first(warmed(50, after)), range(801), "composer")


def test_multistep_with_warmup() -> None:
    def after(t: float) -> float:
        return 0.1 ** ((t >= 30) + (t >= 400) + (t >= 600))

    params = {"t_warmup": "50ba", "milestones": ["6ep", "30ba", "0.5dur"]}
    config = foundry("multistep_with_warmup", "8ep", **params)
    compare(config, after_first(warmed(50, after)), range(801), "composer", steps_per_epoch=100)


@pytest.mark.parametrize(
    ("down", "begin"), [("200ba", 600), ("0ba", 800), ("790ba", 50)], ids=["part", "no", "all"]
)
def test_inverse_sqrt_with_warmup(down: str, begin: int) -> None:
    def decayed(t: float) -> float:
        return 0.1 + 0.9 / math.sqrt((t - 50 + 25) / 25)

    def after(t: float) -> float:
        if t < begin or down == "0ba":
            return decayed(t)
        return decayed(begin) + (0.05 - decayed(begin)) * (t - begin) / int(down[:-2])

    params = {"t_scale": "25ba", "t_cooldown": down, "alpha_f_decay": 0.1, "alpha_f_cooldown": 0.05}
    config = foundry("inv_sqrt_with_warmup", t_warmup="50ba", **params)
    compare(config, after_first(warmed(50, after)), range(801), "composer")


def restarts(t: float) -> float:
    length = 100
    while t >= length:
        t, length = t - length, int(1.505 * length)
    return 0.1 + 0.9 * half_cosine(t / length)


def cycles(t: float) -> float:
    length = 100.0
    while t >= length:
        t, length = t - length, 2 * length
    return half_cosine(t / length)


@pytest.mark.parametrize(
    ("name", "params", "formula"),
    [
        ("step", {"step_size": "150ba", "gamma": 0.5}, lambda t: 0.5 ** (t // 150)),
        ("StepScheduler", {"step_size": "1ep"}, lambda t: 0.1 ** (t // 100)),
        (
            "multistep",
            {"milestones": ["600ba", "0.25dur"], "gamma": 0.5},
            lambda t: 0.5 ** ((t >= 200) + (t >= 600)),
        ),
        ("constant", {}, lambda t: 1),
        ("constant", {"alpha": 0.5}, lambda t: 0.5),
        ("constant", {"alpha": 0.5, "t_max": "150ba"}, lambda t: 0.5 if t < 150 else 1),
        ("linear", {}, lambda t: 1 - min(t, 800) / 800),
        (
            "linear_decay",
            {"alpha_i": 0.2, "alpha_f": 2, "t_max": "600ba"},
            lambda t: 0.2 + 1.8 * min(t, 600) / 600,
        ),
        ("exponential", {"gamma": 0.9}, lambda t: 0.9 ** (t / 100)),
        ("exponential", {"gamma": 0.9, "decay_period": "30ba"}, lambda t: 0.9 ** (t / 30)),
        ("cosine_annealing", {"alpha_f": 0.1}, lambda t: 0.1 + 0.9 * half_cosine(t / 800)),
        ("cosine_decay", {"t_max": "0.5dur"}, lambda t: half_cosine(t / 400)),
        ("cosine_annealing_warm_restarts", {"t_0": "100ba", "t_mult": 2.0}, cycles),
        (
            "cosine_warmrestart",
            {"t_0": "1ep", "t_mult": 1.505, "alpha_f": 0.1},
            restarts,
        ),
        (
            "polynomial",
            {"power": 3, "alpha_f": 0.1},
            lambda t: 0.1 + 0.9 * (1 - min(t, 800) / 800) ** 3,
        ),
    ],
)
def test_without_a_warmup(
    name: str, params: dict[str, Any], formula: Callable[[float], float]
) -> None:
    config = foundry(name, "800ba", **params)
    rate = after_first(lambda t: LR * formula(t))
    compare(config, rate, range(801), "composer", steps_per_epoch=100)


def hydra(*schedulers: dict[str, Any], **trainer: Any) -> dict[str, Any]:
    """The file of a run whose objects Hydra makes."""
    return {
        "name": "run-3",
        "seed": 17,
        "model": {"_target_": "src.models.unet", "pretrained": False},
        "dataset": {"train_batch_size": 64},
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": LR, "weight_decay": 0.01},
        "scheduler": schedulers[0] if len(schedulers) == 1 else list(schedulers),
        "trainer": {"_target_": "composer.Trainer", "max_duration": "800ba", **trainer},
    }


COSINE = {"_target_": "composer.optim.CosineAnnealingWithWarmupScheduler", "t_warmup": "90ba"}
STEP = {"_target_": "composer.optim.scheduler.StepScheduler", "step_size": "150ba", "gamma": 0.5}


def test_paths_of_classes() -> None:
    compare(hydra(COSINE), after_first(cosine(90, 800, 0)), range(801), "composer")


def test_several_are_multiplied() -> None:
    def formula(t: float) -> float:
        return float(cosine(90, 800, 0)(t) * 0.5 ** (t // 150))

    compare(hydra(COSINE, STEP), after_first(formula), range(801), "composer")
    config = hydra(COSINE)
    config["schedulers"] = [config.pop("scheduler"), STEP]
    compare(config, after_first(formula), range(801), "composer")


def test_a_file_for_a_cluster() -> None:
    parameters = foundry("cosine_with_warmup", t_warmup="90ba")
    config = {"image": "mosaicml/llm-foundry", "compute": {"gpus": 8}, "parameters": parameters}
    compare(config, after_first(cosine(90, 800, 0)), range(801), "composer")


@pytest.mark.parametrize("ratio", [0.5, 1.7])
def test_a_scaled_run(ratio: float) -> None:
    total = int(800 * ratio)
    config = hydra(COSINE, scale_schedule_ratio=ratio)
    compare(config, after_first(cosine(90, total, 0)), range(total), "composer")

    def scaled(t: float) -> float:
        up = int(90 * ratio)
        return LR * min(t / up, 1) if t < 90 else cosine(90, total, 0)(t)

    config = hydra({**COSINE, "scale_warmup": True}, scale_schedule_ratio=ratio)
    compare(config, after_first(scaled), range(total), "composer")
    of_run = hydra({**COSINE, "t_warmup": "0.1dur"}, scale_schedule_ratio=ratio)
    compare(of_run, after_first(cosine(int(0.1 * total), total, 0)), range(total), "composer")
    stairs = lambda t: LR * 0.5 ** (t // int(150 * ratio))  # noqa: E731
    compare(hydra(STEP, scale_schedule_ratio=ratio), after_first(stairs), range(total), "composer")


def test_a_scaled_warmup_before_steps() -> None:
    def formula(t: float) -> float:
        return LR * (t / 180 if t < 90 else 0.1 ** ((t >= 60) + (t >= 400)))

    path = "composer.optim.MultiStepWithWarmupScheduler"
    times = {"t_warmup": "90ba", "milestones": ["30ba", "200ba"], "scale_warmup": True}
    config = hydra({"_target_": path, **times}, scale_schedule_ratio=2)
    compare(config, after_first(formula), range(1600), "composer")


def test_schedulers_stepped_once_an_epoch() -> None:
    config = hydra(COSINE, max_duration="8ep", step_schedulers_every_batch=False)
    formula = lambda n: cosine(90, 800, 0)(n // 100 * 100)  # noqa: E731
    compare(config, formula, range(800), "composer", steps_per_epoch=100)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"t_warmup": 100}, "scheduler.t_warmup must be a time with its unit, such as '100ba'"),
        ({"t_warmup": "100"}, "t_warmup must be a time with its unit"),
        ({"t_warmup": "manyba"}, "t_warmup must be a time with its unit"),
        ({"t_warmup": "2iter"}, "t_warmup must be in another unit than 'iter' (a configuration"),
        ({"t_warmup": "90sec"}, "t_warmup must be in another unit than 'sec'"),
        ({"t_warmup": "1.5ep"}, "t_warmup must be a whole number of 'ep', got '1.5ep'"),
        ({"t_warmup": "-1ba"}, "t_warmup must be a time with its unit"),
        ({"t_warmup": "96sp"}, "t_warmup must be in the unit of t_max ('ba'), got '96sp'"),
        ({"t_warmup": "9ba", "t_max": "700ba"}, "t_max must be no shorter than the run, got '70"),
        ({"t_warmup": "9ba", "alpha": 0.1}, "scheduler.alpha is unknown (known: "),
        ({"t_max": "1dur"}, "scheduler.t_warmup is missing"),
        ({"t_warmup": "9ba", "scale_warmup": "yes"}, "scale_warmup must be True or False"),
    ],
)
def test_refusals(params: dict[str, Any], message: str) -> None:
    found = refusal(foundry("cosine_with_warmup", **params))
    assert found.startswith("from_config: Composer: ")
    assert message in found


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("cosine_warmrestart", {"t_0": "9sp", "t_mult": 1.5}, "is known in the unit of t_0, got"),
        ("cosine_warmrestart", {"t_0": "9ba", "t_mult": 0.5}, "t_mult must be a number >= 1"),
        ("cosine_warmrestart", {"t_0": "0ba", "t_mult": 1.5}, "must be a number >= 1 (steps)"),
        ("step", {"step_size": "0.001dur"}, "step_size must be a number >= 1 (steps)"),
        ("multistep", {"milestones": "90ba"}, "milestones must be a list of times, got '90ba'"),
        ("multistep", {"milestones": ["9ba", 5]}, "milestones[1] must be a time with its unit"),
        (
            "multistep_with_warmup",
            {"t_warmup": "9ba", "milestones": ["0ba"]},
            "milestones must be after the beginning of the run",
        ),
        (
            "inv_sqrt_with_warmup",
            {"t_warmup": "0.1dur", "t_scale": "9ba", "t_cooldown": "9ba"},
            "t_warmup must be in the unit of the run ('ba'), got '0.1dur'",
        ),
        (
            "inv_sqrt_with_warmup",
            {"t_warmup": "9ba", "t_scale": "9ba", "t_cooldown": "9ba", "alpha_f_cooldown": 0.1},
            "alpha_f_cooldown must be no higher than alpha_f_decay (0.0), got 0.1",
        ),
    ],
)
def test_refusals_of_others(name: str, params: dict[str, Any], message: str) -> None:
    assert message in refusal(foundry(name, **params))


def test_what_is_missing_is_asked_for() -> None:
    config = foundry("cosine_with_warmup", t_warmup="9ba")
    assert "(1000), which was given, or left out, got '800ba'" in refusal(config, total_steps=1000)
    assert "max_duration must be in another unit than a part" in refusal(
        config | {"max_duration": "1dur"}
    )
    assert "max_duration must be a time of one or more, got '0ep'" in refusal(
        config | {"max_duration": "0ep"}, total_steps=300
    )
    assert "max_duration must be a time of at most 1e+18" in refusal(
        config | {"max_duration": 10**400}
    )
    assert "optimizer.lr must be learning_rate (0.1), which" in refusal(config, learning_rate=0.1)
    assert "give learning_rate=... (the optimizer's lr is not" in refusal(config["scheduler"])
    phases = {"t_warmup": "1ep", "t_scale": "1ep", "t_cooldown": "1ep"}
    config = foundry("inv_sqrt_with_warmup", "8ep", **phases)
    assert "give steps_per_epoch=... (the order of its phases" in refusal(config)
    unknown = {"_target_": "composer.optim.OtherScheduler"}
    assert "_target_ must be one of step, multistep, " in refusal(hydra(unknown))


def test_files_of_others_are_not_taken_for_these() -> None:
    olmo = {
        "optimizer": {"name": "adamw", "learning_rate": 4e-4},
        "scheduler": {"name": "cosine_with_warmup", "t_warmup": 2000, "alpha_f": 0.1},
        "max_duration": "1ep",
    }
    assert from_config(olmo) == from_config(olmo, format="olmo")
