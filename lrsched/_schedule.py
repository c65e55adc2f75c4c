"""`Schedule`: a learning-rate schedule as a value."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, overload

from lrsched._durations import Duration
from lrsched._namespace import (
    LARGEST_COUNT,
    as_count,
    as_python,
    as_result,
    is_array,
    namespace_of,
)
from lrsched._pytree import register_schedules, when_jax_is_imported
from lrsched._scalars import SCALARS, TERMS, Term, call, compiled

if TYPE_CHECKING:
    from lrsched._checks import Real, Whole
    from lrsched._define import Definition


class Schedule:
    """A learning-rate schedule: a named pure function of the step count, with its hyperparameters.

    Call it with the number of updates already made, and it gives the learning rate of the next
    one: a float for a Python number, float64 for NumPy, float32 for JAX (float64 under x64),
    torch's default dtype for tensors; an array of counts gives an array. A negative count means 0,
    and one above 2**31 - 1 means that.

    Durations may be in other units than steps; such a schedule can be called once `resolve` has
    made them steps.

    Schedules are immutable. They compare and hash by their recipe, `repr` evaluates back, they
    pickle, and to JAX they are pytrees whose leaves are the numeric hyperparameters.
    """

    # `__dict__` stays empty: torch's LambdaLR keeps the `__dict__` of a callable in its checkpoint
    # and updates it on loading, which must find nothing to replace.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_called",
        "_compiled",
        "_definition",
        "_plain",
        "_resolved",
        "_values",
    )
    __array_ufunc__ = None  # numpy.float64(0.5) * schedule is for `__rmul__`

    _definition: Definition
    _values: tuple[Any, ...]
    _plain: bool
    _called: bool | None  # with a number; None where it no longer matters
    _compiled: Callable[[Any], Any] | None
    _resolved: bool

    def __init__(self, definition: Definition, values: tuple[Any, ...]) -> None:
        # Never validates: JAX puts tracers, placeholders and batches here.
        setting = functools.partial(object.__setattr__, self)
        setting("_definition", definition)
        setting("_values", values)
        setting("_called", False)
        setting("_compiled", None)
        plain = all(map(_is_plain, values))
        setting("_plain", plain)
        setting("_resolved", plain or not any(type(x) is Duration for x in leaves(values)))

    @overload
    def __call__(self, count: float) -> float: ...
    @overload
    def __call__(self, count: Any) -> Any: ...
    def __call__(self, count: Any) -> Any:
        """The learning rate after `count` updates."""
        kind = type(count)
        if (kind is int or kind is float) and 0 <= count <= LARGEST_COUNT:
            compiled = self._compiled
            if compiled is not None:
                return compiled(count)
            if self._plain:
                if self._called is not None:
                    self._note_call()
                return self._definition.body(SCALARS, count, *self._values)
        if kind is Term:
            return self._recorded(count)
        if not self._resolved:
            from lrsched import units

            units.refuse_unresolved(self)
        arrays = [x for x in (count, *leaves(self._values)) if is_array(x)]
        if not arrays:
            return self(as_python(count))
        xp = namespace_of(arrays)
        count = as_count(xp, count, like=arrays[0])
        return as_result(xp, self._definition.body(xp, count, *self._values), count)

    def _note_call(self) -> None:
        """Compile the formula when it is called again with a number: once is not worth it."""
        again = self._called
        object.__setattr__(self, "_called", None if again else True)
        if again and self._definition.is_own:
            object.__setattr__(self, "_compiled", compiled(self._definition.body, self._values))

    def _recorded(self, count: Term) -> Any:
        """The value at a count that is not known yet, as part of a formula that is compiled."""
        if self._definition.is_own:
            with suppress(TypeError):
                return self._definition.body(TERMS, count, *self._values)
        return call(self, count)

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
        """Whether no hyperparameter is an array, a tensor or a tracer."""
        return self._plain or not any(map(is_array, leaves(self._values)))

    @property
    def is_resolved(self) -> bool:
        """Whether all its durations are in steps, none in other units; see `resolve`."""
        return self._resolved

    def replace(self, **changes: Any) -> Schedule:
        """The same schedule with other hyperparameters, checked as when it was made."""
        return self._definition.make(**(self.params | changes))

    def resolve(
        self,
        total_steps: Whole | None = None,
        steps_per_epoch: Real | None = None,
        batch_size: Real | None = None,
        tokens_per_step: Real | None = None,
    ) -> Schedule:
        """The same schedule in steps, where durations are written in other units.

        Durations of `lrsched.of_run`, `epochs`, `examples` and `tokens` become steps, in nested
        schedules too; those in units that no argument is given for stay. Each is rounded to a whole
        number of steps, half to even, where the schedule wants an integer; in a sum, each term by
        itself, so that `of_run(0.1)` and `of_run(1.0) - of_run(0.1)` add up to the run exactly. The
        result is checked like one made with those numbers.

        Args:
            total_steps: the optimizer updates of the whole run, at least 1, for `of_run`.
            steps_per_epoch: the updates of an epoch, for `epochs`; 781.25 will do.
            batch_size: the examples in one update, for `examples`.
            tokens_per_step: the tokens in one update, for `tokens`.

        Raises:
            TypeError, ValueError: an argument is not a positive Python number, or the resolved
                schedule is refused, for 0 steps for instance.

        Elsewhere: Composer resolves its time strings inside its trainer, big_vision its
        `total_steps` and `data_size` in the call that makes the schedule.

        >>> from lrsched import cosine_decay, of_run, warmup
        >>> recipe = warmup(cosine_decay(0.1, of_run(1.0) - of_run(0.05)), of_run(0.05))
        >>> recipe.resolve(total_steps=1234)
        warmup(schedule=cosine_decay(init_value=0.1, decay_steps=1172), warmup_steps=62)
        """
        from lrsched import units

        return units.resolve(self, total_steps, steps_per_epoch, batch_size, tokens_per_step)

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

    def _repr_svg_(self) -> str | Any:
        from lrsched import plot

        return plot.svg(self) if self._resolved else None  # a notebook then shows the repr

    def __mul__(self, other: Any) -> Schedule:
        from lrsched.combine import product, scale

        if isinstance(other, Schedule):
            return product(self, other)
        if hasattr(other, "__float__"):
            return scale(self, other)
        return NotImplemented

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Schedule:
        from lrsched.transform import add

        return add(self, other) if isinstance(other, Schedule) else NotImplemented

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


def _restore(factory: Any, values: tuple[Any, ...]) -> Schedule:
    return Schedule(factory._definition, values)


def _is_plain(value: Any) -> bool:
    """Whether a hyperparameter is ready for the formula, and Python numbers alone are at work."""
    if isinstance(value, Schedule):
        return value._plain
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return type(value) is not Duration and not is_array(value)


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


when_jax_is_imported(functools.partial(register_schedules, Schedule))
