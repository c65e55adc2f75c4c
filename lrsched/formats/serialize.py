"""Recipes from plain data and JSON, read without running code; and the format's JSON schema."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any, TypeVar, overload

from lrsched._core.checks import Refusal, shown
from lrsched._core.definition import Definition
from lrsched._core.durations import ROUND, ROUNDING, UNITS, Duration, Term
from lrsched._core.number_kinds import amount
from lrsched._core.schedule import Schedule
from lrsched._core.written import VERSION
from lrsched.formats.names import REGISTRIES, find_in, of_kind

T = TypeVar("T")
_amount = amount()
_refuse = Refusal("from_dict")


@overload
def from_dict(data: Mapping[str, Any], kind: None = None) -> Schedule | Any: ...
@overload
def from_dict(data: Mapping[str, Any], kind: type[T]) -> T: ...
def from_dict(data: Mapping[str, Any], kind: type[Any] | None = None) -> Any:
    """The schedule or the controller in the form of `to_dict`, checked as if made in code.

    The data says what it is. To a type checker the result is a schedule that may be something else;
    with `kind` it is of that kind.

    Args:
        data: a dict with "lrsched" (the version of the format), "schedule" or "controller" (the
            name) and "params".
        kind: what the recipe must be, `Schedule` or `Plateau`; by default either.

    Raises:
        TypeError: `data` is not a mapping, the recipe is not of the kind, or a parameter is
            missing, unknown or of the wrong type.
        ValueError: `data` does not have the form or the version, has an unknown name, or has a
            value that is refused.

    >>> from_dict({"lrsched": 1, "schedule": "constant", "params": {"value": 0.1}})
    constant(value=0.1)
    >>> from_dict({"lrsched": 1, "controller": "reduce_on_plateau", "params": {"init_value": 0.1}})
    reduce_on_plateau(init_value=0.1)
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
        recipe = _recipe({key: value for key, value in data.items() if key != "lrsched"})
    except RecursionError:
        raise ValueError("from_dict: the recipe must not be nested this deeply") from None
    return of_kind("from_dict", recipe, kind)


@overload
def from_json(text: str | bytes, kind: None = None) -> Schedule | Any: ...
@overload
def from_json(text: str | bytes, kind: type[T]) -> T: ...
def from_json(text: str | bytes, kind: type[Any] | None = None) -> Any:
    """The schedule or the controller of a recipe in JSON, in the form of `to_json`.

    Args:
        text: the JSON.
        kind: as for `from_dict`.

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
        data = json.loads(text, object_pairs_hook=unique_keys)
    except ValueError as error:
        is_path = str(text).endswith(".json")
        hint = " (lrsched.load reads a file)" if is_path else ""
        raise ValueError(f"from_json: the recipe must be JSON: {error}{hint}") from None
    except RecursionError:
        raise ValueError("from_json: the recipe must not be nested this deeply") from None
    return from_dict(data, kind)


@overload
def load(path: str | os.PathLike[str], kind: None = None) -> Schedule | Any: ...
@overload
def load(path: str | os.PathLike[str], kind: type[T]) -> T: ...
def load(path: str | os.PathLike[str], kind: type[Any] | None = None) -> Any:
    """The schedule or the controller of a recipe in a JSON file, as its `save` writes it.

    Args:
        path: the file.
        kind: as for `from_dict`.

    Raises:
        OSError: the file cannot be read.
        TypeError, ValueError: as for `from_json`, with the path.

    >>> import os, tempfile
    >>> from lrsched import cosine_decay
    >>> path = os.path.join(tempfile.mkdtemp(), "recipe.json")
    >>> cosine_decay(0.1, 900).save(path)
    >>> load(path)
    cosine_decay(init_value=0.1, decay_steps=900)
    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        return from_json(content, kind)
    except (TypeError, ValueError) as refused:
        error, reason = TypeError if isinstance(refused, TypeError) else ValueError, str(refused)
    raise error(f"load: {os.fspath(path)}: {reason}")


def unique_keys(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key that occurs twice, `json` would drop the first value."""
    found: dict[str, Any] = {}
    for key, value in members:
        if key in found:
            raise ValueError(f"the key {shown(key)} occurs twice")
        found[key] = value
    return found


def json_schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of the format, for editors: every name registered now.

    A recipe that fits the schema may still be refused: a schema cannot express every rule.

    >>> json_schema()["properties"]["lrsched"]
    {'const': 1}
    """
    recipes = {f"{key}-recipe": _schema_of_recipes(key) for key in REGISTRIES}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lrsched recipe",
        "properties": {"lrsched": {"const": VERSION}},
        "required": ["lrsched"],
        "anyOf": [_schema_with_keys(key, "lrsched") for key in REGISTRIES],
        "$defs": {
            **recipes,
            "schedule": {"anyOf": [_schema_with_keys(key) for key in REGISTRIES]},
            "controller": _schema_with_keys("controller"),
            "duration": _schema_of_durations(),
        },
    }


