"""Configurations in files: JSON, TOML and YAML. Nothing in a file is executed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lrsched._core.checks import Refusal
from lrsched._optional import import_optional
from lrsched.formats.serialize import unique_keys

_refuse = Refusal("convert")


def read_config(path: Path) -> Any:
    """The data of a file, whose ending says what it is.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is none of these, or not what its ending says.
        ModuleNotFoundError: the file is YAML, and PyYAML is not installed.
    """
    ending = path.suffix.lower()
    if ending == ".py":
        what = "(reading a Python file would execute it, and no configuration is executed)"
        _refuse("FILE", f"a file with data, {_ENDINGS} {what}", str(path))
    if ending not in READERS:
        _refuse("FILE", f"a file that ends in {_ENDINGS}", str(path))
    text = path.read_text(encoding="utf-8")
    try:
        return READERS[ending](text)
    except ValueError as error:
        reason = str(error)
    raise ValueError(f"convert: {path} is no {ending[1:].upper()}: {reason}")


def _from_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=unique_keys)


def _from_yaml(text: str) -> Any:
    yaml = import_optional("yaml", "yaml", "convert")
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(error) from None


READERS: Mapping[str, Callable[[str], Any]] = {
    ".json": _from_json,
    ".toml": tomllib.loads,
    ".yaml": _from_yaml,
    ".yml": _from_yaml,
}
_ENDINGS = ", ".join(READERS)
