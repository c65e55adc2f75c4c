"""icefall: the options of its `train.py` that Eden takes.

    base_lr: 0.045
    lr_batches: 7500
    lr_epochs: 3.5

Its updates count from 1, its epochs from 0. The warmup is that of the code: from a half on, over
500 updates. Older recipes, which say `initial_lr`, have none.
"""

from collections.abc import Mapping
from typing import Any

from lrsched._core.duration_factories import epochs
from lrsched._core.schedule import Schedule
from lrsched.configs.section import Format, Section
from lrsched.schedules.combine import warmup
from lrsched.schedules.inverse import eden_decay
from lrsched.schedules.transform import advance, staircase


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there are the timescales of Eden."""
    return "lr_batches" in config and "lr_epochs" in config


def read(config: Section) -> Schedule:
    """The schedule of parameters without a scale of their own."""
    if "lr_hours" in config and config.number("lr_hours") > 0:
        reason = "0 or less, as the hours of an update are not known"
        config.refuse("lr_hours", reason, config.number("lr_hours"))
    name = "initial_lr" if "initial_lr" in config else "base_lr"
    rate = config.number(name, ">= 0", context="learning_rate")
    by_updates = eden_decay(rate, config.number("lr_batches", "> 0"))
    if name == "base_lr":
        by_updates = warmup(by_updates, 500, 0.5, mode="times")
    by_epochs = eden_decay(1.0, epochs(config.number("lr_epochs", "> 0")))
    return advance(by_updates, 1) * staircase(by_epochs, epochs(1))


FORMAT = Format("icefall", "icefall", recognises, read)
