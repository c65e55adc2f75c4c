"""transformers' `TrainingArguments`, beside the formulas of its schedules in plain Python."""

import dataclasses
import enum
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched import constant, epochs, from_config, greedy, linear, run_fraction, warmup
from tests.configs.compare import compare, refusal
from tests.configs.metrics import ARGUMENTS, METRICS, Plateau, followed, rates_of, reads
from tests.optional import needs
from tests.stepping import lr_of, sgd

LLAMA_FACTORY = {
    "model_name_or_path": "some/model",
    "stage": "sft",
    "do_train": True,
    "finetuning_type": "lora",
    "lora_rank": 8,
    "template": "plain",
    "cutoff_len": 2048,
    "output_dir": "saves/run",
    "gradient_accumulation_steps": 8,
    "deepspeed": "configs/ds_z3.json",
    "bf16": True,
}
TRL = {"per_device_train_batch_size": 4, "packing": True, "weight_decay": 0.01, "seed": 1}


def arguments(name: str, kwargs: Any = None, **others: Any) -> dict[str, Any]:
    """The file that a run has, with the keys beside the schedule."""
    keys = {"learning_rate": 3e-4, "lr_scheduler_type": name}
    return TRL | keys | ({"lr_scheduler_kwargs": kwargs} if kwargs is not None else {}) | others


def warmed_up(up: int, formula: Callable[[int], float]) -> Callable[[int], float]:
    return lambda n: 3e-4 * (n / up if n < up else formula(n))


def wave(n: int, up: int, total: int, cycles: float = 0.5) -> float:
    return (1 + math.cos(2 * math.pi * cycles * (n - up) / (total - up))) / 2


@pytest.mark.parametrize("up", [0, 1, 70])
def test_linear(up: int) -> None:
    formula = warmed_up(up, lambda n: (500 - n) / (500 - up))
    config = arguments("linear", warmup_steps=up, max_steps=500)
    compare(config, formula, range(501), "transformers")
    config = {"learning_rate": "3e-4", "num_train_epochs": 4, "warmup_steps": up}  # the default
    compare(config, formula, range(501), "transformers", steps_per_epoch=125)
    del config["warmup_steps"], config["learning_rate"]
    given = {"learning_rate": 3e-4, "warmup_steps": up, "total_steps": 500}
    compare(TRL | config, formula, range(501), "transformers", **given)


@pytest.mark.parametrize("key", ["warmup_ratio", "warmup_steps"])
@pytest.mark.parametrize("ratio", [0.1, 0.03])
def test_shares_are_rounded_up(key: str, ratio: float) -> None:
    up = math.ceil(777 * ratio)
    formula = warmed_up(up, lambda n: wave(n, up, 777))
    config = LLAMA_FACTORY | arguments("cosine", **{key: ratio}, num_train_epochs=3.0)
    compare(config, formula, range(777), "transformers", total_steps=777)
    compare(config, formula, range(777), "transformers", steps_per_epoch=259)
    later = from_config(config).resolve(total_steps=777)
    assert later == from_config(config, total_steps=777)


def test_a_warmup_as_long_as_the_run() -> None:
    config = arguments("cosine", warmup_ratio=1.0, max_steps=40)
    compare(config, lambda n: 3e-4 * n / 40, range(40), "transformers")
    config = arguments("linear", warmup_steps=60, max_steps=40)
    compare(config, lambda n: 3e-4 * n / 60, range(40), "transformers")


@pytest.mark.parametrize("cycles", [0.5, 0.3, 1, 1.7, 3])
def test_cosine(cycles: float) -> None:
    formula = warmed_up(30, lambda n: wave(n, 30, 527, cycles))
    config = arguments("cosine", {"num_cycles": cycles}, warmup_steps=30, max_steps=527)
    compare(config, formula, range(527), "transformers")
    config["lr_scheduler_kwargs"] = json.dumps(config["lr_scheduler_kwargs"])
    compare(config, formula, range(527), "transformers")


@pytest.mark.parametrize("cycles", [1, 2, 3, 7, 2.5])
def test_cosine_with_restarts(cycles: float) -> None:
    def after(n: int) -> float:
        rest = (n - 30) * cycles % 497 / 497
        return (1 + math.cos(math.pi * rest)) / 2 if n < 527 else 0.0

    kwargs = {"num_cycles": cycles}
    config = arguments("cosine_with_restarts", kwargs, warmup_steps=30, max_steps=527)
    compare(config, warmed_up(30, after), range(600), "transformers")


