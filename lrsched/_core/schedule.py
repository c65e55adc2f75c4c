"""`Schedule`: a learning-rate schedule as a value."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, overload

from lrsched._arrays.compiler import TRACING, Expr, TracingError, compiled, defer
from lrsched._arrays.namespace import (
    MAX_COUNT,
    as_count,
    as_known,
    as_python,
    as_result,
    in_default_dtypes,
    is_array,
    namespace_of,
)
from lrsched._arrays.scalars import SCALARS
from lrsched._core.checks import Kind, Real, Refusal, Whole, integer
from lrsched._core.definition import REGISTRY, Definition
from lrsched._core.durations import UNITS, Duration, durations_in, unit_sizes
from lrsched._core.lengths import Length, with_lengths
from lrsched._core.pytree import register_schedules
from lrsched._core.recipe import Recipe
from lrsched._core.when_imported import call_waiting, when_imported

POINTS = 400  # of a drawn curve; more than a screen resolves


class Schedule(Recipe):
    """A learning-rate schedule: a named pure function of the step count, with its hyperparameters.

    Called with the number of updates already made, it returns the learning rate of the next one: a
    float for a Python number, float64 for NumPy. For JAX it is float32 (float64 under x64) with the
    weak type of a Python number, which leaves an update its type. For tensors it is float32, or
    float64 if torch's default dtype, the count or a hyperparameter is float64. An array of counts
    gives an array. Negative counts count as 0, and counts above 2**31 - 1 as 2**31 - 1.

    Durations may be in other units than steps; `resolve` must turn them into steps before the
    schedule is called.

    Schedules are immutable. They compare and hash by their recipe, `repr` evaluates back, and they
    pickle. To JAX they are pytrees whose leaves are the numeric hyperparameters. They may be nested
    64 deep; torch.compile needs a higher `sys.setrecursionlimit` from about 10 on.
    """

    # `__dict__` is there, and empty: torch's LambdaLR saves the `__dict__` of a callable in its
    # checkpoint and updates it on loading, which must not change the schedule.
    __slots__ = ("__dict__", "__weakref__", "_called", "_compiled", "_ready")
    __array_ufunc__ = None  # lets `__rmul__` handle numpy.float64(0.5) * schedule

    # A cache that no user can see: from its second call with a Python number on, a schedule uses
    # its formula compiled for such numbers.
    _ready: bool  # whether the formula can run on Python numbers: no array, no duration
    _called: bool | None  # whether it was called once with a number; None after the second call
    _compiled: Callable[[Any], Any] | None

    def __init__(self, definition: Definition, values: tuple[Any, ...]) -> None:
        super().__init__(definition, values)
        call_waiting()
        self._set("_ready", self._resolved and self._arrays == ())  # as torch.compile reads it
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
            call_waiting()
        count = as_count(xp, count, like=arrays[0])
        values = in_default_dtypes(xp, self._values) if self._arrays else self._values
        values = as_known(xp, values)
        return as_result(xp, self._definition.body(xp, count, *values), count)

    def _note_call(self) -> None:
        """Compile the formula at the second call with a number; for one call it does not pay."""
        again = self._called
        self._set("_called", None if again else True)
        if again and self._definition.is_own:
            self._set("_compiled", compiled(self._definition.body, self._values))

    def _traced(self, count: Expr) -> Any:
        """The value at an unknown count, as part of a larger formula that is being compiled."""
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
        """The same schedule with its durations in steps.

        Durations made by `lrsched.run_fraction`, `epochs`, `examples` and `tokens` become steps,
        also in nested schedules. Units whose argument is not given stay. Where the schedule takes
        an integer, each term is rounded to a whole number of steps, half to even; so
        `run_fraction(0.1)` and `run_fraction(1.0) - run_fraction(0.1)` add up to the run exactly.
        Where the duration is that of a rate, the rate makes up for the rounding, as in `stretch`.
        The result is checked as if it had been made with these numbers.

        Args:
            total_steps: the optimizer updates of the whole run, at least 1, for `run_fraction`.
            steps_per_epoch: the updates of an epoch, for `epochs`: `len(loader)`, which counts a
                last batch that is short. With gradients accumulated over k batches it is
                `math.ceil(len(loader) / k)` where an epoch ends with an update (transformers,
                Lightning, Accelerate), and `len(loader) // k` where the rest is dropped. A number
                that is not whole is the average of many epochs, as of a loop that carries the rest
                over to the next epoch.
            batch_size: the examples in one update, for `examples`.
            tokens_per_step: the tokens in one update, for `tokens`.

        Raises:
            TypeError, ValueError: an argument is not a positive Python number, or the resolved
                schedule is refused, for example for 0 steps.

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
        sizes = unit_sizes(Refusal("resolve"), given)

        def in_steps(kind: Kind, value: Any) -> Any:
            if type(value) is not Duration:
                return value
            exact = value.resolved(sizes, whole=False)
            if kind.item_type is not int:
                return exact
            steps = value.resolved(sizes, whole=True)
            return steps if type(steps) is Duration else Length(exact, steps)

        resolved: Schedule = self.fold(in_steps, _resolved)
        return resolved

    def plot(self, steps: int | None = None, ax: Any = None, **style: Any) -> Any:
        """Draw the values at counts 0 to `steps` with matplotlib, and return the axes.

        Args:
            steps: the last count; by default as many as show the shape.
            ax: the axes to draw on; by default new ones.
            style: options of matplotlib's `Axes.plot`.

        Raises:
            TypeError, ValueError: `steps` is not an integer >= 1.
            ModuleNotFoundError: matplotlib is not installed.
        """
        if steps is not None:
            steps = Refusal("plot").check("steps", integer(1, "steps"), steps)
        from lrsched import _plotting

        return _plotting.draw(*self._curve(steps), ax, {"label": self.name, **style})

    def _repr_svg_(self) -> str | Any:
        if not self._resolved:
            return None  # a notebook shows the repr then
        from lrsched import _plotting

        return _plotting.svg(*self._curve(), self.name, repr(self))

    def _curve(self, steps: int | None = None) -> tuple[list[int], list[float]]:
        """At most 401 counts from 0 to `steps`, and the values there, for drawing.

        By default `steps` is four times the sum of the schedule's durations, or less where the
        values come to rest earlier.
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

    # Arithmetic finds its schedules in the registry: `lrsched.schedules` imports this module.

    def __mul__(self, other: Any) -> Schedule:
        if isinstance(other, Schedule):
            return _from_registry("product", self, other)
        if hasattr(other, "__float__"):
            return _from_registry("scale", self, other)
        return NotImplemented

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Schedule:
        return _from_registry("add", self, other) if isinstance(other, Schedule) else NotImplemented


def _restore(factory: Any, values: tuple[Any, ...]) -> Schedule:
    """What pickles written before 2026-11 call."""
    return Schedule(factory._definition, values)


def _from_registry(name: str, *args: Any) -> Schedule:
    made: Schedule = REGISTRY[name].factory(*args)
    return made


def _resolved(recipe: Recipe, params: dict[str, Any]) -> Any:
    """The recipe with hyperparameters in steps; a refusal says which durations they were."""
    if recipe.is_resolved:
        return recipe
    try:
        return with_lengths(recipe, params)
    except (TypeError, ValueError) as refused:
        error, reason = TypeError if isinstance(refused, TypeError) else ValueError, str(refused)
    was = [f"{name}={x!r}" for name, x in recipe.params.items() if any(durations_in(x))]
    raise error(f"{reason} (resolved from {', '.join(was)})" if was else reason)


def _refuse_unresolved(schedule: Schedule) -> NoReturn:
    """Refuse to call a schedule with durations, and name the arguments of `resolve` to give."""
    found = [item for item in schedule.items() if any(durations_in(item[2]))]
    recipe, parameter, value = found[0]
    open_units = {unit for _, _, v in found for part in durations_in(v) for _, unit in part.terms}
    arguments = [f"{known.argument}=..." for unit, known in UNITS.items() if unit in open_units]
    recipe._definition.refuse.unresolved(parameter, value, ", ".join(arguments))


when_imported("jax.tree_util", functools.partial(register_schedules, Schedule))
