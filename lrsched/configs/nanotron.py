"""nanotron: its YAML, with the section `optimizer.learning_rate_scheduler`, or that section alone.

    optimizer:
      learning_rate_scheduler:
        learning_rate: 0.0003
        lr_warmup_steps: 100
        lr_warmup_style: linear
        lr_decay_style: 1-sqrt
        lr_decay_starting_step: 800
        lr_decay_steps: 200
        min_decay_lr: 0
    tokens:
      train_steps: 1000

The step `lr_warmup_steps` belongs to the warmup, so that a linear one of no steps makes the first
rate 0. Under µTransfer this is the rate of parameters whose factor is 1.
"""

from collections.abc import Mapping
from typing import Any

from lrsched._core.schedule import Schedule
from lrsched.configs.section import Format, Section
from lrsched.formats.phases import held_then_down
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.decay import piecewise_constant
from lrsched.schedules.ramp import constant, linear
from lrsched.schedules.transform import advance

ITS_OWN = ("lr_warmup_style", "min_decay_lr", "lr_decay_starting_step")
STYLES = ("linear", "cosine", "1-sqrt")


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is an `optimizer.learning_rate_scheduler`, or the keys of one."""
    optimizer = config.get("optimizer")
    if isinstance(optimizer, Mapping):
        return isinstance(optimizer.get("learning_rate_scheduler"), Mapping)
    return any(key in config for key in ITS_OWN)


def read(config: Section) -> Schedule:
    """The schedule of the trainer."""
    section = config
    if "optimizer" in config:
        section = config.section("optimizer").section("learning_rate_scheduler")
    rate = section.number("learning_rate", ">= 0", context="learning_rate")
    up = section.integer("lr_warmup_steps", default=0, context="warmup_steps")
    is_flat = section.choice("lr_warmup_style", ("linear", "constant")) == "constant"
    style = section.choice("lr_decay_style", STYLES, default="linear")
    low = section.number("min_decay_lr", default=rate)
    begin = section.integer("lr_decay_starting_step", default=up)
    down = _decay_steps(section, config, up)
    section.close()
    if down == 0:
        return _without_decay(rate, up, is_flat, low, begin)
    if begin < up:
        first = constant(rate) if is_flat else linear(0.0, rate, up)
        decay = held_then_down(rate, 0, low, down, style)
        return join([first, advance(decay, up + 1 - begin)], [up + 1])
    if is_flat:
        return held_then_down(rate, begin, low, down, style)
    following = held_then_down(rate, begin - up, low, down, style)
    return warmup(following, up) if up else warmup(following, 1, mode="over")


def _decay_steps(section: Section, config: Section, up: int) -> int:
    """The steps of the decay: by default those after the warmup, wherever the decay begins."""
    steps = section.integer("lr_decay_steps", default=None)
    if steps is None:
        tokens = config.section("tokens", default={})
        steps = max(tokens.integer("train_steps", 1, context="total_steps") - up, 0)
    if steps == 0 and up == 0:
        section.refuse("lr_decay_steps", "above 0, as without a warmup it squares the rate", steps)
    return int(steps)


def _without_decay(rate: float, up: int, is_flat: bool, low: float, begin: int) -> Schedule:
    end = max(begin, up + 1)
    if is_flat:
        return piecewise_constant([rate, low], [end])
    return warmup(piecewise_constant([rate, low], [end - up]), up)


FORMAT = Format("nanotron", "nanotron", recognises, read)
