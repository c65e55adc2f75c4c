"""`Schedule`: a learning-rate schedule as a value."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, overload

from lrsched import _plotting
from lrsched._arrays.compiler import TRACING, Expr, TracingError, compiled, defer
from lrsched._arrays.namespace import (
    MAX_COUNT,
    as_count,
    as_python,
    as_result,
    is_array,
    namespace_of,
)
from lrsched._arrays.scalars import SCALARS
from lrsched._core.checks import Kind, Real, Refusal, Whole, integer
from lrsched._core.definition import REGISTRY, Definition
from lrsched._core.durations import UNITS, Duration, durations_in, known_sizes
from lrsched._core.pytree import register_schedules, register_waiting, when_jax_is_imported
from lrsched._core.recipe import Recipe

POINTS = 400  # of a drawn curve; more than a screen resolves


class Schedule(Recipe):
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
    __slots__ = ("__dict__", "__weakref__", "_called", "_compiled", "_ready")
    __array_ufunc__ = None  # numpy.float64(0.5) * schedule is for `__rmul__`

    _ready: bool  # for Python numbers: none of the hyperparameters is an array or unresolved
    _called: bool | None  # whether it was, with a number; None where it no longer matters
    _compiled: Callable[[Any], Any] | None

    def __init__(self, definition: Definition, values: tuple[Any, ...]) -> None:
        super().__init__(definition, values)
        register_waiting()
        self._set("_ready", self._resolved and not self._arrays)
        self._set("_called", False)
        self._set("_compiled", None)

    @overload
    def __call__(self, count: float) -> float: ...
    @overload
    def __call__(self, count: Any) -> Any: ...
    def __call__(self, count: Any) -> Any:
        """The learning rate after `count` updates."""
        kind = type(count)
        if (kind is int or kind is float) and 0 <= count <= MAX_COUNT:
            compiled = self._compiled
            if compiled is not None:
                return compiled(count)
            if self._ready:
                if self._called is not None:
                    self._note_call()
                return self._definition.body(SCALARS, count, *self._values)
        if kind is Expr:
            return self._traced(count)
        if not self._resolved:
            _refuse_unresolved(self)
        arrays = (count, *self._arrays) if is_array(count) else self._arrays
        if not arrays:
            return self(as_python(count))
        xp = namespace_of(arrays)
        if xp.__name__ == "jax.numpy":
            register_waiting()
        count = as_count(xp, count, like=arrays[0])
        return as_result(xp, self._definition.body(xp, count, *self._values), count)

    def _note_call(self) -> None:
        """Compile the formula when it is called again with a number: once is not worth it."""
        again = self._called
        self._set("_called", None if again else True)
        if again and self._definition.is_own:
            self._set("_compiled", compiled(self._definition.body, self._values))

    def _traced(self, count: Expr) -> Any:
        """The value at a count that is not known yet, as part of a formula that is compiled."""
        if self._definition.is_own:
            with suppress(TracingError):
                return self._definition.body(TRACING, count, *self._values)
        return defer(self, count)

    def resolve(
        self,
        total_steps: Whole | None = None,
        steps_per_epoch: Real | None = None,
        batch_size: Real | None = None,
        tokens_per_step: Real | None = None,
    ) -> Schedule:
        """The same schedule in steps, where durations are written in other units.

        Durations of `lrsched.run_fraction`, `epochs`, `examples` and `tokens` become steps, in
        nested schedules too; those in units that no argument is given for stay. Each is rounded to
        a whole number of steps, half to even, where the schedule wants an integer; in a sum, each
        term by itself, so that `run_fraction(0.1)` and `run_fraction(1.0) - run_fraction(0.1)` add
        up to the run exactly. The result is checked like one made with those numbers.

        Args:
            total_steps: the optimizer updates of the whole run, at least 1, for `run_fraction`.
            steps_per_epoch: the updates of an epoch, for `epochs`; 781.25 will do.
            batch_size: the examples in one update, for `examples`.
            tokens_per_step: the tokens in one update, for `tokens`.

        Raises:
            TypeError, ValueError: an argument is not a positive Python number, or the resolved
                schedule is refused, for 0 steps for instance.

        Elsewhere: Composer resolves its time strings inside its trainer, big_vision its
        `total_steps` and `data_size` in the call that makes the schedule.

        >>> from lrsched import cosine_decay, run_fraction, warmup
        >>> begin = run_fraction(0.05)
        >>> recipe = warmup(cosine_decay(0.1, run_fraction(1.0) - begin), begin)
        >>> recipe.resolve(total_steps=1234)
        warmup(schedule=cosine_decay(init_value=0.1, decay_steps=1172), warmup_steps=62)
        """
        given = {
            "total_steps": total_steps,
            "steps_per_epoch": steps_per_epoch,
            "batch_size": batch_size,
            "tokens_per_step": tokens_per_step,
        }
        sizes = known_sizes(Refusal("resolve"), given)

        def in_steps(kind: Kind, value: Any) -> Any:
            return (
                value.resolved(sizes, kind.item_type is int) if type(value) is Duration else value
            )

        resolved: Schedule = self.fold(in_steps, _resolved)
        return resolved

    def plot(self, steps: int | None = None, ax: Any = None, **style: Any) -> Any:
        """Draw the curve of the first `steps` counts with matplotlib, and return the axes.

        Without `steps`, as many as show the shape. `style` goes to `Axes.plot`.
        """
        if steps is not None:
            steps = Refusal("plot").check("steps", integer(1, "steps"), steps)
        return _plotting.draw(*self._curve(steps), ax, {"label": self.name, **style})

    def _repr_svg_(self) -> str | Any:
        if not self._resolved:
            return None  # a notebook then shows the repr
        return _plotting.svg(*self._curve(), self.name, repr(self))

    def _curve(self, steps: int | None = None) -> tuple[list[int], list[float]]:
        """Counts from 0 to `steps`, at most 401 of them, and the values there, for drawing.

        Without `steps`, as many as show the shape: four times the sum of the schedule's durations,
        or less where it comes to rest before.
        """
        if steps is not None:
            return self._sample(steps)
        longest = sum(value for value in self.leaves() if isinstance(value, int))
        counts, values = self._sample(min(max(4 * longest, 100), MAX_COUNT))
        span = max(values) - min(values)
        moving = [
            n for n, v in zip(counts, values, strict=True) if abs(v - values[-1]) > 1e-3 * span
        ]
        rest = moving[-1] if moving else counts[-1]
        return self._sample(min(counts[-1], max(1, math.ceil(1.15 * rest))))

    def _sample(self, steps: int) -> tuple[list[int], list[float]]:
        number = min(steps, POINTS)
        counts = [steps * point // number for point in range(number + 1)]
        return counts, [float(self(count)) for count in counts]

    # The names are those of the factories in `lrsched.schedules`, which imports this module.

    def __mul__(self, other: Any) -> Schedule:
        if isinstance(other, Schedule):
            return _made("product", self, other)
        if hasattr(other, "__float__"):
            return _made("scale", self, other)
        return NotImplemented

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Schedule:
        return _made("add", self, other) if isinstance(other, Schedule) else NotImplemented


def _restore(factory: Any, values: tuple[Any, ...]) -> Schedule:
    """What pickles written before 2026-11 call."""
    return Schedule(factory._definition, values)


def _made(name: str, *args: Any) -> Schedule:
    made: Schedule = REGISTRY[name].factory(*args)
    return made


def _resolved(recipe: Recipe, params: dict[str, Any]) -> Any:
    """The recipe with hyperparameters in steps; a refusal says what they were resolved from."""
    if recipe.is_resolved:
        return recipe
    try:
        return recipe.replace(**params)
    except (TypeError, ValueError) as refused:
        error, reason = TypeError if isinstance(refused, TypeError) else ValueError, str(refused)
    was = [f"{name}={x!r}" for name, x in recipe.params.items() if any(durations_in(x))]
    raise error(f"{reason} (resolved from {', '.join(was)})" if was else reason)


def _refuse_unresolved(schedule: Schedule) -> NoReturn:
    """Refuse to call a schedule: say which durations have no steps yet, and how they get them."""
    found = [item for item in schedule.items() if any(durations_in(item[2]))]
    recipe, parameter, value = found[0]
    open_units = {unit for _, _, v in found for part in durations_in(v) for _, unit in part.terms}
    arguments = [f"{known.argument}=..." for unit, known in UNITS.items() if unit in open_units]
    recipe._definition.refuse.unresolved(parameter, value, ", ".join(arguments))


when_jax_is_imported(functools.partial(register_schedules, Schedule))
