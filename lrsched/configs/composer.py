"""Composer and llm-foundry: `scheduler`, with `optimizer` and `max_duration` beside it.

    optimizer: {name: decoupled_adamw, lr: 1.2e-4}
    scheduler: {name: cosine_with_warmup, t_warmup: 100ba, alpha_f: 0.1}
    max_duration: 63900ba

Composer's trainer steps its schedulers before it counts the batch that was trained, so that the
first two updates have the first value: the rate of update n + 1 is that of batch n.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lrsched._core.schedule import Schedule
from lrsched.configs.composer_time import Clock, Length, is_time
from lrsched.configs.entries import is_list
from lrsched.configs.section import REQUIRED, Format, Section
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.decay import (
    cosine_decay,
    exponential_decay,
    multi_step_decay,
    piecewise_constant,
    step_decay,
)
from lrsched.schedules.inverse import inverse_sqrt
from lrsched.schedules.ramp import constant, linear, polynomial
from lrsched.schedules.restarts import cosine_restarts
from lrsched.schedules.transform import advance, cooldown

MODULES = (
    "composer.optim",
    "composer.optim.scheduler",
    "llmfoundry.optim",
    "llmfoundry.optim.scheduler",
)
AROUND = ("name", "_target_", "_partial_", "_convert_", "_recursive_")


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is a scheduler by a path or a name of Composer's, with times in its units."""
    config = _training(config)
    schedulers = config.get("schedulers", config.get("scheduler", config))
    first = schedulers[0] if is_list(schedulers) and schedulers else schedulers
    if not isinstance(first, Mapping) or _class(first) is None or _is_olmo(config, first):
        return False
    if "_target_" in first or any(is_time(value) for value in first.values()):
        return True
    optimizer, trainer = config.get("optimizer"), config.get("trainer", config)
    places = [place for place in (config, trainer) if isinstance(place, Mapping)]
    has_rate = isinstance(optimizer, Mapping) and "lr" in optimizer
    return has_rate and any(is_time(place.get("max_duration")) for place in places)


def _is_olmo(config: Mapping[str, Any], scheduler: Mapping[str, Any]) -> bool:
    """Whether keys are there that OLMo's configurations have, which share names of schedulers."""
    optimizer = config.get("optimizer")
    has_rate = isinstance(optimizer, Mapping) and "learning_rate" in optimizer
    return has_rate or "units" in scheduler or "warmup_min_lr" in scheduler


def read(config: Section) -> Schedule:
    """The schedule of the learning rate; several schedulers are multiplied."""
    if _training(config.entries) is not config.entries:
        config = config.section("parameters")
    schedulers = [config]
    for key in ("scheduler", "schedulers"):
        schedulers = config.sections(key) if key in config else schedulers
    if not schedulers:
        config.refuse("schedulers", "at least one", [])
    clock, rate = Clock(config), _learning_rate(config)
    schedule = _schedule(schedulers[0], clock, rate)
    for factor in schedulers[1:]:
        schedule = schedule * _schedule(factor, clock, 1.0)
    schedule = clock.in_updates(schedule)
    for each in schedulers:
        each.close(*AROUND)
    return schedule


