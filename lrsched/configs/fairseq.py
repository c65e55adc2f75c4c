"""fairseq: its command-line arguments, or its Hydra YAML.

    {"optimization": {"lr": [5e-4], "max_update": 1e5},
     "lr_scheduler": {"_name": "polynomial_decay", "warmup_updates": 10000}}

Update n has the rate that `step_update(n)` sets. Arguments may have "-" for "_", and "--" before
them. Of a `pass_through` scheduler the one of the optimizer's only group is read. A plateau is
shown the metric of the validation after each epoch.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lrsched._core.duration_factories import epochs
from lrsched._core.schedule import Schedule
from lrsched.configs.entries import is_list, underscored
from lrsched.configs.following import threshold_of, warmed
from lrsched.configs.section import Format, Result, Section
from lrsched.controllers.plateau import reduce_on_plateau
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.cycles import cyclic
from lrsched.schedules.decay import cosine_decay, piecewise_constant, step_decay
from lrsched.schedules.inverse import inverse_sqrt
from lrsched.schedules.paper_recipes import tri_stage
from lrsched.schedules.ramp import constant, linear, polynomial
from lrsched.schedules.restarts import cosine_restarts
from lrsched.schedules.transform import maximum

# Arguments that tell fairseq's from those of other libraries.
ARGUMENTS = {
    "force_anneal",
    "lr_period_updates",
    "lr_shrink",
    "max_update",
    "phase_ratio",
    "stop_min_lr",
    "total_num_update",
    "update_freq",
    "warmup_init_lr",
    "warmup_updates",
}


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is an `lr_scheduler` of fairseq's, by its `_name` or beside its arguments."""
    keys = {underscored(key): key for key in config}
    scheduler = config.get(keys.get("lr_scheduler", ""))
    name = scheduler.get("_name") if isinstance(scheduler, Mapping) else scheduler
    if not isinstance(name, str) or name not in (*SCHEDULERS, "pass_through"):
        return False
    has_arguments = "lr" in keys and bool(ARGUMENTS & set(keys))
    return isinstance(scheduler, Mapping) or name == "pass_through" or has_arguments


def read(config: Section) -> Result:
    """The schedule of the learning rate."""
    config = config.underscored()
    scheduler = config.value("lr_scheduler", default="fixed")
    is_section = isinstance(scheduler, Mapping)
    if (scheduler.get("_name") if is_section else scheduler) == "pass_through":
        return _of_the_only_group(config)
    if not is_section:
        return _read(config.choice("lr_scheduler", tuple(SCHEDULERS)), config, (config,), config)
    params = config.section("lr_scheduler")
    optimization = config.section("optimization", default={})
    return _read_section(params, (params, config, optimization), config)


def _read_section(params: Section, with_rates: tuple[Section, ...], config: Section) -> Result:
    name = params.choice("_name", tuple(SCHEDULERS))
    schedule = _read(name, params, with_rates, config)
    params.close("lr", "max_update")
    return schedule


def _of_the_only_group(config: Section) -> Result:
    """The schedule of a composite optimizer that has one group."""
    groups = config.section("optimizer", default={}).section("groups", default={})
    if len(groups.entries) != 1:
        config.fail("a pass_through scheduler must have an optimizer with one group")
    group = groups.section(next(iter(groups.entries)))
    rate = group.number("lr_float", ">= 0", default=None)
    optimizer = group.section("optimizer", default={})
    if rate is not None:
        entries = {**optimizer.entries, "lr": rate}
        path = optimizer.path
        optimizer = Section(entries, config.title, config.context, config.part, path)
    return _read_section(group.section("lr_scheduler"), (optimizer,), config)