def test_polynomial() -> None:
    def formula(n: int) -> float:
        return 3e-4 * n / 20 if n < 20 else 1e-5 + (3e-4 - 1e-5) * (1 - (n - 20) / 380) ** 1.5

    kwargs = {"lr_end": "1e-5", "power": 1.5}
    config = arguments("polynomial", kwargs, warmup_steps=20, max_steps=400)
    compare(config, formula, range(401), "transformers")
    line = lambda n: 1e-7 + (3e-4 - 1e-7) * (1 - n / 400)  # noqa: E731
    compare(arguments("polynomial", max_steps=400), line, range(401), "transformers")


@pytest.mark.parametrize(("up", "timescale"), [(50, None), (0, None), (50, 300)])
def test_inverse_sqrt(up: int, timescale: int | None) -> None:
    scale = timescale or up or 10_000
    formula = warmed_up(up, lambda n: 1 / math.sqrt((n - up + scale) / scale))
    config = arguments("inverse_sqrt", {"timescale": timescale}, warmup_steps=up)
    compare(config, formula, range(1000), "transformers")


@pytest.mark.parametrize("name", ["constant", "constant_with_warmup"])
def test_constants_ignore_their_kwargs(name: str) -> None:
    config = arguments(name, {"min_lr": 1e-5}, warmup_ratio=0.03, num_train_epochs=1)
    up = 15 if name == "constant_with_warmup" else 0
    compare(config, warmed_up(up, lambda n: 1.0), range(500), "transformers", total_steps=500)
    assert from_config(arguments("constant", warmup_ratio=0.03)) == constant(3e-4)


@pytest.mark.parametrize("kwargs", [{"min_lr": 3e-5}, {"min_lr_rate": "0.1", "num_cycles": 1.3}])
def test_cosine_with_min_lr(kwargs: dict[str, Any]) -> None:
    cycles = kwargs.get("num_cycles", 0.5)
    formula = warmed_up(40, lambda n: 0.1 + 0.9 * wave(n, 40, 500, cycles))
    config = arguments("cosine_with_min_lr", kwargs, warmup_steps=40, max_steps=500)
    compare(config, formula, range(500), "transformers")


@pytest.mark.parametrize("up", [0, 1, 2, 40])
@pytest.mark.parametrize("first", [None, 0.2])
def test_cosine_warmup_with_min_lr(up: int, first: float | None) -> None:
    def formula(n: int) -> float:
        if n < up and first is None:
            return 3e-4 * (n + 1) / up
        if n < up and first is not None:
            return 3e-4 * (first + (1 - first) * n / max(1, up - 1))
        return 3e-4 * (0.1 + 0.9 * wave(n + 1, up, 500))

    kwargs = {"min_lr_rate": 0.1, "warmup_lr_rate": first}
    config = arguments("cosine_warmup_with_min_lr", kwargs, warmup_steps=up, max_steps=500)
    compare(config, formula, range(500), "transformers")


SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda p: 1 - p,
    "cosine": lambda p: (1 + math.cos(math.pi * p)) / 2,
    "1-sqrt": lambda p: 1 - math.sqrt(p),
}


def stages(n: int, up: int, level: int, down: int, rise: str, fall: str, low: float) -> float:
    if n < up:
        part = SHAPES[rise](1 - n / up)
    elif n < up + level:
        part = 1.0
    else:
        part = SHAPES[fall](min((n - up - level) / down, 1.0))
    return 3e-4 * (low + (1 - low) * part)


@pytest.mark.parametrize("fall", SHAPES)
@pytest.mark.parametrize("rise", SHAPES)
@pytest.mark.parametrize("low", [0.0, 0.1])
def test_warmup_stable_decay(rise: str, fall: str, low: float) -> None:
    kwargs = {"warmup_type": rise, "decay_type": fall, "min_lr_ratio": low, "num_decay_steps": 100}
    config = arguments("warmup_stable_decay", kwargs, warmup_steps=50, max_steps=500)
    compare(config, lambda n: stages(n, 50, 350, 100, rise, fall, low), range(600), "transformers")
    kwargs["num_stable_steps"] = 200
    compare(config, lambda n: stages(n, 50, 200, 100, rise, fall, low), range(600), "transformers")


