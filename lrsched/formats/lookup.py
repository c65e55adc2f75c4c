"""What the name in a config builds: a schedule, a recipe, or a schedule of transformers."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from lrsched._core.checks import Kind
from lrsched._core.definition import Definition
from lrsched._core.schedule import Schedule
from lrsched.formats.names import find, known_names, unknown
from lrsched.formats.transformers_names import BUILDERS, from_name


class ParamType(NamedTuple):
    """The type of a parameter.

    `item_type` is int, float or Schedule if the parameter, or each item of its sequence, is one;
    None for other types. `optional` says whether the parameter may be None.
    """

    item_type: type | None
    optional: bool


class Builder(NamedTuple):
    """A function that makes a schedule or a controller, its signature and its parameters' types."""

    make: Callable[..., Any]
    signature: inspect.Signature
    param_types: Mapping[str, ParamType]

    def param_type(self, name: str) -> ParamType:
        """The type of a parameter; one that is not in the signature takes no None."""
        return self.param_types.get(name, ParamType(None, optional=False))


def is_known(name: str) -> bool:
    """Whether a name is one that `find_builder` finds."""
    return name in known_names() or name in BUILDERS


def find_builder(name: str) -> Builder:
    """The builder for this name; the ValueError for an unknown name suggests the nearest one."""
    known = known_names()
    if name in known:
        return _definition_builder(find(name))
    if name in BUILDERS:
        return _transformers_builder(name, BUILDERS[name])
    raise unknown(name, {*known, *BUILDERS})


def _definition_builder(definition: Definition) -> Builder:
    param_types = {
        name: ParamType(kind.item_type, _takes_none(kind))
        for name, kind in definition.kinds.items()
    }
    return Builder(definition.factory, definition.signature, param_types)


def _takes_none(kind: Kind) -> bool:
    try:
        return kind.convert(None) is None
    except (TypeError, ValueError):
        return False


def _function_builder(function: Callable[..., Schedule]) -> Builder:
    hints = typing.get_type_hints(function)
    signature = inspect.signature(function)
    return Builder(
        function, signature, {name: _param_type(hints[name]) for name in signature.parameters}
    )


def _param_type(hint: Any) -> ParamType:
    options = list(_members(hint))
    item_type = next((each for each in (int, float, Schedule) if each in options), None)
    return ParamType(item_type, type(None) in options)


def _members(hint: Any) -> Iterator[Any]:
    """The types in a union or a sequence, nested ones included."""
    arguments = typing.get_args(hint)
    for argument in arguments:
        yield from _members(argument)
    if not arguments:
        yield hint


def _transformers_builder(name: str, builder: Callable[..., Schedule]) -> Builder:
    _, signature, param_types = _function_builder(builder)
    lr, *others = signature.parameters.values()  # `from_name` names the first parameter so
    learning_rate = lr.replace(name="learning_rate")
    return Builder(
        functools.partial(from_name, name),
        signature.replace(parameters=[learning_rate, *others]),
        {**param_types, "learning_rate": param_types[lr.name]},
    )
