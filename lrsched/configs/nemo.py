"""NeMo: the `sched` of a model's `optim`, in the whole YAML, alone, or with `optim` or `trainer`.

    {"optim": {"name": "adamw", "lr": 2e-4,
               "sched": {"name": "CosineAnnealing", "warmup_steps": 500, "constant_steps": 1000,
                         "min_lr": 1e-5, "max_steps": 1e5}}}

`trainer.max_steps` goes before the `max_steps` of `sched`. A warmup of W steps counts from 1:
update n has (n + 1) / (W + 1) of the rate, up to n = W. From update `max_steps + 1` on, the rate
is `min_lr`. A plateau is shown the metric `monitor` after each epoch.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lrsched._core.duration_factories import epochs
from lrsched._core.schedule import Schedule
from lrsched.configs.following import plateau
from lrsched.configs.nemo_run import Run
from lrsched.configs.section import Format, Result, Section
from lrsched.schedules.anneal import anneal
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.cycles import cyclic
from lrsched.schedules.decay import cosine_decay, step_decay
from lrsched.schedules.inverse import inverse_power, inverse_sqrt
from lrsched.schedules.ramp import constant, linear, polynomial
from lrsched.schedules.transform import delay, maximum

OF_TORCH = ("StepLR", "ExponentialLR", "CyclicLR", "ReduceLROnPlateau")
# Keys of a `sched` that its trainer reads.
OF_TRAINER = (
    "name",
    "_target_",
    "args",
    "monitor",
    "reduce_on_plateau",
    "iters_per_batch",
    "t_max_epochs",
    "t_accumulate_grad_batches",
    "t_limit_train_batches",
    "t_num_workers",
)


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is a `sched` with the name of one of NeMo's schedulers."""
    for key in ("model", "optim", "sched"):
        inner = config.get(key)
        config = inner if isinstance(inner, Mapping) else config
    name = _name(config)
    is_alone = not isinstance(inner, Mapping)
    return name in READERS and not (is_alone and name in OF_TORCH)


def read(config: Section) -> Result:
    """The schedule of the learning rate."""
    optim = config
    for key in ("model", "optim"):
        optim = optim.section(key) if key in optim else optim
    sched = optim.section("sched") if "sched" in optim else optim
    name = _name(sched.entries)
    if name not in READERS:
        sched.choice("name", tuple(READERS))
    params = sched.section("args").section("params", default={}) if "args" in sched else sched
    run = Run(config, optim, sched, params)
    schedule = READERS[str(name)](run)
    if params.integer("last_epoch", -1, default=-1) != -1:
        params.refuse("last_epoch", "-1", params.value("last_epoch"))
    params.value("max_steps", default=None)
    params.close(*OF_TRAINER)
    return schedule


def _name(sched: Mapping[str, Any]) -> Any:
    """The name of a scheduler, which a class of its parameters has, too."""
    name = sched.get("name")
    if name is None and isinstance(target := sched.get("_target_"), str):
        return target.rpartition(".")[2].removesuffix("Params")
    return name if isinstance(name, str) else None


def _constant(run: Run) -> Schedule:
    rate, low = run.levels()
    return run.ended(run.warmed(constant(rate), rate), low, run.warmup())


def _hold(run: Run) -> Schedule:
    run.hold()  # what comes after it is the same
    return _constant(run)


def _cosine(run: Run) -> Schedule:
    rate, low = run.levels()
    up, flat = run.warmup(), run.hold("constant")
    if not flat:
        return run.warmed(cosine_decay(rate, run.left(up), low), rate)
    decay = cosine_decay(rate, run.left(up, flat), low)
    return warmup(decay, up) if up else decay


def _linear(run: Run) -> Schedule:
    rate, low = run.levels()
    return run.warmed(linear(rate, low, run.left(run.warmup())), rate)


def _polynomial(run: Run) -> Schedule:
    run.params.flag("cycle", default=False)  # a cycle is as long as the run
    rate, low = run.levels()
    power = run.params.number("power", "> 0", default=1.0)
    return run.warmed(polynomial(rate, low, run.left(run.warmup()), power), rate)


def _square(run: Run) -> Schedule:
    rate, low = run.levels(1e-5)
    decay = polynomial(rate, 0.0, run.left(run.warmup()), 2.0)
    return run.warmed(_floored(decay, low), rate)


def _square_root(run: Run) -> Schedule:
    rate, low = run.levels()
    return run.over(_floored(polynomial(rate, 0.0, run.total(), 0.5), low))


def _inverse_sqrt(run: Run) -> Schedule:
    rate, low = run.levels()
    up = run.warmup()
    return run.ended(run.warmed(inverse_sqrt(rate, up + 1), rate), low, up)


