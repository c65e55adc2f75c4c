"""The keys and values of configurations: text that means numbers, paths, containers that fail."""

from __future__ import annotations

import contextlib
import functools
import operator
import sys
import types
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, TypeVar

from lrsched._core.checks import shown
from lrsched._core.durations import Duration
from lrsched._core.schedule import Schedule

T = TypeVar("T")


def as_number(value: Any, item_type: type | None) -> Any:
    """Text that is a number as one, and a whole float as an integer, where numbers are expected."""
    if isinstance(value, str) and item_type in (int, float):
        for read in (int, float):
            with contextlib.suppress(ValueError):
                return as_number(read(value), item_type)
    if item_type is int and type(value) is float and value.is_integer():
        return int(value)
    return value


def underscored(key: str) -> str:
    """An option's name in Python: `lr_warmup_iters` for --lr-warmup-iters."""
    return key.lstrip("-").replace("-", "_")


def is_named(entries: Mapping[str, Any], key: str, names: Container[str]) -> bool:
    """Whether the value of a key is one of some names."""
    value = entries.get(key)
    return isinstance(value, str) and value in names


def is_list(value: Any) -> bool:
    """Whether a value is a list or another sequence, and no text."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def as_list(value: Any) -> Any:
    """The items of text such as "(60, 80)", "60,80" or "60 80"; anything else as it is."""
    return value.strip("()[] ").replace(",", " ").split() if isinstance(value, str) else value


def join_path(path: str, key: str) -> str:
    """The path of a key in the mapping at a path."""
    return f"{path}.{key}" if path else key


class Unavailable(NamedTuple):
    """In place of a value that a container does not give: OmegaConf's interpolations and "???"."""

    path: str
    reason: str

    def fail(self) -> NoReturn:
        """Refuse the configuration, which needs the value."""
        fail(self.path, self.reason)


def entries_of(config: Mapping[Any, Any], path: str, prefix: str = "") -> dict[str, Any]:
    """The entries of a mapping whose keys begin with the prefix, under those keys without it."""
    entries = entries_or_reasons(config, path, prefix)
    require_available(entries)
    return entries


def require_available(entries: Mapping[str, Any]) -> None:
    """Refuse entries of which one is unavailable."""
    for value in entries.values():
        if isinstance(value, Unavailable):
            value.fail()


def entries_or_reasons(config: Mapping[Any, Any], path: str, prefix: str = "") -> dict[str, Any]:
    """The entries of a mapping, where a value that cannot be had is `Unavailable`."""
    entries: dict[str, Any] = {}
    for key in get(path, lambda: list(config)):
        if isinstance(key, str) and key.startswith(prefix):
            read = functools.partial(operator.getitem, config, key)
            entries[key.removeprefix(prefix)] = _value_or_reason(join_path(path, key), read)
        elif not prefix:
            fail(path, f"keys must be strings, got {shown(key)}", TypeError)
    return entries


def items_of(config: Sequence[Any], path: str) -> Iterator[tuple[str, Any]]:
    """The items of a sequence, each with its path."""
    for index in range(len(config)):
        at = f"{path}[{index}]"
        yield at, get(at, functools.partial(operator.getitem, config, index))


def get(path: str, read: Callable[[], T]) -> T:
    """What `read` returns; an error of the container becomes one that names the key."""
    value = _value_or_reason(path, read)
    return value.fail() if isinstance(value, Unavailable) else value


def _value_or_reason(path: str, read: Callable[[], T]) -> T | Unavailable:
    try:
        return read()
    except RecursionError:
        raise
    except Exception as error:  # OmegaConf's
        return Unavailable(path, f"the value cannot be had: {str(error).partition(chr(10))[0]}")


def fail(path: str, reason: str, error: type[Exception] = ValueError) -> NoReturn:
    """Refuse what stands at a path."""
    raise error(f"from_config: {path}: {reason}" if path else f"from_config: {reason}")


def as_mapping(config: Any) -> Any:
    """The attributes of a namespace such as argparse's, or of a dataclass; else what it is.

    A schedule or a duration is a value, not a mapping.
    """
    if isinstance(config, (Schedule, Duration)):
        return config
    if hasattr(config, "__dataclass_fields__") and not isinstance(config, type):
        import dataclasses

        return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    argparse = sys.modules.get("argparse")  # there is no Namespace before argparse is imported
    namespaces = (types.SimpleNamespace, *([argparse.Namespace] if argparse else []))
    return vars(config) if isinstance(config, namespaces) else config


def plain(value: Any) -> Any:
    """A namespace or a dataclass in a configuration, such as a section of it, as a mapping."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    mapping = as_mapping(value)
    return mapping if mapping is value else {key: plain(mapping[key]) for key in mapping}
