"""Schedules and controllers as arguments of functions that `jax.export` serializes.

JAX stores the structure of the arguments, and with it the static part of each recipe: its name
and the hyperparameters that are no numbers, as JSON. The numbers are arguments of the function.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from lrsched._core.checks import Refusal
from lrsched._core.controller_definition import CONTROLLERS
from lrsched._core.definition import Definition
from lrsched._core.durations import Duration
from lrsched._core.recipe import Recipe
from lrsched._core.schedule import Schedule
from lrsched._core.when_imported import when_imported
from lrsched.formats.names import recipe_types
from lrsched.formats.serialize import decode, definition_and_params

Static: TypeAlias = tuple[Any, ...]  # the hyperparameters that are no numbers

REFUSE = Refusal("jax.export")


def _register(export: Any) -> None:
    for kind in recipe_types():
        key = "schedule" if kind is Schedule else "controller"
        export.register_pytree_node_serialization(
            kind,
            serialized_name=f"lrsched.{kind.__name__}",
            serialize_auxdata=_write_static,
            deserialize_auxdata=functools.partial(_read_static, key),
            from_children=functools.partial(_rebuilt, kind),
        )
    export.register_pytree_node_serialization(
        Duration,
        serialized_name="lrsched.Duration",
        serialize_auxdata=lambda duration: _write(duration.to_dict()),
        deserialize_auxdata=lambda data: decode(_read(data)),
        from_children=lambda duration, _: duration,
    )
    for definition in CONTROLLERS.values():
        if definition.is_own:
            state = definition.state_type
            export.register_namedtuple_serialization(
                state, serialized_name=f"lrsched.{state.__name__}"
            )


def _write_static(static: tuple[Definition, Static]) -> bytes:
    definition, values = static
    params = dict(zip(definition.static, values, strict=True))
    for name, value in params.items():
        if callable(value):
            definition.refuse(name, "a name: functions cannot be serialized", value, TypeError)
    return _write({definition.key: definition.name, "params": params})


def _read_static(key: str, data: bytes) -> tuple[Definition, Static]:
    definition, params = definition_and_params(REFUSE.schedule, key, _read(data))
    return definition, _checked(definition, params)


def _rebuilt(
    kind: type[Recipe], static: tuple[Definition, Static], traced: Sequence[Any]
) -> Recipe:
    definition, values = static
    return kind(definition, definition.merge(traced, values))


def _checked(definition: Definition, params: Mapping[str, Any]) -> Static:
    """The values of static hyperparameters that were read, in the order of the definition."""
    names, refuse = definition.static, definition.refuse
    if params.keys() != set(names):
        refuse("what is static", f"{list(names)}", list(params))
    return tuple(refuse.check(name, definition.kinds[name], params[name]) for name in names)


def _write(data: Mapping[str, Any]) -> bytes:
    import json

    return json.dumps(data).encode()


def _read(data: bytes) -> dict[str, Any]:
    import json

    with suppress(ValueError):
        read = json.loads(data)
        if isinstance(read, dict):
            return read
    return REFUSE("the static part", "a JSON object", data)


def register() -> None:
    """Register with `jax.export`, now or when it is imported."""
    when_imported("jax.export", _register)
