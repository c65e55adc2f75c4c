"""ESPnet 2 and FunASR: `scheduler`, `scheduler_conf` and `optim_conf` of their training YAML.

    optim_conf:
        lr: 0.002
    scheduler: warmuplr
    scheduler_conf:
        warmup_steps: 15000

ESPnet's own schedulers are stepped at each update, most of them counting from 1; torch's `StepLR`,
`MultiStepLR`, `ExponentialLR` and `CosineAnnealingLR` after each epoch, a plateau after each epoch
with the metric of `val_scheduler_criterion`. Only the first optimizer's scheduler is read.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from lrsched._core.duration_factories import epochs
from lrsched._core.schedule import Schedule
from lrsched.configs.following import plateau, warmed
from lrsched.configs.section import Format, Result, Section
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.cycles import cyclic
from lrsched.schedules.decay import (
    cosine_decay,
    exponential_decay,
    multi_step_decay,
    step_decay,
)
from lrsched.schedules.inverse import inverse_sqrt
from lrsched.schedules.paper_recipes import tri_stage
from lrsched.schedules.points import interpolate
from lrsched.schedules.ramp import constant, linear
from lrsched.schedules.restarts import cosine_restarts
from lrsched.schedules.transform import advance, delay, repeat, staircase


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is the name of a scheduler, and a `scheduler_conf` or an `optim_conf`."""
    name = config.get("scheduler")
    if not isinstance(name, str) or not ("scheduler_conf" in config or "optim_conf" in config):
        return False
    return name.lower() in READERS


def read(config: Section) -> Result:
    """The schedule of the first optimizer."""
    if "scheduler" not in config:
        return constant(_rate(config))
    name = config.text("scheduler").lower()
    if name not in READERS:
        config.refuse("scheduler", f"one of {', '.join(READERS)}", config.text("scheduler"))
    params = config.section("scheduler_conf", default={})
    schedule = READERS[name](params, config)
    step = params.value("last_epoch", default=-1)
    if step != -1:
        params.refuse("last_epoch", "-1, as of a run from its beginning", step)
    params.close()
    return schedule


def _rate(config: Section) -> float:
    optimizer = config.section("optim_conf", default={})
    return float(optimizer.number("lr", ">= 0", context="learning_rate"))


def _warmup_steps(params: Section, least: str = ">= 1", default: Any = 25000) -> Any:
    return params.number("warmup_steps", least, default=default, context="warmup_steps")


def _risen(peak: float, steps: float) -> Schedule:
    """Up to the peak, which update `steps` has, counting from 1, and down with its root."""
    return warmup(inverse_sqrt(peak, steps), steps - 1, peak / steps)


def _warmup_lr(params: Section, config: Section) -> Schedule:
    return _risen(_rate(config), _warmup_steps(params))


def _noam_lr(params: Section, config: Section) -> Schedule:
    steps = _warmup_steps(params)
    size = params.number("model_size", "> 0", default=320)
    return _risen(_rate(config) * size**-0.5 * steps**-0.5, steps)


def _warmup_step_lr(params: Section, config: Section) -> Schedule:
    """A warmup, and then steps at the epochs since that in which it ends."""
    rate = _rate(config)
    up = params.integer("warmup_steps", 1, default=25000, context="warmup_steps")
    epoch = params.integer("steps_per_epoch", 1, default=10000)
    size = params.integer("step_size", 1, default=1)
    decay = step_decay(rate, params.number("gamma", ">= 0", default=0.1), epoch * size)
    rise = linear(rate / up, rate, up - 1) if up > 1 else constant(rate)
    return join([rise, advance(decay, up % epoch + 1)], [up])


def _piecewise_linear(params: Section, config: Section) -> Schedule:
    """Through points, and from the last on down with the root; all of it from its step 1 on."""
    rate = _rate(config)
    steps = params.numbers("warmup_steps_list", ">= 0", default=(0, 25000))
    values = params.numbers("warmup_lr_list", default=(0.0, 0.001))
    if len(steps) != len(values):
        params.refuse("warmup_lr_list", f"{len(steps)} numbers, one for each step", values)
    if not steps or steps[-1] < 1:
        params.refuse("warmup_steps_list", "steps of which the last is 1 or more", steps)
    last = steps[-1]
    if steps[0] == 0 and len(steps) > 1:
        rise = interpolate(values, steps[1:])
    else:
        rise = interpolate((values[0], *values), steps)
    if values[-1] == rate:
        return advance(join([rise, inverse_sqrt(rate, last)], [last]), 1)
    after = math.floor(last) + 1
    decay = inverse_sqrt(rate * math.sqrt(last / after), after)
    return advance(join([rise, decay], [after]), 1)


def _tristage(params: Section, config: Section) -> Schedule:
    rate = _rate(config)
    total = params.number("max_steps", ">= 1", default=25000, context="total_steps")
    shares = [
        params.number(f"{name}_ratio", ">= 0", "<= 1", default=share)
        for name, share in (("warmup", 0.1), ("hold", 0.4), ("decay", 0.5))
    ]
    if sum(shares) != 1:
        params.refuse("decay_ratio", "a share that makes the sum of the three exactly 1", shares[2])
    start = params.number("init_lr_scale", ">= 0", default=0.01)
    end = params.number("final_lr_scale", "> 0", "<= 1", default=0.01)
    up, hold, down = (int(total * share) for share in shares)
    if not down:
        return advance(warmup(constant(rate), up, start * rate), 1)
    # What the three lose by rounding is added to the decay, which goes on at its pace.
    longer = total - up - hold
    return advance(tri_stage(rate, up, hold, longer, start, end ** (longer / down)), 1)


