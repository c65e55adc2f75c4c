"""A formula with its name and the kinds of its hyperparameters, and the registry of all of them."""

from __future__ import annotations

import functools
import inspect
import operator
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lrsched._core.checks import Kind, Real, Refusal, Whole
from lrsched._core.durations import durations_in

Check = Callable[[Refusal, dict[str, Any]], None]


class Definition:
    """A schedule's formula with its name and the kinds of its hyperparameters."""

    body: Callable[..., Any]
    name: str
    check: Check | None
    refuse: Refusal
    signature: inspect.Signature
    parameters: tuple[str, ...]
    kinds: dict[str, Kind]
    traced: frozenset[str]  # the parameters that JAX may trace
    is_own: bool  # whether the formula is the library's: others may branch, and are not compiled
    factory: Callable[..., Any]  # set by `@schedule`: makes a schedule of this definition

    def __init__(self, body: Callable[..., Any], check: Check | None) -> None:
        self.body = body
        self.name = body.__name__
        self.check = check
        self.refuse = Refusal(self.name)
        # Without xp and count.
        parameters = list(plain_signature(body).parameters.values())[2:]
        self.parameters = tuple(parameter.name for parameter in parameters)
        self.kinds = kinds_of(body, self.parameters)
        self.signature = inspect.Signature(parameters)
        self.traced = frozenset(name for name, kind in self.kinds.items() if kind.traced)
        self.is_own = str(body.__module__).startswith("lrsched.")

    def bind(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The hyperparameters of a call of the factory, checked, in the order of the signature.

        The check of hyperparameters together is postponed where one of them is a duration, until it
        is resolved.
        """
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            names = ", ".join(self.parameters)
            raise TypeError(f"{self.name}: {error} (its parameters: {names})") from None
        bound.apply_defaults()
        params = {
            name: self.refuse.check(name, self.kinds[name], value)
            for name, value in bound.arguments.items()
        }
        if self.check is not None and not any(durations_in(tuple(params.values()))):
            self.check(self.refuse, params)
        return tuple(params.values())


def kinds_of(body: Callable[..., Any], parameters: Iterable[str]) -> dict[str, Kind]:
    """The kind of each hyperparameter, from its annotation."""
    hints = typing.get_type_hints(body, include_extras=True)
    kinds = {}
    for name in parameters:
        kind = getattr(hints.get(name), "__metadata__", (None,))[0]
        if not isinstance(kind, Kind):
            raise TypeError(
                f"@schedule: {body.__name__} must annotate {name} with a kind of hyperparameter "
                "(lrsched.Value, lrsched.Steps, ...)"
            )
        kinds[name] = kind
    return kinds


def plain_signature(function: Callable[..., Any]) -> inspect.Signature:
    """A function's signature with plain types."""
    hints = typing.get_type_hints(function)
    signature = inspect.signature(function)
    return signature.replace(
        parameters=[
            each.replace(annotation=_plain_type(hints.get(each.name, each.annotation)))
            for each in signature.parameters.values()
        ],
        return_annotation=hints.get("return", signature.return_annotation),
    )


def _plain_type(hint: Any) -> Any:
    """A type as `help` shows it: int and float for the numbers of any library."""
    if hint in (Real, Whole):
        return float if hint is Real else int
    if isinstance(hint, types.UnionType):
        return functools.reduce(operator.or_, map(_plain_type, typing.get_args(hint)))
    if typing.get_origin(hint) is Sequence:
        (item,) = typing.get_args(hint)
        return Sequence[_plain_type(item)]  # type: ignore[misc]  # made at run time
    return hint


REGISTRY: dict[str, Definition] = {}

# The functions that compose schedules of the registry, by name.
RECIPES: dict[str, Callable[..., Any]] = {}
