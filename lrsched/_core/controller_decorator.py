"""`@controller`, which turns a rule into a controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar, overload

from lrsched._core.checks import Kind
from lrsched._core.controller import Controller
from lrsched._core.controller_definition import CONTROLLERS, ControllerDefinition
from lrsched._core.definition import Check

P = ParamSpec("P")
S = TypeVar("S")
C = TypeVar("C", bound=Controller)


@overload
def controller(
    init: Callable[..., S], *, check: Check | None = None, kind: None = None
) -> Callable[[Callable[Concatenate[Any, S, Any, P], S]], Callable[P, Controller]]: ...
@overload
def controller(
    init: Callable[..., S], *, check: Check | None = None, kind: type[C]
) -> Callable[[Callable[Concatenate[Any, S, Any, P], S]], Callable[P, C]]: ...
def controller(
    init: Callable[..., Any], *, check: Check | None = None, kind: type[Controller] | None = None
) -> Any:
    """Turn a rule into a factory of controllers.

    The rule, `body(xp, state, metric, ...)`, returns the state after a metric. It is a pure
    function of the array namespace `xp`, the state before, the metric and the hyperparameters, each
    annotated with its kind (`lrsched.Rate`, `lrsched.Value`, ...). It runs on Python numbers and on
    arrays of any library, so it uses functions of the array API standard from `xp`, such as
    `xp.where`, and no branch on a number. It is annotated with the type that it returns: a
    `NamedTuple` of numbers, one of which is `value`. The factory has the signature of the rule
    without its first three parameters.

    Args:
        init: makes the state before the first observation, from those hyperparameters that its
            parameters name. What begins as an integer is a count, and stays an integer.
        check: as for `schedule`.
        kind: a subclass of `Controller` for the controllers, by default `Controller` itself.

    Raises:
        TypeError: the rule is not annotated with its kinds and its state, or `init` has a parameter
            that the rule does not have.
        ValueError: another module has a controller of this name.

    >>> from typing import NamedTuple
    >>> import lrsched
    >>> class Halved(NamedTuple):
    ...     value: float
    >>> @lrsched.controller(init=lambda init_value: Halved(init_value))
    ... def halve_above(
    ...     xp, state, metric, init_value: lrsched.Rate = 1.0, limit: lrsched.Value = 10.0
    ... ) -> Halved:
    ...     return Halved(xp.where(metric > limit, state.value / 2, state.value))
    >>> rate = lrsched.constant(0.1) * halve_above(limit=3.0)
    >>> rate
    product(first=constant(value=0.1), second=halve_above(limit=3.0))
    >>> rate.with_state(rate.observe(rate.init_state(), 4.0))(0)
    0.05
    """

    def decorate(body: Callable[..., Any]) -> Callable[..., Controller]:
        made = kind or Controller
        definition = ControllerDefinition(body, init, check, made)
        known = CONTROLLERS.get(definition.name)
        if known is not None and known.body.__module__ != body.__module__:
            raise ValueError(
                f"@controller: the name {definition.name} is taken by {known.body.__module__}"
            )

        def factory(*args: Any, **kwargs: Any) -> Controller:
            return made.made(definition, *args, **kwargs)

        CONTROLLERS[definition.name] = definition
        return definition.publish(factory)

    return decorate


def _inner(value: Any) -> Any:
    if not isinstance(value, Controller):
        raise TypeError
    return value


InnerController = Annotated[
    Controller, Kind("a controller", _inner, schema={"$ref": "#/$defs/controller"})
]
