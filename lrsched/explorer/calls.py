"""What the page asks and what it is told, both as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import lrsched
from lrsched._core.durations import UNITS
from lrsched.configs.texts import READERS
from lrsched.explorer.address import LENGTHS, MAX_CURVES, read_state, write_state
from lrsched.explorer.change import change
from lrsched.explorer.code import code
from lrsched.explorer.completion import complete
from lrsched.explorer.differences import compare
from lrsched.explorer.examples import EXAMPLES
from lrsched.explorer.files import open_file
from lrsched.explorer.parameters import describe
from lrsched.explorer.sampling import draw

_PLACE = re.compile(r"^recipe: (?:line (\d+), )?column (\d+): ")


def about() -> dict[str, Any]:
    """What the page offers: the examples, the units of an axis, and what it calls."""
    return {
        "version": lrsched.__version__,
        "examples": [{"name": each.name, "recipe": repr(each)} for each in EXAMPLES],
        "lengths": list(LENGTHS),
        "axes": {name: unit.argument for name, unit in UNITS.items()},
        "endings": list(READERS),
        "max_curves": MAX_CURVES,
    }


CALLS: Mapping[str, Callable[..., Any]] = {
    "about": about,
    "change": change,
    "code": code,
    "compare": compare,
    "complete": complete,
    "describe": describe,
    "draw": draw,
    "open_file": open_file,
    "read_state": read_state,
    "write_state": write_state,
}


def answer(request: str) -> str:
    """The answer to a request: {"call": name, "arguments": {...}}, all in JSON.

    What the library refuses is told as {"refused": {"message": ..., "line": ..., "column": ...}},
    with the place in the recipe, where the message has one.

    >>> answer('{"call": "describe", "arguments": {"text": "constant(x=1)"}}')[:60]
    '{"refused": {"message": "recipe: column 1: constant: got an '
    """
    asked = json.loads(request)
    try:
        found = CALLS[asked["call"]](**asked["arguments"])
    except (TypeError, ValueError, ImportError) as error:
        return json.dumps({"refused": _refused(str(error))})
    except (RecursionError, MemoryError, OverflowError):
        return json.dumps({"refused": _refused("This recipe is too large to be drawn here.")})
    return json.dumps({"answer": found}, allow_nan=False)


def _refused(message: str) -> dict[str, Any]:
    place = _PLACE.match(message)
    line, column = (place[1] or "1", place[2]) if place else (None, None)
    return {
        "message": message,
        "line": line and int(line),
        "column": column and int(column),
    }
