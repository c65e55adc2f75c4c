"""Configurations that name torch's scheduler classes, beside their formulas in plain Python."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from lrsched import from_config
from tests.configs.compare import compare, refusal

LR = 0.08
TORCH = "torch.optim.lr_scheduler"


def one(name: str, **params: Any) -> dict[str, Any]:
    return {"_target_": f"{TORCH}.{name}", **params}


def hydra(scheduler: dict[str, Any]) -> dict[str, Any]:
    """The file of a Hydra project, with the sections beside the schedule."""
    return {
        "task_name": "train",
        "seed": 3,
        "data": {"_target_": "src.data.Cifar", "batch_size": 96},
        "model": {
            "_target_": "src.models.Classifier",
            "optimizer": {"_target_": "torch.optim.SGD", "_partial_": True, "lr": LR},
            "scheduler": {"_partial_": True, **scheduler},
            "compile": False,
        },
        "trainer": {"max_epochs": 40, "accelerator": "gpu"},
    }


def lightning(name: str, **params: Any) -> dict[str, Any]:
    """The file of a LightningCLI, which steps schedulers once an epoch."""
    return {
        "seed_everything": 1,
        "trainer": {"max_epochs": 40, "precision": "bf16-mixed"},
        "model": {"class_path": "src.models.Classifier", "init_args": {"width": 64}},
        "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": str(LR)}},
        "lr_scheduler": {"class_path": f"{TORCH}.{name}", "init_args": params},
    }


def torchtune(**params: Any) -> dict[str, Any]:
    """The file of a torchtune recipe."""
    path = "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup"
    return {
        "batch_size": 4,
        "epochs": 3,
        "max_steps_per_epoch": None,
        "gradient_accumulation_steps": 8,
        "optimizer": {"_component_": "torch.optim.AdamW", "fused": True, "lr": 2e-5},
        "lr_scheduler": {"_component_": path, **params},
        "loss": {"_component_": "torchtune.modules.loss.LinearCrossEntropyLoss"},
    }


def half_cosine(p: float) -> float:
    return (1 + math.cos(math.pi * p)) / 2


def restarts(t: int) -> float:
    length = 10
    while t >= length:
        t, length = t - length, 3 * length
    return 1e-3 + (LR - 1e-3) * half_cosine(t / length)


def triangle(t: int) -> float:
    t %= 50
    return t / 20 if t <= 20 else (50 - t) / 30


def one_cycle(t: int) -> float:
    first, last = 0.5 / 20, 0.5 / 20 / 100
    if t <= 29:
        return 0.5 + (first - 0.5) * half_cosine(t / 29)
    return last + (0.5 - last) * half_cosine(min(t - 29, 70) / 70)


def one_cycle_in_three(t: int) -> float:
    first, last = 0.5 / 25, 0.5 / 25 / 1e4
    if t <= 29:
        return first + (0.5 - first) * t / 29
    if t <= 58:
        return 0.5 + (first - 0.5) * (t - 29) / 29
    return first + (last - first) * min(t - 58, 41) / 41


CLASSES: list[tuple[str, dict[str, Any], Callable[[int], float]]] = [
    ("StepLR", {"step_size": 30, "gamma": 0.5}, lambda t: LR * 0.5 ** (t // 30)),
    ("StepLR", {"step_size": 1}, lambda t: LR * 0.1**t),
    (
        "MultiStepLR",
        {"milestones": [90, 30, 90], "gamma": "5e-1"},
        lambda t: LR * 0.5 ** ((t >= 30) + 2 * (t >= 90)),
    ),
    ("ExponentialLR", {"gamma": 0.98}, lambda t: LR * 0.98**t),
    ("ConstantLR", {"factor": 0.25, "total_iters": 20}, lambda t: LR * (0.25 if t < 20 else 1)),
    ("ConstantLR", {}, lambda t: LR * (1 / 3 if t < 5 else 1)),
    ("ConstantLR", {"total_iters": 0}, lambda t: LR / 3),
    ("LinearLR", {}, lambda t: LR * (1 / 3 + 2 / 3 * min(t, 5) / 5)),
    (
        "LinearLR",
        {"start_factor": 1, "end_factor": 0.1, "total_iters": 120.0},
        lambda t: LR * (1 - 0.9 * min(t, 120) / 120),
    ),
    ("LinearLR", {"start_factor": 0.5, "total_iters": 0}, lambda t: LR / 2),
    ("PolynomialLR", {"total_iters": 100, "power": 0.9}, lambda t: LR * max(1 - t / 100, 0) ** 0.9),
    ("CosineAnnealingLR", {"T_max": 60}, lambda t: LR * half_cosine(t / 60)),
    (
        "CosineAnnealingLR",
        {"T_max": 37.5, "eta_min": "1e-3"},
        lambda t: 1e-3 + (LR - 1e-3) * half_cosine(t / 37.5),
    ),
    ("CosineAnnealingWarmRestarts", {"T_0": 10, "T_mult": 3, "eta_min": 1e-3}, restarts),
    (
        "CyclicLR",
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 20, "step_size_down": 30},
        lambda t: 0.01 + 0.09 * triangle(t),
    ),
    (
        "CyclicLR",
        {
            "base_lr": 0.01,
            "max_lr": 0.1,
            "step_size_up": 20,
            "step_size_down": 30,
            "mode": "triangular2",
            "gamma": 0.9,
            "cycle_momentum": False,
        },
        lambda t: 0.01 + 0.09 * triangle(t) / 2 ** (t // 50),
    ),
    (
        "CyclicLR",
        {
            "base_lr": 0.01,
            "max_lr": 0.1,
            "step_size_up": 20,
            "step_size_down": 30,
            "mode": "exp_range",
            "gamma": 0.99,
        },
        lambda t: 0.01 + 0.09 * triangle(t) * 0.99**t,
    ),
    (
        "OneCycleLR",
        {"max_lr": 0.5, "total_steps": 100, "div_factor": 20, "final_div_factor": 100},
        one_cycle,
    ),
    (
        "OneCycleLR",
        {
            "max_lr": 0.5,
            "epochs": 10,
            "steps_per_epoch": 10,
            "anneal_strategy": "linear",
            "three_phase": True,
        },
        one_cycle_in_three,
    ),
]


@pytest.mark.parametrize(("name", "params", "formula"), CLASSES)
def test_classes(name: str, params: dict[str, Any], formula: Callable[[int], float]) -> None:
    compare(hydra(one(name, **params)), formula, range(150), "torch")
    compare(one(name, **params), formula, range(150), "torch", learning_rate=LR)
    section = {"class_path": f"{TORCH}.{name}", "init_args": params}
    compare(section, formula, range(150), "torch", learning_rate=LR)


def test_momentum() -> None:
    cyclic = one(
        "CyclicLR", base_lr=0.01, max_lr=0.1, step_size_up=20, step_size_down=30, max_momentum=0.95
    )
    found = from_config(cyclic, part="momentum")
    for t in range(150):
        assert found(t) == pytest.approx(0.95 - 0.15 * triangle(t), rel=1e-9)
    cycle = one("OneCycleLR", max_lr=0.5, total_steps=100, base_momentum=0.8)
    found = from_config(cycle, part="momentum")
    for t in range(100):
        up = half_cosine(1 - t / 29) if t <= 29 else half_cosine((t - 29) / 70)
        assert found(t) == pytest.approx(0.95 - 0.15 * up, rel=1e-9)


@pytest.mark.parametrize("up", [1, 5, 120])
def test_sequential_begins_each_at_its_own_step_0(up: int) -> None:
    def formula(t: int) -> float:
        if t < up:
            return LR * (0.01 + 0.99 * t / up)
        return 1e-4 + (LR - 1e-4) * half_cosine((t - up) / 95)

    warm = one("LinearLR", start_factor=0.01, total_iters=up)
    cosine = one("CosineAnnealingLR", T_max=95, eta_min=1e-4)
    config = hydra(one("SequentialLR", schedulers=[warm, cosine], milestones=[up]))
    compare(config, formula, range(120), "torch")


def test_sequential_cuts_off_and_jumps() -> None:
    def formula(t: int) -> float:
        if t < 10:
            return LR * (1 / 3 + 2 / 3 * t / 20)
        if t < 40:
            return LR * 0.5 ** ((t - 10) // 8)
        return 0.01 + 0.09 * triangle(t - 40)

    schedulers = [
        one("LinearLR", total_iters=20),
        one("StepLR", step_size=8, gamma=0.5),
        one("ExponentialLR", gamma=0.9),
        one("CyclicLR", base_lr=0.01, max_lr=0.1, step_size_up=20, step_size_down=30),
    ]
    config = hydra(one("SequentialLR", schedulers=schedulers, milestones=[10, 40, 40]))
    compare(config, formula, range(150), "torch")
    first = hydra(one("SequentialLR", schedulers=schedulers[:2], milestones=[0]))
    compare(first, lambda t: LR * 0.5 ** (t // 8), range(100), "torch")


def test_chained_multiplies_what_scales() -> None:
    def formula(t: int) -> float:
        return LR * (0.1 + 0.9 * min(t, 12) / 12) * 0.97**t * 0.5 ** (t >= 60)

    schedulers = [
        one("LinearLR", start_factor=0.1, total_iters=12),
        one("ExponentialLR", gamma=0.97),
        one("MultiStepLR", milestones=[60], gamma=0.5),
    ]
    config = hydra(one("ChainedScheduler", schedulers=schedulers))
    compare(config, formula, range(120), "torch")


def test_chained_with_a_cosine_that_rises_alone() -> None:
    def formula(t: int) -> float:
        factor = 0.1 + 0.9 * min(t, 12) / 12 if t < 50 else 1
        return LR * factor * half_cosine(t / 50)

    schedulers = [
        one("CosineAnnealingLR", T_max=50),
        one("LinearLR", start_factor=0.1, total_iters=12),
    ]
    compare(hydra(one("ChainedScheduler", schedulers=schedulers)), formula, range(200), "torch")


def test_chained_is_the_last_that_sets_the_rate() -> None:
    schedulers = [
        one("LinearLR", start_factor=0.1),
        one("CosineAnnealingWarmRestarts", T_0=10, T_mult=3, eta_min=1e-3),
    ]
    compare(hydra(one("ChainedScheduler", schedulers=schedulers)), restarts, range(150), "torch")


def test_once_an_epoch() -> None:
    def formula(t: int) -> float:
        return LR * half_cosine(t // 25 / 40)

    file = lightning("CosineAnnealingLR", T_max=40)
    compare(file, formula, range(1000), "torch", steps_per_epoch=25)
    unresolved = from_config(file)
    assert not unresolved.is_resolved
    assert unresolved.resolve(steps_per_epoch=25) == from_config(file, steps_per_epoch=25)
    short = file | {"lr_scheduler": {"class_path": "CosineAnnealingLR", "init_args": {"T_max": 40}}}
    compare(short, formula, range(1000), "torch", steps_per_epoch=25)
    compare(file["lr_scheduler"], lambda t: LR * half_cosine(t / 40), range(99), learning_rate=LR)


@pytest.mark.parametrize("interval", [{"interval": "epoch"}, {"monitor": "val/loss"}])
def test_once_in_two_epochs(interval: dict[str, Any]) -> None:
    def formula(t: int) -> float:
        done = t // 10 // 2
        return LR * (1 / 3 + 2 / 3 * done / 5) if done < 5 else LR * 0.5 ** ((done - 5) // 3)

    schedulers = [one("LinearLR"), one("StepLR", step_size=3, gamma=0.5)]
    sequence = one("SequentialLR", schedulers=schedulers, milestones=[5])
    config = {
        "optimizer": {"_target_": "torch.optim.SGD", "lr": LR},
        "lr_scheduler": {"scheduler": sequence, "frequency": 2, "strict": True, **interval},
    }
    compare(config, formula, range(400), "torch", steps_per_epoch=10)


def test_once_in_some_steps() -> None:
    config = hydra(one("ExponentialLR", gamma=0.9))
    config["model"] |= {"interval": "step", "frequency": 5}
    compare(config, lambda t: LR * 0.9 ** (t // 5), range(100), "torch", steps_per_epoch=20)
    assert "give steps_per_epoch=..." in refusal(config)
    cycle = one("OneCycleLR", max_lr=0.5, total_steps=100, base_momentum=0.0)
    assert "OneCycleLR: the first, highest and last value must be other than 0" in refusal(
        cycle, part="momentum"
    )
    assert "frequency must divide steps_per_epoch (12), got 5" in refusal(
        config, steps_per_epoch=12
    )


def test_cycles_once_an_epoch() -> None:
    def cycle(t: int) -> float:
        return one_cycle(t // 6)

    params = {"max_lr": 0.5, "total_steps": 100, "div_factor": 20, "final_div_factor": 100}
    compare(lightning("OneCycleLR", **params), cycle, range(600), "torch", steps_per_epoch=6)

    def shrinking(t: int) -> float:
        return 0.01 + 0.09 * triangle(t // 6) * 0.99 ** (t // 6)

    config = hydra(one("OneCycleLR", **params))
    config["model"] |= {"interval": "step", "frequency": 6}
    compare(config, cycle, range(600), "torch", steps_per_epoch=60)

    params = {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 20, "step_size_down": 30}
    file = lightning("CyclicLR", mode="exp_range", gamma=0.99, **params)
    compare(file, shrinking, range(600), "torch", steps_per_epoch=6)
    assert "give steps_per_epoch=..." in refusal(file)


@pytest.mark.parametrize("up", [0, 1, 100, 150])
def test_torchtune(up: int) -> None:
    def formula(t: int) -> float:
        if t < up:
            return 2e-5 * t / up
        return 2e-5 * half_cosine((t - up) / max(150 - up, 1))

    config = torchtune(num_warmup_steps=up)
    compare(config, formula, range(150), "torch", total_steps=150)
    compare(config, formula, range(150), "torch", steps_per_epoch=50)
    capped = config | {"max_steps_per_epoch": 50}
    compare(capped, formula, range(150), "torch", steps_per_epoch=900)
    assert "give total_steps=... (or steps_per_epoch" in refusal(config)
    found = refusal(config, steps_per_epoch=60, total_steps=150)
    assert "the file's epochs have 180 updates, not total_steps" in found


def test_functions_of_transformers() -> None:
    def linear(t: int) -> float:
        return LR * min(t / 20, max(100 - t, 0) / 80)

    function = "transformers.get_linear_schedule_with_warmup"
    config = hydra({"_target_": function, "num_warmup_steps": 20, "num_training_steps": 100})
    compare(config, linear, range(120), "torch")
    open_ended = {"_target_": function}
    context = {"learning_rate": LR, "warmup_steps": 20, "total_steps": 100}
    compare(open_ended, linear, range(120), "torch", **context)

    def polynomial(t: int) -> float:
        return t / 20 * LR if t < 20 else 1e-5 + (LR - 1e-5) * (1 - min(t - 20, 80) / 80) ** 2

    by_name = {
        "_target_": "transformers.optimization.get_scheduler",
        "name": "polynomial",
        "num_warmup_steps": 20,
        "num_training_steps": 100,
        "scheduler_specific_kwargs": {"power": 2.0, "lr_end": "1e-5"},
    }
    compare(hydra(by_name), polynomial, range(120), "torch")
    constant = {"_target_": "transformers.get_scheduler", "name": "constant"}
    compare(hydra({**constant, "num_warmup_steps": 20}), lambda t: LR, range(50), "torch")


def test_warmup_stable_decay_of_transformers() -> None:
    def formula(t: int) -> float:
        if t < 10:
            return LR * (0.1 + 0.9 * t / 10)
        return LR if t < 60 else LR * (0.1 + 0.9 * half_cosine(min(t - 60, 40) / 40))

    params = {"num_warmup_steps": 10, "num_decay_steps": 40, "min_lr_ratio": 0.1}
    compare(
        hydra({"_target_": "transformers.get_wsd_schedule", **params}),
        formula,
        range(100),
        "torch",
        total_steps=100,
    )


@pytest.mark.parametrize("up", [1, 2, 15])
def test_class_of_lightning_bolts(up: int) -> None:
    def formula(t: int) -> float:
        if t < up:
            return 1e-3 + (LR - 1e-3) * t / max(up - 1, 1)
        return 1e-5 + (LR - 1e-5) * half_cosine((t - up) / (60 - up))

    path = "pl_bolts.optimizers.lr_scheduler.LinearWarmupCosineAnnealingLR"
    params = {"warmup_epochs": up, "max_epochs": 60, "warmup_start_lr": 1e-3, "eta_min": 1e-5}
    compare(hydra({"_target_": path, **params}), formula, range(100), "torch")


CYCLIC = one("CyclicLR", base_lr=0.01, max_lr=0.1, step_size_up=20)
PLATEAU = one("ReduceLROnPlateau", patience=3)
LINEAR, STEP = one("LinearLR", start_factor=0.1), one("StepLR", step_size=5)


def sequence(*schedulers: dict[str, Any], milestones: list[Any]) -> dict[str, Any]:
    return one("SequentialLR", schedulers=list(schedulers), milestones=milestones)


def chain(*schedulers: dict[str, Any]) -> dict[str, Any]:
    return one("ChainedScheduler", schedulers=list(schedulers))


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        (one("LambdaLR", lr_lambda={"_target_": "src.f"}), "than LambdaLR, which has code, got"),
        (one("MultiplicativeLR"), "another than MultiplicativeLR, which has code"),
        (one("ReduceLROnPlateau", factor=1), "factor must be a number >= 0 and < 1, got 1"),
        (one("ReduceLROnPlateau", threshold=1), "threshold must be a number >= 0 and < 1, got 1"),
        (one("ReduceLROnPlateau", rule="min"), "model.scheduler.rule is unknown (known: "),
        (
            one("ReduceLROnPlateau", min_lr=[1e-3, 1e-4]),
            "min_lr must be a number, or a list with the same number for each group, got [0.001, 0",
        ),
        (sequence(LINEAR, PLATEAU, milestones=[9]), "schedulers[1] must be a scheduler that"),
        (chain(PLATEAU), "schedulers[0] must be a scheduler that torch begins and steps in a list"),
        (one("NoSuchLR"), "model.scheduler._target_ must be the path of one of StepLR, "),
        (one("StepLR", step_size=5, every=2), "model.scheduler.every is unknown (known: "),
        (one("StepLR", gamma=0.5), "model.scheduler.step_size is missing"),
        (one("StepLR", step_size=0), "step_size must be an integer >= 1 (steps), got 0"),
        (one("StepLR", step_size=5, last_epoch=99), "last_epoch must be -1, as a schedule begins"),
        (one("LinearLR", start_factor=0), "start_factor must be a number > 0 and <= 1, got 0"),
        (one("ConstantLR", factor=2), "factor must be a number > 0 and <= 1, got 2"),
        (one("MultiStepLR", milestones=[1.5]), "milestones[0] must be an integer >= 0"),
        (one("CosineAnnealingLR"), "model.scheduler.T_max is missing"),
        ({**CYCLIC, "scale_fn": "f"}, "scale_fn must be left out, as it is code, got 'f'"),
        ({**CYCLIC, "max_lr": [0.1, 0.2]}, "max_lr must be a finite number, got [0.1, 0.2]"),
        (one("OneCycleLR", max_lr=0.1), "total_steps is missing; give total_steps=..."),
        (one("OneCycleLR", max_lr=1, total_steps=10, pct_start=0.1), "the peak is not at step 0"),
        (one("OneCycleLR", max_lr=0.1, epochs=3), "give steps_per_epoch=... (a OneCycleLR"),
        (sequence(LINEAR, STEP, milestones=[]), "milestones must be 1 numbers in ascending"),
        (sequence(STEP, STEP, STEP, milestones=[9, 5]), "milestones must be 2 numbers in asc"),
        (sequence(CYCLIC, STEP, milestones=[9]), "begins at the optimizer's lr (0.08), which"),
        (sequence(LINEAR, chain(STEP), milestones=[9]), "schedulers[1] must be a scheduler that"),
        (
            sequence(STEP, {**LINEAR, "total_iters": 0}, milestones=[9]),
            "schedulers[1] must be one with total_iters of at least 1",
        ),
        (chain(CYCLIC, STEP), "schedulers must be without one that sets the rate, but for"),
        (chain(LINEAR, one("CosineAnnealingLR", T_max=50, eta_min=1e-4)), "and eta_min=0 (else"),
        (chain(STEP, one("CosineAnnealingLR", T_max=50)), "done their work at the T_max"),
        (chain(), "schedulers must be at least one, got []"),
    ],
)
def test_refusals(scheduler: dict[str, Any], message: str) -> None:
    found = refusal(hydra(scheduler))
    assert found.startswith("from_config: torch: ")
    assert message in found


def test_what_is_missing_is_asked_for() -> None:
    assert "give learning_rate=... (the optimizer's lr is not in the" in refusal(STEP)
    no_lr = {"optimizer": {"_target_": "torch.optim.Adam"}, "scheduler": STEP}
    assert "optimizer.lr is missing; give learning_rate=..." in refusal(no_lr)
    assert "lr must be learning_rate (0.2), which was given" in refusal(
        hydra(STEP), learning_rate=0.2
    )
    found = refusal({"_target_": "src.MyLR"}, format="torch")
    assert "a scheduler must have the path of a class under _target_" in found


def test_parts() -> None:
    assert "StepLR schedules the learning rate alone" in refusal(hydra(STEP), part="momentum")
    config = hydra({**CYCLIC, "cycle_momentum": False})
    assert "has no momentum (cycle_momentum is false)" in refusal(config, part="momentum")
    assert "part must be 'lr' or 'momentum', got 'betas'" in refusal(config, part="betas")


def test_an_interval_of_something_else_is_none_of_lightning() -> None:
    config = hydra(STEP) | {"interval": 10, "monitor": "loss"}
    compare(config, lambda t: LR * 0.1 ** (t // 5), range(20), "torch")
