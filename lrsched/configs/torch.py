"""torch: a scheduler class of a configuration file, as Hydra, Lightning and torchtune name it.

    optimizer: {_target_: torch.optim.SGD, lr: 0.1}
    scheduler:
      _target_: torch.optim.lr_scheduler.SequentialLR
      milestones: [5]
      schedulers:
        - {_target_: torch.optim.lr_scheduler.LinearLR, start_factor: 0.01}
        - {_target_: torch.optim.lr_scheduler.CosineAnnealingLR, T_max: 95}

A step of the scheduler is an update, unless the file is one of Lightning, whose schedulers step
once an epoch by default: it has `interval` or another key of an `lr_scheduler_config` beside the
scheduler, or names it by `class_path`. The scheduler's section alone is on the clock of its steps.
Those that follow a metric give a controller, on the clock of the metrics that they are shown.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lrsched._core.checks import Kind
from lrsched._core.controller import Controller
from lrsched._core.duration_factories import epochs
from lrsched._core.schedule import Schedule
from lrsched.configs import torch_functions, torch_lists, torch_members
from lrsched.configs.section import Format, Result, Section
from lrsched.configs.torch_members import Member, Run
from lrsched.schedules.stretch import stretch
from lrsched.schedules.transform import staircase

# Where a file has its scheduler, and the sections that may be around it.
PLACES = ("lr_scheduler_config", "lr_scheduler", "scheduler", "model", "init_args", "optim")

NAMES = ("_target_", "class_path", "_component_")
AROUND = (*NAMES, "_partial_", "_convert_", "_recursive_", "optimizer", "verbose")
LIGHTNING = ("interval", "frequency", "monitor", "strict", "reduce_on_plateau")
INTERVALS = ("step", "epoch")

CLASSES = torch_members.READERS | torch_lists.READERS
FUNCTIONS = torch_functions.READERS
NO_SCHEDULES = {
    "LambdaLR": "has code",
    "MultiplicativeLR": "has code",
    "get_adafactor_schedule": "shows the rates that an Adafactor makes itself",
}


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is a scheduler by the path of its class."""
    return _path_to_scheduler(config) is not None


def read(config: Section) -> Result:
    """The schedule of the learning rate, or of the momentum of a CyclicLR or a OneCycleLR."""
    path = _path_to_scheduler(config.entries)
    if path is None:
        names = ", ".join((*CLASSES, *FUNCTIONS))
        config.fail(f"a scheduler must have the path of a class under _target_: of {names}")
    sections = [config]
    for key in path:
        sections.append(sections[-1].section(key))
    *around, scheduler = sections
    interval, every = _interval(around, scheduler)
    by_update = interval == "step" and every == 1
    member = _member(scheduler, Run(config, by_update, _member))
    rate = _learning_rate(around, config) if member.needs_rate else 0.0
    made = member.make(rate)
    if isinstance(made, Controller):
        return made
    return _in_updates(made, config, interval, every)


def _path_to_scheduler(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The keys that lead to the scheduler; None if there is none."""
    if _class(config) is not None:
        return ()
    for key in PLACES:
        inner = config.get(key)
        path = _path_to_scheduler(inner) if isinstance(inner, Mapping) else None
        if path is not None:
            return (key, *path)
    return None


def _class(config: Mapping[str, Any]) -> str | None:
    """The name of the class of a scheduler, without its module; None for anything else."""
    for key in NAMES:
        path = config.get(key)
        module, _, name = path.rpartition(".") if isinstance(path, str) else ("", "", "")
        is_known = name in CLASSES or name in FUNCTIONS or name in NO_SCHEDULES
        if module == "torch.optim.lr_scheduler" or (
            is_known and (module in torch_functions.MODULES or (key == "class_path" and not module))
        ):
            return name
    return None


def _member(scheduler: Section, run: Run) -> Member:
    """The scheduler that a section describes."""
    name = _class(scheduler.entries)
    key = next((key for key in NAMES if key in scheduler), NAMES[0])
    if name in NO_SCHEDULES:
        expected = f"the path of another than {name}, which {NO_SCHEDULES[name]}"
        scheduler.refuse(key, expected, scheduler.value(key))
    if name is None or name not in CLASSES | FUNCTIONS:
        expected = f"the path of one of {', '.join(CLASSES)}"
        scheduler.refuse(key, expected, scheduler.value(key, None))
    if scheduler.part != "lr" and name not in ("CyclicLR", "OneCycleLR"):
        scheduler.fail(f"{name} schedules the learning rate alone, not the {scheduler.part}")
    params = scheduler
    if key == "class_path":
        params = scheduler.section("init_args", default={})
        scheduler.close("class_path", "init_args")
    if params.integer("last_epoch", -1, default=-1) != -1:
        expected = "-1, as a schedule begins with the run (advance cuts a beginning off)"
        params.refuse("last_epoch", expected, params.value("last_epoch"))
    member = (CLASSES | FUNCTIONS)[name](params, run)
    params.close(*AROUND)
    return member


def _interval(around: list[Section], scheduler: Section) -> tuple[str, int]:
    """Whether the scheduler steps once a "step" or an "epoch", and in how many of them once."""
    if around and _is_of_lightning(around[-1].entries):
        interval = around[-1].choice("interval", INTERVALS, default="epoch")
        return interval, around[-1].integer("frequency", 1, default=1)
    return ("epoch" if around and "class_path" in scheduler else "step"), 1


def _is_of_lightning(config: Mapping[str, Any]) -> bool:
    """Whether a section is one of Lightning's `lr_scheduler_config`."""
    others = {"optimizer", "scheduler", "lr_scheduler", "name"}
    has_more = not config.keys() <= others.union(LIGHTNING)
    is_one = not has_more and not config.keys().isdisjoint(LIGHTNING)
    return is_one or config.get("interval") in INTERVALS


def _learning_rate(around: list[Section], config: Section) -> float:
    """The rate of the optimizer that stands nearest to the scheduler."""
    for section in reversed(around):
        if isinstance(section.entries.get("optimizer"), Mapping):
            optimizer = section.section("optimizer")
            if "class_path" in optimizer:
                optimizer = optimizer.section("init_args", default={})
            return float(optimizer.number("lr", ">= 0", context="learning_rate"))
    return float(config.given("learning_rate", "the optimizer's lr is not in the configuration"))


def _in_updates(schedule: Schedule, config: Section, interval: str, every: int) -> Schedule:
    """The schedule on the clock of the updates, from one on that of the scheduler's steps."""
    if interval == "epoch":
        return staircase(schedule.map(_to_epochs(config, every)), epochs(every))
    if every == 1:
        return schedule
    length = config.given("steps_per_epoch", "a frequency counts the steps of each epoch")
    if length % every:
        config.fail(f"frequency must divide steps_per_epoch ({length:g}), got {every}")
    return staircase(stretch(schedule, every), every)


def _to_epochs(config: Section, every: int) -> Callable[[Kind, Any], Any]:
    def change(kind: Kind, value: Any) -> Any:
        if kind.unit == "steps" and value is not None:
            return epochs(value * every)
        if kind.unit == "per step" and value != 1:
            length = config.given("steps_per_epoch", "gamma acts at each step of an exp_range")
            return value ** (1 / (length * every))
        return value

    return change


FORMAT = Format("torch", "torch", recognises, read, parts=("momentum",))
