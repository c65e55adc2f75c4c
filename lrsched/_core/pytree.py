"""Schedules as JAX pytrees, whose leaves are the numeric hyperparameters."""

from __future__ import annotations

from typing import Any


def register_schedules(schedule_type: Any, tree_util: Any) -> None:
    """Make schedules pytrees. JAX must know that before it takes one as an argument."""

    def flatten_with_keys(schedule: Any) -> tuple[Any, Any]:
        children, static = flatten(schedule)
        definition, _ = static
        keys = map(tree_util.GetAttrKey, definition.traced)
        return tuple(zip(keys, children, strict=True)), static

    def flatten(schedule: Any) -> tuple[Any, Any]:
        children, static = schedule._definition.split(schedule._values)
        return children, (schedule._definition, static)

    def unflatten(static: Any, children: Any) -> Any:
        definition, kept = static
        return schedule_type(definition, definition.merge(children, kept))

    tree_util.register_pytree_with_keys(schedule_type, flatten_with_keys, unflatten, flatten)
