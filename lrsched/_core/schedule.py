"""`Schedule`: a learning-rate schedule as a value."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self, cast, overload

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
from lrsched._arrays.types import Namespace
from lrsched._core.arithmetic import Arithmetic
from lrsched._core.checks import Real, Refusal, Whole
from lrsched._core.controller import refuse_without_state
from lrsched._core.definition import Definition
from lrsched._core.feedback import Feedback
from lrsched._core.number_kinds import integer
from lrsched._core.pytree import register_recipes
from lrsched._core.recipe import Recipe
from lrsched._core.resolve import refuse_unresolved, resolve
from lrsched._core.when_imported import call_waiting, when_imported


class Schedule(Arithmetic, Feedback, Recipe):
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
    __slots__ = ("__dict__", "__weakref__", "_called", "_compiled", "_composition", "_ready")
    __array_ufunc__ = None  # lets `__rmul__` handle numpy.float64(0.5) * schedule

    # A cache that no user can see: from its second call with a Python number on, a schedule uses
    # its formula compiled for such numbers.
    _ready: bool  # whether there is a formula, and it can run: no array, no duration
    _called: bool | None  # whether it was called once with a number; None after the second call
    _compiled: Callable[[Any], Any] | None
    _composition: Schedule | None  # of a named recipe, once it was made

    def __init__(self, definition: Definition, values: tuple[Any, ...]) -> None:
        super().__init__(definition, values)
        call_waiting()
        is_plain = self._arrays == ()  # as torch.compile reads it
        is_complete = self._resolved and not self._controlled
        self._set("_ready", is_complete and is_plain and not definition.is_recipe)
        self._set("_called", False)
        self._set("_compiled", None)
        self._set("_composition", None)

    @classmethod
    def made(cls, definition: Definition, /, *args: Any, **kwargs: Any) -> Self:
        """The schedule of a definition with these hyperparameters, which are checked."""
        schedule = super().made(definition, *args, **kwargs)
        schedule._compose_ahead()
        return schedule

    def __setstate__(self, state: tuple[Any, tuple[Any, ...]]) -> None:
        super().__setstate__(state)
        self._compose_ahead()

    def _compose_ahead(self) -> None:
        """Make the composition of a recipe, which torch.compile could not trace."""
        if self._definition.is_recipe and self._resolved and not self._controlled:
            self._composed()

    def _composed(self) -> Schedule:
        """What a named recipe is composed of."""
        composition = self._composition
        if composition is None:
            composition = self._definition.compose(self._values)
            if composition.is_plain:  # what holds JAX's tracers may not outlive their trace
                self._set("_composition", composition)
        return composition

    def expand(self) -> Schedule:
        """The same schedule with every named recipe replaced by the schedules it is composed of.

        >>> from lrsched import warmup_cosine
        >>> warmup_cosine(0.1, total_steps=1000, warmup_steps=100).expand()
        warmup(schedule=cosine_decay(init_value=0.1, decay_steps=900), warmup_steps=100)
        """
        if not self._resolved:
            refuse_unresolved(self)
        expanded: Schedule = self.fold(lambda kind, value: value, _expanded)
        return expanded

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
        if not self._resolved:
            refuse_unresolved(self)
        if self._controlled:
            refuse_without_state(self)
        if self._definition.is_recipe:
            return self._of_composition(count)
        if kind is Expr:
            return self._traced(count)
        if kind is tuple:
            return self._in_pairs(count)
        arrays = (count, *self._arrays) if is_array(count) else self._arrays
        if not arrays:
            return self(as_python(count))
        xp = namespace_of(arrays)
        if xp.__name__ == "jax.numpy":
            call_waiting()
        return self._evaluated(xp, as_count(xp, count, like=arrays[0]))

    def _of_composition(self, count: Any) -> Any:
        composition = self._composed()
        value = composition(count)
        if self._compiled is not composition._compiled:
            self._set("_compiled", composition._compiled)
        return value

    def _evaluated(self, xp: Namespace, count: Any) -> Any:
        values = in_default_dtypes(xp, self._values) if self._arrays else self._values
        value = self._definition.body(xp, count, *as_known(xp, values))
        return as_result(xp, value, count[0] if type(count) is tuple else count)

    def _in_pairs(self, count: tuple[Any, Any]) -> Any:
        """The value at a count that a combinator has as the sum of two floats, for more digits."""
        xp = namespace_of((count[0], *self._arrays))
        return self._evaluated(xp, count if self._definition.is_own else count[0] + count[1])

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
        batch_size: Real | Schedule | None = None,
        tokens_per_step: Real | Schedule | None = None,
    ) -> Schedule:
        """The same schedule with its durations in steps.

        Durations made by `lrsched.run_fraction`, `epochs`, `examples` and `tokens` become steps,
        also in nested schedules. Units whose argument is not given stay. They are rounded where
        they say so, and to the nearest integer where the schedule takes nothing else; lengths of
        less than a step become one. The result is checked as if it had been made with these
        numbers.

        Where the batch size is a schedule, all durations must be in examples and not rounded, and
        the result is a `time_warp` of the schedule, exact at every count. So it is with tokens.
        Schedules whose formula counts steps, such as a warmup that counts from 1, are refused.

        Args:
            total_steps: the optimizer updates of the whole run, at least 1, for `run_fraction`.
            steps_per_epoch: the updates of an epoch, for `epochs`: `len(loader)`, which counts a
                last batch that is short. With gradients accumulated over k batches it is
                `math.ceil(len(loader) / k)` where an epoch ends with an update (transformers,
                Lightning, Accelerate), and `len(loader) // k` where the rest is dropped. A number
                that is not whole is the average of many epochs, as of a loop that carries the rest
                over to the next epoch.
            batch_size: the examples in one update, for `examples`; a schedule of the step where
                their number changes, such as `rampup_batch_size`, or `piecewise_constant` with
                boundaries in steps or in examples.
            tokens_per_step: the tokens in one update, for `tokens`; or a schedule of the step.

        Raises:
            TypeError, ValueError: an argument is not a positive Python number, or the resolved
                schedule is refused, for example for 0 steps. A schedule of batch sizes does not
                come to rest, a duration is not in its unit, or a formula counts steps.

        Elsewhere: Composer resolves its time strings inside its trainer, big_vision its
        `total_steps` and `data_size` in the call that makes the schedule.

        >>> from lrsched import cosine_decay, run_fraction, warmup
        >>> begin = run_fraction(0.05, round="up")
        >>> recipe = warmup(cosine_decay(0.1, run_fraction(1.0) - begin), begin)
        >>> recipe.resolve(total_steps=1234)
        warmup(schedule=cosine_decay(init_value=0.1, decay_steps=1172), warmup_steps=62)
        """
        given: dict[str, Any] = {
            "total_steps": total_steps,
            "steps_per_epoch": steps_per_epoch,
            "batch_size": batch_size,
            "tokens_per_step": tokens_per_step,
        }
        resolved: Schedule = resolve(self, given)
        return resolved

    def plot(self, steps: int | None = None, ax: Any = None, **style: Any) -> Any:
        """Draw the values at counts 0 to `steps` with matplotlib, and return the axes.

        Durations in other units than steps are drawn over a nominal run: one of 1000 steps, and of
        epochs, examples or tokens so many that the longest duration has 1000 steps. The axis of the
        counts is then in that unit, or its label says how long the units are.

        Args:
            steps: the last count, of that run; by default as many as show the shape.
            ax: the axes to draw on; by default new ones.
            style: options of matplotlib's `Axes.plot`.

        Raises:
            TypeError, ValueError: `steps` is not an integer >= 1, or the schedule is refused with
                durations of any such run.
            ModuleNotFoundError: matplotlib is not installed.
        """
        if steps is not None:
            steps = Refusal("plot").check("steps", integer(1, "steps"), steps)
        from lrsched import _plotting
        from lrsched._core.curve import curve_of
        from lrsched._core.nominal import over_a_nominal_run

        (schedule,), axis = over_a_nominal_run([self])
        counts, values = curve_of(schedule, steps)
        style = {"label": self.name, **style}
        return _plotting.draw(axis.places(counts), values, ax, style, axis.label)

    def _repr_svg_(self) -> str | Any:
        from lrsched import _plotting
        from lrsched._core.curve import curve_of
        from lrsched._core.nominal import over_a_nominal_run

        if self._controlled:
            return None  # a notebook shows the repr then
        try:
            (schedule,), axis = over_a_nominal_run([self])
        except (TypeError, ValueError):
            return None
        counts, values = curve_of(schedule)
        return _plotting.svg(axis.places(counts), values, self.name, repr(self), axis.label)


def _restore(factory: Any, values: tuple[Any, ...]) -> Schedule:
    """What pickles written before 2026-11 call."""
    return Schedule(factory._definition, factory._definition.complete(values))


def _expanded(recipe: Recipe, params: dict[str, Any]) -> Any:
    if any(params[name] is not value for name, value in recipe.params.items()):
        recipe = recipe.replace(**params)
    if recipe._definition.is_recipe:
        return cast(Schedule, recipe)._composed().expand()
    return recipe


when_imported("jax.tree_util", functools.partial(register_recipes, Schedule))
