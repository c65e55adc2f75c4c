"""The schedulers of OLMo-core, by class and by registered name."""

from collections.abc import Callable, Mapping
from typing import Any

from lrsched._core.schedule import Schedule
from lrsched.configs.olmo import UNITS, Levels, fits, warmed, warmed_decay
from lrsched.configs.olmo_core_run import Run, known
from lrsched.configs.section import Section
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.decay import cosine_decay
from lrsched.schedules.inverse import inverse_power, inverse_sqrt
from lrsched.schedules.ramp import constant, exponential_ramp, linear
from lrsched.schedules.transform import advance, cooldown


def schedule_of(scheduler: Section, run: Run, rate: float) -> Schedule:
    """The schedule of a scheduler, counted from 0."""
    name = scheduler.text("_CLASS_", default="").rpartition(".")[2]
    kind = scheduler.text("type", default=None)
    if not name and kind is not None:
        name = TYPES[scheduler.choice("type", tuple(TYPES))]
    if name not in READERS:
        scheduler.refuse("_CLASS_", f"one of {', '.join(READERS)}", name)
    if scheduler.text("lr_field", default="lr") != "lr":
        scheduler.refuse("lr_field", "'lr'", scheduler.value("lr_field"))
    schedule = READERS[name](scheduler, run, rate)
    scheduler.close("initial_lr_field", "units")
    return schedule


def _length(scheduler: Section, name: str, run: Run, share: float | None = None) -> Any:
    """A length under its name, or under the older one, or a fraction of the run."""
    new = scheduler.amount(name, default=None)
    amount = scheduler.amount(f"{name}_steps", default=new)
    if new is not None and amount != new:
        scheduler.fail(f"{scheduler.path_to(name)} and {name}_steps are both there")
    key = f"{name}_fraction"
    fraction = scheduler.number(key, ">= 0", "<= 1", default=None if amount is not None else share)
    if (amount is None) == (fraction is None):
        state = "missing, as is" if amount is None else "there, and so is"
        scheduler.fail(f"{scheduler.path_to(name)} is {state} {key}")
    return run.clock.steps(amount) if fraction is None else known(run).fraction(fraction)


def _levels(scheduler: Section, rate: float, alpha: float | None = None) -> Levels:
    end = rate if alpha is None else rate * scheduler.number("alpha_f", ">= 0", default=alpha)
    start = scheduler.number("warmup_min_lr", ">= 0", default=0.0)
    if start > rate:
        scheduler.refuse("warmup_min_lr", f"at most the rate after it ({rate:g})", start)
    return Levels(rate, end, start)


def _constant(scheduler: Section, run: Run, rate: float) -> Schedule:
    return constant(rate)


def _constant_with_warmup(scheduler: Section, run: Run, rate: float) -> Schedule:
    levels = _levels(scheduler, rate)
    return warmed(constant(rate), levels, _length(scheduler, "warmup", run))


def _wsd(scheduler: Section, run: Run, rate: float) -> Schedule:
    levels, up, down = _levels(scheduler, rate), *_up_and_down(scheduler, run)
    low = scheduler.number("decay_min_lr", ">= 0", default=0.0)
    return warmed(cooldown(constant(rate), run.steps - down - up, down, low), levels, up)


def _power(scheduler: Section, run: Run, rate: float) -> Schedule:
    levels, up, down = _levels(scheduler, rate), *_up_and_down(scheduler, run)
    low = scheduler.number("decay_min_lr", ">= 0", default=0.0)
    power = -scheduler.number("b", "< 0", default=-0.51)
    return cooldown(
        warmup(inverse_power(rate, up, power), up, levels.start), run.steps - down, down, low
    )


def _up_and_down(scheduler: Section, run: Run) -> tuple[Any, Any]:
    """The warmup and the decay at the end, which must not overlap."""
    up = _length(scheduler, "warmup", known(run))
    down = _length(scheduler, "decay", run, 0.1)
    if not fits(up, run.steps - down) and up != run.steps - down:
        scheduler.fail(f"the warmup ({up:g}) and the decay ({down:g}) must fit into the run")
    return up, down


def _linear(scheduler: Section, run: Run, rate: float) -> Schedule:
    levels = _levels(scheduler, rate, 0.1)
    return _to_the_end(scheduler, run, levels, lambda n: linear(rate, levels.end, n))


def _cosine(scheduler: Section, run: Run, rate: float) -> Schedule:
    levels = _levels(scheduler, rate, 0.1)
    return _to_the_end(scheduler, run, levels, lambda n: cosine_decay(rate, n, levels.end))


