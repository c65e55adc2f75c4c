"""`@schedule`, which turns a formula into a schedule."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Concatenate, ParamSpec, overload

from lrsched._core.blame import NOTHING
from lrsched._core.checks import Kind, Real, sequence
from lrsched._core.controller import Controller
from lrsched._core.definition import REGISTRY, Check, Definition
from lrsched._core.recipe import MAX_DEPTH, MAX_PARTS
from lrsched._core.schedule import Schedule

P = ParamSpec("P")


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
        return lambda body: _factory(Definition(body, check, Schedule))
    return _factory(Definition(body, check, Schedule))


def _factory(definition: Definition) -> Callable[..., Schedule]:
    body = definition.body
    known = REGISTRY.get(definition.name)
    # The same module may define a name again (a notebook's cell); another module may not.
    if known is not None and known.body.__module__ != body.__module__:
        raise ValueError(
            f"@schedule: the name {definition.name} is taken by {known.body.__module__}"
        )

    def factory(*args: Any, **kwargs: Any) -> Schedule:
        return Schedule.made(definition, *args, **kwargs)

    REGISTRY[definition.name] = definition
    return definition.publish(factory)


@overload
def recipe(compose: Callable[P, Schedule], /) -> Callable[P, Schedule]: ...
@overload
def recipe(
    *, check: Check | None = None, is_scalable: bool = True, blame: Mapping[str, str] = NOTHING
) -> Callable[[Callable[P, Schedule]], Callable[P, Schedule]]: ...
def recipe(
    compose: Any = None,
    /,
    *,
    check: Check | None = None,
    is_scalable: bool = True,
    blame: Mapping[str, str] = NOTHING,
) -> Any:
    """Turn a function that composes schedules into a factory of schedules of its own name.

    The factory makes a schedule with the parameters of the function, which are annotated with their
    kinds. Its value is that of the composition, which is made once the durations are in steps. What
    the composition refuses is refused in the name of the recipe.

    Args:
        compose: the function. It may not branch on a hyperparameter that JAX may trace.
        check: as for `schedule`.
        is_scalable: whether the recipe with its durations multiplied is the stretched recipe.
            `stretch` makes its composition longer where it is not.
        blame: which parameter of the recipe is at fault where a part refuses one of its own, by the
            name of the latter; "*" for all others. Not needed for what the recipe passes on.
    """
    if compose is None:
        return lambda compose: _factory(
            Definition(compose, check, Schedule, True, is_scalable, blame)
        )
    return _factory(Definition(compose, check, Schedule, True, is_scalable, blame))


@overload
def counts_steps(factory: Callable[P, Schedule], /) -> Callable[P, Schedule]: ...
@overload
def counts_steps(
    *, when: Callable[[Mapping[str, Any]], bool]
) -> Callable[[Callable[P, Schedule]], Callable[P, Schedule]]: ...
def counts_steps(factory: Any = None, /, *, when: Any = lambda params: True) -> Any:
    """Mark schedules in whose formula a step is more than a unit of time, such as `t + 1`.

    With their durations in another unit they would be other schedules.

    Args:
        factory: the factory of the schedules.
        when: whether a schedule with these hyperparameters is one.
    """
    if factory is None:
        return functools.partial(_mark, when)
    return _mark(when, factory)


def _mark(when: Callable[[Mapping[str, Any]], bool], factory: Any) -> Any:
    factory._definition.counts_steps = when
    return factory


def _inner(value: Any) -> Any:
    if not isinstance(value, (Schedule, Controller)):
        raise TypeError
    if value._depth >= MAX_DEPTH:
        raise ValueError(f"a schedule of less than {MAX_DEPTH} levels of nesting")
    if value._parts > MAX_PARTS:
        raise ValueError(f"a schedule of at most {MAX_PARTS} parts")
    return value


def _inner_or_number(value: Any) -> Any:
    return REGISTRY["constant"].factory(value) if hasattr(value, "__float__") else _inner(value)


_schedule = Kind("a schedule", _inner, schema={"$ref": "#/$defs/schedule"}, item_type=Schedule)
_or_number = _schedule._replace(expected="a schedule or a number", convert=_inner_or_number)

Inner = Annotated[Schedule | Controller, _schedule]
InnerOrNumber = Annotated[Schedule | Controller | Real, _or_number]
Inners = Annotated[Sequence[Schedule | Controller], sequence("schedules", _schedule)]