def _training(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of the training, which a file for a cluster has under `parameters`."""
    inner = config.get("parameters")
    has_none = "scheduler" not in config and "schedulers" not in config
    return inner if has_none and isinstance(inner, Mapping) else config


def _class(config: Mapping[str, Any]) -> str | None:
    """The name of the class of a scheduler, from its path or the name that it is registered by."""
    path, name = config.get("_target_"), config.get("name")
    if isinstance(path, str):
        module, _, name = path.rpartition(".")
        return name if module in MODULES else None
    name = NAMES.get(name, name) if isinstance(name, str) else None
    return name if name in READERS else None


def _schedule(params: Section, clock: Clock, rate: float) -> Schedule:
    name = _class(params.entries)
    if name is None or name not in READERS:
        key = "_target_" if "_target_" in params else "name"
        params.refuse(key, f"one of {', '.join((*NAMES, *READERS))}", params.value(key, None))
    return READERS[name](params, clock, rate)


def _learning_rate(config: Section) -> float:
    if isinstance(config.entries.get("optimizer"), Mapping):
        optimizer = config.section("optimizer")
        return float(optimizer.number("lr", ">= 0", context="learning_rate"))
    return float(config.given("learning_rate", "the optimizer's lr is not in the configuration"))


def _step(params: Section, clock: Clock, rate: float) -> Schedule:
    size = clock.steps(clock.length(params, "step_size"))
    return step_decay(rate, params.number("gamma", ">= 0", default=0.1), size)


def _multi_step(params: Section, clock: Clock, rate: float) -> Schedule:
    steps = clock.milestones(params, "milestones")
    return multi_step_decay(rate, params.number("gamma", ">= 0", default=0.1), steps)


def _multi_step_with_warmup(params: Section, clock: Clock, rate: float) -> Schedule:
    """The milestones count from the beginning of the run, as those of `_multi_step`."""
    decay, up = _multi_step(params, clock, rate), clock.length(params, "t_warmup", scaled=False)
    if 0 in decay.params["boundaries"]:
        params.refuse("milestones", "after the beginning of the run", params.value("milestones"))
    return _warmed(params, clock, rate, up, decay, over=True)


def _constant(params: Section, clock: Clock, rate: float) -> Schedule:
    alpha, end = params.number("alpha", default=1.0), clock.length(params, "t_max", "1dur")
    if alpha == 1 or end == clock.run:
        return constant(alpha * rate)
    return piecewise_constant((alpha * rate, rate), (clock.steps(end),))


def _linear(params: Section, clock: Clock, rate: float) -> Schedule:
    return _line(params, rate, clock.steps(clock.length(params, "t_max", "1dur")))


def _line(params: Section, rate: float, steps: Any) -> Schedule:
    first = rate * params.number("alpha_i", default=1.0)
    last = rate * params.number("alpha_f", default=0.0)
    return constant(first) if first == last else linear(first, last, steps)


def _exponential(params: Section, clock: Clock, rate: float) -> Schedule:
    period = clock.steps(clock.length(params, "decay_period", "1ep"))
    return exponential_decay(rate, params.number("gamma", ">= 0"), period)


def _cosine(params: Section, clock: Clock, rate: float) -> Schedule:
    return _half_cosine(params, rate, clock.steps(clock.length(params, "t_max", "1dur")))


def _half_cosine(params: Section, rate: float, steps: Any) -> Schedule:
    return cosine_decay(rate, steps, rate * params.number("alpha_f", default=0.0))


def _restarts(params: Section, clock: Clock, rate: float) -> Schedule:
    """Composer cuts the length of each cycle, so that a factor that is not whole has no formula."""
    first, mult = clock.length(params, "t_0"), params.number("t_mult", ">= 1", default=1.0)
    low = rate * params.number("alpha_f", default=0.0)
    if mult == int(mult):
        return cosine_restarts(rate, clock.steps(first), int(mult), low)
    if not first.is_known or not clock.run.is_known or first.unit != clock.run.unit:
        expected = "a whole number, unless the length of the run is known in the unit of t_0"
        params.refuse("t_mult", expected, mult)
    length, starts, pieces = first, [first._replace(amount=0)], []
    while True:
        pieces.append(cosine_decay(rate, clock.steps(length), low))
        start = starts[-1]._replace(amount=starts[-1].amount + length.amount)
        if start.amount >= clock.run.amount:
            return join(pieces, [clock.steps(each) for each in starts[1:]])
        if len(pieces) == 1000:
            params.refuse("t_0", "at least a thousandth of the run", params.value("t_0"))
        starts.append(start)
        length = length._replace(amount=int(mult * length.amount))


def _polynomial(params: Section, clock: Clock, rate: float) -> Schedule:
    return _power(params, rate, clock.steps(clock.length(params, "t_max", "1dur")))


def _power(params: Section, rate: float, steps: Any, default: Any = REQUIRED) -> Schedule:
    power = params.number("power", "> 0", default=default)
    return polynomial(rate, rate * params.number("alpha_f", default=0.0), steps, power)


def _constant_with_warmup(params: Section, clock: Clock, rate: float) -> Schedule:
    peak = rate * params.number("alpha", default=1.0)
    return _with_warmup(params, clock, peak, lambda _: constant(peak))


def _linear_with_warmup(params: Section, clock: Clock, rate: float) -> Schedule:
    peak = rate * params.number("alpha_i", default=1.0)
    return _with_warmup(params, clock, peak, lambda steps: _line(params, rate, steps))


def _cosine_with_warmup(params: Section, clock: Clock, rate: float) -> Schedule:
    return _with_warmup(params, clock, rate, lambda steps: _half_cosine(params, rate, steps))


def _polynomial_with_warmup(params: Section, clock: Clock, rate: float) -> Schedule:
    return _with_warmup(params, clock, rate, lambda steps: _power(params, rate, steps, default=2.0))


def _with_warmup(
    params: Section, clock: Clock, peak: float, fall: Callable[[Any], Schedule]
) -> Schedule:
    """A fall from the end of the warmup to `t_max`, which counts the warmup."""
    up, end = clock.length(params, "t_warmup", scaled=False), clock.length(params, "t_max", "1dur")
    if up.unit != end.unit:
        params.refuse("t_warmup", f"in the unit of t_max ({end.unit!r})", params.value("t_warmup"))
    is_comparable = end.is_known and clock.run.is_known and end.unit == clock.run.unit
    if is_comparable and end.amount < clock.run.amount:
        params.refuse("t_max", "no shorter than the run", params.value("t_max"))
    rest = end.after(up)
    over = rest.is_known and rest.amount <= 0
    decay = fall(1 if over else clock.steps(rest))
    return _warmed(params, clock, peak, up, constant(peak) if over else decay)


def _warmed(
    params: Section, clock: Clock, peak: float, up: Length, decay: Schedule, over: bool = False
) -> Schedule:
    """A warmup that is cut off at its unscaled end, whether the ratio scales its slope or not."""
    is_scaled = params.flag("scale_warmup", default=False)
    scaled = clock.length(params, "t_warmup") if is_scaled else up
    if up.amount == 0:
        return decay
    steps = clock.steps(up)
    if scaled == up:
        return warmup(decay, steps, mode="over" if over else "before")
    after = advance(decay, steps) if over else decay
    return join([linear(0.0, peak, clock.steps(scaled)), after], [steps])


def _inverse_sqrt_with_warmup(params: Section, clock: Clock, rate: float) -> Schedule:
    """llm-foundry's, whose cooldown begins at the end of the warmup if it would begin before."""
    up = clock.length(params, "t_warmup", scaled=False)
    scale, down = clock.length(params, "t_scale"), clock.length(params, "t_cooldown")
    end = clock.length(params, "t_max", "1dur")
    for key, each in (("t_warmup", up), ("t_scale", scale), ("t_cooldown", down)):
        if each.unit != end.unit or str(params.value(key)).lower().endswith("dur"):
            params.refuse(key, f"in the unit of the run ({end.unit!r})", params.value(key))
    low = params.number("alpha_f_decay", ">= 0", default=0.0)
    last = params.number("alpha_f_cooldown", ">= 0", default=0.0)
    if low < last:
        params.refuse("alpha_f_cooldown", f"no higher than alpha_f_decay ({low})", last)
    decay = inverse_sqrt(rate, clock.steps(scale), end_value=rate * low)
    schedule = decay if up.amount == 0 else warmup(decay, clock.steps(up))
    if down.amount == 0:
        return schedule
    clock.require(end, up, down)
    begin = end.after(down)
    begin = up if begin.amount < up.amount else begin
    return cooldown(schedule, clock.steps(begin), clock.steps(down), rate * last)


READERS: dict[str, Callable[[Section, Clock, float], Schedule]] = {
    "StepScheduler": _step,
    "MultiStepScheduler": _multi_step,
    "ConstantScheduler": _constant,
    "LinearScheduler": _linear,
    "ExponentialScheduler": _exponential,
    "CosineAnnealingScheduler": _cosine,
    "CosineAnnealingWarmRestartsScheduler": _restarts,
    "PolynomialScheduler": _polynomial,
    "MultiStepWithWarmupScheduler": _multi_step_with_warmup,
    "ConstantWithWarmupScheduler": _constant_with_warmup,
    "LinearWithWarmupScheduler": _linear_with_warmup,
    "CosineAnnealingWithWarmupScheduler": _cosine_with_warmup,
    "PolynomialWithWarmupScheduler": _polynomial_with_warmup,
    "InverseSquareRootWithWarmupScheduler": _inverse_sqrt_with_warmup,
}
NAMES = {
    "step": "StepScheduler",
    "multistep": "MultiStepScheduler",
    "constant": "ConstantScheduler",
    "linear": "LinearScheduler",
    "linear_decay": "LinearScheduler",
    "exponential": "ExponentialScheduler",
    "cosine_annealing": "CosineAnnealingScheduler",
    "cosine_decay": "CosineAnnealingScheduler",
    "cosine_annealing_warm_restarts": "CosineAnnealingWarmRestartsScheduler",
    "cosine_warmrestart": "CosineAnnealingWarmRestartsScheduler",
    "polynomial": "PolynomialScheduler",
    "multistep_with_warmup": "MultiStepWithWarmupScheduler",
    "constant_with_warmup": "ConstantWithWarmupScheduler",
    "linear_decay_with_warmup": "LinearWithWarmupScheduler",
    "cosine_with_warmup": "CosineAnnealingWithWarmupScheduler",
    "cosine_annealing_with_warmup": "CosineAnnealingWithWarmupScheduler",
    "cosine_decay_with_warmup": "CosineAnnealingWithWarmupScheduler",
    "polynomial_with_warmup": "PolynomialWithWarmupScheduler",
    "inv_sqrt_with_warmup": "InverseSquareRootWithWarmupScheduler",
}
FORMAT = Format("composer", "Composer", recognises, read)
