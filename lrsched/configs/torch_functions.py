"""Functions and classes beside torch's own that a configuration names: transformers' and others."""

import functools
import inspect
import math
from typing import Any

from lrsched._core.schedule import Schedule
from lrsched.configs.following import BY_NAME, greedy_lr, plateau
from lrsched.configs.section import Section
from lrsched.configs.torch_members import Member, Reader, Run, total_steps
from lrsched.formats import torch_classes
from lrsched.formats.transformers_names import BUILDERS, from_name
from lrsched.schedules.combine import join
from lrsched.schedules.ramp import constant, linear

MODULES = (
    "transformers",
    "transformers.optimization",
    "torchtune.training",
    "torchtune.training.lr_schedulers",
    "torchtune.modules",
    "torchtune.modules.lr_schedulers",
    "pl_bolts.optimizers",
    "pl_bolts.optimizers.lr_scheduler",
    "flash.core.optimizers",
    "lightning.pytorch.cli",
    "pytorch_lightning.cli",
)


def _named(name: str, params: Section, run: Run) -> Member:
    """What the function of transformers makes that belongs to a name of `from_name`."""
    known = inspect.signature(BUILDERS[name]).parameters
    arguments = {key: _argument(params, run, known[key]) for key in list(known)[1:]}
    given = {key: value for key, value in arguments.items() if value is not None}
    return Member(lambda lr: from_name(name, lr, **given), "sets")


def _constant(params: Section, run: Run) -> Member:
    return Member(constant, "sets")


def _argument(params: Section, run: Run, parameter: inspect.Parameter) -> Any:
    """An argument of a function: of the section, or what the call gave."""
    key, of_type = parameter.name, str(parameter.annotation)
    if key == "num_warmup_steps":
        return params.integer(key, context="warmup_steps")
    if key == "num_training_steps":
        without_stable = "num_decay_steps" in params and "num_stable_steps" not in params
        if of_type == "int" or without_stable:
            return _training_steps(params, run)
        return params.integer(key, default=None)
    if parameter.default is inspect.Parameter.empty:
        return params.integer(key)
    if of_type.startswith("float"):
        return params.number(key, default=parameter.default)
    read = params.text if of_type == "str" else params.integer
    return read(key, default=parameter.default)


def _training_steps(params: Section, run: Run) -> int:
    """The steps of the run; torchtune makes them from keys of its file."""
    config, key = run.config, "num_training_steps"
    if key in params or "_component_" not in params or "epochs" not in config:
        return int(total_steps(params, key, run))
    if "steps_per_epoch" not in config.context:
        return int(config.given("total_steps", "or steps_per_epoch, the length of its epochs"))
    longest = config.number("max_steps_per_epoch", ">= 1", default=math.inf)
    total = int(config.integer("epochs", 1) * min(config.given("steps_per_epoch"), longest))
    if config.context.get("total_steps", total) != total:
        config.fail(f"the file's epochs have {total} updates, not total_steps, which was given")
    return total


def _plateau(params: Section, run: Run) -> Member:
    return Member(plateau(params), "alone")


def _greedy(params: Section, run: Run) -> Member:
    return Member(greedy_lr(params), "alone")


def _get_scheduler(params: Section, run: Run) -> Member:
    """The function of transformers that takes a name."""
    name = params.choice("name", (*BUILDERS, *BY_NAME))
    given = params.section("scheduler_specific_kwargs", default={})
    counts = {key: params.value(key, None) for key in ("num_warmup_steps", "num_training_steps")}
    if name == "constant":
        return _constant(params, run)
    if name in BY_NAME:
        member = Member(BY_NAME[name](given), "alone")
        given.close()
        return member
    entries = {**given.entries, **{key: x for key, x in counts.items() if x is not None}}
    arguments = Section(entries, params.title, params.context, params.part, given.path)
    member = _named(name, arguments, run)
    arguments.close(*counts)
    return member


def _linear_warmup_cosine(params: Section, run: Run) -> Member:
    """The class of lightning-bolts, which is at the rate a step before its warmup ends."""
    up = params.integer("warmup_epochs", 1)
    down = params.integer("max_epochs", up + 1) - up
    start = params.number("warmup_start_lr", default=0.0)
    end = params.number("eta_min", default=0.0)

    def make(lr: float) -> Schedule:
        rise = linear(start, lr, up - 1) if up > 1 else constant(start)
        return join([rise, torch_classes.cosine_annealing_lr(lr, down, end)], [up])

    return Member(make, "alone")


OF_TRANSFORMERS = {
    "get_constant_schedule_with_warmup": "constant_with_warmup",
    "get_linear_schedule_with_warmup": "linear",
    "get_cosine_schedule_with_warmup": "cosine",
    "get_cosine_with_hard_restarts_schedule_with_warmup": "cosine_with_restarts",
    "get_polynomial_decay_schedule_with_warmup": "polynomial",
    "get_inverse_sqrt_schedule": "inverse_sqrt",
    "get_cosine_with_min_lr_schedule_with_warmup": "cosine_with_min_lr",
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate": "cosine_warmup_with_min_lr",
    "get_wsd_schedule": "warmup_stable_decay",
}
READERS: dict[str, Reader] = {
    **{key: functools.partial(_named, name) for key, name in OF_TRANSFORMERS.items()},
    "get_constant_schedule": _constant,
    "get_scheduler": _get_scheduler,
    "get_reduce_on_plateau_schedule": _plateau,
    "get_greedy_schedule": _greedy,
    "GreedyLR": _greedy,
    "LinearWarmupCosineAnnealingLR": _linear_warmup_cosine,
}
