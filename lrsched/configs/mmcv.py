"""mmcv before version 2: the `lr_config` of its configuration, with `optimizer` and `runner`.

    optimizer = dict(type="SGD", lr=0.02)
    lr_config = dict(policy="step", warmup="linear", warmup_iters=500, warmup_ratio=0.001,
                     step=[8, 11])
    runner = dict(type="EpochBasedRunner", max_epochs=12)

The warmup multiplies what the policy gives, which changes from epoch to epoch unless `by_epoch` is
False.
"""

from collections.abc import Mapping
from typing import Any, cast

from lrsched._core.duration_factories import epochs
from lrsched._core.schedule import Schedule
from lrsched.configs.entries import is_list
from lrsched.configs.section import Format, Section
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.cycles import one_cycle
from lrsched.schedules.decay import (
    cosine_decay,
    exponential_decay,
    multi_step_decay,
    piecewise_constant,
    step_decay,
)
from lrsched.schedules.inverse import inverse_power
from lrsched.schedules.points import Interpolation, interpolate
from lrsched.schedules.ramp import constant, exponential_ramp, linear, polynomial
from lrsched.schedules.transform import delay, maximum, repeat, staircase

BY_ITERATION = ("Cyclic", "OneCycle")  # policies that are never by epoch
WITH_STAIRS = ("Fixed", "Step", "Exp")  # policies that change only from epoch to epoch as they are


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is an `lr_config` with a policy."""
    found = config.get("lr_config")
    return isinstance(found, Mapping) and "policy" in found


def read(config: Section) -> Schedule:
    """The schedule of the learning rate."""
    policy = config.section("lr_config")
    name = policy.text("policy")
    name = name.title() if name == name.lower() else name
    if name not in READERS:
        policy.refuse("policy", f"one of {', '.join(READERS)}", policy.text("policy"))
    by_epoch = policy.flag("by_epoch", default=name not in BY_ITERATION)
    if by_epoch and (name in BY_ITERATION or "max_iters" in _runner(config)):
        policy.refuse("by_epoch", "False with this policy, or a runner of iterations", by_epoch)
    hook = config.section("optimizer_config", default={})
    counts = hook.integer("cumulative_iters", 1, default=1)
    if counts != 1:
        hook.refuse("cumulative_iters", "1, as the rate follows the iterations", counts)
    schedule = READERS[name](policy, config, by_epoch, _rate(config, name))
    if by_epoch and name not in WITH_STAIRS:
        schedule = staircase(schedule, epochs(1))
    schedule = _warmed(policy, schedule)
    policy.close()
    return schedule


def _rate(config: Section, name: str) -> float:
    """The optimizer's rate; `OneCycle` sets another."""
    if name == "OneCycle":
        return 0.0
    rate = config.section("optimizer", default={}).number("lr", ">= 0", context="learning_rate")
    scaling = config.section("auto_scale_lr", default={})
    if scaling.flag("enable", default=False):
        batch = config.given("batch_size", "auto_scale_lr is enabled")
        rate *= batch / scaling.number("base_batch_size", "> 0")
    return float(rate)


def _warmed(policy: Section, schedule: Schedule) -> Schedule:
    kind = policy.choice("warmup", ("constant", "linear", "exp"), default=None)
    ratio = policy.number("warmup_ratio", "> 0", "<= 1", default=0.1)
    by_epoch = policy.flag("warmup_by_epoch", default=False)
    if kind is None:
        policy.integer("warmup_iters", default=0)
        return schedule
    steps = _at(policy.integer("warmup_iters", 1), by_epoch)
    if kind == "linear":
        return warmup(schedule, steps, ratio, mode="times")
    if kind == "exp":
        return exponential_ramp(ratio, 1.0, steps) * schedule
    return piecewise_constant([ratio, 1.0], [steps]) * schedule


def _fixed(policy: Section, config: Section, by_epoch: bool, rate: float) -> Schedule:
    return constant(rate)


def _step(policy: Section, config: Section, by_epoch: bool, rate: float) -> Schedule:
    gamma = policy.number("gamma", ">= 0", default=0.1)
    low = policy.number("min_lr", default=None)
    if is_list(policy.value("step")):
        steps = policy.integers("step", 1)
        if list(steps) != sorted(steps):
            policy.refuse("step", "in ascending order", steps)
        boundaries = [_at(n, by_epoch) for n in steps]
        decay = multi_step_decay(rate, gamma, boundaries) if boundaries else constant(rate)
    else:
        decay = step_decay(rate, gamma, _at(policy.integer("step", 1), by_epoch))
    return decay if low is None else maximum(decay, low)


def _exp(policy: Section, config: Section, by_epoch: bool, rate: float) -> Schedule:
    gamma = policy.number("gamma", ">= 0")
    return step_decay(rate, gamma, epochs(1)) if by_epoch else exponential_decay(rate, gamma)


def _poly(policy: Section, config: Section, by_epoch: bool, rate: float) -> Schedule:
    power = policy.number("power", "> 0", default=1.0)
    low = policy.number("min_lr", default=0.0)
    whole = _whole(config, by_epoch)
    return linear(rate, low, whole) if power == 1 else polynomial(rate, low, whole, power)


def _inv(policy: Section, config: Section, by_epoch: bool, rate: float) -> Schedule:
    time = 1 / policy.number("gamma", "> 0")
    power = policy.number("power", "> 0", default=1.0)
    return inverse_power(rate, epochs(time) if by_epoch else time, power)