def _linear_decay(params: Section, config: Section) -> Schedule:
    rate = _rate(config)
    up = int(_warmup_steps(params, default=20000))
    total = int(params.number("total_steps", ">= 1", default=600000, context="total_steps"))
    start = params.number("start_factor", "> 0", "<= 1", default=1e-8)
    end = params.number("end_factor", "> 0", "<= 1", default=1e-8)
    return warmup(linear(rate, rate * end, max(total - up, 1)), up, rate * start)


def _exponential_decay(params: Section, config: Section) -> Schedule:
    """Down from `max_lr`; without a warmup from 0, updates 1 to `warmup_steps` have `optim_conf`'s.

    With one, update 0 has 0, and those after it count from 1.
    """
    top, low = params.number("max_lr", "> 0"), params.number("min_lr", "> 0")
    total = params.integer("total_steps", 1, context="total_steps")
    up = params.integer("warmup_steps", default=0, context="warmup_steps")
    if up >= total:
        params.refuse("warmup_steps", f"< total_steps ({total})", up)
    decay = exponential_decay(top, low / top, total - up)
    if params.flag("warm_from_zero", default=False):
        rise = advance(warmup(decay, up, count_from=1), 1)
        return join([constant(0.0), rise], [1])
    if up <= 1 or _rate(config) == top:
        return delay(decay, up) if up else decay
    return join([constant(top), constant(_rate(config)), decay], [1, up])


def _cosine_cycles(params: Section, config: Section) -> Schedule:
    """Cycles of a warmup and half a cosine; update 0 has the lowest rate in any case."""
    first = params.integer("first_cycle_steps", 1)
    growth = params.number("cycle_mult", ">= 1", default=1.0)
    top = params.number("max_lr", ">= 0", default=0.1)
    low = params.number("min_lr", ">= 0", default=0.001)
    up = params.integer("warmup_steps", default=0, context="warmup_steps")
    shrink = params.number("gamma", ">= 0", default=1.0)
    if up >= first:
        params.refuse("warmup_steps", f"< first_cycle_steps ({first})", up)
    if growth == shrink == 1:
        cycles = repeat(warmup(cosine_decay(top, first - up, low), up, low), first)
    else:
        total = config.given("total_steps", "the cycles have no end")
        pieces: list[Schedule] = []
        boundaries, length = [0], first - up
        while boundaries[-1] < total:
            peak = top * shrink ** len(pieces)
            pieces.append(warmup(cosine_decay(peak, length, low), up, low))
            boundaries.append(boundaries[-1] + length + up)
            length = int(length * growth)
        cycles = join(pieces, boundaries[1:-1]) if len(pieces) > 1 else pieces[0]
    return cycles if up else warmup(cycles, 1, low, mode="over")


def _step_lr(params: Section, config: Section) -> Schedule:
    size = epochs(params.integer("step_size", 1))
    return step_decay(_rate(config), params.number("gamma", ">= 0", default=0.1), size)


def _multi_step_lr(params: Section, config: Section) -> Schedule:
    milestones = [epochs(n) for n in sorted(params.integers("milestones"))]
    gamma = params.number("gamma", ">= 0", default=0.1)
    return multi_step_decay(_rate(config), gamma, milestones)


def _exponential_lr(params: Section, config: Section) -> Schedule:
    return step_decay(_rate(config), params.number("gamma", ">= 0"), epochs(1))


def _cosine_annealing_lr(params: Section, config: Section) -> Schedule:
    """torch's climbs back after `T_max`."""
    half = params.integer("T_max", 1)
    low = params.number("eta_min", default=0.0)
    curve = cyclic(_rate(config), low, epochs(half), shape="cosine")
    return staircase(curve, epochs(1))


def _warm_restarts(params: Section, config: Section) -> Schedule:
    first, growth = params.integer("T_0", 1), params.integer("T_mult", 1, default=1)
    return cosine_restarts(_rate(config), first, growth, params.number("eta_min", default=0.0))


def _plateau(params: Section, config: Section) -> Result:
    return plateau(params)(_rate(config))


def _warmup_plateau(params: Section, config: Section) -> Result:
    """A plateau, whose rate updates 1 to `warmup_steps` replace; update 0 has the whole rate.

    A metric can cut the rate during the warmup, which the next update forgets.
    """
    rate = _rate(config)
    up = params.integer("warmup_steps", 1, default=25000, context="warmup_steps")
    controller = plateau(params)(rate)
    if up == 1:
        return controller
    epoch = params.given("steps_per_epoch", "the warmup must end before the plateau's first cut")
    first_cut = int(epoch * (controller.patience + 1))
    if up > first_cut:
        expected = f"at most {first_cut} (the updates before a first cut), as it overrides cuts"
        params.refuse("warmup_steps", expected, up)
    return join([constant(rate), advance(warmed(controller, up), 1)], [1])


READERS: Mapping[str, Callable[[Section, Section], Result]] = {
    "warmuplr": _warmup_lr,
    "noamlr": _noam_lr,
    "warmupsteplr": _warmup_step_lr,
    "piecewiselinearwarmuplr": _piecewise_linear,
    "tristagelr": _tristage,
    "linearwarmupdecaylr": _linear_decay,
    "exponentialdecaywarmup": _exponential_decay,
    "cosineannealingwarmuprestarts": _cosine_cycles,
    "steplr": _step_lr,
    "multisteplr": _multi_step_lr,
    "exponentiallr": _exponential_lr,
    "cosineannealinglr": _cosine_annealing_lr,
    "cosineannealingwarmrestarts": _warm_restarts,
    "reducelronplateau": _plateau,
    "warmupreducelronplateau": _warmup_plateau,
}

FORMAT = Format("espnet", "ESPnet", recognises, read)
