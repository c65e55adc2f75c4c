"""timm: the arguments of its `train.py`, as `args.yaml` or argparse has them.

    sched: cosine
    lr: 0.001
    epochs: 300
    warmup_epochs: 20

The rate changes at the beginning of an epoch, with `sched_on_updates` at each update. What is left
out has the default of `train.py`. Layers with a scale of their own (`layer_decay`) have the
schedule times that scale. A plateau is shown the `eval_metric` after each epoch that has one.
"""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from lrsched._core.controller import Controller
from lrsched._core.duration_factories import epochs
from lrsched._core.schedule import Schedule
from lrsched.configs.following import warmed
from lrsched.configs.section import Format, Result, Section
from lrsched.controllers.plateau import reduce_on_plateau
from lrsched.schedules.anneal import k_decay, tanh_decay
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.decay import cosine_decay, multi_step_decay, step_decay
from lrsched.schedules.ramp import constant, linear, polynomial
from lrsched.schedules.restarts import cosine_restarts
from lrsched.schedules.transform import staircase

KEYS = {
    "decay_milestones",
    "lr_base_size",
    "lr_cycle_limit",
    "lr_k_decay",
    "sched_on_updates",
    "warmup_prefix",
}
Cycle = Callable[[float, Any], Schedule]  # from its highest rate and its length


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is a `sched`, or another argument that only timm has."""
    return isinstance(config.get("sched"), str) or bool(KEYS & set(config))


def read(config: Section) -> Result:
    """The schedule of the rate of layers without a scale of their own."""
    name = config.choice("sched", (*READERS, "none"), default="cosine")
    if config.value("lr_noise", default=None) is not None:
        reason = "left out, as its random numbers are those of torch"
        config.refuse("lr_noise", reason, config.value("lr_noise"))
    if not config.flag("unscale_lr", default=True):
        config.refuse("unscale_lr", "True: DeiT scales lr with the batch otherwise", False)
    rate = _rate(config)
    if name == "none":
        return constant(rate)
    schedule = READERS[name](config, rate)
    if isinstance(schedule, Controller):
        return schedule
    if _on_updates(config) or _changes_with_epochs(config, name):
        return schedule
    return staircase(schedule, epochs(1))


def _changes_with_epochs(config: Section, name: str) -> bool:
    """Whether the schedule has whole epochs as stairs of its own."""
    if _warmup(config)[0] or name not in ("step", "multistep"):
        return False
    return name == "multistep" or isinstance(_decay_epochs(config), int)


def _rate(config: Section) -> float:
    """`lr`, or `lr_base` scaled with the batch size."""
    rate = config.number("lr", ">= 0", default=None, context="learning_rate")
    if rate:
        return float(rate)
    base = config.number("lr_base", ">= 0", default=0.1)
    size = config.integer("lr_base_size", 1, default=256)
    optimizer = config.text("opt", default="sgd").lower()
    usual = "sqrt" if "ada" in optimizer or "lamb" in optimizer else "linear"
    scale = config.choice("lr_base_scale", ("linear", "sqrt", ""), default="") or usual
    ratio = config.given("batch_size", "lr_base is scaled with that of all devices") / size
    return float(base * (math.sqrt(ratio) if scale == "sqrt" else ratio))


def _cosine(config: Section, rate: float) -> Schedule:
    low, k = config.number("min_lr", ">= 0", default=0.0), _k_decay(config)
    if k != 1:
        return _replaced(config, rate, _cycles(config, rate, lambda x, n: k_decay(x, n, k, 1, low)))
    count, growth, shrink = _cycling(config)
    if count == 1:
        return _replaced(config, rate, cosine_decay(rate, epochs(_epochs(config)), low))
    restarts = cosine_restarts(rate, epochs(_epochs(config)), growth, low, shrink)
    end = epochs(sum(_lengths(config)))
    return _replaced(config, rate, join([restarts, constant(low)], [end]))


def _poly(config: Section, rate: float) -> Schedule:
    low, k = config.number("min_lr", ">= 0", default=0.0), _k_decay(config)
    power = config.number("decay_rate", "> 0", default=0.1)

    def cycle(top: float, length: Any) -> Schedule:
        if k != 1:
            return k_decay(top, length, k, power, low, "linear")
        return polynomial(top, low, length, power)

    return _replaced(config, rate, _cycles(config, rate, cycle))


def _tanh(config: Section, rate: float) -> Schedule:
    """The optimizer's rate until the first step, from which on the curve only nears it."""
    low = config.number("min_lr", ">= 0", default=0.0)
    pieces = _cycles(config, rate, lambda top, n: tanh_decay(top, n, low, -7.0, 3.0), low)
    up, start, is_before = _warmup(config)
    if not up:
        first = 1 if _on_updates(config) else epochs(1)
        return warmup(pieces, first, rate, mode="over")
    if is_before:
        return join([linear(start, rate, epochs(up)), pieces], [epochs(up)])
    return warmup(pieces, epochs(up), start, mode="into")


def _step(config: Section, rate: float) -> Schedule:
    every = _decay_epochs(config)
    if _is_missed(config, every):
        reason = "a number whose multiples are no whole epochs, as timm's rounding misses them"
        config.refuse("decay_epochs", reason, every)
    gamma = config.number("decay_rate", ">= 0", default=0.1)
    return _replaced(config, rate, step_decay(rate, gamma, epochs(every)))


