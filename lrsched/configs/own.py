"""Our own form of configurations: a mapping with a schedule's name and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from lrsched._core.checks import Refusal
from lrsched.configs.entries import (
    as_mapping,
    as_number,
    entries_of,
    fail,
    is_list,
    items_of,
    join_path,
)
from lrsched.formats.parse import read
from lrsched.formats.serialize import from_dict

if TYPE_CHECKING:
    from lrsched.formats.lookup import Builder, ParamType

T = TypeVar("T")
NAMES = ("name", "_target_")
_refuse = Refusal("from_config")


def is_own(entries: Mapping[str, Any]) -> bool:
    """Whether a mapping has the name of a schedule or a controller, or is the data of `to_dict`."""
    if "lrsched" in entries:
        return True
    from lrsched.formats.lookup import is_known

    names = [entries[key] for key in NAMES if isinstance(entries.get(key), str)]
    return len(names) == 1 and is_known(names[0].removeprefix("lrsched."))


def read_recipe(entries: dict[str, Any], path: str, prefix: str = "", others: str = "") -> Any:
    """The schedule or the controller of a mapping with its name and its parameters.

    `others` says in the refusal of one without a name what else it might be.
    """
    if "lrsched" in entries:
        data = {key: _plain(value, join_path(path, prefix + key)) for key, value in entries.items()}
        return _with_path(path, lambda: from_dict(data))
    name, builder = _find(entries, path, prefix, others)
    params = {}
    for key, value in entries.items():
        kind = builder.param_type(key)
        if key not in NAMES and (value is not None or kind.optional):
            params[key] = _value(value, kind, join_path(path, prefix + key))
    try:
        builder.signature.bind(**params)
    except TypeError as error:
        known = ", ".join(builder.signature.parameters)
        reason = f"{name}: {error} (its parameters: {known})"
    else:
        return _with_path(path, lambda: builder.make(**params))
    return fail(path, reason, TypeError)


def _find(entries: Mapping[str, Any], path: str, prefix: str, others: str) -> tuple[str, Builder]:
    """The name of the schedule that a mapping describes, and its builder."""
    given = [key for key in NAMES if entries.get(key) is not None]
    if len(given) != 1:
        expected = " or ".join(repr(prefix + key) for key in NAMES)
        found = ", ".join(repr(prefix + key) for key in entries) or "none"
        fail(path, f"a schedule must have one key {expected}{'' if given else others}, got {found}")
    name = entries[given[0]]
    if not isinstance(name, str):
        _refuse(join_path(path, prefix + given[0]), "the name of a schedule", name, TypeError)
    name = name.removeprefix("lrsched.")
    from lrsched.formats.lookup import find_builder  # only configs need it

    return name, _with_path(path, lambda: find_builder(name))


def _value(value: Any, kind: ParamType, path: str) -> Any:
    value = as_mapping(value)
    if isinstance(value, Mapping):
        return read_recipe(entries_of(value, path), path)
    if isinstance(value, str):
        return _from_text(value, kind, path)
    if is_list(value):
        return tuple(_value(item, kind, at) for at, item in items_of(value, path))
    return as_number(value, kind.item_type)


def _from_text(text: str, kind: ParamType, path: str) -> Any:
    """Text read as a number or a `repr`, if the parameter takes numbers or schedules; else text."""
    number = as_number(text, kind.item_type)
    if number is not text:
        return number
    if kind.item_type is not None and ("(" in text or "[" in text):
        value = read(f"from_config: {path}", text)
        return value if isinstance(value, str) else _value(value, kind, path)
    return text


def _plain(value: Any, path: str) -> Any:
    """A config's own containers, such as OmegaConf's, as dicts and lists."""
    if isinstance(value, Mapping):
        return {
            key: _plain(item, join_path(path, key)) for key, item in entries_of(value, path).items()
        }
    return [_plain(item, at) for at, item in items_of(value, path)] if is_list(value) else value


def _with_path(path: str, make: Callable[[], T]) -> T:
    """What `make` returns; its refusal gets the path of the mapping."""
    try:
        return make()
    except (TypeError, ValueError) as refused:
        error, reason = TypeError if isinstance(refused, TypeError) else ValueError, str(refused)
    return fail(path, reason, error)