class Run(NamedTuple):
    """A scheduler's parameters, with the rates and the whole configuration."""

    params: Section
    rates: tuple[float, ...]
    config: Section

    def section(self, name: str) -> Section:
        """A section of the YAML; the arguments are all in one."""
        is_flat = self.params is self.config
        return self.config if is_flat else self.config.section(name, default={})

    def rate(self) -> float:
        """The only rate."""
        if len(self.rates) > 1:
            reason = "one rate, as those of further epochs are for 'fixed' alone"
            self.params.refuse("lr", reason, list(self.rates))
        return self.rates[0]

    def max_update(self) -> int:
        """The updates of the run."""
        optimization = self.section("optimization")
        for section in (self.params, optimization):
            if section.integer("max_update", default=0):
                return int(section.integer("max_update", 1, context="total_steps"))
        return int(optimization.given("total_steps", "max_update is left out"))

    def warmup(self, default: int = 0) -> int:
        """The updates of the warmup."""
        steps = self.params.integer("warmup_updates", default=default, context="warmup_steps")
        return int(steps)

    def start(self, default: float) -> float:
        """The rate that the warmup begins at; below 0 it is the default."""
        start = self.params.number("warmup_init_lr", default=-1.0)
        return float(default if start < 0 else start)


def _read(name: str, params: Section, with_rates: tuple[Section, ...], config: Section) -> Result:
    for section in with_rates:
        if "lr" in section:
            break
    return SCHEDULERS[name](Run(params, _rates(section), config))


def _rates(section: Section) -> tuple[float, ...]:
    """The rates of the first epochs; most often there is one."""
    value = section.value("lr", default=None)
    if not is_list(value) and not (isinstance(value, str) and value.strip("0123456789.eE+-")):
        return (float(section.number("lr", ">= 0", context="learning_rate")),)
    rates: tuple[float, ...] = section.numbers("lr", ">= 0")
    given = section.context.get("learning_rate")
    if not rates or given not in (None, rates[0]):
        expected = "one rate or more" if given is None else f"learning_rate ({given:g})"
        section.refuse("lr", expected, value)
    return rates


def _warmed(schedule: Schedule, up: int, start: float = 0.0) -> Schedule:
    return warmup(schedule, up, start) if up else schedule


def _fixed(run: Run) -> Schedule:
    params, rates = run.params, run.rates
    up = run.warmup()
    anneal = params.integer("force_anneal", 1, default=None)
    shrink = params.number("lr_shrink", ">= 0", default=0.1)
    level = rates if anneal is None else rates[: anneal - 1]
    schedule = constant(rates[0])
    if len(level) > 1:
        schedule = piecewise_constant(level, [epochs(n) for n in range(1, len(level))])
    if anneal is not None:
        falling = step_decay(rates[-1] * shrink, shrink, epochs(1))
        schedule = join([schedule, falling], [epochs(anneal - 1)]) if level else falling
    return warmup(schedule, up, count_from=1, mode="times") if up else schedule


def _inverse_sqrt(run: Run) -> Schedule:
    rate, up, start = run.rate(), run.warmup(4000), run.start(0.0)
    if not up:
        run.params.refuse("warmup_updates", "1 or more (updates)", up)
    return warmup(inverse_sqrt(rate, up), up, start)


def _polynomial(run: Run) -> Schedule:
    params, rate, up = run.params, run.rate(), run.warmup()
    if "force_anneal" in params:
        reason = "left out, as it makes the rate depend on the one before"
        params.refuse("force_anneal", reason, params.value("force_anneal"))
    end = params.number("end_learning_rate", ">= 0", default=0.0)
    power = params.number("power", "> 0", default=1.0)
    total = params.number("total_num_update", "> 0", default=None)
    steps = max((run.max_update() if total is None else total) - up, 1)
    decay = linear(rate, end, steps) if power == 1 else polynomial(rate, end, steps, power)
    return _warmed(decay, up)


def _cosine(run: Run) -> Schedule:
    params, rate, up = run.params, run.rate(), run.warmup()
    low = min(params.number("min_lr", ">= 0", default=0.0), rate)
    start = run.start(low)
    mult = params.number("t_mult", "> 0", default=1.0)
    shrink = params.number("lr_shrink", ">= 0", default=0.1)
    period = params.number("lr_period_updates", default=-1.0)
    if period <= 0:  # one cosine, which ends with the run
        return _warmed(cosine_decay(rate, max(run.max_update() - up, 1), low), up, start)
    if mult == 1:
        cosines = cosine_restarts(rate, period, 1, low)
        cosines = cosines if shrink == 1 else cosines * step_decay(1.0, shrink, period)
        return _warmed(cosines, up, start)
    if low and shrink != 1:
        reason = (
            "0 where t_mult and lr_shrink are not 1, as the lowest rate shrinks with the cycles"
        )
        params.refuse("min_lr", reason, low)
    return _warmed(cosine_restarts(rate, period, mult, low, shrink), up, start)