def _half_cosine(scheduler: Section, run: Run, rate: float) -> Schedule:
    end = rate * scheduler.number("alpha_f", ">= 0", default=0.1)
    levels = _levels(scheduler, (rate + end) / 2)._replace(end=end)

    def decay(steps: Any) -> Schedule:
        return advance(cosine_decay(rate, steps + steps, end), steps)

    return _to_the_end(scheduler, run, levels, decay)


def _to_the_end(
    scheduler: Section, run: Run, levels: Levels, decay: Callable[[Any], Schedule]
) -> Schedule:
    """A warmup, and a decay up to `t_max`."""
    run = known(run.until(scheduler.amount("t_max", 1, default=None)))
    return warmed_decay(levels, _length(scheduler, "warmup", run), run.steps, decay)


def _cosine_and_linear(scheduler: Section, run: Run, rate: float) -> Schedule:
    cosine = _cosine(scheduler, run, rate)
    down = _length(scheduler, "decay", known(run), 0.1)
    low = scheduler.number("decay_min_lr", ">= 0", default=0.0)
    return cooldown(cosine, run.steps - down, down, low)


def _inverse_sqrt(scheduler: Section, run: Run, rate: float) -> Schedule:
    levels, up = _levels(scheduler, rate, 0.1), _length(scheduler, "warmup", run)
    return warmed(inverse_sqrt(rate, up, end_value=levels.end), levels, up)


def _exponential(scheduler: Section, run: Run, rate: float) -> Schedule:
    low = scheduler.number("lr_min", "> 0", default=1e-9)
    return exponential_ramp(low, rate, known(run).steps)


def _composable(scheduler: Section, run: Run, rate: float) -> Schedule:
    pieces: list[Schedule] = []
    ends: list[int] = []
    value = rate
    for stage in scheduler.sections("stages"):
        begin = _one_of(stage, "start", rate, value)
        value = _one_of(stage, "end", rate)
        duration = stage.amount("duration", 1)
        steps = run.clock.steps(duration)
        is_cosine = stage.choice("shape", ("linear", "cosine"), default="linear") == "cosine"
        pieces.append(
            cosine_decay(begin, steps, value) if is_cosine else linear(begin, value, steps)
        )
        ends.append(ends[-1] + duration if ends else duration)
        stage.close("_CLASS_")
    if not pieces:
        scheduler.refuse("stages", "at least one stage", [])
    bounds = [run.clock.steps(end) for end in ends[:-1]]
    schedule = join(pieces, bounds) if bounds else pieces[0]
    return _overridden(scheduler, run, rate, schedule)


def _one_of(stage: Section, name: str, rate: float, default: float | None = None) -> float:
    """A rate, or a fraction of the scheduler's, or the default."""
    value = stage.number(f"{name}_lr", ">= 0", default=None)
    fraction = stage.number(f"{name}_lr_fraction", ">= 0", default=None)
    if value is not None and fraction is not None:
        stage.fail(f"{stage.path_to(name)}_lr and {name}_lr_fraction are both there")
    if fraction is not None:
        return float(rate * fraction)
    value = default if value is None else value
    if value is None:
        stage.fail(f"{stage.path_to(name)}_lr is missing, as is {name}_lr_fraction")
    return float(value)


def _overridden(scheduler: Section, run: Run, rate: float, schedule: Schedule) -> Schedule:
    """The schedule with its `override_decay`, if there is one."""
    if "override_decay" not in scheduler:
        return schedule
    decay = scheduler.section("override_decay")
    begin, steps = decay.amount("start"), decay.amount("duration", 1)
    end = _one_of(decay, "end", rate)
    shape: Any = decay.choice("shape", ("linear", "cosine"), default="linear")
    decay.close("_CLASS_")
    return cooldown(schedule, run.clock.steps(begin), run.clock.steps(steps), end, shape)


def _sequential(scheduler: Section, run: Run, rate: float) -> Schedule:
    schedulers, lengths, initial = scheduler.sections("schedulers"), _lengths(scheduler), rate
    if len(lengths) == len(schedulers):
        lengths = lengths[:-1]  # the last runs until the end
    if len(lengths) != len(schedulers) - 1:
        scheduler.refuse("schedulers_max", f"{len(schedulers) - 1} numbers", list(lengths))
    pieces, rest = [], run
    for inner, length in zip(schedulers[:-1], lengths, strict=True):
        pieces.append(_inner(inner, rest.until(length), rate))
        rate = _value(run, pieces[-1], run.clock.steps(length))
        rest = rest.without(length)
    pieces.append(_inner(schedulers[-1], rest, rate))
    return _overridden(scheduler, run, initial, _in_turn(run, pieces, lengths))