def _t5_inverse_sqrt(run: Run) -> Schedule:
    flat = run.params.integer("constant_steps", 1)
    low = run.params.number("min_lr", ">= 0", default=0.0)
    return run.ended(delay(inverse_sqrt(flat**-0.5, flat), flat), low, flat)


def _noam(run: Run) -> Schedule:
    rate, low = run.levels()
    rate *= run.params.number("d_model", "> 0") ** -0.5
    up = run.warmup()
    if not up:
        return delay(_floored(inverse_sqrt(rate, 1), low), 1)
    peak = rate * up**-0.5
    rise = delay(warmup(inverse_sqrt(peak, up), up - 1, peak / up), 1)
    if low <= peak:
        return delay(warmup(_floored(inverse_sqrt(peak, up), low), up - 1, peak / up), 1)
    return join([rise, constant(low)], [up + 1])  # the rise has no floor


def _noam_hold(run: Run) -> Schedule:
    rate, low = run.levels()
    power = run.params.number("decay_rate", "> 0", default=0.5)
    up, flat = run.warmup(), run.hold()
    if not up:
        run.params.fail("NoamHoldAnnealing must have a warmup")
    decay = inverse_sqrt(rate, up) if power == 0.5 else inverse_power(rate, up, power)
    decay = _floored(decay, low)
    return run.ended(run.warmed(delay(decay, flat) if flat else decay, rate), low, up)


def _hold_then(run: Run, decay: Callable[[float], Schedule], rate: float) -> Schedule:
    """A decay of a length after the hold; without one, a decay that began with the run."""
    flat = run.hold(default=None)
    if flat is None:
        return run.over(decay(run.total()))
    schedule = decay(run.left(run.warmup(), flat))
    return run.warmed(delay(schedule, flat) if flat else schedule, rate)


def _hold_linear(run: Run) -> Schedule:
    rate, low = run.levels()
    return _hold_then(run, lambda steps: linear(rate, low, steps), rate)


def _hold_one_minus_sqrt(run: Run) -> Schedule:
    rate, low = run.levels()
    return _hold_then(run, lambda steps: _floored(anneal(rate, 0.0, steps), low), rate)


def _hold_polynomial(run: Run) -> Schedule:
    cycle = run.params.flag("cycle", default=False)
    rate, low = run.levels()
    power = run.params.number("power", "> 0", default=1.0)
    if run.hold(default=None) is None:
        decay = run.over(polynomial(rate, low, run.left(run.warmup()), power, cycle))
        return run.ended(decay, low) if cycle else decay
    return _hold_then(run, lambda steps: polynomial(rate, low, steps, power), rate)


def _floored(schedule: Schedule, low: float) -> Schedule:
    return maximum(schedule, low) if low else schedule


def _step(run: Run) -> Schedule:
    rate, _ = run.levels()
    every = run.params.integer("step_size", 1)
    return step_decay(rate, run.params.number("gamma", ">= 0", default=0.1), every)


def _exponential(run: Run) -> Schedule:
    rate, _ = run.levels()
    return step_decay(rate, run.params.number("gamma", ">= 0"), epochs(1))


def _cyclic(run: Run) -> Schedule:
    params = run.params
    low, high = params.number("base_lr", ">= 0"), params.number("max_lr", ">= 0")
    up = params.integer("step_size_up", 1, default=2000)
    down = params.integer("step_size_down", 1, default=up)
    modes = ("triangular", "triangular2", "exp_range")
    mode: Any = params.choice("mode", modes, default="triangular")
    gamma = params.number("gamma", ">= 0", default=1.0)
    for momentum in ("cycle_momentum", "base_momentum", "max_momentum"):
        params.value(momentum, default=None)
    return cyclic(low, high, up, down, mode, gamma if mode == "exp_range" else 1.0)


def _plateau(run: Run) -> Result:
    return plateau(run.params)(run.rate())


READERS: Mapping[str, Callable[[Run], Result]] = {
    "WarmupPolicy": _constant,
    "WarmupHoldPolicy": _hold,
    "SquareAnnealing": _square,
    "CosineAnnealing": _cosine,
    "NoamAnnealing": _noam,
    "NoamHoldAnnealing": _noam_hold,
    "WarmupHoldAnnealOneMinusSquareRoot": _hold_one_minus_sqrt,
    "WarmupHoldAnnealLinear": _hold_linear,
    "WarmupAnnealing": _linear,
    "InverseSquareRootAnnealing": _inverse_sqrt,
    "T5InverseSquareRootAnnealing": _t5_inverse_sqrt,
    "SquareRootAnnealing": _square_root,
    "PolynomialDecayAnnealing": _polynomial,
    "PolynomialHoldDecayAnnealing": _hold_polynomial,
    "StepLR": _step,
    "ExponentialLR": _exponential,
    "CyclicLR": _cyclic,
    "ReduceLROnPlateau": _plateau,
}

FORMAT = Format("nemo", "NeMo", recognises, read)
