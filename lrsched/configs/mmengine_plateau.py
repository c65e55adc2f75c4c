"""mmengine's scheduler that follows a metric."""

from typing import Any

from lrsched._core.controller import Controller
from lrsched.configs.following import THRESHOLD_MODES, of_all_groups, threshold_of
from lrsched.configs.section import Section
from lrsched.controllers.plateau import reduce_on_plateau

MODES = {"less": "min", "greater": "max"}


def plateau(section: Section, loop: Section, base: float) -> Controller:
    """torch's plateau by mmengine's names, for the whole of a run."""
    _require_the_whole_run(section, loop)
    mode: Any = MODES[section.choice("rule", tuple(MODES), default="less")]
    threshold_mode: Any = section.choice("threshold_rule", THRESHOLD_MODES, default="rel")
    is_fraction = mode == "min" and threshold_mode == "rel"
    controller = reduce_on_plateau(
        base,
        section.number("factor", ">= 0", "< 1", default=0.1),
        section.integer("patience", default=10),
        mode,
        threshold_of(section, "threshold", is_fraction),
        threshold_mode,
        section.integer("cooldown", default=0),
        of_all_groups(section, "min_value", 0.0),
        section.number("eps", ">= 0", default=1e-8),
    )
    section.close("type", "param_name", "monitor", "verbose", "_scope_")
    return controller


def _require_the_whole_run(section: Section, loop: Section) -> None:
    """Refuse a plateau that does not see each metric, or that mmengine does not make."""
    for key, least, expected in (("begin", 0, 0), ("last_step", -1, -1)):
        value = section.integer(key, least, default=expected)
        if value != expected:
            section.refuse(key, f"{expected}, as of a plateau that sees each metric", value)
    for name, wanted in (("by_epoch", True), ("convert_to_iter_based", False)):
        if section.flag(name, default=wanted) is not wanted:
            section.refuse(name, f"{wanted} (mmengine makes no other plateau)", not wanted)
    end, last = section.integer("end", 1, default=None), loop.integer("max_epochs", 1, default=None)
    if end is not None and (last is None or end < last):
        section.refuse("end", "left out, or the max_epochs of the run or more", end)


def first_cut(loop: Section, controller: Controller, steps_per_epoch: float) -> int:
    """The updates before the earliest cut, after one metric more than the patience."""
    is_by_iterations = "max_iters" in loop
    every = loop.integer("val_interval", 1, default=1000 if is_by_iterations else 1)
    if "dynamic_intervals" in loop:
        every = 1
    return int((controller.patience + 1) * every * steps_per_epoch)
