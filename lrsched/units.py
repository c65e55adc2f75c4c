"""Schedules written in other units of time than steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from lrsched._checks import Kind, Real, Refusal, Whole, integer, is_traced, number
from lrsched._durations import UNITS, Duration, durations_in
from lrsched._schedule import Schedule
from lrsched._validate import POSITIVE
from lrsched.transform import hold

_ratio = number("> 0")


def resolve(
    schedule: Schedule,
    total_steps: Whole | None,
    steps_per_epoch: Real | None,
    batch_size: Real | None,
    tokens_per_step: Real | None,
) -> Schedule:
    """What `Schedule.resolve` returns."""
    given = {
        "run": (integer(1, "steps"), total_steps),
        "epochs": (POSITIVE, steps_per_epoch),
        "examples": (POSITIVE, batch_size),
        "tokens": (POSITIVE, tokens_per_step),
    }
    sizes = {
        unit: _known(UNITS[unit].argument, kind, size)
        for unit, (kind, size) in given.items()
        if size is not None
    }
    return _resolved(schedule, sizes)


def _known(argument: str, kind: Kind, size: Any) -> Any:
    refuse = Refusal("resolve")
    size = refuse.check(argument, kind, size)
    if is_traced(size):
        refuse(argument, "a number that is known, not traced", size, TypeError)
    return size


def _resolved(schedule: Schedule, sizes: Mapping[str, Any]) -> Schedule:
    if schedule.is_resolved:
        return schedule
    kinds, params = schedule._definition.kinds, schedule.params
    changed = {
        name: _in_steps(value, kinds[name].holds is int, sizes) for name, value in params.items()
    }
    try:
        return schedule.replace(**changed)
    except (TypeError, ValueError) as refused:
        error, reason = TypeError if isinstance(refused, TypeError) else ValueError, str(refused)
    was = [f"{name}={value!r}" for name, value in params.items() if any(durations_in(value))]
    raise error(f"{reason} (resolved from {', '.join(was)})" if was else reason)


def _in_steps(value: Any, whole: bool, sizes: Mapping[str, Any]) -> Any:
    if isinstance(value, Schedule):
        return _resolved(value, sizes)
    if isinstance(value, Duration):
        return value.resolved(sizes, whole)
    if isinstance(value, tuple):
        return tuple(_in_steps(item, whole, sizes) for item in value)
    return value


def refuse_unresolved(schedule: Schedule) -> NoReturn:
    """Refuse to call a schedule: say which durations have no steps yet, and how they get them."""
    found = list(_unresolved(schedule))
    refuse, parameter, value = found[0]
    open_units = {unit for _, _, v in found for part in durations_in(v) for _, unit in part.terms}
    arguments = [f"{known.argument}=..." for unit, known in UNITS.items() if unit in open_units]
    refuse.unresolved(parameter, value, ", ".join(arguments))


def _unresolved(value: Any) -> Iterator[tuple[Refusal, str, Any]]:
    """The hyperparameters with durations in other units, those of nested schedules included."""
    if isinstance(value, Schedule):
        for name, param in value.params.items():
            if any(durations_in(param)):
                yield value._definition.refuse, name, param
            yield from _unresolved(param)
    elif isinstance(value, tuple):
        for item in value:
            yield from _unresolved(item)


def stretch(schedule: Schedule, ratio: float) -> Schedule:
    """The same recipe with every duration so many times as long, rounded to whole steps.

    All that is counted in steps is multiplied, in nested schedules too; a rate for each step (of
    `cyclic` in the mode "exp_range") becomes its root. The result is a recipe like any other, as
    exact as one written that way.

    Args:
        schedule: the recipe.
        ratio: how many times as long it is to be, above 0.

    Raises:
        TypeError, ValueError: `ratio` is not a number > 0, or a duration is refused at its new
            length, 0 steps for instance, or is in other units than steps.

    Elsewhere: Composer's `scale_schedule_ratio`.

    >>> from lrsched import cosine_decay, warmup
    >>> stretch(warmup(cosine_decay(0.1, 90), 10), 2.5)
    warmup(schedule=cosine_decay(init_value=0.1, decay_steps=225), warmup_steps=25)
    """
    refuse = Refusal("stretch")
    _must_be_in_steps(refuse, schedule)
    ratio = refuse.check("ratio", _ratio, ratio)
    kinds = schedule._definition.kinds
    changed = {
        name: _stretched(value, kinds[name].unit, ratio) for name, value in schedule.params.items()
    }
    return schedule.replace(**changed)


def in_epochs(schedule: Schedule, steps_per_epoch: Whole, stepwise: bool = False) -> Schedule:
    """A schedule whose plain integers of steps are meant as epochs, in steps.

    For a recipe that comes so, from a scheduler that was stepped once an epoch for instance; one
    of your own says `epochs(30)` where it means epochs.

    Args:
        schedule: the recipe, in epochs.
        steps_per_epoch: the optimizer updates of an epoch, at least 1.
        stepwise: whether the value changes only from epoch to epoch, as with a torch scheduler
            that is stepped once an epoch; else at every step, at fractions of an epoch.

    Raises:
        TypeError, ValueError: `steps_per_epoch` is not an integer >= 1, or a duration is in other
            units already.

    >>> from lrsched import multi_step_decay
    >>> in_epochs(multi_step_decay(0.1, 0.1, (30, 60)), 500)
    multi_step_decay(init_value=0.1, decay_rate=0.1, boundaries=(15000, 30000))
    """
    refuse = Refusal("in_epochs")
    _must_be_in_steps(refuse, schedule)
    length = refuse.check("steps_per_epoch", integer(1, "steps"), steps_per_epoch)
    stretched = stretch(schedule, length)
    return hold(stretched, length) if stepwise else stretched


def _must_be_in_steps(refuse: Refusal, schedule: Any) -> None:
    if not isinstance(schedule, Schedule):
        refuse("schedule", "a schedule", schedule, TypeError)
    if not schedule.is_resolved:
        refuse("schedule", "in steps (resolve it first, with schedule.resolve)", schedule)


def _stretched(value: Any, unit: str, ratio: float) -> Any:
    if isinstance(value, Schedule):
        return stretch(value, ratio)
    if isinstance(value, tuple):
        return tuple(_stretched(item, unit, ratio) for item in value)
    if value is None:
        return None
    if unit == "per step":
        return value ** (1 / ratio)
    if unit == "steps":
        return round(value * ratio) if isinstance(value, int) else value * ratio
    return value
