"""transformers: `TrainingArguments`, and files with its keys (LLaMA-Factory's and TRL's YAML).

    learning_rate: 2.0e-5
    lr_scheduler_type: cosine_with_min_lr
    lr_scheduler_kwargs: {min_lr_rate: 0.1}
    warmup_ratio: 0.03
    num_train_epochs: 3

A `warmup_steps` below 1 is a share of the run, as is `warmup_ratio`; shares are rounded up to whole
steps. Where the steps of the run are not known it lasts so many epochs, or, if the warmup is a
share of it, `run_fraction(1.0)`. Groups with rates of their own (LoRA+, embeddings) are in the same
proportion at every step. "reduce_lr_on_plateau" and "greedy" have no warmup, whatever the file has.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lrsched._core.controller import Controller
from lrsched._core.duration_factories import epochs, run_fraction
from lrsched._core.durations import Duration
from lrsched._core.schedule import Schedule
from lrsched.configs.following import BY_NAME
from lrsched.configs.section import REQUIRED, Format, Result, Section
from lrsched.formats.transformers_names import from_name

SIGNS = ("lr_scheduler_type", "per_device_train_batch_size")
ELSEWHERE = {
    "num_warmup_steps": "the Trainer has warmup_steps",
    "max_train_steps": "the Trainer has max_steps",
    "total_episodes": "TRL's PPO steps the schedule once for several updates",
    "num_ppo_epochs": "TRL's PPO steps the schedule once for several updates",
}
LLAMA_FACTORY = ("stage", "finetuning_type", "cutoff_len")


class Run(NamedTuple):
    """What a schedule is made for: the rate, and the lengths of the warmup and of the whole."""

    config: Section
    rate: float
    warmup_steps: Any
    total_steps: Any

    def require_total(self, reason: str) -> None:
        """Ask for `total_steps` if it is not known."""
        if isinstance(self.total_steps, Duration):
            self.config.given("total_steps", reason)


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there are keys that `TrainingArguments` has and others have not."""
    epochs_and_rate = "num_train_epochs" in config and "learning_rate" in config
    has_keys = epochs_and_rate or any(key in config for key in SIGNS)
    return has_keys and "lr_scheduler" not in config


def read(config: Section) -> Result:
    """The schedule that the `Trainer` makes."""
    for key, reason in ELSEWHERE.items():
        if key in config:
            config.refuse(key, f"left out ({reason})", config.value(key))
    if config.value("stage", default=None) == "ppo":
        config.refuse("stage", "another (PPO steps the schedule once for several updates)", "ppo")
    refuse_deepspeed_scheduler(config, "lr_scheduler_type")
    rate = config.number("learning_rate", ">= 0", context="learning_rate")
    controller = follower("lr_scheduler_type", config, rate)
    if controller is not None:
        return controller
    share = _share(config)
    total = total_steps(config, "num_train_epochs", 3.0, share)
    if share:
        warmup = share_of(total, share)
    else:
        warmup = int(config.number("warmup_steps", ">= 0", default=0, context="warmup_steps"))
    return by_name("lr_scheduler_type", "linear", Run(config, rate, warmup, total))


def refuse_deepspeed_scheduler(config: Section, key: str) -> None:
    """Refuse a `scheduler` in the configuration of DeepSpeed, which takes the place of another."""
    deepspeed = config.value("deepspeed", default=None)
    if isinstance(deepspeed, Mapping) and deepspeed.get("scheduler") is not None:
        expected = f"left out, as it takes the place of {key} (format='deepspeed' reads it)"
        config.refuse("deepspeed.scheduler", expected, deepspeed["scheduler"])


def total_steps(config: Section, epochs_key: str, default: float, share: float) -> Any:
    """The steps of the run: a number, or a duration where only the epochs are known.

    With a warmup that is a share of the run, that duration is the whole run.
    """
    if config.number("max_steps", default=-1) > 0:
        return config.integer("max_steps", 1, context="total_steps")
    number = config.number(epochs_key, "> 0", default=default)
    given, steps_per_epoch = (config.context.get(x) for x in ("total_steps", "steps_per_epoch"))
    if steps_per_epoch is None:
        unknown = run_fraction(1.0) if share else epochs(number, round="up")
        return unknown if given is None else given
    total = math.ceil(number * steps_per_epoch)
    if given not in (None, total):
        expected = f"{given} steps (total_steps), which were given"
        config.refuse(epochs_key, expected, f"{number:g} epochs of {steps_per_epoch:g}")
    return total


def _share(config: Section) -> float:
    """The share of the run that the warmup has, or 0."""
    steps = config.number("warmup_steps", ">= 0", default=0.0)
    ratio = config.number("warmup_ratio", ">= 0", "<= 1", default=0.0)
    if steps and ratio:
        expected = "left out where warmup_steps is above 0 (releases differ in which they take)"
        config.refuse("warmup_ratio", expected, ratio)
    share = float(steps if 0 < steps < 1 else ratio)
    if share and "warmup_steps" in config.context:
        key = "warmup_steps" if steps else "warmup_ratio"
        config.refuse(key, "left out where warmup_steps is given", share)
    return share


def share_of(total: Any, share: float) -> Any:
    """The steps that a share of the run has, rounded up."""
    if isinstance(total, Duration):
        return run_fraction(share, round="up")
    return math.ceil(total * share)