def _lengths(scheduler: Section) -> Any:
    lengths = scheduler.amounts("schedulers_max", 1, default=None)
    older = scheduler.amounts("schedulers_max_steps", 1, default=None)
    if lengths is None and older is None:
        scheduler.fail(f"{scheduler.path_to('schedulers_max')} is missing")
    return older if lengths is None else lengths


def _inner(scheduler: Section, run: Run, rate: float) -> Schedule:
    """A scheduler inside another, whose unit it has."""
    scheduler.choice("units", UNITS, default="steps")
    return schedule_of(scheduler, run, rate)


def _value(run: Run, schedule: Schedule, steps: Any) -> float:
    """The rate that a schedule reaches, from which the next one begins."""
    if not (schedule.is_resolved and isinstance(steps, (int, float))):
        run.config.given("tokens_per_step", "one scheduler begins where another ends")
    return float(schedule(steps))


def _in_turn(run: Run, pieces: list[Schedule], lengths: Any) -> Schedule:
    """Schedules one after the other, each of which has the count at which it ends, too."""
    joined, bounds, end, steps = pieces[:1], [], 0, run.clock.steps
    for before, following, length in zip(pieces, pieces[1:], lengths, strict=False):
        end += length
        bound, count = steps(end), steps(run.begin + end)
        if not isinstance(bound, (int, float)):
            run.config.given("tokens_per_step", "the schedulers follow each other in tokens")
        if count == int(count) and following(0) != before(steps(length)):
            following, bound = advance(following, 1), bound + 1
        joined.append(following)
        bounds.append(bound)
    return join(joined, bounds) if bounds else joined[0]


def _wsds(scheduler: Section, run: Run, rate: float) -> Schedule:
    periods = scheduler.amounts("period_lengths", 1)
    peaks = scheduler.numbers("period_lr_multipliers", "> 0", default=(1.0,) * len(periods))
    if not periods or len(peaks) != len(periods):
        scheduler.refuse("period_lr_multipliers", f"{len(periods)} numbers", list(peaks))
    low = scheduler.number("decay_min_lr", ">= 0", default=0.0)
    first = run.until(periods[0])
    up = scheduler.amount("warmup", default=None)
    if up is None:
        up = round(scheduler.number("warmup_fraction", ">= 0", "<= 1") * periods[0])
    pieces = []
    for number, (length, factor) in enumerate(zip(periods, peaks, strict=True)):
        down = _length(scheduler, "decay", run.until(length))
        flat = run.clock.steps(length - (0 if number else up)) - down
        pieces.append(cooldown(constant(rate * factor), flat, down, low))
    levels = _levels(scheduler, rate * peaks[0])
    pieces[0] = warmed(pieces[0], levels, first.clock.steps(up))
    return _in_turn(run, pieces, periods[:-1])


READERS: Mapping[str, Callable[[Section, Run, float], Schedule]] = {
    "ConstantScheduler": _constant,
    "ConstantWithWarmup": _constant_with_warmup,
    "WSD": _wsd,
    "PowerLR": _power,
    "LinearWithWarmup": _linear,
    "InvSqrtWithWarmup": _inverse_sqrt,
    "CosWithWarmup": _cosine,
    "HalfCosWithWarmup": _half_cosine,
    "CosWithWarmupAndLinearDecay": _cosine_and_linear,
    "ComposableScheduler": _composable,
    "SequentialScheduler": _sequential,
    "WSDS": _wsds,
    "ExponentialScheduler": _exponential,
}
TYPES = {
    "constant": "ConstantScheduler",
    "constant_with_warmup": "ConstantWithWarmup",
    "wsd": "WSD",
    "power_lr": "PowerLR",
    "linear_with_warmup": "LinearWithWarmup",
    "inv_sqrt_with_warmup": "InvSqrtWithWarmup",
    "cos_with_warmup": "CosWithWarmup",
    "half_cos_with_warmup": "HalfCosWithWarmup",
    "cos_with_warmup_and_linear_decay": "CosWithWarmupAndLinearDecay",
    "composable": "ComposableScheduler",
    "sequential": "SequentialScheduler",
    "wsds": "WSDS",
    "exponential": "ExponentialScheduler",
}