def _is_missed(config: Section, every: float) -> bool:
    """Whether a multiple of this length is a step late, its binary number being above it."""
    exact = Fraction(str(every))
    if exact.denominator == 1:
        return False
    unit = 1
    if _on_updates(config):
        unit = config.given("steps_per_epoch", "decay_epochs are no whole number of epochs")
    multiples = range(1, int(_epochs(config) / every) + 1)
    ends = [(n, n * exact * Fraction(unit)) for n in multiples]
    return any(end.denominator == 1 and int(end) // (every * unit) != n for n, end in ends)


def _multi_step(config: Section, rate: float) -> Schedule:
    """timm's milestones act one step early, though not before the first step."""
    gamma = config.number("decay_rate", ">= 0", default=0.1)
    milestones = sorted(config.integers("decay_milestones", 1, default=(90, 180, 270)))
    up, _, is_before = _warmup(config)
    if _on_updates(config):
        boundaries = [epochs(n) - 1 for n in milestones]
    else:
        if up and is_before and milestones[:1] == [1]:
            config.refuse("decay_milestones", "> 1 with warmup_prefix", milestones)
        boundaries = [epochs(max(n - 1, 1)) for n in milestones]
    decay = multi_step_decay(rate, gamma, boundaries) if boundaries else constant(rate)
    return _replaced(config, rate, decay)


def _plateau(config: Section, rate: float) -> Result:
    """torch's plateau for the metric of an epoch; timm shows it no metric of the warmup."""
    if _on_updates(config):
        config.refuse("sched_on_updates", "False with sched 'plateau', as timm asks", True)
    up = config.integer("warmup_epochs", default=5)
    every = config.integer("val_interval", 1, default=1)
    metric = config.text("eval_metric", default="top1")
    controller = reduce_on_plateau(
        rate,
        config.number("decay_rate", ">= 0", "< 1", default=0.1),
        config.integer("patience_epochs", default=10),
        "min" if metric == "loss" or not _validates(config) else "max",
        end_value=config.number("min_lr", ">= 0", default=0.0),
    )
    start = config.number("warmup_lr", ">= 0", default=1e-5)
    return warmed(controller, epochs(up), start, up // every) if up else controller


def _validates(config: Section) -> bool:
    """Whether there is a validation: without one the metric is the loss of the training."""
    return bool(config.entries.get("val_split", "validation"))


READERS: Mapping[str, Callable[[Section, float], Result]] = {
    "cosine": _cosine,
    "tanh": _tanh,
    "step": _step,
    "multistep": _multi_step,
    "poly": _poly,
    "plateau": _plateau,
}


def _replaced(config: Section, rate: float, decay: Schedule) -> Schedule:
    """The decay behind its warmup, or with its beginning replaced by it."""
    up, start, is_before = _warmup(config)
    if not up:
        return decay
    return warmup(decay, epochs(up), start, mode="before" if is_before else "over")


def _warmup(config: Section) -> tuple[float, float, bool]:
    up = config.number("warmup_epochs", ">= 0", default=5)
    start = config.number("warmup_lr", ">= 0", default=1e-5)
    return up, start, config.flag("warmup_prefix", default=False)


def _cycles(config: Section, rate: float, cycle: Cycle, after: float | None = None) -> Schedule:
    """One cycle after the other; `after` is what follows a cycle that does not end there."""
    _, _, shrink = _cycling(config)
    lengths = _lengths(config)
    pieces = [cycle(rate * shrink**n, epochs(length)) for n, length in enumerate(lengths)]
    ends = [epochs(sum(lengths[: n + 1])) for n in range(len(lengths))]
    if after is not None:
        return join([*pieces, constant(after)], ends)
    return join(pieces, ends[:-1]) if len(pieces) > 1 else pieces[0]


def _lengths(config: Section) -> list[float]:
    """The lengths of the cycles in epochs."""
    count, growth, _ = _cycling(config)
    first = _epochs(config)
    exact = [first * Fraction(growth) ** n for n in range(count)]
    starts = [sum(exact[:n], Fraction(0)) for n in range(1, count)]
    missed = (_misses(n, start, first, growth) for n, start in enumerate(starts, 1))
    if growth != 1 and any(missed):
        reason = "a number whose restarts timm's rounding does not miss"
        config.refuse("lr_cycle_mul", reason, growth)
    return [int(length) if length.denominator == 1 else float(length) for length in exact]


def _misses(cycle: int, start: Fraction, first: int, growth: float) -> bool:
    """Whether the logarithm by which timm finds the cycle does not find it at its start."""
    if start.denominator != 1:
        return False
    found = math.log(1 - int(start) / first * (1 - growth), growth)
    return math.floor(found) != cycle


def _cycling(config: Section) -> tuple[int, float, float]:
    """The number of cycles, and the ratios of length and height of each to the one before."""
    count = int(config.integer("lr_cycle_limit", 1, default=1))
    growth = config.number("lr_cycle_mul", ">= 1", default=1.0)
    return count, growth, config.number("lr_cycle_decay", ">= 0", default=0.5)


def _epochs(config: Section) -> int:
    return int(config.integer("epochs", 1, default=300))


def _decay_epochs(config: Section) -> float:
    every = float(config.number("decay_epochs", "> 0", default=90))
    return int(every) if every.is_integer() else every


def _k_decay(config: Section) -> float:
    return float(config.number("lr_k_decay", "> 0", default=1.0))


def _on_updates(config: Section) -> bool:
    return bool(config.flag("sched_on_updates", default=False))


FORMAT = Format("timm", "timm", recognises, read)
