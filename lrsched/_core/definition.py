"""A formula with its name and the kinds of its hyperparameters, and the registry of all of them."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from lrsched._core.checks import Kind, Refusal
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
    traced: tuple[str, ...]  # the parameters that JAX may trace
    static: tuple[str, ...]  # the others
    is_own: bool  # whether the formula is the library's: others may branch, and are not compiled
    factory: Callable[..., Any]  # set by `@schedule`: makes a schedule of this definition

    def __init__(
        self, body: Callable[..., Any], check: Check | None, result: type | None = None
    ) -> None:
        hints = _hints(body)
        parameters = list(inspect.signature(body).parameters.values())[2:]  # without xp and count
        self.body = body
        self.name = body.__name__
        self.check = check
        self.refuse = Refusal(self.name)
        self.parameters = tuple(each.name for each in parameters)
        self.kinds = {name: _kind_of(self.name, name, hints.get(name)) for name in self.parameters}
        self.signature = _plain(parameters, hints, result)
        self.traced = tuple(name for name, kind in self.kinds.items() if kind.traced)
        self.static = tuple(name for name, kind in self.kinds.items() if not kind.traced)
        self.is_own = str(body.__module__).startswith("lrsched.")

    def bind(self, /, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The hyperparameters of a call of the factory, checked, in the order of the signature.

        The check of hyperparameters together is postponed where one of them is a duration, until it
        is resolved.
        """
        params = checked_arguments(self.refuse, self.signature, self.kinds, args, kwargs)
        if self.check is not None and not any(durations_in(tuple(params.values()))):
            self.check(self.refuse, params)
        return tuple(params.values())

    def split(self, values: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The values that JAX may trace, and the static ones."""
        params = dict(zip(self.parameters, values, strict=True))
        return tuple(params[x] for x in self.traced), tuple(params[x] for x in self.static)

    def merge(self, traced: Iterable[Any], static: Iterable[Any]) -> tuple[Any, ...]:
        """The values of a split, in the order of the parameters again."""
        params = dict(zip(self.traced, traced, strict=True))
        params |= zip(self.static, static, strict=True)
        return tuple(params[x] for x in self.parameters)


def checked_arguments(
    refuse: Refusal,
    signature: inspect.Signature,
    kinds: Mapping[str, Kind],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> dict[str, Any]:
    """The arguments of a call by name, defaults included, each converted to its kind."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        names = ", ".join(signature.parameters)
        raise TypeError(f"{refuse.schedule}: {error} (its parameters: {names})") from None
    bound.apply_defaults()
    return {name: refuse.check(name, kinds[name], x) for name, x in bound.arguments.items()}


def kinds_of(function: Callable[..., Any]) -> dict[str, Kind]:
    """The kind of each parameter of a function, from its annotation."""
    hints, code = _hints(function), function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return {name: _kind_of(function.__name__, name, hints.get(name)) for name in names}


def _hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The annotations of a function, evaluated where they are text."""
    hints: dict[str, Any] = function.__annotations__
    if any(isinstance(hint, str) for hint in hints.values()):
        hints = typing.get_type_hints(function, include_extras=True)
    return hints


def _kind_of(function: str, parameter: str, hint: Any) -> Kind:
    kind = getattr(hint, "__metadata__", (None,))[0]
    if not isinstance(kind, Kind):
        raise TypeError(
            f"@schedule: {function} must annotate {parameter} with a kind of hyperparameter "
            "(lrsched.Value, lrsched.Steps, ...)"
        )
    return kind


def plain_annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """A function's annotations without their kinds, for `help`."""
    return {name: _plain_type(hint) for name, hint in _hints(function).items()}


def plain_signature(function: Callable[..., Any]) -> inspect.Signature:
    """A function's signature without the kinds of its annotations, for `help`."""
    hints = _hints(function)
    signature = inspect.signature(function)
    return _plain(signature.parameters.values(), hints, hints.get("return"))


def _plain(
    parameters: Iterable[inspect.Parameter], hints: Mapping[str, Any], result: Any
) -> inspect.Signature:
    plain = [each.replace(annotation=_plain_type(hints[each.name])) for each in parameters]
    return inspect.Signature(plain, return_annotation=result)


def _plain_type(hint: Any) -> Any:
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


REGISTRY: dict[str, Definition] = {}

# The functions that compose schedules of the registry, by name.
RECIPES: dict[str, Callable[..., Any]] = {}
