"""Ultralytics: the arguments of a YOLO run, such as those in its `args.yaml`.

    {"optimizer": "SGD", "lr0": 0.01, "lrf": 0.05, "cos_lr": True, "epochs": 60,
     "warmup_epochs": 2.5, "warmup_bias_lr": 0.1}

The trainer sets the rate at every batch, so the count is one of batches, and `steps_per_epoch` is
the number of batches in an epoch. Where `nbs` is larger than `batch`, several batches make an
update. The decay has a stair for each epoch; the warmup multiplies it, batch by batch. Versions
before 8.4 had at least 100 batches of warmup, as YOLOv5 has.

The part "bias_lr" is the rate of the biases, and "momentum" the momentum of SGD and its kind.
"""

from collections.abc import Mapping
from typing import Any

from lrsched._core.duration_factories import epochs
from lrsched._core.durations import Duration
from lrsched._core.schedule import Schedule
from lrsched.configs.section import Format, Section
from lrsched.schedules.combine import warmup
from lrsched.schedules.decay import cosine_decay
from lrsched.schedules.ramp import constant, linear
from lrsched.schedules.transform import staircase

ADAMS = ("adam", "adamax", "adamw", "nadam", "radam")
OF_YOLOV5 = ("anchor_t", "fl_gamma", "iou_t", "obj_pw")


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there are the rates `lr0` and `lrf`."""
    return "lr0" in config and "lrf" in config


def read(config: Section) -> Schedule:
    """The schedule of the weights' learning rate, of the biases' or of the momentum."""
    for key in OF_YOLOV5:
        if key in config:
            value = config.value(key)
            config.refuse(key, "left out, as YOLOv5 warms up for 100 batches or more", value)
    hours = config.number("time", default=0.0)
    if hours:
        config.refuse("time", "left out, as the epochs follow from the clock", hours)
    run = config.integer("epochs", 1, default=100)
    up = _warmup(config, run)
    if config.part == "momentum":
        return _momentum(config, up)
    rate, bias = _rates(config)
    decay = _decay(config, rate, run)
    if up is None:
        return decay
    rise = warmup(decay, up, mode="times")
    return linear(bias, 0.0, up) + rise if config.part == "bias_lr" and bias else rise


def _warmup(config: Section, run: int) -> Duration | None:
    """The length of the warmup, which leaves an epoch to the run; None if there is no warmup."""
    length = min(config.number("warmup_epochs", default=3.0), run - 1)
    return epochs(length, round="nearest") if length > 0 else None


def _is_auto(config: Section) -> bool:
    """Whether the trainer chooses the optimizer, and its rate with it."""
    return bool(config.entries.get("optimizer") == "auto")


def _rates(config: Section) -> tuple[float, float]:
    """The rate at the beginning, and the one that the warmup of the biases begins at."""
    if _is_auto(config):
        reason = "the optimizer 'auto' chooses it, and ignores lr0"
        return config.given("learning_rate", reason), 0.0
    rate = config.number("lr0", ">= 0", default=0.01, context="learning_rate")
    return rate, config.number("warmup_bias_lr", default=0.1)


def _decay(config: Section, rate: float, run: int) -> Schedule:
    low = rate * config.number("lrf", ">= 0", default=0.01)
    whole = epochs(run)
    is_cosine = config.flag("cos_lr", default=False)
    decay = cosine_decay(rate, whole, low) if is_cosine else linear(rate, low, whole)
    return staircase(decay, epochs(1))


def _momentum(config: Section, up: Duration | None) -> Schedule:
    if _is_auto(config):
        config.fail("the optimizer 'auto' may or may not have a momentum; name the one it chose")
    optimizer = config.text("optimizer", default="SGD")
    if optimizer.lower() in ADAMS:
        config.fail(f"the momentum of {optimizer} has no schedule")
    end = config.number("momentum", default=0.937)
    begin = config.number("warmup_momentum", default=0.8)
    return constant(end) if up is None else linear(begin, end, up)


FORMAT = Format("ultralytics", "Ultralytics", recognises, read, parts=("bias_lr", "momentum"))
