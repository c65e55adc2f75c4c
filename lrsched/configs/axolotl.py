"""axolotl: its YAML, with transformers' names of schedules and those of its own.

    learning_rate: 0.0002
    lr_scheduler: cosine
    cosine_min_lr_ratio: 0.1
    warmup_ratio: 0.05
    num_epochs: 3
    micro_batch_size: 2

A share of the run is rounded down to whole steps, and a warmup of one step is made one of two. By
default the warmup has 3 % of the run, at most 100 steps. A share needs the number of steps. "rex"
and `jagged_restart_steps` count from 1. `lr_groups` and other groups with rates of their own are in
the same proportion at every step.
"""

import math
from collections.abc import Mapping
from typing import Any

from lrsched._core.durations import Duration
from lrsched._core.schedule import Schedule
from lrsched.configs.section import Format, Result, Section
from lrsched.configs.transformers import (
    Run,
    by_name,
    follower,
    refuse_deepspeed_scheduler,
    share_of,
    total_steps,
)
from lrsched.formats.phases import steps_after, warmed_up
from lrsched.schedules.anneal import rex
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.cycles import one_cycle
from lrsched.schedules.decay import cosine_decay
from lrsched.schedules.ramp import constant
from lrsched.schedules.transform import advance, cooldown, repeat

OWN = (
    "cosine_min_lr_ratio",
    "cosine_constant_lr_ratio",
    "lr_quadratic_warmup",
    "jagged_restart_steps",
)
RENAMED = {
    "relora_steps": "jagged_restart_steps",
    "relora_warmup_steps": "jagged_restart_warmup_steps",
    "relora_anneal_steps": "jagged_restart_anneal_steps",
}
COUNTED_BY_THE_TRAINER = ("grpo", "ebft")  # values of `rl`, where axolotl itself counts no steps


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there are keys that axolotl has and others have not."""
    if isinstance(config.get("lr_scheduler"), Mapping) or "lr_scheduler_type" in config:
        return False
    pairs = (
        ("lr_scheduler", "base_model"),
        ("lr_scheduler", "num_epochs"),
        ("lr_scheduler", "micro_batch_size"),
        ("base_model", "micro_batch_size"),
    )
    own = any(key in config for key in OWN)
    return own or any(first in config and second in config for first, second in pairs)


def read(config: Section) -> Result:
    """The schedule that axolotl's trainers make."""
    refuse_deepspeed_scheduler(config, "lr_scheduler")
    for old, new in RENAMED.items():
        if _is_set(config, old):
            config.refuse(old, f"left out ({new} is its new name)", config.value(old))
    rate = config.number("learning_rate", ">= 0", context="learning_rate")
    controller = follower("lr_scheduler", config, rate)
    if controller is not None:
        if _has_restarts(config):
            expected = "left out beside a scheduler that follows a metric"
            config.refuse("jagged_restart_steps", expected, config.value("jagged_restart_steps"))
        return controller
    total = _total_steps(config)
    run = Run(config, rate, _warmup_steps(config, total), total)
    schedule, first = _own_or_by_name(run)
    if _has_restarts(config):
        schedule, first = schedule * _jagged(config), first + 1
    return advance(schedule, first) if first else schedule


def _is_set(config: Section, key: str) -> bool:
    """Whether a key has a value that is true in Python, as axolotl asks."""
    return bool(config.value(key, default=None))


def _has_restarts(config: Section) -> bool:
    return _is_set(config, "jagged_restart_steps") and not _is_set(config, "rl")


def _total_steps(config: Section) -> Any:
    packed = _is_set(config, "sample_packing") and not _is_set(config, "rl")
    if packed and not _is_set(config, "max_steps"):
        return config.given("total_steps", "with sample_packing it depends on the data")
    return total_steps(config, "num_epochs", 1.0, 0.0)


def _warmup_steps(config: Section, total: Any) -> Any:
    is_here = "warmup_steps" in config
    if not is_here and "warmup_steps" not in config.context:
        return _warmup_share(config, total)
    steps = config.number("warmup_steps", ">= 0", context="warmup_steps")
    ratio = config.number("warmup_ratio", ">= 0", "<= 1", default=0.0)
    if ratio and (steps or not is_here):
        config.refuse("warmup_ratio", "left out beside warmup_steps", ratio)
    if 0 < steps < 1:
        return share_of(total, steps)
    return _two_for_one(int(steps)) if is_here else int(steps)


