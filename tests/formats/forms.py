"""A schedule in the forms in which a config may hold it."""

import argparse
import json
import types
from collections.abc import Callable
from typing import Any

from lrsched import Duration, Schedule
from tests.optional import needs


def written(value: Any, key: str, text: bool) -> Any:
    """A schedule as nested mappings, its numbers as they are or as text."""
    if isinstance(value, Schedule):
        params = {name: written(param, key, text) for name, param in value.params.items()}
        return {key: value.name if key == "name" else f"lrsched.{value.name}"} | params
    if isinstance(value, tuple):
        return [written(item, key, text) for item in value]
    if isinstance(value, Duration) or (text and isinstance(value, (int, float))):
        return str(value) if not isinstance(value, bool) else value
    return value


def whole_as_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: whole_as_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole_as_floats(item) for item in value]
    return float(value) if type(value) is int else value


FORMS: dict[str, Callable[[Schedule], Any]] = {
    "name": lambda s: written(s, "name", text=False),
    "target": lambda s: written(s, "_target_", text=False),
    "text": lambda s: written(s, "name", text=True),
    "whole floats": lambda s: whole_as_floats(written(s, "name", text=False)),
    "whole floats as text": lambda s: json.loads(
        json.dumps(whole_as_floats(written(s, "name", text=False))), parse_float=str
    ),
    "repr": repr,
    "nested reprs": lambda s: {
        "name": s.name,
        **{k: repr(v) if isinstance(v, (Schedule, tuple)) else v for k, v in s.params.items()},
    },
    "schedules themselves": lambda s: {"name": s.name, **s.params},
    "to_dict": lambda s: s.to_dict(),
    "argparse": lambda s: argparse.Namespace(**written(s, "name", text=True)),
    "SimpleNamespace": lambda s: types.SimpleNamespace(**written(s, "name", text=False)),
}


def in_omegaconf(data: Any) -> Any:
    return needs("omegaconf").OmegaConf.create(data)


def in_yaml(data: Any) -> Any:
    yaml = needs("yaml")
    return yaml.safe_load(yaml.safe_dump(data))


# Those of other libraries.
LIBRARY_FORMS: dict[str, Callable[[Schedule], Any]] = {
    "OmegaConf": lambda s: in_omegaconf(written(s, "name", text=False)),
    "OmegaConf of to_dict": lambda s: in_omegaconf(s.to_dict()),
    "YAML": lambda s: in_yaml(written(s, "name", text=False)),
}
