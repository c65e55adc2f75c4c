"""mmengine's `param_scheduler`, beside its recursions in plain Python."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched import epochs, from_config, linear, multi_step_decay, reduce_on_plateau
from tests.configs.compare import compare, refusal
from tests.configs.metrics import (
    ARGUMENTS,
    METRICS,
    Plateau,
    by_epochs,
    followed,
    rates_of,
    reads,
)

PER_EPOCH = 20  # iterations
Scheduler = dict[str, Any]


def mmengine(*schedulers: Scheduler, rate: float = 0.02, **loop: int) -> dict[str, Any]:
    """The file that a run has, with the sections beside the schedule."""
    return {
        "default_scope": "mmdet",
        "default_hooks": {
            "timer": {"type": "IterTimerHook"},
            "param_scheduler": {"type": "ParamSchedulerHook"},
            "checkpoint": {"type": "CheckpointHook", "interval": 1},
        },
        "model": {"type": "FasterRCNN"},
        "train_dataloader": {"batch_size": 2, "num_workers": 2},
        "train_cfg": {"val_interval": 1} | (loop or {"max_epochs": 12}),
        "val_cfg": {"type": "ValLoop"},
        "optim_wrapper": {
            "type": "OptimWrapper",
            "optimizer": {"type": "SGD", "lr": rate, "momentum": 0.9, "weight_decay": 0.0001},
            "clip_grad": None,
        },
        "auto_scale_lr": {"enable": False, "base_batch_size": 16},
        "param_scheduler": list(schedulers),
    }


def shape(scheduler: Scheduler, length: int, unit: int) -> Callable[[int], float]:
    """The part of the way to its lowest rate that a scheduler has left at its step k."""
    name, last = scheduler["type"], length - 1
    if name == "LinearLR":
        start, end = scheduler.get("start_factor", 1 / 3), scheduler.get("end_factor", 1.0)
        return lambda k: start + (end - start) * k / max(last, 1)
    if name == "ConstantLR":
        return lambda k: scheduler.get("factor", 1 / 3) if k < max(last, 1) else 1.0
    if name == "ExponentialLR":
        return lambda k: scheduler["gamma"] ** k
    if name == "StepLR":
        return lambda k: scheduler.get("gamma", 0.1) ** (k // (scheduler["step_size"] * unit))
    if name == "MultiStepLR":
        milestones = [each * unit for each in scheduler["milestones"]]
        return lambda k: scheduler.get("gamma", 0.1) ** sum(k >= each for each in milestones)
    if name == "PolyLR":
        return lambda k: (1 - k / max(last, 1)) ** scheduler.get("power", 1.0)
    assert name == "CosineAnnealingLR"
    half = scheduler["T_max"] * unit if "T_max" in scheduler else length
    return lambda k: (1 + math.cos(math.pi * k / half)) / 2


def recursion(config: dict[str, Any]) -> list[float]:
    """The rate at each iteration, from step to step."""
    base = value = config["optim_wrapper"]["optimizer"]["lr"]
    loop = config["train_cfg"]
    total = loop["max_epochs"] * PER_EPOCH if "max_epochs" in loop else loop["max_iters"]
    rates = []
    for n in range(total):
        for each in config["param_scheduler"]:
            by_epoch = each.get("by_epoch", True)
            converted = each.get("convert_to_iter_based", False)
            unit = PER_EPOCH if converted else 1
            run = loop["max_epochs"] if by_epoch else total
            begin, end = int(each.get("begin", 0) * unit), int(each.get("end", run) * unit)
            if by_epoch and not converted:
                if n % PER_EPOCH:
                    continue
                k = n // PER_EPOCH - begin
            else:
                k = n - begin
            if 0 <= k < end - begin:
                left = shape(each, end - begin, unit)
                low = each.get("eta_min", base * each.get("eta_min_ratio", 0.0))
                before = left(k - 1) if k else 1.0
                if left(k) != before:
                    value = low + (value - low) * left(k) / before
        rates.append(value)
    return rates


def check(config: dict[str, Any], **context: Any) -> None:
    rates = recursion(config)
    context = {"steps_per_epoch": PER_EPOCH} | context
    compare(config, rates.__getitem__, range(len(rates)), "mmengine", **context)


ITERATIONS = {"by_epoch": False}
CONVERTED = {"by_epoch": True, "convert_to_iter_based": True}
EACH = [
    {"type": "LinearLR", "start_factor": 0.001},
    {"type": "LinearLR", "start_factor": 0.5, "end_factor": 0.1},
    {"type": "ConstantLR", "factor": 0.25},
    {"type": "ExponentialLR", "gamma": 0.97},
    {"type": "StepLR", "step_size": 3, "gamma": 0.5},
    {"type": "MultiStepLR", "milestones": [2, 5, 6, 11], "gamma": 0.3},
    {"type": "MultiStepLR", "milestones": [0, 4]},
    {"type": "PolyLR", "power": 0.9, "eta_min": 1e-4},
    {"type": "PolyLR"},
    {"type": "CosineAnnealingLR"},
    {"type": "CosineAnnealingLR", "eta_min": "1e-5", "T_max": 240},
    {"type": "CosineAnnealingLR", "eta_min_ratio": 0.05},
]
CLOCKS = pytest.mark.parametrize(
    "clock",
    [
        {},
        {"begin": 0, "end": 7},
        {"begin": 3, "end": 9},
        {"begin": 3},
        {"begin": 0, "end": 1},
        {"begin": 2, "end": 8} | CONVERTED,
        {"begin": 0.5, "end": 7.25} | CONVERTED,
        CONVERTED,
        {"begin": 0, "end": 60} | ITERATIONS,
        {"begin": 31, "end": 75} | ITERATIONS,
        {"begin": 7} | ITERATIONS,
        {"begin": 0, "end": 1} | ITERATIONS,
    ],
    ids=str,
)


@CLOCKS
@pytest.mark.parametrize("each", EACH, ids=str)
def test_one_scheduler(each: Scheduler, clock: dict[str, Any]) -> None:
    config = mmengine(each | clock)
    if each["type"] == "CosineAnnealingLR" and "eta_min" in each:
        config["param_scheduler"][0]["eta_min"] = 1e-5
    rates = recursion(config)
    config["param_scheduler"] = [each | clock]
    compare(config, rates.__getitem__, range(240), "mmengine", steps_per_epoch=PER_EPOCH)


WARMUP = {"type": "LinearLR", "start_factor": 0.001, "begin": 0, "end": 50} | ITERATIONS


@pytest.mark.parametrize(
    "schedulers",
    [
        [WARMUP, {"type": "MultiStepLR", "begin": 0, "end": 12, "milestones": [8, 11]}],
        [WARMUP, {"type": "CosineAnnealingLR", "T_max": 12, "eta_min": 0.0} | CONVERTED],
        [WARMUP, {"type": "CosineAnnealingLR", "begin": 6, "eta_min": 1e-3} | CONVERTED],
        [WARMUP, {"type": "PolyLR", "begin": 50, "eta_min": 1e-4, "power": 0.9} | ITERATIONS],
        [
            {"type": "LinearLR", "start_factor": 0.1, "end": 5} | CONVERTED,
            {"type": "CosineAnnealingLR", "eta_min": 1e-5, "begin": 5, "T_max": 7},
        ],
        [
            {"type": "CosineAnnealingLR", "eta_min": 1e-5, "begin": 5, "end": 9},
            {"type": "LinearLR", "end": 5},
            {"type": "ConstantLR", "factor": 1, "begin": 9},
        ],
        [
            {"type": "CosineAnnealingLR", "eta_min": 0.2, "end": 5, "T_max": 5} | CONVERTED,
            {"type": "CosineAnnealingLR", "eta_min": 2e-6, "begin": 5, "T_max": 7} | CONVERTED,
        ],
        [
            {"type": "LinearLR", "start_factor": 0.05, "end": 0.53} | CONVERTED,
            {"type": "CosineAnnealingLR", "T_max": 11.47, "begin": 0.53} | CONVERTED,
        ],
        [
            {"type": "CosineAnnealingLR", "eta_min": 0.2, "end": 1.23, "T_max": 1.23} | CONVERTED,
            {"type": "CosineAnnealingLR", "eta_min": 2e-6, "begin": 1.23, "T_max": 10.77}
            | CONVERTED,
        ],
        [
            {"type": "CosineAnnealingLR", "eta_min": 1e-4, "end": 6, "T_max": 6} | CONVERTED,
            {"type": "ConstantLR", "factor": 2.5, "begin": 6, "end": 7},
            {"type": "CosineAnnealingLR", "eta_min": 1e-5, "begin": 7, "T_max": 5} | CONVERTED,
        ],
        [
            {"type": "ExponentialLR", "gamma": 0.9, "end": 5},
            {"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.1, "begin": 7},
        ],
        [
            {"type": "StepLR", "step_size": 2, "gamma": 0.7, "end": 8},
            {"type": "LinearLR", "end": 3} | CONVERTED,
            {"type": "ConstantLR", "begin": 7, "end": 10},
        ],
    ],
)
def test_several_schedulers(schedulers: list[Scheduler]) -> None:
    check(mmengine(*schedulers))


def test_a_schedule_of_the_weight_decay_is_another() -> None:
    linear = {"type": "LinearLR", "start_factor": 0.1, "end": 5}
    decay = {"type": "CosineAnnealingWeightDecay", "eta_min": 0.2, "T_max": 12} | CONVERTED
    assert from_config(mmengine(linear, decay)) == from_config(mmengine(linear))


def test_iterations() -> None:
    poly = {"type": "PolyLR", "begin": 150, "end": 4000, "power": 0.9, "by_epoch": False}
    warmup = {"type": "LinearLR", "start_factor": "1e-6", "end": 150, "by_epoch": False}
    config = mmengine({**warmup, "start_factor": 1e-6}, poly, max_iters=4000)
    rates = recursion(config)
    config["param_scheduler"][0] = warmup
    compare(config, rates.__getitem__, range(4000), "mmengine", total_steps=4000)
    del config["train_cfg"], poly["end"]
    compare(config, rates.__getitem__, range(4000), "mmengine", total_steps=4000)
    assert "train_cfg.max_iters is missing; give total_steps=..." in refusal(config)


@pytest.mark.parametrize("clock", [{}, CONVERTED, ITERATIONS], ids=str)
def test_restarts(clock: dict[str, Any]) -> None:
    def rate(n: int) -> float:
        unit = 1 if clock == ITERATIONS else PER_EPOCH
        k = n - 2 * unit
        if k < 0:
            return 0.02
        k -= 0 if clock else k % PER_EPOCH
        k = min(k, 10 * unit - (1 if clock else unit))
        weight, k, length = (1, k, 4 * unit) if k < 4 * unit else (0.5, k - 4 * unit, 6 * unit)
        return 1e-4 + (0.02 * weight - 1e-4) * (1 + math.cos(math.pi * k / length)) / 2

    restart = {"type": "CosineRestartLR", "periods": [4, 6], "restart_weights": [1, 0.5]}
    config = mmengine(restart | clock | {"eta_min": 1e-4, "begin": 2}, max_epochs=15)
    compare(config, rate, range(300), "mmengine", steps_per_epoch=PER_EPOCH)


@pytest.mark.parametrize("clock", [CONVERTED, ITERATIONS], ids=str)
def test_one_cycle(clock: dict[str, Any]) -> None:
    total = 12 * PER_EPOCH

    def rate(n: int) -> float:
        top = 0.25 * total - 1
        if n <= top:
            return 0.004 + (0.1 - 0.004) * n / top
        return 0.1 + (4e-7 - 0.1) * (n - top) / (total - 1 - top)

    cycle = {"type": "OneCycleLR", "eta_max": 0.1, "pct_start": 0.25, "anneal_strategy": "linear"}
    steps = 12 if clock == CONVERTED else total
    config = mmengine(cycle | clock | {"total_steps": steps})
    compare(config, rate, range(total), "mmengine", steps_per_epoch=PER_EPOCH)
    del config["param_scheduler"][0]["total_steps"]
    compare(config, rate, range(total), "mmengine", steps_per_epoch=PER_EPOCH)


@pytest.mark.parametrize("clock", [{}, CONVERTED], ids=str)
def test_quadratic_warmup(clock: dict[str, Any]) -> None:
    def rate(n: int) -> float:
        k, steps = (n, 5 * PER_EPOCH) if clock else (n // PER_EPOCH, 5)
        if k < steps:
            return 0.02 * ((k + 1) / steps) ** 2
        done = min((n - 100) / 140, 139 / 140)
        return 1e-3 + (0.02 - 1e-3) * (1 + math.cos(math.pi * done)) / 2

    warmup = {"type": "mmdet.QuadraticWarmupLR", "begin": 0, "end": 5} | clock
    decay = {"type": "CosineAnnealingLR", "eta_min": 1e-3, "begin": 5, "end": 12} | CONVERTED
    level = {"type": "ConstantLR", "factor": 1, "begin": 12, "end": 14}
    config = mmengine(warmup, decay, level, max_epochs=14)
    compare(config, rate, range(280), "mmengine", steps_per_epoch=PER_EPOCH)
    assert not from_config(config).is_resolved


def test_a_cosine_that_climbs_back() -> None:
    def rate(n: int) -> float:
        return 1e-3 + (0.02 - 1e-3) * (1 + math.cos(math.pi * min(n, 99) / 30)) / 2

    cosine = {"type": "CosineAnnealingLR", "T_max": 30, "eta_min": 1e-3, "end": 100}
    compare(mmengine(cosine | ITERATIONS), rate, range(240), "mmengine")
    halved = {"type": "LinearLR", "end_factor": 0.5, "end": 10} | ITERATIONS
    found = refusal(mmengine(halved, cosine | {"begin": 10} | ITERATIONS))
    assert "param_scheduler[1].T_max must be end - begin or more, as the rate has changed" in found


def test_momentum() -> None:
    def formula(n: int) -> float:
        low, n, steps = (0.8, n, 100) if n < 100 else (0.95, min(n, 219) - 100, 140)
        start = 0.9 if low == 0.8 else 0.8 + 0.1 * (1 + math.cos(math.pi * 99 / 100)) / 2
        return low + (start - low) * (1 + math.cos(math.pi * n / steps)) / 2

    config = mmengine(
        WARMUP,
        {"type": "CosineAnnealingMomentum", "eta_min": 0.8, "end": 5} | CONVERTED,
        {"type": "CosineAnnealingParamScheduler", "param_name": "momentum", "eta_min": 0.95}
        | {"begin": 5, "end": 11, "T_max": 7}
        | CONVERTED,
    )
    context = {"steps_per_epoch": PER_EPOCH, "part": "momentum"}
    compare(config, formula, range(240), "mmengine", **context)
    compare(config, lambda n: 0.02 * (0.001 + 0.999 * min(n / 49, 1)), range(240), "mmengine")
    config["optim_wrapper"]["optimizer"] = {"type": "AdamW", "lr": 0.02, "betas": (0.9, 0.99)}
    compare(config, formula, range(240), "mmengine", **context)


def test_no_scheduler_of_the_rate() -> None:
    config = mmengine({"type": "StepMomentum", "step_size": 3})
    compare(config, lambda n: 0.02, range(50), "mmengine")


def test_base_rate() -> None:
    config = mmengine({"type": "StepLR", "step_size": 300})
    config["auto_scale_lr"]["enable"] = True
    compare(config, lambda n: 0.04, range(50), "mmengine", batch_size=32, steps_per_epoch=9)
    assert "give batch_size=... (auto_scale_lr is enabled)" in refusal(config)
    del config["optim_wrapper"], config["auto_scale_lr"]
    compare(config, lambda n: 0.1, range(50), "mmengine", learning_rate=0.1, steps_per_epoch=9)
    assert "optim_wrapper.optimizer.lr is missing; give learning_rate=..." in refusal(config)


def test_lengths_stay_in_epochs() -> None:
    config = mmengine(WARMUP, {"type": "MultiStepLR", "milestones": [8, 11]})
    warmup = linear(0.02 * 0.001, 0.02, 49)
    assert from_config(config) == warmup * multi_step_decay(1.0, 0.1, [epochs(8), epochs(11)])


COSINE = {"type": "CosineAnnealingLR", "eta_min": 1e-4}
PLATEAU: Scheduler = {"type": "ReduceOnPlateauLR", "monitor": "coco/bbox_mAP", "rule": "greater"}


@pytest.mark.parametrize(
    ("schedulers", "message"),
    [
        ([PLATEAU, PLATEAU], "param_scheduler[1].type must be no second plateau, got 'ReduceOnPl"),
        ([PLATEAU | {"begin": 2}], "begin must be 0, as of a plateau that sees each metric, got 2"),
        ([PLATEAU | {"end": 9}], "end must be left out, or the max_epochs of the run or more, got"),
        ([PLATEAU | {"by_epoch": False}], "by_epoch must be True (mmengine makes no other plateau"),
        ([PLATEAU | CONVERTED], "convert_to_iter_based must be False (mmengine makes no other pla"),
        ([PLATEAU | {"min_value": [0, 1]}], "min_value must be a number, or a list with the same"),
        ([PLATEAU, WARMUP], "give steps_per_epoch=... (what stands beside a plateau must have"),
        ([{"type": "CyclicLR"}], "param_scheduler[0].type must be one of ConstantLR, CosineAnneal"),
        ([{"type": "StepLR", "step": 3}], "param_scheduler[0].step_size is missing"),
        ([COSINE | {"T_min": 3}], "param_scheduler[0].T_min is unknown (known: T_max, _scope_, be"),
        ([COSINE | {"eta_min_ratio": 0.1}], "eta_min_ratio must be left out beside eta_min"),
        ([COSINE | {"last_step": 7}], "last_step must be -1, as of a run from its beginning"),
        ([COSINE | {"begin": 5, "end": 5}], "param_scheduler[0].end must be above begin (5)"),
        ([COSINE | {"begin": 0.5}], "param_scheduler[0].begin must be an integer"),
        ([COSINE, {"type": "LinearLR", "end": 2}], "param_scheduler[0].begin must be a step at wh"),
        ([COSINE, WARMUP], "give steps_per_epoch=... (the order of its schedulers depends on it)"),
        ([{"type": "LinearLR", "start_factor": 0}], "start_factor must be a number > 0 and <= 1"),
        ([{"type": "OneCycleLR", "eta_max": 1}], "convert_to_iter_based must be True, or by_epoch"),
        (
            [{"type": "OneCycleLR", "eta_max": 1} | CONVERTED, {"type": "LinearLR"}],
            "param_scheduler[0].type must be no OneCycleLR beside others",
        ),
        (
            [COSINE | {"end": 5} | CONVERTED, COSINE | {"begin": 5}],
            "give steps_per_epoch=... (a scheduler begins where another has ended)",
        ),
        (
            [{"type": "CosineRestartLR", "periods": [3, 9], "eta_min": 0}],
            "restart_weights must be 2 numbers, one for each period",
        ),
    ],
)
def test_refusals(schedulers: list[Scheduler], message: str) -> None:
    found = refusal(mmengine(*schedulers))
    assert found.startswith("from_config: mmengine: ")
    assert message in found


def test_refusals_outside_of_the_schedulers() -> None:
    config = mmengine(COSINE, max_iters=100)
    assert "param_scheduler[0].by_epoch must be False, or converted to iter" in refusal(config)
    config = mmengine(COSINE)
    config["optim_wrapper"]["accumulative_counts"] = 4
    assert "optim_wrapper.accumulative_counts must be 1, as the sched" in refusal(config)
    config = mmengine(COSINE)
    config["default_hooks"]["param_scheduler"] = {"type": "YOLOv5ParamSchedulerHook"}
    assert "default_hooks.param_scheduler.type must be 'ParamSchedulerHook'" in refusal(config)
    config["param_scheduler"] = {"generator": [COSINE], "discriminator": [COSINE]}
    del config["default_hooks"]
    assert "param_scheduler must be a scheduler or a list of them (for several" in refusal(config)


def renamed(arguments: dict[str, Any]) -> Scheduler:
    """The arguments of torch's plateau by mmengine's names."""
    names = {"threshold_mode": "threshold_rule", "min_lr": "min_value"}
    found = {names.get(key, key): value for key, value in arguments.items() if key != "mode"}
    rule = {"min": "less", "max": "greater"}[arguments.get("mode", "min")]
    return {"type": "ReduceOnPlateauLR", "monitor": "loss", "rule": rule, **found}


@given(ARGUMENTS, METRICS)
def test_plateau(arguments: dict[str, Any], metrics: list[float]) -> None:
    scheduler = renamed(arguments)
    made = reads(mmengine(scheduler), "mmengine")
    assert followed(made, metrics) == rates_of(Plateau(0.02, **arguments), metrics)
    assert reads(mmengine(scheduler | {"begin": 0, "end": 12}, max_epochs=12), "mmengine") == made
    by_parameter = scheduler | {"type": "ReduceOnPlateauParamScheduler", "param_name": "lr"}
    assert reads(mmengine(by_parameter), "mmengine") == made
    assert reads(mmengine(scheduler, max_iters=900, val_interval=50), "mmengine") == made


def test_plateau_of_the_momentum() -> None:
    config = mmengine({"type": "StepLR", "step_size": 3}, {"type": "ReduceOnPlateauMomentum"})
    assert from_config(config, part="momentum") == reduce_on_plateau(0.9)


@given(ARGUMENTS, METRICS, st.integers(1, 3), st.data())
def test_plateau_after_a_warmup(
    arguments: dict[str, Any], metrics: list[float], every: int, data: Any
) -> None:
    """Each changes what the other has left, the warmup in the time before the first cut."""
    arguments = arguments | {"eps": 0.0}  # the warmup's rounding may decide about a larger one
    end = data.draw(st.integers(2, PER_EPOCH * every * (arguments["patience"] + 1)))
    warmup = {"type": "LinearLR", "start_factor": 0.25, "by_epoch": False, "end": end}
    shown = [metric for value in metrics for metric in (*[None] * (every - 1), value)]
    rule, rates, done = Plateau(0.02, **arguments), [], 0
    rule.rate = 0.02 * 0.25
    for metric in shown:
        for _ in range(PER_EPOCH):
            rates.append(rule.rate)
            done += 1
            if done < end:
                rule.rate *= 1 + 0.75 / ((end - 1) * 0.25 + (done - 1) * 0.75)
        if metric is not None:
            rule.step(metric)
    config = mmengine(warmup, renamed(arguments), max_epochs=99, val_interval=every)
    made = reads(config, "mmengine", steps_per_epoch=PER_EPOCH)
    assert by_epochs(made, shown, PER_EPOCH) == pytest.approx(rates, rel=1e-9)


@pytest.mark.parametrize(
    ("other", "loop", "message"),
    [
        (WARMUP, {"max_iters": 900, "val_interval": 4}, "[0].end must be within the 44 updates"),
        (WARMUP | {"end": 221}, {}, "[0].end must be within the 220 updates before a plateau's fi"),
        (WARMUP | {"end_factor": 0.5}, {}, "must be schedulers that leave the value as it was, be"),
        (COSINE | {"end": 5}, {}, "[0].type must be one that multiplies, as it stands beside a"),
        (WARMUP | {"end": 21}, {"max_epochs": 9, "dynamic_intervals": [(5, 1)]}, ""),
    ],
)
def test_what_stands_beside_a_plateau(other: Scheduler, loop: Any, message: str) -> None:
    config = mmengine(other, PLATEAU, **loop)
    if message:
        assert message in refusal(config, steps_per_epoch=PER_EPOCH)
    else:
        assert from_config(config, steps_per_epoch=PER_EPOCH).controllers
