"""OLMo (before OLMo-core): its YAML, or the `scheduler` alone.

    {"optimizer": {"name": "adamw", "learning_rate": 3e-4},
     "scheduler": {"name": "cosine_with_warmup", "units": "tokens", "t_warmup": 8e9, "t_max": 5e12,
                   "alpha_f": 0.1, "warmup_min_lr": 0.0},
     "max_duration": "1ep", "global_train_batch_size": 1024, "model": {"max_sequence_length": 4096}}

The first update has the rate of count 1. The warmup begins at a tenth of the rate by default.
Lengths in tokens are in steps if the size of a step is there, and `tokens` otherwise.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lrsched._core.duration_factories import epochs, tokens
from lrsched._core.schedule import Schedule
from lrsched.configs.entries import as_number, is_named
from lrsched.configs.section import Format, Section
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.decay import cosine_decay
from lrsched.schedules.inverse import inverse_sqrt
from lrsched.schedules.ramp import constant, linear
from lrsched.schedules.transform import advance, maximum

OF_OLMO = ("units", "warmup_min_lr", "grad_clip_warmup_steps", "grad_clip_warmup_factor")
UNITS = ("steps", "tokens")


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is a `scheduler` with one of OLMo's names, beside what only OLMo has."""
    scheduler, optimizer = config.get("scheduler", config), config.get("optimizer")
    if not (isinstance(scheduler, Mapping) and is_named(scheduler, "name", READERS)):
        return False
    has_rate = isinstance(optimizer, Mapping) and "learning_rate" in optimizer
    return has_rate or any(key in scheduler for key in OF_OLMO)


def read(config: Section) -> Schedule:
    """The schedule of the learning rate."""
    scheduler = config.section("scheduler") if "scheduler" in config else config
    name = scheduler.choice("name", tuple(READERS), default="cosine_with_warmup")
    _refuse_new_warmup(config)
    optimizer = config.section("optimizer", default={})
    rate = optimizer.number("learning_rate", "> 0", context="learning_rate")
    alpha = scheduler.number("alpha_f", ">= 0", default=0.1)
    start = scheduler.number("warmup_min_lr", ">= 0", default=0.1 * rate)
    if start > rate:
        scheduler.refuse("warmup_min_lr", f"at most the learning rate ({rate:g})", start)
    clock = Clock(scheduler.choice("units", UNITS, default="steps"), tokens_per_step(config))
    up = scheduler.amount("t_warmup", default=100)
    end = scheduler.amount("t_max", 1, default=None)
    needs_run = end is None and name not in WITHOUT_AN_END
    total = _run(config, clock) if needs_run else clock.steps(end or 0)
    if name in ("inverse_sqrt_with_warmup", "max_scheduler") and not up:
        scheduler.refuse("t_warmup", "1 or more, as its inverse square root needs a warmup", up)
    scheduler.value("grad_clip_warmup_steps", default=None)
    scheduler.value("grad_clip_warmup_factor", default=None)
    scheduler.close()
    schedule = READERS[name](Levels(rate, rate * alpha, start), clock.steps(up), total)
    return counted_from_1(schedule)


class Clock(NamedTuple):
    """What a scheduler counts in, "steps" or "tokens", with the tokens in a step if known."""

    units: str
    size: float | None

    def steps(self, amount: float) -> Any:
        """An amount in steps."""
        if self.units == "steps" or not amount:
            return amount
        return tokens(amount) if self.size is None else amount / self.size


def tokens_per_step(config: Section) -> float | None:
    """The tokens in a step, from the configuration or from the call."""
    batch = config.number("global_train_batch_size", "> 0", default=None)
    model = config.section("model", default={})
    length = model.number("max_sequence_length", "> 0", default=None)
    given: float | None = config.context.get("tokens_per_step")
    if batch is None or length is None:
        return given
    if given not in (None, batch * length):
        expected = f"that of tokens_per_step ({given:g} tokens), which was given"
        config.refuse("global_train_batch_size", expected, batch * length)
    return float(batch * length)


