"""What is written down: as a call, as plain data, as JSON and in files."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lrsched._arrays.namespace import is_array
from lrsched._core.checks import Kind
from lrsched._core.durations import Duration

VERSION = 1  # of the format that `to_dict` writes


class Written:
    """A value that `to_dict` writes as plain data."""

    __slots__ = ()

    if TYPE_CHECKING:

        def to_dict(self) -> dict[str, Any]: ...

    def to_json(self, indent: int | None = None) -> str:
        """The recipe as JSON; `lrsched.from_json` reads it."""
        import json

        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recipe to a file as JSON, completely or not at all; `lrsched.load` reads it."""
        from lrsched._atomic import write_file

        text = self.to_json(indent=1) + "\n"
        write_file(path, lambda file: file.write(text.encode()))


def call_text(name: str, params: Mapping[str, Any], signature: inspect.Signature) -> str:
    """A call with these hyperparameters as code, without those that have their defaults."""
    shown = []
    for (parameter, value), declared in zip(
        params.items(), signature.parameters.values(), strict=True
    ):
        default = declared.default
        if is_array(value) or type(value) is not type(default) or value != default:
            text = getattr(value, "__qualname__", None) or repr(value)
            shown.append(f"{parameter}={text}")
    return f"{name}({', '.join(shown)})"


def encode(kind: Kind, value: Any) -> Any:
    """A hyperparameter as plain data."""
    if isinstance(value, Duration):
        return value.to_dict()
    if is_array(value) and getattr(value, "shape", None) == ():
        return value.item()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"to_dict: a recipe holds numbers, names and schedules, not {value!r}")


def equal(first: Any, second: Any) -> bool:
    """Whether hyperparameters are equal, tuples item by item and arrays as a whole."""
    if type(first) is tuple and type(second) is tuple:
        return len(first) == len(second) and all(map(equal, first, second))
    if is_array(first) or is_array(second):
        same = first is second or getattr(first, "shape", ()) == getattr(second, "shape", ())
        return same and bool((first == second).all())
    return bool(first == second)
