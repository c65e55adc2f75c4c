"""A nominal run, over which recipes are drawn whose durations are not in steps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lrsched._core.durations import UNITS, Duration, durations_in
from lrsched._core.recipe import Recipe

# Of the run, or of the longest duration in another unit; the second for powers of 2.
STEPS = (1000, 1024)
GROWTH = tuple(10.0**power for power in (*range(7), -1, -2, -3))
LABELS = {
    "run": "fraction of the run",
    "epochs": "epochs",
    "examples": "examples",
    "tokens": "tokens",
}


class Axis(NamedTuple):
    """The axis of the counts of updates: `count * scale`, in the unit that `label` names."""

    label: str = "step"
    scale: float = 1.0

    def places(self, counts: Sequence[int]) -> Sequence[float]:
        """The counts in the unit of the axis."""
        return counts if self.scale == 1.0 else [count * self.scale for count in counts]


def over_a_nominal_run(recipes: Sequence[Any]) -> tuple[list[Any], Axis]:
    """The recipes with their durations in the steps of a nominal run, and the axis of that run.

    A run has 1000 steps, and so has the longest duration in each other unit. Where that leaves a
    duration without a step, as `run_fraction(1.0) - epochs(1)` would be, one unit is ten times as
    long as another, or a hundred times, and so on; or shorter, or of 1024 steps, if that does
    not do.

    The axis is in the unit of the durations, if all are in one. Else it is in steps, and its label
    says how long the units are.

    Raises:
        TypeError, ValueError: the recipes are refused for every such run.
    """
    longest = _longest(recipes)
    if not longest:
        return list(recipes), Axis()
    error: Exception | None = None
    orders = itertools.permutations(longest)
    for growth, steps, least, units in itertools.product(GROWTH, STEPS, (0, 1), orders):
        lengths = {unit: round(steps * growth**rank) or 1 for rank, unit in enumerate(units, least)}
        given = {UNITS[unit].argument: _size(unit, x, longest[unit]) for unit, x in lengths.items()}
        try:
            return [_in_steps(each, given) for each in recipes], _axis(recipes, given)
        except (TypeError, ValueError) as refused:
            error = error or refused
    assert error is not None
    raise error


def _longest(recipes: Sequence[Any]) -> dict[str, float]:
    """The largest amount in each unit."""
    found: dict[str, float] = {}
    for duration in _durations(recipes):
        for term in duration.terms:
            found[term.unit] = max(found.get(term.unit, 0), abs(term.amount))
    return found


def _durations(recipes: Sequence[Any]) -> Iterator[Duration]:
    for recipe in recipes:
        if isinstance(recipe, Recipe):
            for _, _, value in recipe.items():
                yield from durations_in(value)


def _size(unit: str, steps: int, longest: float) -> Any:
    """The argument of `resolve` with which the longest amount in a unit has so many steps."""
    if unit == "run":
        return steps
    longest = longest or 1
    return steps / longest if unit == "epochs" else longest / steps


def _in_steps(curve: Any, given: Mapping[str, Any]) -> Any:
    is_recipe = isinstance(curve, Recipe)
    return curve.resolve(**given) if is_recipe else curve


def _axis(recipes: Sequence[Any], given: Mapping[str, Any]) -> Axis:
    if len(given) == 1 and not any(map(_has_steps, recipes)):
        ((argument, size),) = given.items()
        unit = next(name for name, each in UNITS.items() if each.argument == argument)
        return axis_in(unit, size)
    sizes = ", ".join(f"{argument}={size:g}" for argument, size in given.items())
    return Axis(f"step ({sizes})")


def axis_in(unit: str, size: float) -> Axis:
    """The axis in a unit, from the argument of `Schedule.resolve` that gives its size.

    >>> axis_in("epochs", 100).places([0, 50])
    [0.0, 0.5]
    """
    return Axis(LABELS[unit], size if unit in ("examples", "tokens") else 1 / size)


def _has_steps(recipe: Any) -> bool:
    """Whether a curve has a length in steps: a recipe, or what is no recipe."""
    if not isinstance(recipe, Recipe):
        return True
    return any(
        _is_in_steps(member)
        for owner, name, value in recipe.items()
        if owner._definition.kinds[name].unit == "steps"
        for member in (value if type(value) is tuple else (value,))
    )


def _is_in_steps(length: Any) -> bool:
    return bool(length.steps if isinstance(length, Duration) else length)
