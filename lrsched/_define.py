"""`@schedule`, which makes a schedule of a formula, and the registry of all that were made."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Concatenate, ParamSpec, overload

from lrsched._checks import Kind, Refusal, sequence
from lrsched._durations import durations_in
from lrsched._schedule import Schedule

P = ParamSpec("P")
Check = Callable[[Refusal, dict[str, Any]], None]


class Definition:
    """A schedule's formula with its name and the kinds of its hyperparameters."""

    def __init__(self, body: Callable[..., Any], check: Check | None) -> None:
        self.body = body
        self.name = body.__name__
        self.check = check
        self.refuse = Refusal(self.name)
        parameters = list(inspect.signature(body).parameters.values())[2:]
        self.signature = inspect.Signature(parameters, return_annotation=Schedule)
        self.parameters = tuple(parameter.name for parameter in parameters)
        self.kinds = kinds_of(body, self.parameters)
        self.traced = frozenset(name for name, kind in self.kinds.items() if kind.traced)
        # Formulas of the library are recorded, to compile them for numbers; others may branch.
        self.is_own = str(body.__module__).startswith("lrsched.")
        self.factory: Callable[..., Schedule]

    def make(self, *args: Any, **kwargs: Any) -> Schedule:
        """A schedule with these hyperparameters, checked.

        What only numbers of steps can tell is checked when its durations are resolved.
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
        if self.check is not None and not any(map(_is_open, params.values())):
            self.check(self.refuse, params)
        return Schedule(self, tuple(params.values()))


def _is_open(value: Any) -> bool:
    return any(durations_in(value))


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


REGISTRY: dict[str, Definition] = {}


@overload
def schedule(body: Callable[Concatenate[Any, Any, P], Any], /) -> Callable[P, Schedule]: ...
@overload
def schedule(
    *, check: Check
) -> Callable[[Callable[Concatenate[Any, Any, P], Any]], Callable[P, Schedule]]: ...
def schedule(body: Any = None, /, *, check: Check | None = None) -> Any:
    """Make a formula a schedule: a factory with the formula's signature less `xp` and `count`.

    The body is a pure function of the array namespace, the count (0 or more) and the
    hyperparameters, each annotated with its kind. It runs on Python numbers and on arrays of any
    library, so it uses functions of the array API standard from `xp`, and no branch on a number.

    `check(refuse, params)` looks at hyperparameters together and calls
    `refuse(parameter, wanted, got)` to refuse them. Steps written in other units are resolved
    before the check and the body see them.

    >>> import lrsched
    >>> @lrsched.schedule
    ... def inverse(xp, count, init_value: lrsched.Value, halving_steps: lrsched.Steps):
    ...     return init_value / (1.0 + count / halving_steps)
    >>> inverse(0.1, halving_steps=50)
    inverse(init_value=0.1, halving_steps=50)
    >>> inverse(0.1, 50)(50)
    0.05
    """
    if body is None:
        return functools.partial(_factory, check=check)
    return _factory(body, check)


def _factory(body: Callable[..., Any], check: Check | None) -> Callable[..., Schedule]:
    definition = Definition(body, check)
    known = REGISTRY.get(definition.name)
    # The same place may define it again (a notebook's cell); another place may not.
    if known is not None and known.body.__module__ != body.__module__:
        raise ValueError(
            f"@schedule: the name {definition.name} is taken by {known.body.__module__}"
        )

    @functools.wraps(body)
    def factory(*args: Any, **kwargs: Any) -> Schedule:
        return definition.make(*args, **kwargs)

    del factory.__wrapped__  # its signature has xp and count
    factory.__signature__ = definition.signature  # type: ignore[attr-defined]
    factory.__annotations__ = {
        name: parameter.annotation for name, parameter in definition.signature.parameters.items()
    } | {"return": Schedule}
    factory._definition = definition  # type: ignore[attr-defined]
    definition.factory = factory
    REGISTRY[definition.name] = definition
    return factory


def _inner(value: Any) -> Any:
    if not isinstance(value, Schedule):
        raise TypeError
    return value


_schedule = Kind("a schedule", _inner, schema={"$ref": "#/$defs/schedule"}, holds=Schedule)

Inner = Annotated[Schedule, _schedule]
Inners = Annotated[Sequence[Schedule], sequence("schedules", _schedule)]
