"""`@schedule`, which turns a formula into a schedule."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar, overload

from lrsched._core.checks import Kind, Refusal, sequence
from lrsched._core.definition import (
    RECIPES,
    REGISTRY,
    Check,
    Definition,
    checked_arguments,
    kinds_of,
    plain_annotations,
    plain_signature,
)
from lrsched._core.recipe import MAX_DEPTH, MAX_PARTS
from lrsched._core.schedule import Schedule

P = ParamSpec("P")
T = TypeVar("T")


@overload
def schedule(body: Callable[Concatenate[Any, Any, P], Any], /) -> Callable[P, Schedule]: ...
@overload
def schedule(
    *, check: Check
) -> Callable[[Callable[Concatenate[Any, Any, P], Any]], Callable[P, Schedule]]: ...
def schedule(body: Any = None, /, *, check: Check | None = None) -> Any:
    """Turn a formula into a factory of schedules.

    The factory has the formula's signature without `xp` and `count`. The formula, `body(xp, count,
    ...)`, is a pure function of the array namespace `xp`, the count of updates made so far (0 or
    more) and the hyperparameters, each annotated with its kind (`lrsched.Value`, `lrsched.Steps`,
    ...). It runs on Python numbers and on arrays of any library, so it uses functions of the array
    API standard from `xp`, and no branch on a number.

    The factory checks hyperparameters by their kinds. Every number must be finite and at most 1e18
    in magnitude, every number of steps at most 2**31 - 1. Schedules in schedules are nested 64 deep
    at most, and have 100000 parts at most.

    Args:
        body: the formula.
        check: called as `check(refuse, params)` to check hyperparameters together. It calls
            `refuse(parameter, wanted, got)` to refuse them. Durations in other units than steps are
            resolved before `check` and `body` see them.

    Raises:
        TypeError: a hyperparameter is not annotated with a kind.
        ValueError: another module has a schedule of this name.

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
    definition = Definition(body, check, Schedule)
    known = REGISTRY.get(definition.name)
    # The same module may define a name again (a notebook's cell); another module may not.
    if known is not None and known.body.__module__ != body.__module__:
        raise ValueError(
            f"@schedule: the name {definition.name} is taken by {known.body.__module__}"
        )

    @functools.wraps(body)
    def factory(*args: Any, **kwargs: Any) -> Schedule:
        return Schedule(definition, definition.bind(*args, **kwargs))

    parameters = definition.signature.parameters.values()
    # Without it, `inspect.signature` would show that of the body.
    factory.__signature__ = definition.signature  # type: ignore[attr-defined]
    factory.__annotations__ = {each.name: each.annotation for each in parameters}
    factory.__annotations__["return"] = Schedule
    factory._definition = definition  # type: ignore[attr-defined]
    definition.factory = factory
    REGISTRY[definition.name] = definition
    return factory


def recipe(function: Callable[P, Schedule]) -> Callable[P, Schedule]:
    """Register a function that composes schedules, so that configs can name it.

    Its parameters are annotated with their kinds, by which they are checked. What the composition
    refuses then is refused in the name of the function.
    """
    refuse, kinds = Refusal(function.__name__), kinds_of(function)
    annotations = function.__annotations__ = plain_annotations(function)
    signature = functools.cache(lambda: inspect.signature(function))  # slow to make: not on import

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        compose: Callable[..., Schedule] = function
        params = checked_arguments(refuse, signature(), kinds, args, kwargs)
        try:
            return compose(**params)
        except (TypeError, ValueError) as refused:
            reason = str(refused).removeprefix(f"{refuse.schedule}: ")
            error = TypeError if isinstance(refused, TypeError) else ValueError
        raise error(f"{refuse.schedule}: {reason}")

    checked.__annotations__ = annotations  # since Python 3.14 `wraps` copies how to compute them
    RECIPES[function.__name__] = checked
    return checked


def with_plain_signature(function: Callable[P, T]) -> Callable[P, T]:
    """The function, whose annotations `help` shows without the kinds in them."""
    function.__signature__ = plain_signature(function)  # type: ignore[attr-defined]
    return function


def _inner(value: Any) -> Any:
    if not isinstance(value, Schedule):
        raise TypeError
    if value._depth >= MAX_DEPTH:
        raise ValueError(f"a schedule of less than {MAX_DEPTH} levels of nesting")
    if value._parts > MAX_PARTS:
        raise ValueError(f"a schedule of at most {MAX_PARTS} parts")
    return value


_schedule = Kind("a schedule", _inner, schema={"$ref": "#/$defs/schedule"}, item_type=Schedule)

Inner = Annotated[Schedule, _schedule]
Inners = Annotated[Sequence[Schedule], sequence("schedules", _schedule)]
