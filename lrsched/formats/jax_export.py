"""Schedules and plateaus as arguments of functions that `jax.export` serializes.

JAX stores the structure of the arguments, and with it the static part of each schedule: its name
and the hyperparameters that are no numbers, as JSON. The numbers are arguments of the function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from lrsched._core.checks import Kind, Refusal
from lrsched._core.definition import Definition
from lrsched._core.durations import Duration
from lrsched._core.schedule import Schedule
from lrsched._core.when_imported import when_imported
from lrsched.formats.serialize import decode, definition_and_params
from lrsched.plateau import KINDS, STATIC, TRACED, Plateau, PlateauState, reduce_on_plateau

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
    export.register_pytree_node_serialization(
        Plateau,
        serialized_name="lrsched.Plateau",
        serialize_auxdata=lambda static: _write(dict(zip(STATIC, static, strict=True))),
        deserialize_auxdata=_read_plateau,
        from_children=_plateau,
    )
    export.register_namedtuple_serialization(PlateauState, serialized_name="lrsched.PlateauState")


def _write_schedule(static: tuple[Definition, Static]) -> bytes:
    definition, values = static
    params = dict(zip(definition.static, values, strict=True))
    for name, value in params.items():
        if callable(value):
            definition.refuse(name, "a name: functions cannot be serialized", value, TypeError)
    return _write({"schedule": definition.name, "params": params})


def _read_schedule(data: bytes) -> tuple[Definition, Static]:
    definition, params = definition_and_params(REFUSE.schedule, _read(data))
    kinds = {name: definition.kinds[name] for name in definition.static}
    return definition, _checked(definition.refuse, kinds, params)


def _schedule(static: tuple[Definition, Static], traced: Sequence[Any]) -> Schedule:
    definition, values = static
    return Schedule(definition, definition.merge(traced, values))


def _read_plateau(data: bytes) -> Static:
    kinds = {name: KINDS[name] for name in STATIC}
    return _checked(Refusal(reduce_on_plateau.__name__), kinds, _read(data))


def _plateau(static: Static, traced: Sequence[Any]) -> Plateau:
    return Plateau(**dict(zip((*STATIC, *TRACED), (*static, *traced), strict=True)))


def _checked(refuse: Refusal, kinds: Mapping[str, Kind], params: Mapping[str, Any]) -> Static:
    """The values of static hyperparameters that were read, in the order of `kinds`."""
    if params.keys() != kinds.keys():
        refuse("what is static", f"{list(kinds)}", list(params))
    return tuple(refuse.check(name, kind, params[name]) for name, kind in kinds.items())


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