def _run(config: Section, clock: Clock) -> Any:
    """The length of the run, `max_duration`, in steps: "2e12T" are tokens, "2ep" epochs."""
    value = config.value("max_duration", default=None)
    if isinstance(value, str) and value[-1:] == "T":
        length = _amount(config, value, "T")
        if clock.units == "tokens":
            return clock.steps(length)
        return tokens(length, round="up").resolved({"tokens": clock.size} if clock.size else {})
    if isinstance(value, str) and value[-2:] == "ep":
        given = config.context.get("total_steps")
        return epochs(_amount(config, value, "ep")) if given is None else given
    return config.integer("max_duration", 1, context="total_steps")


def _amount(config: Section, value: str, unit: str) -> int:
    number = as_number(value.removesuffix(unit).strip(), float)
    if isinstance(number, str):
        config.refuse("max_duration", "a number of steps, or one with T or ep", value)
    return int(number)


def _refuse_new_warmup(config: Section) -> None:
    """Refuse a run that warms up again from the step of a checkpoint."""
    resets = config.flag("reset_optimizer_state", default=False)
    if resets and not config.flag("reset_trainer_state", default=False):
        reason = "False, as a new warmup begins at the step of the checkpoint"
        config.refuse("reset_optimizer_state", reason, resets)


class Levels(NamedTuple):
    """The rate, the one at the end, and the one that the warmup begins at."""

    rate: float
    end: float
    start: float


def counted_from_1(schedule: Schedule) -> Schedule:
    """The schedule of a trainer that counts an update before it sets its rate."""
    return schedule if schedule.name == "constant" else advance(schedule, 1)


def warmed(schedule: Schedule, levels: Levels, up: Any) -> Schedule:
    """The schedule after the warmup."""
    return warmup(schedule, up, levels.start) if up else schedule


def fits(up: Any, total: Any) -> bool:
    """Whether a warmup is shorter than the run, as far as both are known."""
    are_numbers = isinstance(up, (int, float)) and isinstance(total, (int, float))
    return not are_numbers or bool(up < total)


def warmed_decay(levels: Levels, up: Any, total: Any, decay: Callable[[Any], Schedule]) -> Schedule:
    """A decay of a length after the warmup, or the end alone where the warmup leaves no length."""
    if fits(up, total):
        return warmed(decay(total - up), levels, up)
    return join([linear(levels.start, levels.rate, up), constant(levels.end)], [up])


def _constant(levels: Levels, up: Any, total: Any) -> Schedule:
    return constant(levels.rate)


def _constant_with_warmup(levels: Levels, up: Any, total: Any) -> Schedule:
    return warmed(constant(levels.rate), levels, up)


def _inverse_sqrt(levels: Levels, up: Any, total: Any) -> Schedule:
    return warmed(inverse_sqrt(levels.rate, up), levels, up)


def _cosine(levels: Levels, up: Any, total: Any) -> Schedule:
    return warmed_decay(levels, up, total, lambda n: cosine_decay(levels.rate, n, levels.end))


def _linear(levels: Levels, up: Any, total: Any) -> Schedule:
    return warmed_decay(levels, up, total, lambda n: linear(levels.rate, levels.end, n))


def _envelope(levels: Levels, up: Any, total: Any) -> Schedule:
    def decay(n: Any) -> Schedule:
        falling = linear(1.0, 0.0, n) * cosine_decay(levels.rate - levels.end, n)
        return falling + levels.end if levels.end else falling

    return warmed_decay(levels, up, total, decay)


def _max(levels: Levels, up: Any, total: Any) -> Schedule:
    if not fits(up, total):
        return maximum(_cosine(levels, up, total), _inverse_sqrt(levels, up, total))
    cosine = cosine_decay(levels.rate, total - up, levels.end)
    return warmed(maximum(cosine, inverse_sqrt(levels.rate, up)), levels, up)


WITHOUT_AN_END: Mapping[str, Callable[[Levels, Any, Any], Schedule]] = {
    "inverse_sqrt_with_warmup": _inverse_sqrt,
    "constant": _constant,
    "constant_with_warmup": _constant_with_warmup,
}
READERS = {
    "cosine_with_warmup": _cosine,
    "linear_with_warmup": _linear,
    "max_scheduler": _max,
    "cosine_linear_envelope": _envelope,
    **WITHOUT_AN_END,
}

FORMAT = Format("olmo", "OLMo", recognises, read)
