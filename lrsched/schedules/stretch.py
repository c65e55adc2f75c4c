"""Changes of the unit of time: stretch a schedule, or turn its epochs into steps."""

from typing import Any

from lrsched._arrays.namespace import is_array, namespace_of, real
from lrsched._core.blame import in_the_name_of
from lrsched._core.checks import Kind, Refusal, Whole
from lrsched._core.controller import Controller
from lrsched._core.number_kinds import integer, number
from lrsched._core.recipe import Recipe
from lrsched._core.schedule import Schedule
from lrsched.schedules.transform import staircase

_ratio = number("> 0")


def stretch(schedule: Schedule | Controller, ratio: float) -> Schedule:
    """The same schedule with every duration multiplied by a ratio.

        value(t) = schedule(t / ratio)

    Everything counted in steps is multiplied, in nested schedules too. What must be whole (the
    `total_steps` of `one_cycle`, the `steps` of `fractal_chebyshev`) is rounded, and what would be
    shorter than a step becomes one. Where a formula has a step of its own, such as the t + 1 of a
    warmup that counts from 1, it remains a step. A rate per step r (of `cyclic` in the mode
    "exp_range") becomes r ** (1 / ratio). The result is an ordinary schedule, as exact as one made
    with its hyperparameters. It is the recipe of a longer run from
    its beginning on: to go on after a finished run, see `join` and `cooldown`.

    Args:
        schedule: the schedule, with all durations in steps.
        ratio: the factor of the durations, above 0.

    Raises:
        TypeError: `schedule` is not a schedule, or `ratio` is not a number.
        ValueError: `ratio` is not finite or <= 0, a new duration is refused (0 steps, for
            instance), or a duration is in other units than steps.

    Elsewhere: Composer's `scale_schedule_ratio`.

    >>> from lrsched import cosine_decay, exponential_decay, warmup
    >>> stretch(warmup(cosine_decay(0.1, 90), 10), 2.5)
    warmup(schedule=cosine_decay(init_value=0.1, decay_steps=225), warmup_steps=25)
    >>> stretch(exponential_decay(0.1, 0.25), 0.5)
    exponential_decay(init_value=0.1, decay_rate=0.25, decay_steps=0.5)
    """
    refuse = Refusal("stretch")
    _require_steps(refuse, schedule)
    ratio = refuse.check("ratio", _ratio, ratio)
    stretched: Schedule = _stretched("stretch", "ratio", schedule, ratio)
    return stretched


def from_epochs(schedule: Schedule, steps_per_epoch: Whole, stepwise: bool = False) -> Schedule:
    """Convert a schedule whose durations are plain numbers of epochs into one in steps.

    Use it for a recipe of that form, such as one for a scheduler that was stepped once an epoch. In
    a recipe of your own, write `epochs(30)` for 30 epochs.

    Args:
        schedule: the schedule, its durations in epochs.
        steps_per_epoch: the optimizer updates of an epoch, `len(loader)`, at least 1.
        stepwise: whether the value changes only from epoch to epoch, as with a torch scheduler that
            is stepped once an epoch. Otherwise it changes at every step.

    Raises:
        TypeError: `schedule` is not a schedule, or `steps_per_epoch` is not an integer.
        ValueError: `steps_per_epoch` < 1, a new duration is refused, or a duration already has a
            unit (such as `epochs(30)`).

    >>> from lrsched import multi_step_decay
    >>> from_epochs(multi_step_decay(0.1, 0.1, (30, 60)), 500)
    multi_step_decay(init_value=0.1, decay_rate=0.1, boundaries=(15000, 30000))
    """
    refuse = Refusal("from_epochs")
    _require_steps(refuse, schedule)
    length = refuse.check("steps_per_epoch", integer(1, "steps"), steps_per_epoch)
    stretched: Schedule = _stretched("from_epochs", "steps_per_epoch", schedule, length)
    return staircase(stretched, length) if stepwise else stretched


def _real(steps: Any) -> Any:
    """The number of steps, which JAX may be told not to multiply by a float if it is an integer."""
    return real(namespace_of([steps]), steps) if is_array(steps) else steps


def _stretched(caller: str, parameter: str, schedule: Any, ratio: float) -> Any:
    """The stretched schedule; what it refuses is refused as a parameter of the caller."""
    if ratio == 1:
        return schedule
    if not _is_scalable(schedule):
        schedule = schedule.expand()

    def stretched(kind: Kind, value: Any) -> Any:
        if value is None:
            return None
        if kind.unit == "per step":
            return value ** (1 / ratio)
        if kind.unit != "steps":
            return value
        return kind.length(_real(value) * ratio)

    try:
        return schedule.map(stretched)
    except (TypeError, ValueError) as refused:
        error = in_the_name_of(caller, refused, {parameter: ratio}, {"*": parameter})
    raise error


def _is_scalable(schedule: Schedule) -> bool:
    """Whether each named recipe in a schedule is stretched by stretching its durations."""

    def node(recipe: Recipe, params: dict[str, Any]) -> bool:
        inside = (all(x) if type(x) is tuple else x for x in params.values())
        return recipe._definition.is_scalable and all(inside)

    return schedule.fold(lambda kind, value: True, node)


def _require_steps(refuse: Refusal, schedule: Any) -> None:
    if not isinstance(schedule, (Schedule, Controller)):
        refuse("schedule", "a schedule", schedule, TypeError)
    if not schedule.is_resolved:
        refuse("schedule", "in steps (resolve it first, with schedule.resolve)", schedule)