def test_warmup_stable_decay_in_waves() -> None:
    def formula(n: int) -> float:
        p = (n - 400) / 100
        return 3e-4 * (1.0 if p < 0 else (1 + math.cos(3 * math.pi * p)) / 2 if p < 1 else 0.0)

    kwargs = {"num_decay_steps": 100, "num_cycles": 1.5}
    config = arguments("warmup_stable_decay", kwargs, max_steps=500)
    compare(config, formula, range(600), "transformers")


def test_llama_factory_decays_in_two_thirds() -> None:
    config = LLAMA_FACTORY | arguments("warmup_stable_decay", warmup_ratio=0.1, max_steps=500)
    formula = lambda n: stages(n, 50, 150, 300, "linear", "cosine", 0.0)  # noqa: E731
    compare(config, formula, range(500), "transformers")
    del config["max_steps"]
    assert "give total_steps=... (LLaMA-Factory decays" in refusal(config)


def test_lengths_that_are_not_known() -> None:
    config = arguments("linear", warmup_steps=10, num_train_epochs=3)
    run = epochs(3.0, round="up")
    assert from_config(config) == warmup(linear(3e-4, 0.0, run - 10), 10)
    share = run_fraction(0.1, round="up")
    config = arguments("linear", warmup_ratio=0.1)
    assert from_config(config) == warmup(linear(3e-4, 0.0, run_fraction(1.0) - share), share)


class Name(enum.Enum):
    COSINE = "cosine"


@dataclasses.dataclass
class Arguments:
    learning_rate: float = 3e-4
    lr_scheduler_type: Name = Name.COSINE
    lr_scheduler_kwargs: Any = None
    warmup_steps: float = 0
    max_steps: int = 200


def test_an_object() -> None:
    compare(Arguments(), lambda n: 3e-4 * wave(n, 0, 200), range(200), "transformers")


RESTARTS = arguments("cosine_with_restarts", {"num_cycles": 3}, num_train_epochs=2)
STABLE = arguments("warmup_stable_decay", {"num_decay_steps": 90}, warmup_steps=20, max_steps=100)
FROM_1 = arguments("cosine_warmup_with_min_lr", {"min_lr": 0}, warmup_ratio=0.1)
DEEPSPEED = {"zero_optimization": {"stage": 2}, "scheduler": {"type": "WarmupLR"}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (TRL, "learning_rate is missing; give learning_rate=..."),
        (RESTARTS, "give total_steps=... (num_cycles divides the steps after the warmup)"),
        (FROM_1, "give total_steps=... (the first value depends on the length of the warmup)"),
        (arguments("greedy", eval_strategy="no"), "eval_strategy must be 'steps' or 'epoch' with"),
        (arguments("reduce_lr_on_plateau", evaluation_strategy=False), "evaluation_strategy must "),
        (arguments("reduce_lr_on_plateau", {"warmup": 5}), "lr_scheduler_kwargs.warmup is unknown"),
        (arguments("greedy", {"factor": 1}), "kwargs.factor must be a number > 0 and < 1, got 1"),
        (arguments("greedy", {"min_lr": 2}), "lr_scheduler_kwargs.min_lr must be at most max_lr"),
        (arguments("greedy", {"max_lr": [1, 2]}), "max_lr must be a number, or a list with the s"),
        (
            arguments("greedy", {"smooth": True, "window_size": 10001}),
            "greedy: window_size must be at most 10000 (metrics), got 10001",
        ),
        (arguments("cosin"), "lr_scheduler_type must be 'linear' or 'cosine' or"),
        (arguments("cosine", {"min_lr": 1}, max_steps=9), "lr_scheduler_kwargs.min_lr is unknown"),
        (arguments("cosine", "{", max_steps=9), "kwargs must be a mapping or its JSON, got '{'"),
        (arguments("cosine", {"num_cycles": 20}, max_steps=9), "num_cycles must be <= 4.5 (9 step"),
        (arguments("cosine_with_min_lr"), "must have either min_lr or min_lr_rate"),
        (arguments("polynomial", {"lr_end": 1.0}), "kwargs.lr_end must be below learning_rate"),
        (arguments("warmup_stable_decay"), "lr_scheduler_kwargs.num_decay_steps is missing"),
        (STABLE, "num_decay_steps must be <= 80 (the steps after the warmup), got 90"),
        (arguments("linear", warmup_steps=5, warmup_ratio=0.1), "warmup_ratio must be left out wh"),
        (arguments("linear", warmup_steps=-1), "warmup_steps must be a number >= 0, got -1"),
        (arguments("linear", num_warmup_steps=5), "num_warmup_steps must be left out (the Trainer"),
        (arguments("linear", num_ppo_epochs=4), "num_ppo_epochs must be left out (TRL's PPO"),
        (LLAMA_FACTORY | arguments("linear", stage="ppo"), "stage must be another (PPO steps"),
        (arguments("linear", deepspeed=DEEPSPEED), "deepspeed.scheduler must be left out, as it"),
    ],
)
def test_refusals(config: dict[str, Any], message: str) -> None:
    found = refusal(config)
    assert found.startswith("from_config: transformers: ")
    assert message in found


