"""A formula with its name and the kinds of its hyperparameters, and the registry of all of them."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any, ClassVar

from lrsched._core.blame import NOTHING, in_the_name_of
from lrsched._core.checks import Kind, Refusal
from lrsched._core.durations import durations_in

Check = Callable[[Refusal, dict[str, Any]], None]


class Definition:
    """A schedule's formula with its name and the kinds of its hyperparameters.

    The definition of a recipe has, in place of the formula, a function that composes schedules, and
    that of a controller its rule.
    """

    key: ClassVar[str] = "schedule"  # what plain data has the name under
    body: Callable[..., Any]
    is_recipe: bool
    is_scalable: bool  # whether `stretch` may multiply the durations: else it stretches the parts
    blame: Mapping[str, str]  # as for `in_the_name_of`: what the parts refuse
    levels: int  # of nesting: a recipe has its own, and those of its parts
    name: str
    counts_steps: Callable[[Mapping[str, Any]], bool]  # whether a step is more than a unit of time
    check: Check | None
    refuse: Refusal
    signature: inspect.Signature
    parameters: tuple[str, ...]
    kinds: dict[str, Kind]
    traced: tuple[str, ...]  # the parameters that JAX may trace
    static: tuple[str, ...]  # the others
    is_own: bool  # whether the formula is the library's: others may branch, and are not compiled
    factory: Callable[..., Any]  # set by `publish`: makes a schedule of this definition

    def __init__(
        self,
        body: Callable[..., Any],
        check: Check | None,
        result: type | None = None,
        is_recipe: bool = False,
        is_scalable: bool = True,
        blame: Mapping[str, str] = NOTHING,
        leading: int = 2,
    ) -> None:
        hints = _hints(body)
        parameters = list(inspect.signature(body).parameters.values())
        parameters = parameters if is_recipe else parameters[leading:]  # without xp and count
        self.is_recipe = is_recipe
        self.is_scalable = is_scalable
        self.blame = blame
        self.levels = 2 if is_recipe else 1
        self.counts_steps = lambda params: False
        self.body = body
        self.name = body.__name__
        self.check = check
        self.refuse = Refusal(self.name)
        self.parameters = tuple(each.name for each in parameters)
        self.kinds = {name: _kind_of(self.name, name, hints.get(name)) for name in self.parameters}
        self.signature = _plain(parameters, hints, result)
        self.returns: Any = hints.get("return")
        self.traced = tuple(name for name, kind in self.kinds.items() if kind.traced)
        self.static = tuple(name for name, kind in self.kinds.items() if not kind.traced)
        self.is_own = str(body.__module__).startswith("lrsched.")

    def bind(self, /, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The hyperparameters of a call of the factory, checked, in the order of the signature.

        The check of hyperparameters together is postponed where one of them is a duration, until it
        is resolved.
        """
        try:
            _refuse_unknown(kwargs, self.parameters)
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            names = ", ".join(self.parameters)
            raise TypeError(f"{self.name}: {error} (its parameters: {names})") from None
        bound.apply_defaults()
        check = self.refuse.check
        params = {name: check(name, self.kinds[name], x) for name, x in bound.arguments.items()}
        if self.check is not None and not any(durations_in(tuple(params.values()))):
            self.check(self.refuse, params)
        return tuple(params.values())

    def publish(self, factory: Callable[..., Any]) -> Callable[..., Any]:
        """Make a function the factory of this definition, with its documentation and signature."""
        functools.update_wrapper(factory, self.body)
        # Without it, `inspect.signature` would show that of the body.
        factory.__signature__ = self.signature  # type: ignore[attr-defined]
        parameters = self.signature.parameters.values()
        factory.__annotations__ = {each.name: each.annotation for each in parameters}
        factory.__annotations__["return"] = self.signature.return_annotation
        factory._definition = self  # type: ignore[attr-defined]
        self.factory = factory
        return factory

    def compose(self, values: tuple[Any, ...]) -> Any:
        """The schedule that a recipe stands for; what its parts refuse, the recipe refuses."""
        try:
            return self.body(*values)
        except (TypeError, ValueError) as refused:
            params = dict(zip(self.parameters, values, strict=True))
            error = in_the_name_of(self.name, refused, params, self.blame)
        raise error

    def complete(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Values that were pickled before the last parameters were added, with their defaults."""
        added = list(self.signature.parameters.values())[len(values) :]
        return values + tuple(parameter.default for parameter in added)

    def split(self, values: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The values that JAX may trace, and the static ones."""
        params = dict(zip(self.parameters, values, strict=True))
        return tuple(params[x] for x in self.traced), tuple(params[x] for x in self.static)

    def merge(self, traced: Iterable[Any], static: Iterable[Any]) -> tuple[Any, ...]:
        """The values of a split, in the order of the parameters again."""
        params = dict(zip(self.traced, traced, strict=True))
        params |= zip(self.static, static, strict=True)
        return tuple(params[x] for x in self.parameters)


def _refuse_unknown(kwargs: Mapping[str, Any], parameters: Collection[str]) -> None:
    """Refuse a name that is no parameter before one that is missing is asked for."""
    for name in kwargs:
        if name not in parameters:
            from lrsched._core.synonyms import parameter_like

            like = parameter_like(name, parameters)
            hint = f"; did you mean {like!r}?" if like else ""
            raise TypeError(f"got an unexpected keyword argument {name!r}{hint}")


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


def _plain(
    parameters: Iterable[inspect.Parameter], hints: Mapping[str, Any], result: Any
) -> inspect.Signature:
    plain = [each.replace(annotation=_plain_type(hints[each.name])) for each in parameters]
    return inspect.Signature(plain, return_annotation=result)


def _plain_type(hint: Any) -> Any:
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


REGISTRY: dict[str, Definition] = {}