def follower(key: str, config: Section, rate: float) -> Controller | None:
    """The controller whose name is under a key; None if what is there follows no metric."""
    name = config.text(key, default="")
    if name not in BY_NAME:
        return None
    for strategy in ("eval_strategy", "evaluation_strategy"):
        value = config.value(strategy, default=None)
        if value in ("no", False):  # as YAML 1.1 reads `no`
            expected = f"'steps' or 'epoch' with {name}, which follows a metric"
            config.refuse(strategy, expected, value)
    kwargs = config.section("lr_scheduler_kwargs", default={}, as_json=True)
    make = BY_NAME[name](kwargs)
    kwargs.close()
    return make(rate)


def by_name(key: str, default: str, run: Run) -> Schedule:
    """The schedule whose name is under a key, with the parameters in `lr_scheduler_kwargs`."""
    config = run.config
    name = config.choice(key, (*PARAMETERS, *BY_NAME), default=default)
    parameters = {}
    if not name.startswith("constant"):  # they ignore theirs
        kwargs = config.section("lr_scheduler_kwargs", default={}, as_json=True)
        parameters = PARAMETERS[name](kwargs, run)
        kwargs.close()
    lengths = {"num_warmup_steps": run.warmup_steps, "num_training_steps": run.total_steps}
    return from_name(name, run.rate, **lengths, **parameters)


def _none(kwargs: Section, run: Run) -> dict[str, Any]:
    return {}


def _cosine(kwargs: Section, run: Run) -> dict[str, Any]:
    return _cycles(kwargs, run, 0.5)


def _restarts(kwargs: Section, run: Run) -> dict[str, Any]:
    return _cycles(kwargs, run, 1.0)


def _cycles(kwargs: Section, run: Run, default: float) -> dict[str, Any]:
    cycles = kwargs.number("num_cycles", "> 0", default=default)
    if cycles != default:
        run.require_total("num_cycles divides the steps after the warmup")
    return {"num_cycles": cycles}


def _cosine_with_min_lr(kwargs: Section, run: Run) -> dict[str, Any]:
    if ("min_lr" in kwargs) == ("min_lr_rate" in kwargs):
        run.config.fail("lr_scheduler_kwargs must have either min_lr or min_lr_rate")
    if "min_lr" in kwargs:
        low = kwargs.number("min_lr", ">= 0")
    else:
        low = run.rate * kwargs.number("min_lr_rate", ">= 0")
    return {"min_lr": low, **_cosine(kwargs, run)}


def _cosine_from_1(kwargs: Section, run: Run) -> dict[str, Any]:
    if isinstance(run.warmup_steps, Duration):
        run.require_total("the first value depends on the length of the warmup")
    first = kwargs.number("warmup_lr_rate", ">= 0", "<= 1", default=None)
    return {"warmup_lr_rate": first, **_cosine_with_min_lr(kwargs, run)}


def _polynomial(kwargs: Section, run: Run) -> dict[str, Any]:
    low = kwargs.number("lr_end", default=1e-7)
    if low >= run.rate:
        kwargs.refuse("lr_end", f"below learning_rate ({run.rate})", low)
    return {"lr_end": low, "power": kwargs.number("power", "> 0", default=1.0)}


def _inverse_sqrt(kwargs: Section, run: Run) -> dict[str, Any]:
    return {"timescale": kwargs.number("timescale", "> 0", default=None)}


def _warmup_stable_decay(kwargs: Section, run: Run) -> dict[str, Any]:
    stable, decay = _thirds(kwargs, run)
    stable = kwargs.integer("num_stable_steps", default=stable)
    decay = kwargs.integer("num_decay_steps", 1, default=decay)
    before, total = run.warmup_steps, run.total_steps
    if stable is None and not isinstance(total, Duration) and before + decay > total:
        expected = f"<= {total - before} (the steps after the warmup)"
        kwargs.refuse("num_decay_steps", expected, decay)
    return {
        "num_stable_steps": stable,
        "num_decay_steps": decay,
        "warmup_type": kwargs.choice("warmup_type", SHAPES, default="linear"),
        "decay_type": kwargs.choice("decay_type", SHAPES, default="cosine"),
        "min_lr_ratio": kwargs.number("min_lr_ratio", ">= 0", "<= 1", default=0.0),
        "num_cycles": kwargs.number("num_cycles", "> 0", default=0.5),
    }


def _thirds(kwargs: Section, run: Run) -> tuple[Any, Any]:
    """The stable phase and the decay that LLaMA-Factory puts in where they are left out."""
    if not any(key in run.config for key in LLAMA_FACTORY):
        return None, REQUIRED
    if "num_stable_steps" not in kwargs or "num_decay_steps" not in kwargs:
        run.require_total("LLaMA-Factory decays in two thirds of the steps after the warmup")
        after = run.total_steps - run.warmup_steps
        return after // 3, after - after // 3
    return None, None


SHAPES = ("linear", "cosine", "1-sqrt")
PARAMETERS: Mapping[str, Callable[[Section, Run], dict[str, Any]]] = {
    "linear": _none,
    "cosine": _cosine,
    "cosine_with_restarts": _restarts,
    "polynomial": _polynomial,
    "constant": _none,
    "constant_with_warmup": _none,
    "inverse_sqrt": _inverse_sqrt,
    "cosine_with_min_lr": _cosine_with_min_lr,
    "cosine_warmup_with_min_lr": _cosine_from_1,
    "warmup_stable_decay": _warmup_stable_decay,
}

FORMAT = Format("transformers", "transformers", recognises, read)
