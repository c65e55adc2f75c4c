"""Schedules from configurations: Hydra and OmegaConf, YAML, argparse."""

from __future__ import annotations

import contextlib
import functools
import operator
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from lrsched._core.checks import Refusal, shown
from lrsched._core.schedule import Schedule
from lrsched.formats.parse import read
from lrsched.formats.serialize import from_dict

if TYPE_CHECKING:
    from lrsched.formats.lookup import Builder, ParamType

T = TypeVar("T")
NAMES = ("name", "_target_")
_refuse = Refusal("from_config")


def from_config(config: Any, prefix: str = "") -> Schedule:
    """The schedule that a configuration describes, checked like one made in code.

    A mapping has the name of a schedule under `name` (or under `_target_`, Hydra's key) and its
    parameters beside it. Mappings inside it are schedules too.

    The name is that of a schedule, of a recipe such as `warmup_stable_decay`, or one of those of
    transformers that `from_name` takes, with its own parameters. If several have the name, as with
    "linear", "polynomial", "constant" and "inverse_sqrt", the first of these three takes it.

    Texts and numbers are converted:

    - where a parameter takes a number, text that is a number becomes one (YAML 1.1 reads `1e-4` as
      text, argparse reads everything as text);
    - where it takes an integer, a float with a whole value becomes one (YAML's `1.0e5`);
    - where it takes a number or a schedule, text may also be what `repr` prints: a recipe, a
      duration, a list. It is parsed as in `from_repr`; nothing is evaluated or imported;
    - other text stays as it is.

    None counts as not given if there is no such parameter, or if the parameter does not accept
    None. argparse gives None for options that are left out.

    Args:
        config: a mapping (a dict, OmegaConf's DictConfig with its interpolations), the result of
            argparse (an `argparse.Namespace`, or a `types.SimpleNamespace`; use `vars` for other
            objects), the data of `Schedule.to_dict`, or a recipe as text.
        prefix: only the keys of `config` that begin with it are read, without it.

    Raises:
        TypeError: `config` or `prefix` is of the wrong type, a parameter is unknown or missing, or
            a value is of the wrong type.
        ValueError: there is no schedule of that name, or a value is refused. The message has the
            path to the schedule or the key: `schedules[1].init_value`.

    Elsewhere: `hydra.utils.instantiate` calls the factories as they are
    (`_target_: lrsched.cosine_decay`). It converts no text to numbers and no string to a recipe.

    >>> import lrsched
    >>> decay = {"name": "cosine_decay", "init_value": "1e-3", "decay_steps": 9e4}
    >>> recipe = lrsched.from_config({"name": "warmup", "schedule": decay, "warmup_steps": 1000})
    >>> recipe  # doctest: +NORMALIZE_WHITESPACE
    warmup(schedule=cosine_decay(init_value=0.001, decay_steps=90000), warmup_steps=1000)

    The options of a command line, with a prefix of their own:

    >>> import argparse
    >>> parser = argparse.ArgumentParser()
    >>> for option in ("--lr-name", "--lr-init-value", "--lr-decay-steps", "--lr-end-value"):
    ...     _ = parser.add_argument(option)
    >>> words = "--lr-name cosine_decay --lr-init-value 0.1 --lr-decay-steps run_fraction(0.9)"
    >>> lrsched.from_config(parser.parse_args(words.split()), prefix="lr_")
    cosine_decay(init_value=0.1, decay_steps=run_fraction(0.9))
    """
    if not isinstance(prefix, str):
        _refuse("prefix", "a string", prefix, TypeError)
    try:
        return _from_any(config, prefix)
    except RecursionError:
        raise ValueError("from_config: the config must not be nested this deeply") from None


def _from_any(config: Any, prefix: str) -> Schedule:
    if isinstance(config, str):
        if prefix:
            _refuse("prefix", "left out where the config is a recipe as text", prefix)
        recipe: Schedule = read("from_config", config, Schedule)
        return recipe
    config = _as_mapping(config)
    if not isinstance(config, Mapping):
        expected = "a mapping, an argparse.Namespace or a recipe as text"
        _refuse("the config", expected, config, TypeError)
    return _schedule(_entries(config, "", prefix), "", prefix)


def _as_mapping(config: Any) -> Any:
    argparse = sys.modules.get("argparse")  # there is no Namespace before argparse is imported
    namespaces = (types.SimpleNamespace, *([argparse.Namespace] if argparse else []))
    return vars(config) if isinstance(config, namespaces) else config


