"""GPT-NeoX: its YAML, whose `optimizer` has the rate.

    {"optimizer": {"type": "Adam", "params": {"lr": 6e-4}}, "min_lr": 6e-5,
     "train_iters": 143000, "lr_decay_style": "cosine", "warmup": 0.01}

Keys may have "-" for "_". `warmup` is a share of the decay, not rounded. The first two updates have
the same rate, that of count 1. A cosine that ends before the run rises again.
"""

import math
from collections.abc import Mapping
from typing import Any

from lrsched._core.schedule import Schedule
from lrsched.configs.entries import underscored
from lrsched.configs.section import Format, Section
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.cycles import cyclic
from lrsched.schedules.decay import cosine_decay
from lrsched.schedules.inverse import natural_exponential_decay
from lrsched.schedules.ramp import constant, linear
from lrsched.schedules.transform import delay, maximum

KEYS = {"lr_decay_style", "lr_decay_iters", "lr_decay_fraction", "warmup", "min_lr"}
STYLES = ("linear", "cosine", "exponential", "constant")


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is an `optimizer` with `params`, beside a key of the schedule."""
    optimizer = config.get("optimizer")
    has_params = isinstance(optimizer, Mapping) and "params" in optimizer
    return has_params and bool(KEYS & set(map(underscored, config)))


def read(config: Section) -> Schedule:
    """The schedule of the learning rate."""
    config = config.underscored()
    rate = _learning_rate(config)
    low = config.number("min_lr", ">= 0", default=0.0)
    if low > rate:
        config.refuse("min_lr", f"at most the learning rate ({rate:g})", low)
    total = _decay_steps(config)
    up = config.number("warmup", ">= 0", "<= 1", default=0.01) * total
    if 0 < up < 1:
        config.fail(f"the warmup must be 0 or a step or more, not {up:g}")
    return _warmed(_decay(config, rate, low, max(total - up, 1)), rate, up)


def _learning_rate(config: Section) -> float:
    optimizer = config.section("optimizer")
    if optimizer.text("type", default="Adam").lower() == "onebitadam":
        optimizer.refuse("type", "one whose schedule is GPT-NeoX's, not DeepSpeed's", "OneBitAdam")
    params = optimizer.section("params", default={})
    rate = float(params.number("lr", ">= 0", default=1e-3, context="learning_rate"))
    if config.number("lr", default=rate) != rate:
        config.refuse("lr", f"that of the optimizer ({rate:g}), or left out", config.value("lr"))
    return rate


def _decay_steps(config: Section) -> int:
    """The steps of the warmup and the decay together."""
    steps = config.integer("lr_decay_iters", default=None)
    if steps is None:
        run = config.integer("train_iters", 1, context="total_steps")
        steps = math.floor(run * config.number("lr_decay_fraction", ">= 0", default=1.0))
    return max(int(steps), 1)


def _decay(config: Section, rate: float, low: float, steps: float) -> Schedule:
    style = config.choice("lr_decay_style", STYLES, default="linear")
    if style == "constant":
        return constant(rate)
    if style == "cosine":
        run = config.integer("train_iters", 1, default=config.context.get("total_steps"))
        ends_with_run = run is not None and _decay_steps(config) >= run
        if ends_with_run:
            return cosine_decay(rate, steps, low)
        return cyclic(rate, low, steps, shape="cosine")
    down = (
        linear(rate, 0.0, steps)
        if style == "linear"
        else natural_exponential_decay(rate, 0.693, steps)
    )
    return maximum(down, low) if low else down


def _warmed(decay: Schedule, rate: float, up: float) -> Schedule:
    """The decay after a warmup from count 1, which the first update has, too."""
    if up == 0:
        return decay
    if up < 2:
        return join([constant(rate / up), decay], [up])
    return delay(warmup(decay, up - 1, rate / up), 1)


FORMAT = Format("gpt_neox", "GPT-NeoX", recognises, read)
