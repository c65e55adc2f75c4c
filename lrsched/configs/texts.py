"""Configurations as text: JSON, TOML and YAML. Nothing in a text is executed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from lrsched._core.checks import Refusal
from lrsched._optional import import_optional
from lrsched.formats.serialize import unique_keys

_refuse = Refusal("convert")


def parse_config(path: str, text: str) -> Any:
    """The data of a file's text; the ending of the path says what it is.

    Raises:
        ValueError: the file is none of these, or not what its ending says.
        ModuleNotFoundError: the file is YAML, and PyYAML is not installed.

    >>> parse_config("a.toml", "x = [1, 2]")
    {'x': [1, 2]}
    """
    read = reader_of(path)
    try:
        return read(text)
    except ValueError as error:
        reason = str(error)
    except RecursionError:
        reason = "it must not be nested this deeply"
    raise ValueError(f"convert: {path} is no {PurePath(path).suffix[1:].upper()}: {reason}")


def reader_of(path: str) -> Callable[[str], Any]:
    """What reads a file with this ending; the ValueError says which endings there are."""
    ending = PurePath(path).suffix.lower()
    if ending == ".py":
        what = "(reading a Python file would execute it, and no configuration is executed)"
        _refuse("FILE", f"a file with data, {_ENDINGS} {what}", path)
    if ending not in READERS:
        _refuse("FILE", f"a file that ends in {_ENDINGS}", path)
    return READERS[ending]


def _from_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=unique_keys)


def _from_toml(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


def _from_yaml(text: str) -> Any:
    yaml = import_optional("yaml", "yaml", "convert")
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(error) from None


READERS: Mapping[str, Callable[[str], Any]] = {
    ".json": _from_json,
    ".toml": _from_toml,
    ".yaml": _from_yaml,
    ".yml": _from_yaml,
}
_ENDINGS = ", ".join(READERS)
