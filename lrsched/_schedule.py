"""`Schedule`, a schedule as a value, and `@schedule`, which makes one of a formula."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Concatenate, ParamSpec, overload

from lrsched import _pytree
from lrsched._namespace import (
    LARGEST_COUNT,
    SCALARS,
    as_count,
    as_python,
    as_result,
    is_array,
    namespace_of,
)
from lrsched._validate import Kind, Refusal, sequence

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
        self.traced = frozenset(name for name in self.parameters if self.kinds[name].traced)
        self.factory: Callable[..., Schedule]

    @functools.cached_property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each hyperparameter, from its annotation."""
        hints = typing.get_type_hints(self.body, include_extras=True)
        kinds = {}
        for name in self.parameters:
            kind = getattr(hints.get(name), "__metadata__", (None,))[0]
            if not isinstance(kind, Kind):
                raise TypeError(
                    f"@schedule: {self.name} must annotate {name} with a kind of hyperparameter "
                    "(lrsched.Value, lrsched.Steps, ...)"
                )
            kinds[name] = kind
        return kinds

    def make(self, *args: Any, **kwargs: Any) -> Schedule:
        """A schedule with these hyperparameters, checked."""
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
        if self.check is not None:
            self.check(self.refuse, params)
        return Schedule(self, tuple(params.values()))


REGISTRY: dict[str, Definition] = {}


class Schedule:
    """A learning-rate schedule: a named pure function of the step count, with its hyperparameters.

    Call it with the number of updates already made, and it gives the learning rate of the next
    one: a float for a Python number, float64 for NumPy, float32 for JAX (float64 under x64),
    torch's default dtype for tensors; an array of counts gives an array. A negative count means 0,
    and one above 2**31 - 1 means that.

    Schedules are immutable. They compare and hash by their recipe, `repr` evaluates back, they
    pickle, and to JAX they are pytrees whose leaves are the numeric hyperparameters.
    """

    # `__dict__` stays empty: torch's LambdaLR keeps the `__dict__` of a callable in its checkpoint
    # and updates it on loading, which must find nothing to replace.
    __slots__ = ("__dict__", "__weakref__", "_body", "_definition", "_plain", "_values")
    __array_ufunc__ = None  # numpy.float64(0.5) * schedule is for `__rmul__`

    _definition: Definition
    _body: Callable[..., Any]
    _values: tuple[Any, ...]
    _plain: bool

    def __init__(self, definition: Definition, values: tuple[Any, ...]) -> None:
        # Never validates: JAX puts tracers, placeholders and batches here.
        setting = functools.partial(object.__setattr__, self)
        setting("_definition", definition)
        setting("_body", definition.body)
        setting("_values", values)
        setting("_plain", all(map(_is_plain, values)))
        _pytree.register()

    @overload
    def __call__(self, count: float) -> float: ...
    @overload
    def __call__(self, count: Any) -> Any: ...
    def __call__(self, count: Any) -> Any:
        """The learning rate after `count` updates."""
        kind = type(count)
        if self._plain and (kind is int or kind is float) and 0 <= count <= LARGEST_COUNT:
            return self._body(SCALARS, count, *self._values)
        arrays = [x for x in (count, *leaves(self._values)) if is_array(x)]
        if not arrays:
            return self._body(SCALARS, as_python(count), *self._values)
        xp = namespace_of(arrays)
        count = as_count(xp, count, like=arrays[0])
        return as_result(xp, self._body(xp, count, *self._values), count)

    @property
    def name(self) -> str:
        """The name of the schedule's formula, as in `lrsched.from_dict`."""
        return self._definition.name

    @property
    def params(self) -> dict[str, Any]:
        """The hyperparameters by name (a copy)."""
        return dict(zip(self._definition.parameters, self._values, strict=True))

    @property
    def is_plain(self) -> bool:
        """Whether every hyperparameter is a Python number, none an array, a tensor or a tracer."""
        return self._plain

    def replace(self, **changes: Any) -> Schedule:
        """The same schedule with other hyperparameters, checked as when it was made."""
        return self._definition.make(**(self.params | changes))

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain data; `lrsched.from_dict` reads it."""
        from lrsched import serialize

        return serialize.to_dict(self)

    def to_json(self, indent: int | None = None) -> str:
        """The recipe as JSON; `lrsched.from_json` reads it."""
        from lrsched import serialize

        return serialize.to_json(self, indent)

    def plot(self, steps: int | None = None, ax: Any = None, **style: Any) -> Any:
        """Draw the curve of the first `steps` counts with matplotlib, and return the axes.

        Without `steps`, as many as show the shape. `style` goes to `Axes.plot`.
        """
        from lrsched import plot

        return plot.draw(self, steps, ax, **style)

    def _repr_svg_(self) -> str:
        from lrsched import plot

        return plot.svg(self)

    def __mul__(self, other: Any) -> Schedule:
        from lrsched.combine import product, scale

        if isinstance(other, Schedule):
            return product(self, other)
        if hasattr(other, "__float__"):
            return scale(self, other)
        return NotImplemented

    __rmul__ = __mul__

    def __repr__(self) -> str:
        shown = []
        for (name, value), parameter in zip(
            self.params.items(), self._definition.signature.parameters.values(), strict=True
        ):
            default = parameter.default
            if not (_is_plain(value) and type(value) is type(default) and value == default):
                text = getattr(value, "__qualname__", None) or repr(value)
                shown.append(f"{name}={text}")
        return f"{self.name}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        if self._definition is not other._definition:
            return False
        return self is other or _equal(self._values, other._values)

    def __hash__(self) -> int:
        return hash((self._definition.name, self._values))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._definition.factory, self._values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{self.name}: a schedule does not change; use .replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self.name}: a schedule does not change")


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
    `refuse(parameter, wanted, got)` to refuse them.

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


def _restore(factory: Any, values: tuple[Any, ...]) -> Schedule:
    return Schedule(factory._definition, values)


def _is_plain(value: Any) -> bool:
    """Whether a hyperparameter holds no array, so that Python numbers alone are at work."""
    if isinstance(value, Schedule):
        return value._plain
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return not is_array(value)


def leaves(values: Iterable[Any]) -> Iterator[Any]:
    """The hyperparameters that are neither schedules nor tuples, those inside these included."""
    for value in values:
        if isinstance(value, Schedule):
            yield from leaves(value._values)
        elif type(value) is tuple:
            yield from leaves(value)
        else:
            yield value


def _equal(first: Any, second: Any) -> bool:
    if type(first) is tuple and type(second) is tuple:
        return len(first) == len(second) and all(map(_equal, first, second))
    if is_array(first) or is_array(second):
        same = first is second or getattr(first, "shape", ()) == getattr(second, "shape", ())
        return same and bool((first == second).all())
    return bool(first == second)


def _inner(value: Any) -> Any:
    if not isinstance(value, Schedule):
        raise TypeError
    return value


_schedule = Kind("a schedule", _inner)

Inner = Annotated[Schedule, _schedule]
Inners = Annotated[Sequence[Schedule], sequence("schedules", _schedule)]
