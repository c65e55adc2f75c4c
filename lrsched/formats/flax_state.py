"""Schedules and plateaus in `flax.serialization`: their numbers by name.

The state of a schedule is `{"linear": {"init_value": 1.0, "end_value": 0.0, "steps": 10}}`, and
nested schedules are nested in it. As in all of Flax, what is no number comes from the target of
`from_state_dict`, which must be a schedule of the same structure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from lrsched._core.checks import Refusal
from lrsched._core.controller import CONTROLLERS, Controller
from lrsched._core.durations import Duration
from lrsched._core.schedule import Schedule
from lrsched._core.when_imported import when_imported


def _register(serialization: Any) -> None:
    def register_type(
        kind: type, numbers: Callable[[Any], dict[str, Any]], rebuilt: Callable[..., Any]
    ) -> None:
        def to_state_dict(value: Any) -> Any:
            return serialization.to_state_dict(numbers(value))

        def from_state_dict(target: Any, state: Any) -> Any:
            import jax

            if isinstance(state, dict):
                restored = rebuilt(target, **serialization.from_state_dict(numbers(target), state))
                found: Any = jax.tree.structure(restored)
                if found == jax.tree.structure(target):
                    return restored
            expected = f"one of the structure of {target!r}"
            return Refusal("from_state_dict")("state", expected, state)

        serialization.register_serialization_state(kind, to_state_dict, from_state_dict)

    register_type(Schedule, _numbers_of_schedule, _rebuilt_schedule)
    for definition in CONTROLLERS.values():
        kind = definition.signature.return_annotation
        register_type(kind, _numbers_of_controller, dataclasses.replace)
    # A number in the place of a duration is refused with the schedule that it would be in.
    serialization.register_serialization_state(
        Duration, lambda duration: {}, lambda target, state: target if state == {} else state
    )


def _numbers_of_schedule(schedule: Schedule) -> dict[str, Any]:
    definition = schedule._definition
    traced, _ = definition.split(schedule._values)
    return {definition.name: dict(zip(definition.traced, traced, strict=True))}


def _rebuilt_schedule(target: Schedule, **numbers: dict[str, Any]) -> Schedule:
    definition = target._definition
    _, static = definition.split(target._values)
    return Schedule(definition, definition.merge(numbers[definition.name].values(), static))


def _numbers_of_controller(controller: Controller) -> dict[str, Any]:
    return {name: getattr(controller, name) for name in controller._definition.traced}


def register() -> None:
    """Register with Flax, now or when it is imported."""
    when_imported("flax.serialization", _register)
