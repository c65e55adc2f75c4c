"""Schedules and controllers in `flax.serialization`: their numbers by name.

The state of a schedule is `{"linear": {"init_value": 1.0, "end_value": 0.0, "steps": 10}}`, and
nested schedules are nested in it. As in all of Flax, what is no number comes from the target of
`from_state_dict`, which must be a schedule of the same structure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lrsched._core.checks import Refusal
from lrsched._core.controller import Controller
from lrsched._core.durations import Duration
from lrsched._core.recipe import Recipe
from lrsched._core.when_imported import when_imported
from lrsched.formats.names import recipe_types


def _register(serialization: Any) -> None:
    def register_type(
        kind: type, numbers: Callable[[Any], dict[str, Any]], rebuilt: Callable[..., Any]
    ) -> None:
        def to_state_dict(value: Any) -> Any:
            return serialization.to_state_dict(numbers(value))

        def from_state_dict(target: Any, state: Any) -> Any:
            import jax

            name = target.name
            if isinstance(state, dict) and isinstance(target, Controller) and name not in state:
                state = {name: state}  # written before 2026-12
            if isinstance(state, dict):
                restored = rebuilt(target, **serialization.from_state_dict(numbers(target), state))
                found: Any = jax.tree.structure(restored)
                if found == jax.tree.structure(target):
                    return restored
            expected = f"one of the structure of {target!r}"
            return Refusal("from_state_dict")("state", expected, state)

        serialization.register_serialization_state(kind, to_state_dict, from_state_dict)

    for kind in recipe_types():
        register_type(kind, _numbers, _rebuilt)
    # A number in the place of a duration is refused with the schedule that it would be in.
    serialization.register_serialization_state(
        Duration, lambda duration: {}, lambda target, state: target if state == {} else state
    )


def _numbers(recipe: Recipe) -> dict[str, Any]:
    definition = recipe._definition
    traced, _ = definition.split(recipe._values)
    return {definition.name: dict(zip(definition.traced, traced, strict=True))}


def _rebuilt(target: Recipe, **numbers: dict[str, Any]) -> Recipe:
    definition = target._definition
    _, static = definition.split(target._values)
    return type(target)(definition, definition.merge(numbers[definition.name].values(), static))


def register() -> None:
    """Register with Flax, now or when it is imported."""
    when_imported("flax.serialization", _register)
