"""DeepSpeed: the `scheduler` of its JSON, or that section alone.

    {"scheduler": {"type": "WarmupDecayLR",
                   "params": {"warmup_max_lr": 3e-4, "warmup_num_steps": 500,
                              "total_num_steps": 1e4}}}

The `Warmup...` schedulers have their first value at the first two updates: DeepSpeed sets the rate
of update n + 1 from the count n.
"""

from collections.abc import Mapping
from typing import Any

from lrsched._core.schedule import Schedule
from lrsched.configs.entries import is_named
from lrsched.configs.section import Format, Section
from lrsched.schedules.combine import join
from lrsched.schedules.cycles import cyclic
from lrsched.schedules.decay import cosine_decay
from lrsched.schedules.inverse import inverse_time
from lrsched.schedules.ramp import constant, linear
from lrsched.schedules.transform import advance, delay, reverse, staircase
from lrsched.schedules.warmup_factors import log_warmup


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is a `scheduler` of one of DeepSpeed's types."""
    scheduler = config.get("scheduler", config)
    return isinstance(scheduler, Mapping) and is_named(scheduler, "type", READERS)


def read(config: Section) -> Schedule:
    """The schedule of the learning rate, or of the momentum of `OneCycle`."""
    scheduler = config.section("scheduler") if "scheduler" in config else config
    name = scheduler.choice("type", tuple(READERS))
    if config.part != "lr" and name != "OneCycle":
        config.fail(f"{name} schedules the learning rate alone, not the {config.part}")
    params = scheduler.section("params", default={})
    schedule = READERS[name](params, config)
    params.close("last_batch_iteration")
    return schedule


def _warmup_lr(params: Section, config: Section) -> Schedule:
    low, high, _ = _levels(params)
    return delay(_rise(params, low, high, constant(high)), 1)


def _warmup_decay_lr(params: Section, config: Section) -> Schedule:
    low, high, up = _levels(params)
    total = params.integer("total_num_steps", context="total_steps")
    return delay(_rise(params, low, high, linear(high, low, max(total - up, 1))), 1)


def _warmup_cosine_lr(params: Section, config: Section) -> Schedule:
    rate = _learning_rate(config)
    up = _warmup_steps(params)
    total = params.integer("total_num_steps", context="total_steps")
    low = rate * params.number("warmup_min_ratio", ">= 0", default=0.0)
    end = rate * params.number("cos_min_ratio", ">= 0", default=1e-4)
    decay = advance(cosine_decay(rate, max(total - up, 1), end), 1)
    return delay(_rise(params, low, rate, decay), 1)


def _one_cycle(params: Section, config: Section) -> Schedule:
    every = params.integer("decay_step_size", default=0)
    low, high = params.number("cycle_min_lr"), params.number("cycle_max_lr")
    rate = params.number("decay_lr_rate", ">= 0", default=0.0)
    has_momentum = params.flag("cycle_momentum", default=True)
    bottom = params.number("cycle_min_mom", default=0.8)
    top = params.number("cycle_max_mom", default=0.9)
    growth = params.number("decay_mom_rate", default=0.0)
    if config.part == "momentum":
        if not has_momentum:
            config.fail("this OneCycle has no momentum (cycle_momentum is false)")
        if growth and every:
            params.refuse("decay_mom_rate", "0, as what it sets has no bound", growth)
        return _triangle(params, top, bottom, constant(top))
    end = inverse_time(low, rate, every) if every and rate else constant(low)
    return _triangle(params, low, high, end)


def _triangle(params: Section, foot: float, tip: float, after: Schedule) -> Schedule:
    """From the foot to the tip and back, along lines or in stairs, and what comes after."""
    first = params.integer("cycle_first_step_size", 1, default=2000)
    second = params.integer("cycle_second_step_size", 1, default=first)
    stairs = params.integer("cycle_first_stair_count", default=0)
    others = params.integer("cycle_second_stair_count", default=stairs)
    if not stairs and not others:
        return join([cyclic(foot, tip, first, second), after], [first + second])
    up, down = linear(foot, tip, first), linear(foot, tip, second)
    up = staircase(up, first / stairs) if stairs else up
    down = reverse(staircase(down, second / others) if others else down, second)
    return join([up, down, after], [first, first + second])


def _lr_range_test(params: Section, config: Section) -> Schedule:
    low = params.number("lr_range_test_min_lr", ">= 0", default=1e-3)
    every = params.integer("lr_range_test_step_size", 1, default=2000)
    rate = params.number("lr_range_test_step_rate", ">= 0", default=1.0)
    stairs = params.flag("lr_range_test_staircase", default=False)
    total = config.given("total_steps", "an LRRangeTest has no end")
    rise = linear(low, low * (1 + rate * total / every), total)
    return staircase(rise, every) if stairs else rise


READERS = {
    "WarmupLR": _warmup_lr,
    "WarmupDecayLR": _warmup_decay_lr,
    "WarmupCosineLR": _warmup_cosine_lr,
    "OneCycle": _one_cycle,
    "LRRangeTest": _lr_range_test,
}


def _levels(params: Section) -> tuple[float, float, int]:
    low = 0.0  # what transformers and Accelerate put in for "auto"
    if not params.is_auto("warmup_min_lr"):
        low = params.number("warmup_min_lr", ">= 0", default=low)
    high = params.number("warmup_max_lr", ">= 0", default=1e-3, context="learning_rate")
    return low, high, _warmup_steps(params)


def _warmup_steps(params: Section) -> int:
    return max(2, int(params.integer("warmup_num_steps", default=1000, context="warmup_steps")))


def _learning_rate(config: Section) -> float:
    """The rate of the `optimizer` section, which `WarmupCosineLR` takes its ratios of."""
    optimizer = config.section("optimizer", default={}).section("params", default={})
    return float(optimizer.number("lr", ">= 0", context="learning_rate"))


def _rise(params: Section, low: float, high: float, after: Schedule) -> Schedule:
    up = _warmup_steps(params)
    if params.choice("warmup_type", ("log", "linear"), default="log") == "linear":
        return join([linear(low, high, up), after], [up])
    return join([low + (high - low) * log_warmup(up), after], [up])


FORMAT = Format("deepspeed", "DeepSpeed", recognises, read, parts=("momentum",))