@pytest.mark.parametrize(
    ("config", "given", "message"),
    [
        (arguments("linear", max_steps=50), {"total_steps": 60}, "max_steps must be total_steps"),
        (arguments("linear"), {"learning_rate": 1.0}, "learning_rate must be learning_rate (1.0)"),
        (arguments("linear", warmup_ratio=0.1), {"warmup_steps": 5}, "warmup_ratio must be left"),
        (
            arguments("linear", num_train_epochs=2),
            {"total_steps": 60, "steps_per_epoch": 40},
            "num_train_epochs must be 60 steps (total_steps), which were given, got '2 epo",
        ),
    ],
)
def test_what_is_given_must_agree(
    config: dict[str, Any], given: dict[str, Any], message: str
) -> None:
    assert message in refusal(config, **given)


@given(ARGUMENTS, METRICS)
def test_plateau(kwargs: dict[str, Any], metrics: list[float]) -> None:
    """transformers makes it without a warmup, whatever the arguments say."""
    config = arguments("reduce_lr_on_plateau", kwargs, eval_strategy="steps", eval_steps=50)
    made = reads(config, "transformers")
    assert followed(made, metrics) == rates_of(Plateau(3e-4, **kwargs), metrics)
    warmed = config | {"warmup_ratio": 0.1, "lr_scheduler_kwargs": json.dumps(kwargs)}
    assert reads(warmed, "transformers") == made
    assert reads(config | {"warmup_steps": 100, "max_steps": 900}, "transformers") == made


GREEDY = st.fixed_dictionaries(
    {
        "patience": st.integers(0, 3),
        "factor": st.sampled_from([0.5, 0.9]),
        "min_lr": st.sampled_from([0.0, 1e-4, [2e-4]]),
    },
    optional={
        "mode": st.sampled_from(["min", "max"]),
        "threshold": st.sampled_from([0, 1e-4, 0.2]),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": st.integers(0, 3),
        "warmup": st.integers(0, 3),
        "max_lr": st.sampled_from([1.0, 5e-4, [3e-4]]),
        "eps": st.sampled_from([0.0, 1e-8, 1e-4]),
        "verbose": st.just(False),
        "smooth": st.booleans(),
        "window_size": st.integers(1, 5),
        "reset_start": st.integers(1, 4),
    },
)


@given(GREEDY, METRICS)
def test_greedy(kwargs: dict[str, Any], metrics: list[float]) -> None:
    """It is transformers' own to the last bit, and has no warmup."""
    optimization = needs("transformers.optimization")
    optimizer = sgd(3e-4)
    scheduler = optimization.get_scheduler("greedy", optimizer, 100, 900, kwargs)
    rates = [lr_of(optimizer)]
    for metric in metrics:
        scheduler.step(metric)
        rates.append(lr_of(optimizer))
    config = LLAMA_FACTORY | arguments("greedy", kwargs, warmup_ratio=0.1, max_steps=900)
    assert followed(reads(config, "transformers"), metrics) == rates


def test_greedy_by_default() -> None:
    """The lowest rate of transformers is above many a rate, which is then never cut."""
    made = reads(arguments("greedy"), "transformers")
    assert made == greedy(3e-4, 0.95, 10, min_value=1e-3, max_value=1.0, reset_after=500)
    smooth = reads(arguments("greedy", {"smooth": True}), "transformers")
    assert smooth == made.replace(window_size=50)
    assert followed(made, [2.0] * 30) == [3e-4] * 31
