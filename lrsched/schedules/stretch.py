"""Schedules written in other units of time than steps."""

from __future__ import annotations

from typing import Any

from lrsched._core.checks import Kind, Refusal, Whole, integer, number
from lrsched._core.schedule import Schedule
from lrsched.schedules.transform import staircase

_ratio = number("> 0")


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

    def stretched(kind: Kind, value: Any) -> Any:
        if value is None:
            return None
        if kind.unit == "per step":
            return value ** (1 / ratio)
        if kind.unit == "steps":
            return round(value * ratio) if isinstance(value, int) else value * ratio
        return value

    return schedule.map(stretched)


def from_epochs(schedule: Schedule, steps_per_epoch: Whole, stepwise: bool = False) -> Schedule:
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
    >>> from_epochs(multi_step_decay(0.1, 0.1, (30, 60)), 500)
    multi_step_decay(init_value=0.1, decay_rate=0.1, boundaries=(15000, 30000))
    """
    refuse = Refusal("from_epochs")
    _must_be_in_steps(refuse, schedule)
    length = refuse.check("steps_per_epoch", integer(1, "steps"), steps_per_epoch)
    stretched = stretch(schedule, length)
    return staircase(stretched, length) if stepwise else stretched


def _must_be_in_steps(refuse: Refusal, schedule: Any) -> None:
    if not isinstance(schedule, Schedule):
        refuse("schedule", "a schedule", schedule, TypeError)
    if not schedule.is_resolved:
        refuse("schedule", "in steps (resolve it first, with schedule.resolve)", schedule)
