"""Durations in other units turned into steps, in a schedule and all that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from lrsched._core.checks import Kind, Refusal
from lrsched._core.clock import clock_of, in_ticks, require_no_steps
from lrsched._core.definition import REGISTRY
from lrsched._core.durations import UNITS, Duration, durations_in, unit_sizes
from lrsched._core.recipe import Recipe


def resolve(recipe: Recipe, given: Mapping[str, Any]) -> Any:
    """The recipe with its durations in steps, from the arguments of `Schedule.resolve`."""
    refuse = Refusal("resolve")
    changing = [unit for unit in UNITS if isinstance(given[UNITS[unit].argument], Recipe)]
    if changing:
        return _on_clock(refuse, recipe, given, changing[0])
    sizes = unit_sizes(refuse, given)

    def in_steps(kind: Kind, value: Any) -> Any:
        if type(value) is not Duration:
            return value
        steps = value.resolved(sizes, whole=kind.item_type is int)
        return steps if type(steps) is Duration else kind.length(steps)

    return recipe.fold(in_steps, _resolved)


def _on_clock(refuse: Refusal, recipe: Recipe, given: Mapping[str, Any], unit: str) -> Any:
    """The recipe where the number of examples (or tokens) in an update is a schedule."""
    argument = UNITS[unit].argument
    for other, value in given.items():
        if other != argument and value is not None:
            refuse(other, f"left out where {argument} is a schedule", value)
    require_no_steps(recipe, unit, given[argument])
    clock = clock_of(unit, given[argument])
    schedule, tick = in_ticks(recipe, clock)
    return REGISTRY["time_warp"].factory(schedule, clock.sizes, clock.boundaries, tick)


def _resolved(recipe: Recipe, params: dict[str, Any]) -> Any:
    """The recipe with hyperparameters in steps; a refusal says which durations they were."""
    if recipe.is_resolved:
        return recipe
    try:
        return recipe.replace(**params)
    except (TypeError, ValueError) as refused:
        error, reason = TypeError if isinstance(refused, TypeError) else ValueError, str(refused)
    was = [f"{name}={x!r}" for name, x in recipe.params.items() if any(durations_in(x))]
    raise error(f"{reason} (resolved from {', '.join(was)})" if was else reason)


def refuse_unresolved(recipe: Recipe) -> NoReturn:
    """Refuse to use a recipe with durations, and name the arguments of `resolve` to give."""
    owner, parameter, value = next(item for item in recipe.items() if any(durations_in(item[2])))
    units = recipe.open_units()
    arguments = [f"{known.argument}=..." for unit, known in UNITS.items() if unit in units]
    owner._definition.refuse.unresolved(parameter, value, ", ".join(arguments))