def _tri_stage(run: Run) -> Schedule:
    params, rate = run.params, run.rate()
    shares = params.numbers("phase_ratio", ">= 0", "<= 1", default=None)
    names = ("warmup_steps", "hold_steps", "decay_steps")
    lengths = [params.integer(name, default=0) for name in names]
    if shares is not None:
        if len(shares) != len(names) or sum(shares) != 1:
            params.refuse("phase_ratio", "three numbers whose sum is 1", list(shares))
        lengths = [int(run.max_update() * share) for share in shares]
    if not lengths[-1]:
        params.refuse("decay_steps", "1 or more (updates)", lengths[-1])
    begin = params.number("init_lr_scale", ">= 0", default=0.01)
    end = params.number("final_lr_scale", "> 0", default=0.01)
    up, flat, down = lengths
    return tri_stage(rate, up, flat, down, begin, end)


def _triangular(run: Run) -> Schedule:
    params, low = run.params, run.rate()
    high = params.number("max_lr", ">= 0")
    steps = params.number("lr_period_updates", ">= 2", default=5000) // 2
    shrink = params.number("lr_shrink", ">= 0", default=0.1)
    shrinks_all = params.flag("shrink_min", default=False)
    if shrink == 1:
        return cyclic(low, high, steps)
    stairs = step_decay(1.0, shrink, 2 * steps)
    if shrinks_all:
        return cyclic(low, high, steps) * stairs
    return cyclic(low, 0.0, steps) + cyclic(0.0, high, steps) * stairs


def _step(run: Run) -> Schedule:
    params, rate, up = run.params, run.rate(), run.warmup()
    low = params.number("min_lr", ">= 0", default=0.0)
    if low > rate:
        params.refuse("min_lr", f"at most the learning rate ({rate:g})", low)
    every = params.integer("lr_deacy_period", 1, default=25000)  # as fairseq spells it
    stairs = step_decay(rate, params.number("lr_decay", ">= 0", default=0.5), every)
    return _warmed(maximum(stairs, low) if low else stairs, up, run.start(low))


def _plateau(run: Run) -> Result:
    """torch's plateau after a warmup; fairseq shows it no metric of the warmup."""
    params, rate, up = run.params, run.rate(), run.warmup()
    is_max = _maximizes(run)
    controller = reduce_on_plateau(
        rate,
        params.number("lr_shrink", ">= 0", "< 1", default=0.1),
        params.integer("lr_patience", default=0),
        "max" if is_max else "min",
        threshold_of(params, "lr_threshold", not is_max),
    )
    start = run.start(0.0)
    if not up:
        return controller
    reason = "fairseq shows its plateau no metric of the warmup"
    epoch = int(params.given("steps_per_epoch", reason))
    return warmed(controller, up, start, up // epoch)


def _maximizes(run: Run) -> bool:
    """Whether a higher metric is better."""
    key = "maximize_best_checkpoint_metric"
    flags = [each.flag(key, default=False) for each in (run.params, run.section("checkpoint"))]
    return any(flags)


def _manual(run: Run) -> Schedule:
    run.params.fail("the rates of 'manual' are Python text, which is not evaluated")


SCHEDULERS: Mapping[str, Callable[[Run], Result]] = {
    "fixed": _fixed,
    "inverse_sqrt": _inverse_sqrt,
    "polynomial_decay": _polynomial,
    "cosine": _cosine,
    "tri_stage": _tri_stage,
    "triangular": _triangular,
    "step": _step,
    "reduce_lr_on_plateau": _plateau,
    "manual": _manual,
}

FORMAT = Format("fairseq", "fairseq", recognises, read)