def _schema_with_keys(key: str, *others: str) -> dict[str, Any]:
    """The JSON schema of a recipe whose name is under a key, with `others` beside its own keys."""
    return {"propertyNames": {"enum": [*others, key, "params"]}, "$ref": f"#/$defs/{key}-recipe"}


def _schema_of_recipes(key: str) -> dict[str, Any]:
    registry = REGISTRIES[key]
    return {
        "type": "object",
        "properties": {key: {"enum": list(registry)}, "params": {"type": "object"}},
        "required": [key],
        "allOf": [_schema_of(key, definition) for definition in registry.values()],
    }


def _schema_of(key: str, definition: Definition) -> dict[str, Any]:
    """The JSON schema of the parameters of one definition, which holds where its name is given."""
    parameters = definition.signature.parameters
    required = [name for name, p in parameters.items() if p.default is p.empty]
    params = {
        "description": (inspect.getdoc(definition.body) or "").partition("\n")[0],
        "properties": {name: dict(kind.schema) for name, kind in definition.kinds.items()},
        "required": required,
        "additionalProperties": False,
    }
    then = {"properties": {"params": params}, "required": ["params"] if required else []}
    return {"if": {"properties": {key: {"const": definition.name}}}, "then": then}


def _schema_of_durations() -> dict[str, Any]:
    def term(*units: str) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                **{unit: {"type": "number"} for unit in units},
                "round": {"enum": list(ROUNDING)},
            },
            "minProperties": 1,
            "maxProperties": 2,
            "oneOf": [{"required": [unit]} for unit in units],
            "additionalProperties": False,
        }

    steps = {
        "type": "object",
        "properties": {"steps": {"type": "number"}},
        "required": ["steps"],
        "additionalProperties": False,
    }
    several = {"type": "array", "items": {"anyOf": [term(*UNITS), steps]}, "minItems": 1}
    return {
        "type": "object",
        "properties": {"duration": {"anyOf": [term(*UNITS), several]}},
        "required": ["duration"],
        "additionalProperties": False,
    }


def decode(value: Any) -> Any:
    """A value of plain data: a recipe, a duration, a tuple, or the value itself."""
    if isinstance(value, Mapping):
        return _duration(value["duration"]) if value.keys() == {"duration"} else _recipe(value)
    if isinstance(value, (list, tuple)):
        return tuple(decode(item) for item in value)
    return value


def _recipe(data: Mapping[str, Any]) -> Any:
    key = "controller" if "controller" in data else "schedule"
    definition, params = definition_and_params("from_dict", key, data)
    return definition.factory(**params)


def definition_and_params(
    caller: str, key: str, data: Mapping[str, Any]
) -> tuple[Definition, dict[str, Any]]:
    """The definition whose name is under a key, and its hyperparameters.

    Errors begin with `caller`.
    """
    unknown = data.keys() - {key, "params"}
    name, params = data.get(key), data.get("params", {})
    if unknown or not isinstance(name, str) or not isinstance(params, Mapping):
        raise ValueError(
            f'{caller}: a {key} must be {{"{key}": name, "params": {{...}}}}, '
            f"got {shown(dict(data))}"
        )
    try:
        definition = find_in(key, name)
    except ValueError as refused:
        reason = f"{caller}: {refused}"
    else:
        return definition, {str(key): decode(param) for key, param in params.items()}
    raise ValueError(reason)


def _duration(data: Any) -> Duration:
    """The duration of a term {unit: amount}, or of a list of terms, which may include steps."""
    terms: list[Term] = []
    steps = 0
    for term in data if isinstance(data, (list, tuple)) else [data]:
        rounding, entries = _term(term)
        unit, size = next(iter(entries.items())) if len(entries) == 1 else (None, None)
        if unit == "steps" and rounding is None:
            steps += _refuse.check("steps", _amount, size)
        elif unit in UNITS:
            terms.append(Term(_refuse.check(unit, _amount, size), unit, rounding))
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


def _term(term: Any) -> tuple[str | None, dict[str, Any]]:
    """The rounding of a term of a duration, and its other entries."""
    units = dict(term) if isinstance(term, Mapping) else {}
    return _refuse.check("round", ROUND, units.pop("round", None)), units