def _cosine(policy: Section, config: Section, by_epoch: bool, rate: float) -> Schedule:
    return cosine_decay(rate, _whole(config, by_epoch), _lowest(policy, rate))


def _linear(policy: Section, config: Section, by_epoch: bool, rate: float) -> Schedule:
    return linear(rate, _lowest(policy, rate), _whole(config, by_epoch))


def _flat_cosine(policy: Section, config: Section, by_epoch: bool, rate: float) -> Schedule:
    share = policy.number("start_percent", ">= 0", "< 1", default=0.75)
    total = _number_of_epochs(config) if by_epoch else _iterations(config)
    low, flat = _lowest(policy, rate), round(total * share)
    if flat == total:
        return constant(rate)
    decay = cosine_decay(rate, _at(total - flat, by_epoch), low)
    return delay(decay, _at(flat, by_epoch)) if flat else decay


def _cosine_restart(policy: Section, config: Section, by_epoch: bool, rate: float) -> Schedule:
    low = _lowest(policy, rate)
    periods = policy.integers("periods", 1)
    weights = policy.numbers("restart_weights", default=(1,))
    if len(weights) != len(periods):
        policy.refuse("restart_weights", f"{len(periods)} numbers, one for each period", weights)
    tops = [low + weight * (rate - low) for weight in weights]
    lengths = [_at(period, by_epoch) for period in periods]
    pieces = [cosine_decay(*each, low) for each in zip(tops, lengths, strict=True)]
    ends = [_at(sum(periods[:n]), by_epoch) for n in range(1, len(periods))]
    return join(pieces, ends) if ends else pieces[0]


def _cyclic(policy: Section, config: Section, by_epoch: bool, rate: float) -> Schedule:
    """Up from the rate, and down to another, in cycles of whole iterations."""
    if is_list(policy.value("target_ratio", default=(10, 1e-4))):
        ratios = list(policy.numbers("target_ratio", default=(10, 1e-4)))
    else:
        ratios = [policy.number("target_ratio")]
    top, low = [*ratios, ratios[0] / 1e5][:2]
    times = policy.integer("cyclic_times", 1, default=1)
    share = policy.number("step_ratio_up", ">= 0", "< 1", default=0.4)
    anneal = policy.choice("anneal_strategy", ("cos", "linear"), default="cos")
    gamma = policy.number("gamma", "> 0", "<= 1", default=1)
    total = _iterations(config)
    length = total // times
    up = int(share * length)
    if not up:
        policy.refuse("step_ratio_up", f"a share of {length} iterations with one at least", share)
    shape: Interpolation = "cosine" if anneal == "cos" else "linear"
    tops = [1 - gamma**n + top * gamma**n for n in range(-(-total // length))]
    cycles = [interpolate([rate, rate * x, rate * low], [up, length], shape) for x in tops]
    if gamma == 1:
        return repeat(cycles[0], length) if len(cycles) > 1 else cycles[0]
    return join(cycles, [length * n for n in range(1, len(cycles))])


def _one_cycle(policy: Section, config: Section, by_epoch: bool, rate: float) -> Schedule:
    anneal = policy.choice("anneal_strategy", ("cos", "linear"), default="cos")
    return one_cycle(
        policy.number("max_lr", ">= 0"),
        policy.integer("total_steps", 1, default=None) or _whole(config, by_epoch),
        policy.number("pct_start", ">= 0", "<= 1", default=0.3),
        policy.number("div_factor", "> 0", default=25.0),
        policy.number("final_div_factor", "> 0", default=1e4),
        "cosine" if anneal == "cos" else "linear",
        policy.flag("three_phase", default=False),
    )


READERS = {
    "Fixed": _fixed,
    "Step": _step,
    "Exp": _exp,
    "Poly": _poly,
    "Inv": _inv,
    "CosineAnnealing": _cosine,
    "FlatCosineAnnealing": _flat_cosine,
    "LinearAnnealing": _linear,
    "CosineRestart": _cosine_restart,
    "Cyclic": _cyclic,
    "OneCycle": _one_cycle,
}


def _lowest(policy: Section, rate: float) -> float:
    """`min_lr`, or `min_lr_ratio` of the rate."""
    ratio = policy.number("min_lr_ratio", default=None)
    if ratio is None:
        return float(policy.number("min_lr"))
    if "min_lr" in policy:
        policy.refuse("min_lr_ratio", "left out beside min_lr", ratio)
    return float(rate * ratio)


def _at(steps: int, by_epoch: bool) -> Any:
    return epochs(steps) if by_epoch else steps


def _runner(config: Section) -> Section:
    return cast(Section, config.section("runner", default={}))


def _number_of_epochs(config: Section) -> int:
    older = config.integer("total_epochs", 1, default=None)
    return int(older or _runner(config).integer("max_epochs", 1))


def _whole(config: Section, by_epoch: bool) -> Any:
    """The length of the run."""
    runner = _runner(config)
    if by_epoch or "max_epochs" in runner or "total_epochs" in config:
        return epochs(_number_of_epochs(config))
    return runner.integer("max_iters", 1, context="total_steps")


def _iterations(config: Section) -> int:
    """The length of the run as a number."""
    whole = _whole(config, by_epoch=False)
    if isinstance(whole, int):
        return whole
    size = config.given("steps_per_epoch", "the policy rounds shares of the run")
    return int(_number_of_epochs(config) * size)


FORMAT = Format("mmcv", "mmcv", recognises, read)
