"""Schedules written in other units of time than steps."""

from typing import Any

from lrsched._schedule import Schedule
from lrsched._validate import Refusal, Whole, integer, number
from lrsched.transform import hold

_ratio = number("a number > 0", lambda value: value > 0)


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
            length, 0 steps for instance.

    Elsewhere: Composer's `scale_schedule_ratio`.

    >>> from lrsched import cosine_decay, warmup
    >>> stretch(warmup(cosine_decay(0.1, 90), 10), 2.5)
    warmup(schedule=cosine_decay(init_value=0.1, decay_steps=225), warmup_steps=25)
    """
    if not isinstance(schedule, Schedule):
        Refusal("stretch")("schedule", "a schedule", schedule, TypeError)
    ratio = Refusal("stretch").check("ratio", _ratio, ratio)
    kinds = schedule._definition.kinds
    changed = {
        name: _stretched(value, kinds[name].unit, ratio) for name, value in schedule.params.items()
    }
    return schedule.replace(**changed)


def in_epochs(schedule: Schedule, steps_per_epoch: Whole, stepwise: bool = False) -> Schedule:
    """A schedule whose durations are written in epochs, in steps.

    Args:
        schedule: the recipe, in epochs.
        steps_per_epoch: the optimizer updates of an epoch, at least 1.
        stepwise: whether the value changes only from epoch to epoch, as with a torch scheduler
            that is stepped once an epoch; else at every step, at fractions of an epoch.

    Raises:
        TypeError, ValueError: `steps_per_epoch` is not an integer >= 1.

    >>> from lrsched import multi_step_decay
    >>> in_epochs(multi_step_decay(0.1, 0.1, (30, 60)), 500)
    multi_step_decay(init_value=0.1, decay_rate=0.1, boundaries=(15000, 30000))
    """
    check = Refusal("in_epochs").check
    length = check("steps_per_epoch", integer(1, "steps"), steps_per_epoch)
    stretched = stretch(schedule, length)
    return hold(stretched, length) if stepwise else stretched


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
