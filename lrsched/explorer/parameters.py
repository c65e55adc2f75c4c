"""A recipe as the fields and sliders of a form."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

from lrsched._core.checks import Kind
from lrsched._core.durations import Duration
from lrsched._core.recipe import Recipe
from lrsched.explorer.reading import read_recipe

# What a number is that counts nothing, by the last word of its name.
_MEANINGS = {
    **dict.fromkeys(("value", "values", "low", "high"), "value"),
    **dict.fromkeys(("rate", "mult", "fraction", "scale", "factor", "ratio"), "ratio"),
}
DECADES = 2  # that a slider of values reaches to either side


def describe(text: str) -> dict[str, Any]:
    """What a form shows of a recipe: its parameters with their kinds, units, values and bounds.

    Args:
        text: the recipe.

    Returns:
        The recipe's `repr` under "recipe", its name, a line on its shape, and its "parameters". A
        parameter that holds a schedule has its description under "schedule", one that holds several
        items has theirs under "items".

    Raises:
        TypeError, ValueError: the text is refused.

    >>> found = describe("cosine_decay(0.1, 900)")["parameters"][1]
    >>> found["name"], found["type"], found["unit"], found["value"], found["expected"]
    ('decay_steps', 'integer', 'steps', '900', 'a number >= 1 (steps)')
    """
    return _recipe(read_recipe(text))


def _recipe(recipe: Recipe) -> dict[str, Any]:
    definition = recipe._definition
    return {
        "recipe": repr(recipe),
        "name": recipe.name,
        "summary": (inspect.getdoc(definition.factory) or "").partition("\n")[0],
        "parameters": [
            {"name": name, **_parameter(name, definition.kinds[name], value)}
            for name, value in recipe.params.items()
        ],
    }


def _parameter(name: str, kind: Kind, value: Any) -> dict[str, Any]:
    found = {
        "type": _type(kind, value),
        "unit": _unit(name, kind),
        "expected": kind.expected,
        "value": repr(value),
        "optional": _is_optional(kind),
        **_bounds(kind),
    }
    if isinstance(value, Recipe):
        found["schedule"] = _recipe(value)
    elif type(value) is tuple:
        item = kind._replace(schema=_schema(kind).get("items", {}))
        found["items"] = [{"name": "", **_parameter(name, item, each)} for each in value]
    else:
        found["slider"] = _slider(kind, value)
    return found


def _type(kind: Kind, value: Any) -> str:
    if isinstance(value, Recipe):
        return "schedule"
    if type(value) is tuple:
        return "list"
    if isinstance(value, Duration):
        return "duration"
    if isinstance(value, bool):
        return "flag"
    if "enum" in _schema(kind):
        return "choice"
    if value is None:
        return "none"
    if isinstance(value, (int, float)):
        return "integer" if _is_whole(kind, value) else "number"
    return "text"


def _is_whole(kind: Kind, value: float) -> bool:
    """Whether a slider goes from one integer to the next."""
    return kind.item_type is int or (kind.unit == "steps" and type(value) is int)


def _unit(name: str, kind: Kind) -> str:
    is_number = kind.item_type in (int, float)
    return kind.unit or (_MEANINGS.get(name.rpartition("_")[2], "") if is_number else "")


def _schema(kind: Kind) -> Mapping[str, Any]:
    """The schema of the numbers or choices that a kind takes, without durations and None."""
    schema: Mapping[str, Any] = kind.schema
    while "anyOf" in schema:
        schema = schema["anyOf"][0]
    return schema


def _is_optional(kind: Kind) -> bool:
    return {"type": "null"} in kind.schema.get("anyOf", ())


def _bounds(kind: Kind) -> dict[str, Any]:
    schema = _schema(kind)
    found: dict[str, Any] = {}
    if "enum" in schema:
        found["options"] = list(map(repr, schema["enum"]))
    for side in ("minimum", "maximum"):
        exclusive = f"exclusive{side.capitalize()}"
        if side in schema or exclusive in schema:
            found[side] = schema.get(side, schema.get(exclusive))
    return found


def _slider(kind: Kind, value: Any) -> dict[str, Any] | None:
    """From where to where a slider goes, and the text around its number; None for no slider."""
    before, number, after = "", value, ""
    if isinstance(value, Duration):
        if len(value.terms) != 1 or value.terms[0].amount < 0:
            return None
        number = value.terms[0].amount
        text = repr(value)
        start = text.index(repr(number))
        before, after = text[:start], text[start + len(repr(number)) :]
    if isinstance(number, bool) or not isinstance(number, (int, float)) or "enum" in _schema(kind):
        return None
    is_duration = isinstance(value, Duration)
    bounds = _of_duration(value) if is_duration else _bounds(kind)
    whole = type(number) is int if is_duration else _is_whole(kind, number)
    return {
        "number": number,
        "whole": whole,
        "before": before,
        "after": after,
        **_range(kind, number, bounds, whole),
    }


def _of_duration(duration: Duration) -> dict[str, float]:
    """The bounds of a slider of an amount: of a run, from none of it to all."""
    is_share = duration.terms[0].unit == "run" and duration.terms[0].amount <= 1
    return {"minimum": 0.0, "maximum": 1.0} if is_share else {"minimum": 0.0}


def _range(kind: Kind, number: float, bounds: Mapping[str, Any], whole: bool) -> dict[str, Any]:
    low, high = bounds.get("minimum", -math.inf), bounds.get("maximum", math.inf)
    size = 10.0 ** math.ceil(math.log10(abs(number))) if number else 0.1
    if low >= 0 and high <= 1:
        return {"low": low, "high": high, "scale": "linear"}
    if whole or kind.unit == "steps" or number < 0:
        reach = max(size if 2 * abs(number) <= size else 2.5 * size, 10 if whole else 0)
        lowest = -reach if number < 0 else max(low, 0)
        return {"low": lowest, "high": min(reach, high), "scale": "linear"}
    # A number of 0 stands at the lower end of a logarithmic slider.
    lowest = max(low, size / 10 * 10.0**-DECADES)
    return {"low": lowest, "high": min(size * 10.0 ** (DECADES - 1), high), "scale": "log"}