def _schedule(entries: dict[str, Any], path: str, prefix: str = "") -> Schedule:
    if "lrsched" in entries:
        data = {
            key: _plain(value, _join_path(path, prefix + key)) for key, value in entries.items()
        }
        return _with_path(path, lambda: from_dict(data))
    name, builder = _find(entries, path, prefix)
    params = {}
    for key, value in entries.items():
        kind = builder.param_type(key)
        if key not in NAMES and (value is not None or kind.optional):
            params[key] = _value(value, kind, _join_path(path, prefix + key))
    try:
        builder.signature.bind(**params)
    except TypeError as error:
        known = ", ".join(builder.signature.parameters)
        reason = f"{name}: {error} (its parameters: {known})"
    else:
        return _with_path(path, lambda: builder.make(**params))
    return _fail(path, reason, TypeError)


def _find(entries: Mapping[str, Any], path: str, prefix: str) -> tuple[str, Builder]:
    """The name of the schedule that a mapping describes, and its builder."""
    given = [key for key in NAMES if entries.get(key) is not None]
    if len(given) != 1:
        expected = " or ".join(repr(prefix + key) for key in NAMES)
        found = ", ".join(repr(prefix + key) for key in entries) or "none"
        _fail(path, f"a schedule must have one key {expected}, got {found}")
    name = entries[given[0]]
    if not isinstance(name, str):
        _refuse(_join_path(path, prefix + given[0]), "the name of a schedule", name, TypeError)
    name = name.removeprefix("lrsched.")
    from lrsched.formats.lookup import find_builder  # only configs need it

    return name, _with_path(path, lambda: find_builder(name))


def _value(value: Any, kind: ParamType, path: str) -> Any:
    value = _as_mapping(value)
    if isinstance(value, Mapping):
        return _schedule(_entries(value, path), path)
    if isinstance(value, str):
        return _from_text(value, kind, path)
    if _is_list(value):
        return tuple(_value(item, kind, at) for at, item in _items(value, path))
    if kind.item_type is int and type(value) is float and value.is_integer():
        return int(value)
    return value


def _from_text(text: str, kind: ParamType, path: str) -> Any:
    """Text read as a number or a `repr`, if the parameter takes numbers or schedules; else text."""
    if kind.item_type in (int, float):
        for number in (int, float):
            with contextlib.suppress(ValueError):
                return _value(number(text), kind, path)
    if kind.item_type is not None and ("(" in text or "[" in text):
        value = read(f"from_config: {path}", text)
        return value if isinstance(value, str) else _value(value, kind, path)
    return text


def _plain(value: Any, path: str) -> Any:
    """A config's own containers, such as OmegaConf's, as dicts and lists."""
    if isinstance(value, Mapping):
        return {
            key: _plain(item, _join_path(path, key)) for key, item in _entries(value, path).items()
        }
    return [_plain(item, at) for at, item in _items(value, path)] if _is_list(value) else value


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _entries(config: Mapping[Any, Any], path: str, prefix: str = "") -> dict[str, Any]:
    """The entries of a mapping whose keys begin with the prefix, under those keys without it."""
    entries = {}
    for key in _get(path, lambda: list(config)):
        if isinstance(key, str) and key.startswith(prefix):
            value = _get(_join_path(path, key), functools.partial(operator.getitem, config, key))
            entries[key.removeprefix(prefix)] = value
        elif not prefix:
            _fail(path, f"keys must be strings, got {shown(key)}", TypeError)
    return entries


def _items(config: Sequence[Any], path: str) -> list[tuple[str, Any]]:
    places = [f"{path}[{index}]" for index in range(len(config))]
    return [
        (at, _get(at, functools.partial(operator.getitem, config, index)))
        for index, at in enumerate(places)
    ]


def _get(path: str, get: Callable[[], T]) -> T:
    """What `get` returns; an error of the container becomes one that names the key."""
    try:
        return get()
    except RecursionError:
        raise
    except Exception as error:  # OmegaConf's, for interpolations and "???"
        reason = str(error).partition("\n")[0]
    return _fail(path, f"the value cannot be had: {reason}")


def _join_path(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _with_path(path: str, make: Callable[[], T]) -> T:
    """What `make` returns; its refusal gets the path of the mapping."""
    try:
        return make()
    except (TypeError, ValueError) as refused:
        error, reason = TypeError if isinstance(refused, TypeError) else ValueError, str(refused)
    return _fail(path, reason, error)


def _fail(path: str, reason: str, error: type[Exception] = ValueError) -> NoReturn:
    raise error(f"from_config: {path}: {reason}" if path else f"from_config: {reason}")