def _warmup_share(config: Section, total: Any) -> int:
    """The steps of a warmup that is a share of the run, by `warmup_ratio` or by default."""
    if isinstance(total, Duration):
        config.given("total_steps", "the warmup is a share of it")
    share = config.number("warmup_ratio", ">= 0", "<= 1", default=0.03)
    if config.value("rl", default=None) in COUNTED_BY_THE_TRAINER:
        return int(share_of(total, share))
    steps = int(share * _steps_of_the_epochs(config, total))
    return _two_for_one(steps if "warmup_ratio" in config else min(steps, 100))


def _steps_of_the_epochs(config: Section, total: int) -> int:
    """The steps that the share is taken of: a longer `max_steps` does not count, with `rl` none."""
    with_rl = _is_set(config, "rl")
    if not _is_set(config, "max_steps") or not (with_rl or "steps_per_epoch" in config.context):
        return total
    reason = "axolotl takes the warmup's share of the epochs, not of max_steps"
    number = config.number("num_epochs", "> 0", default=1.0)
    steps: int = math.ceil(number * config.given("steps_per_epoch", reason))
    return steps if with_rl else min(steps, total)


def _two_for_one(steps: int) -> int:
    return 2 if steps == 1 else steps


def _own_or_by_name(run: Run) -> tuple[Schedule, int]:
    """The schedule, and the count of the first update."""
    name = run.config.text("lr_scheduler", default="cosine")
    if name == "rex":
        return _rex(run), 1
    if name == "one_cycle":
        return _one_cycle(run), 0
    own = _cosine(run) if name == "cosine" else None
    return own or by_name("lr_scheduler", "cosine", run), 0


def _cosine(run: Run) -> Schedule | None:
    """The cosine of axolotl's own keys; None without them."""
    config, before, end = run.config, run.warmup_steps, run.total_steps
    quadratic = config.flag("lr_quadratic_warmup", default=False)
    if quadratic and not _is_set(config, "rl"):
        return warmed_up(cosine_decay(run.rate, steps_after(before, end)), before, power=2)
    ratio = _min_ratio(config)
    if not ratio:
        return None
    share = config.number("cosine_constant_lr_ratio", ">= 0", "<= 1", default=0.0)
    if share:
        run.require_total("cosine_constant_lr_ratio is a share of it")
        end = int(end * share)
        if end <= before:
            expected = f"above the share of the warmup, of {before} steps"
            config.refuse("cosine_constant_lr_ratio", expected, share)
    return warmed_up(cosine_decay(run.rate, steps_after(before, end), ratio * run.rate), before)


def _min_ratio(config: Section) -> float:
    return float(config.number("cosine_min_lr_ratio", ">= 0", "<= 1", default=0.0))


def _rex(run: Run) -> Schedule:
    before, total = run.warmup_steps, run.total_steps
    if not isinstance(total, Duration) and before > total:
        run.config.refuse("warmup_steps", f"<= {total} (the steps of the run)", before)
    floor = _min_ratio(run.config) * run.rate
    return warmed_up(rex(run.rate, steps_after(before, total), floor, beta=0.1), before)


def _one_cycle(run: Run) -> Schedule:
    kwargs = run.config.section("lr_scheduler_kwargs", default={})
    share = kwargs.number("pct_start", ">= 0", "<= 1", default=None)
    if share is None:
        run.require_total("the rise has the steps of the warmup")
        share = run.warmup_steps / run.total_steps
    anneal = kwargs.choice("anneal_strategy", ("cos", "linear"), default="cos")
    schedule = one_cycle(
        run.rate,
        run.total_steps,
        up_fraction=share,
        div_factor=kwargs.number("div_factor", "> 0", default=25.0),
        final_div_factor=kwargs.number("final_div_factor", "> 0", default=1e4),
        anneal="cosine" if anneal == "cos" else "linear",
        three_phase=kwargs.flag("three_phase", default=False),
    )
    kwargs.close("cycle_momentum", "base_momentum", "max_momentum", "epochs", "steps_per_epoch")
    return schedule


def _jagged(config: Section) -> Schedule:
    """The factor that goes down to a floor and up again at every restart but the first."""
    every = config.integer("jagged_restart_steps", 1)
    up, down = (
        config.integer(key, 1) if _is_set(config, key) else default
        for key, default in (
            ("jagged_restart_warmup_steps", 10),
            ("jagged_restart_anneal_steps", 1),
        )
    )
    if up + down > every:
        expected = f">= {up + down} (the warmup and the anneal of a restart)"
        config.refuse("jagged_restart_steps", expected, every)
    floor = _min_ratio(config) or 1e-3
    first = cooldown(constant(1.0), every - down, down, floor)
    others = warmup(cooldown(constant(1.0), every - up - down, down, floor), up, floor)
    return join([first, repeat(others, every)], [every])


FORMAT = Format("axolotl", "axolotl", recognises, read)
