"""Schedules and plateaus as arguments of functions that `jax.export` serializes.

JAX stores the structure of the arguments, and with it the static part of each schedule: its name
and the hyperparameters that are no numbers, as JSON. The numbers are arguments of the function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from lrsched._core.checks import Refusal
from lrsched._core.controller import CONTROLLERS
from lrsched._core.definition import Definition
from lrsched._core.durations import Duration
from lrsched._core.schedule import Schedule
from lrsched._core.when_imported import when_imported
from lrsched.formats.serialize import decode, definition_and_params
from lrsched.plateau import PlateauState

Static: TypeAlias = tuple[Any, ...]  # the hyperparameters that are no numbers

REFUSE = Refusal("jax.export")


def _register(export: Any) -> None:
    export.register_pytree_node_serialization(
        Schedule,
        serialized_name="lrsched.Schedule",
        serialize_auxdata=_write_schedule,
        deserialize_auxdata=_read_schedule,
        from_children=_schedule,
    )
    export.register_pytree_node_serialization(
        Duration,
        serialized_name="lrsched.Duration",
        serialize_auxdata=lambda duration: _write(duration.to_dict()),
        deserialize_auxdata=lambda data: decode(_read(data)),
        from_children=lambda duration, _: duration,
    )
    for definition in CONTROLLERS.values():
        _register_controller(export, definition)
    export.register_namedtuple_serialization(PlateauState, serialized_name="lrsched.PlateauState")


def _register_controller(export: Any, definition: Definition) -> None:
    kind = definition.signature.return_annotation
    export.register_pytree_node_serialization(
        kind,
        serialized_name=f"lrsched.{kind.__name__}",
        serialize_auxdata=lambda static: _write(dict(zip(definition.static, static, strict=True))),
        deserialize_auxdata=lambda data: _checked(definition, _read(data)),
        from_children=lambda static, traced: kind(*definition.merge(traced, static)),
    )


def _write_schedule(static: tuple[Definition, Static]) -> bytes:
    definition, values = static
    params = dict(zip(definition.static, values, strict=True))
    for name, value in params.items():
        if callable(value):
            definition.refuse(name, "a name: functions cannot be serialized", value, TypeError)
    return _write({"schedule": definition.name, "params": params})


def _read_schedule(data: bytes) -> tuple[Definition, Static]:
    definition, params = definition_and_params(REFUSE.schedule, "schedule", _read(data))
    return definition, _checked(definition, params)


def _schedule(static: tuple[Definition, Static], traced: Sequence[Any]) -> Schedule:
    definition, values = static
    return Schedule(definition, definition.merge(traced, values))


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
