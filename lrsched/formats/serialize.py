"""Schedules from plain data and JSON, read without running code; and the format's JSON schema."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from lrsched._core.checks import Refusal, amount, shown
from lrsched._core.definition import REGISTRY, Definition
from lrsched._core.durations import UNITS, Duration
from lrsched._core.recipe import VERSION
from lrsched._core.schedule import Schedule

_amount = amount()
_refuse = Refusal("from_dict")


def from_dict(data: Mapping[str, Any]) -> Schedule:
    """The schedule of a recipe in the form of `Schedule.to_dict`, checked like one made in code.

    Args:
        data: a dict with "lrsched" (the version of the format), "schedule" (the name) and "params".

    Raises:
        TypeError: `data` is not a mapping, or a parameter is missing, unknown or of the wrong type.
        ValueError: `data` does not have the form or the version, names an unknown schedule, or has
            a value that is refused.

    >>> from_dict({"lrsched": 1, "schedule": "constant", "params": {"value": 0.1}})
    constant(value=0.1)
    """
    if not isinstance(data, Mapping):
        _refuse("the recipe", "a mapping", data, TypeError)
    version = data.get("lrsched")
    if version != VERSION or isinstance(version, bool):
        raise ValueError(
            f'from_dict: the recipe must have "lrsched": {VERSION} (its format), '
            f"got {shown(version)}"
        )
    try:
        return _schedule({key: value for key, value in data.items() if key != "lrsched"})
    except RecursionError:
        raise ValueError("from_dict: the recipe must not be nested this deeply") from None


def from_json(text: str | bytes) -> Schedule:
    """The schedule of a recipe in JSON, in the form of `Schedule.to_json`.

    Args:
        text: the JSON.

    Raises:
        TypeError: `text` is not text, the JSON is not an object, or as for `from_dict`.
        ValueError: `text` is not JSON, or as for `from_dict`.

    >>> from_json('{"lrsched": 1, "schedule": "constant", "params": {"value": 0.1}}')
    constant(value=0.1)
    """
    import json

    if not isinstance(text, (str, bytes)):
        Refusal("from_json")("text", "a string", text, TypeError)
    try:
        data = json.loads(text, object_pairs_hook=_object)
    except ValueError as error:
        raise ValueError(f"from_json: the recipe must be JSON: {error}") from None
    except RecursionError:
        raise ValueError("from_json: the recipe must not be nested this deeply") from None
    return from_dict(data)


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key that occurs twice, `json` would drop the first value."""
    found: dict[str, Any] = {}
    for key, value in members:
        if key in found:
            raise ValueError(f"the key {shown(key)} occurs twice")
        found[key] = value
    return found


def json_schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of the format, for editors: every schedule registered now.

    A recipe that fits the schema may still be refused: a schema cannot express every rule.

    >>> json_schema()["properties"]["lrsched"]
    {'const': 1}
    """
    names = list(REGISTRY)
    recipe = {
        "type": "object",
        "properties": {"schedule": {"enum": names}, "params": {"type": "object"}},
        "required": ["schedule"],
        "allOf": [_schema_of(definition) for definition in REGISTRY.values()],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lrsched recipe",
        "properties": {"lrsched": {"const": VERSION}},
        "required": ["lrsched"],
        "propertyNames": {"enum": ["lrsched", "schedule", "params"]},
        "$ref": "#/$defs/recipe",
        "$defs": {
            "recipe": recipe,
            "schedule": {
                "propertyNames": {"enum": ["schedule", "params"]},
                "$ref": "#/$defs/recipe",
            },
            "duration": _schema_of_durations(),
        },
    }


def _schema_of(definition: Definition) -> dict[str, Any]:
    """The JSON schema of the parameters of one schedule, which holds where that name is given."""
    parameters = definition.signature.parameters
    required = [name for name, p in parameters.items() if p.default is p.empty]
    params = {
        "description": (inspect.getdoc(definition.body) or "").partition("\n")[0],
        "properties": {name: dict(kind.schema) for name, kind in definition.kinds.items()},
        "required": required,
        "additionalProperties": False,
    }
    then = {"properties": {"params": params}, "required": ["params"] if required else []}
    return {"if": {"properties": {"schedule": {"const": definition.name}}}, "then": then}


def _schema_of_durations() -> dict[str, Any]:
    def term(*units: str) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {unit: {"type": "number"} for unit in units},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }

    several = {"type": "array", "items": term(*UNITS, "steps"), "minItems": 1}
    return {
        "type": "object",
        "properties": {"duration": {"anyOf": [term(*UNITS), several]}},
        "required": ["duration"],
        "additionalProperties": False,
    }


def decode(value: Any) -> Any:
    """A value of plain data: a schedule, a duration, a tuple, or the value itself."""
    if isinstance(value, Mapping):
        return _duration(value["duration"]) if value.keys() == {"duration"} else _schedule(value)
    if isinstance(value, (list, tuple)):
        return tuple(decode(item) for item in value)
    return value


def _schedule(data: Mapping[str, Any]) -> Schedule:
    definition, params = definition_and_params("from_dict", data)
    schedule: Schedule = definition.factory(**params)
    return schedule


def definition_and_params(
    caller: str, data: Mapping[str, Any]
) -> tuple[Definition, dict[str, Any]]:
    """The definition and the hyperparameters of a recipe; its errors begin with `caller`."""
    unknown = data.keys() - {"schedule", "params"}
    name, params = data.get("schedule"), data.get("params", {})
    if unknown or not isinstance(name, str) or not isinstance(params, Mapping):
        raise ValueError(
            f'{caller}: a schedule must be {{"schedule": name, "params": {{...}}}}, '
            f"got {shown(dict(data))}"
        )
    definition = REGISTRY.get(name)
    if definition is None:
        known = ", ".join(sorted(REGISTRY))
        hint = "your own is one when the module that defines it is imported"
        raise ValueError(f"{caller}: schedule must be one of {known} ({hint}), got {name!r}")
    return definition, {str(key): decode(param) for key, param in params.items()}


def _duration(data: Any) -> Duration:
    """The duration of a term {unit: amount}, or of a list of terms, which may include steps."""
    terms: list[tuple[Any, str]] = []
    steps = 0
    for term in data if isinstance(data, (list, tuple)) else [data]:
        unit, size = next(iter(term.items())) if _is_term(term) else (None, None)
        if unit == "steps":
            steps += _refuse.check("steps", _amount, size)
        elif unit in UNITS:
            terms.append((_refuse.check(unit, _amount, size), unit))
        else:
            terms = []
            break
    if not terms:
        units = ", ".join(f'"{unit}"' for unit in UNITS)
        expected = (
            f'{{"run": 0.1}} or the like (of {units}), or a list of such and of {{"steps": 5}}'
        )
        _refuse("duration", expected, data)
    return Duration(tuple(terms), steps or 0)


def _is_term(term: Any) -> bool:
    return isinstance(term, Mapping) and len(term) == 1
