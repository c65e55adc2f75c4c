"""What is said of a public name: its docstring, what its kind expects, or the comment beside it."""

from __future__ import annotations

import ast
import inspect
import json
import re
import typing
from importlib import import_module
from pathlib import Path
from typing import Any

from docs._extensions.places import value_of
from lrsched._core.checks import Kind

DURATION = "#/$defs/duration"


def is_data(full_name: str) -> bool:
    """Whether a public name is neither a function nor a class, and so has no docstring."""
    value = value_of(full_name)
    return not (callable(value) and isinstance(inspect.getdoc(value), str)) or _is_alias(value)


def _is_alias(value: Any) -> bool:
    return value is Any or typing.get_origin(value) is not None


def expected(kind: Kind) -> str:
    """What a value of a kind must be: what a refusal says, and whether a duration will do.

    >>> from lrsched._core.kinds import PHASE, POWER
    >>> expected(POWER)
    'a number > 0'
    >>> expected(PHASE)
    '0 or a number >= 1 (steps), or a duration'
    """
    takes_durations = DURATION in json.dumps(dict(kind.schema))
    return kind.expected + ", or a duration" * takes_durations


def of_data(full_name: str) -> str:
    """What is said of a constant or an annotation.

    >>> of_data("lrsched.Fraction")
    'Annotates a hyperparameter that must be a number from 0 to 1.'
    """
    value = value_of(full_name)
    kind = getattr(value, "__metadata__", (None,))[0]
    if isinstance(kind, Kind):
        return f"Annotates a hyperparameter that must be {expected(kind)}."
    text = comment_of(full_name)
    return text[:1].upper() + text[1:] + "." * (not text.endswith("."))


def comment_of(full_name: str) -> str:
    """The comment above or beside the assignment of a name, in the module that it is from."""
    package, _, name = full_name.rpartition(".")
    source = Path(import_module(package).__file__ or "").read_text(encoding="utf-8")
    (module,) = (
        str(node.module)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]
    )
    lines = inspect.getsource(import_module(module)).splitlines()
    place = next(i for i, line in enumerate(lines) if re.match(rf"{name}\b.*=", line))
    beside = lines[place].partition("  # ")[2]
    above: list[str] = []
    while lines[place - 1 - len(above)].startswith("# "):
        above.append(lines[place - 1 - len(above)].removeprefix("# "))
    return beside or " ".join(reversed(above))
