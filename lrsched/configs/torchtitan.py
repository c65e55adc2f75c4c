"""torchtitan: its TOML (or the same as a dict), with the sections of the schedule.

    [optimizer]
    lr = 3e-4

    [lr_scheduler]
    warmup_steps = 200
    decay_ratio = 0.2
    decay_type = "sqrt"

    [training]
    steps = 1000

It counts from 1, and ends one step after the run. Keys of before are read as the last release that
had them reads them: `lr_min` as `min_lr_factor`, and the `warmup_steps` of the section `training`
with the linear decay of that time.
"""

from collections.abc import Mapping
from typing import Any

from lrsched._core.schedule import Schedule
from lrsched.configs.section import Format, Section
from lrsched.formats.phases import held_then_down, steps_after, warmed_up
from lrsched.schedules.ramp import constant, linear

ITS_OWN = ("decay_ratio", "decay_type", "min_lr_factor", "lr_min")
KEYS = ("warmup_steps", "total_steps", *ITS_OWN)
SHAPES = {"linear": "linear", "sqrt": "1-sqrt", "cosine": "cosine"}


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether the sections `lr_scheduler`, `training` and `optimizer` are like those here."""
    scheduler, training, optimizer = (
        config.get(key, {}) for key in ("lr_scheduler", "training", "optimizer")
    )
    if not all(isinstance(section, Mapping) for section in (scheduler, training, optimizer)):
        return False
    has_rate = "lr" in optimizer or "param_groups" in optimizer
    if scheduler:
        own = any(key in scheduler for key in ITS_OWN)
        return own or ((has_rate or "steps" in training) and any(key in scheduler for key in KEYS))
    return "steps" in training and has_rate


def read(config: Section) -> Schedule:
    """The schedule of the trainer, for the groups that have the optimizer's rate."""
    rate = _rate(config)
    scheduler = config.section("lr_scheduler", default={})
    training = config.section("training", default={})
    total = training.integer("steps", 1, default=10000, context="total_steps")
    if "warmup_steps" in training:
        if scheduler.entries:
            expected = "left out beside the section lr_scheduler"
            training.refuse("warmup_steps", expected, training.value("warmup_steps"))
        return _before_the_section(rate, training.integer("warmup_steps"), total)
    total = scheduler.integer("total_steps", 1, default=total)
    up = min(scheduler.integer("warmup_steps", default=200, context="warmup_steps"), total)
    down = total - up
    if "decay_ratio" in scheduler:
        down = min(down, round(total * scheduler.number("decay_ratio", ">= 0")))
    shape = SHAPES[scheduler.choice("decay_type", tuple(SHAPES), default="linear")]
    low = rate * _floor(scheduler)
    scheduler.close()
    decay = held_then_down(rate, total - up - down, low, down, shape) if down else constant(rate)
    return warmed_up(decay, up, count_from=1)


def _rate(config: Section) -> float:
    """The optimizer's rate; where groups have several rates, the one that is given."""
    optimizer = config.section("optimizer", default={})
    if "param_groups" not in optimizer:
        return float(optimizer.number("lr", ">= 0", context="learning_rate"))
    groups = optimizer.sections("param_groups")
    rates = {group.section("optimizer_kwargs").number("lr", ">= 0") for group in groups}
    if len(rates) == 1 and "learning_rate" not in config.context:
        return float(rates.pop())
    rate = config.given("learning_rate", "the groups have different rates")
    if rate not in rates:
        optimizer.refuse("param_groups", f"groups with the rate {rate}, which was given", rates)
    return float(rate)


def _floor(scheduler: Section) -> float:
    if "lr_min" in scheduler and "min_lr_factor" in scheduler:
        expected = "left out beside min_lr_factor, its new name"
        scheduler.refuse("lr_min", expected, scheduler.value("lr_min"))
    key = "lr_min" if "lr_min" in scheduler else "min_lr_factor"
    return float(scheduler.number(key, ">= 0", default=0.0))


def _before_the_section(rate: float, up: int, total: int) -> Schedule:
    """The schedule of the time when `warmup_steps` was in the section `training`."""
    return warmed_up(linear(rate, 0.0, steps_after(up, total)), up, init_value=rate / (up + 1))


FORMAT = Format("torchtitan", "torchtitan", recognises, read)
