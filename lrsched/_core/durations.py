"""`Duration`: a length of time in units other than steps, as a value."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsFloat

from lrsched._core.checks import Kind, Refusal, amount, integer, is_traced, number
from lrsched._core.when_imported import when_imported


class Unit(NamedTuple):
    """A unit of time: the factory of amounts in it, and how an amount becomes steps."""

    factory: str
    argument: str  # the argument of `Schedule.resolve` that gives the size of the unit
    kind: Kind  # the kind of that argument
    steps: Callable[[Any, Any], Any]  # from an amount and that argument to steps


_size = number(">= 1e-18")
UNITS = {
    "run": Unit("run_fraction", "total_steps", integer(1, "steps"), operator.mul),
    "epochs": Unit("epochs", "steps_per_epoch", _size, operator.mul),
    "examples": Unit("examples", "batch_size", _size, operator.truediv),
    "tokens": Unit("tokens", "tokens_per_step", _size, operator.truediv),
}


@dataclass(frozen=True, slots=True, repr=False)
class Duration:
    """A length of time that is not yet known in steps: a sum of amounts, each with its unit.

    Made by `run_fraction`, `epochs`, `examples` and `tokens`, and by adding and subtracting these
    and numbers of steps. `Schedule.resolve` turns it into steps.

    >>> run_fraction(1.0) - 500
    run_fraction(1.0) - 500
    """

    # Each amount is kept and rounded by itself. Plain numbers of steps are added up in `steps`.
    terms: tuple[tuple[int | float, str], ...]
    steps: int | float = 0

    __array_ufunc__ = None  # `numpy.int64(500) + duration` must call `__radd__`

    def __add__(self, other: Any) -> Duration:
        added = _duration(other)
        if added is None:
            return NotImplemented
        return Duration(self.terms + added.terms, self.steps + added.steps or 0)

    __radd__ = __add__

    def __neg__(self) -> Duration:
        return Duration(tuple((0 - amount, unit) for amount, unit in self.terms), 0 - self.steps)

    def __sub__(self, other: Any) -> Duration:
        subtracted = _duration(other)
        return NotImplemented if subtracted is None else self + -subtracted

    def __rsub__(self, other: Any) -> Duration:
        return (-self).__add__(other)

    def __repr__(self) -> str:
        parts = [(amount, f"{UNITS[unit].factory}({abs(amount)!r})") for amount, unit in self.terms]
        if parts[0][0] < 0:  # as in 500 - run_fraction(0.1)
            text = repr(self.steps)
        else:
            text = parts.pop(0)[1]
            parts += [(self.steps, repr(abs(self.steps)))] if self.steps else []
        return text + "".join(f" {'-' if amount < 0 else '+'} {part}" for amount, part in parts)

    def resolved(self, sizes: Mapping[str, Any], whole: bool) -> Any:
        """The duration in steps; a shorter duration if `sizes` lacks some of its units.

        Args:
            sizes: the size of each known unit, by its name: "run" the steps of the run, "epochs"
                the steps of an epoch, "examples" and "tokens" the number of them in a step.
            whole: whether to round each amount to a whole number of steps, half to even.

        >>> (epochs(3) - 5).resolved({"epochs": 10.26}, whole=True)
        26
        >>> (epochs(3) - tokens(5)).resolved({"epochs": 10}, whole=True)
        30 - tokens(5)
        """
        steps, left = self.steps, []
        for size, unit in self.terms:
            if unit in sizes:
                length = UNITS[unit].steps(size, sizes[unit])
                steps += round(length) if whole else length
            else:
                left.append((size, unit))
        return Duration(tuple(left), steps or 0) if left else steps

    def to_dict(self) -> dict[str, Any]:
        """The duration as plain data: {"duration": {"run": 0.1}}, or a list of such terms.

        >>> run_fraction(0.1).to_dict()
        {'duration': {'run': 0.1}}
        """
        terms = [{unit: size} for size, unit in self.terms]
        terms += [{"steps": self.steps}] if self.steps else []
        return {"duration": terms[0] if len(terms) == 1 else terms}

    if TYPE_CHECKING:
        # To type checkers a duration is a number of steps, so it fits where a number does.
        def __float__(self) -> float: ...
        def __index__(self) -> int: ...
        def __mul__(self, other: Any, /) -> Any: ...
        def __rmul__(self, other: Any, /) -> Any: ...
        def __truediv__(self, other: Any, /) -> Any: ...
        def __rtruediv__(self, other: Any, /) -> Any: ...


def run_fraction(fraction: SupportsFloat) -> Duration:
    """A fraction of the whole run: `fraction * total_steps` steps.

    It can be given wherever a schedule takes steps. `schedule.resolve(total_steps=...)` turns it
    into steps, rounded to a whole number, half to even, where the schedule wants an integer.

    Durations of all units can be added and subtracted, with each other and with numbers of steps.
    Each term is rounded by itself, so a warmup of `run_fraction(0.1)` and a decay of
    `run_fraction(1.0) - run_fraction(0.1)` always add up to the run exactly (`run_fraction(0.9)`
    may miss it by a step).

    Args:
        fraction: the fraction of the run, 0 or more; 1 is the whole run.

    Raises:
        TypeError: `fraction` is not a Python number.
        ValueError: `fraction` is not finite, or < 0.

    Elsewhere: Composer's "0.1dur", big_vision's `warmup_percent`; levanter's `warmup=0.1`, where
    the size of the number tells a fraction from a number of steps.

    >>> from lrsched import cosine_decay, warmup
    >>> recipe = warmup(cosine_decay(0.1, run_fraction(1.0) - run_fraction(0.1)), run_fraction(0.1))
    >>> recipe.resolve(total_steps=777)
    warmup(schedule=cosine_decay(init_value=0.1, decay_steps=699), warmup_steps=78)
    """
    return _amount_of("run", "fraction", fraction)


def epochs(number: SupportsFloat) -> Duration:
    """A number of epochs: `number * steps_per_epoch` steps; rounding and sums as in `run_fraction`.

    `schedule.resolve(steps_per_epoch=len(loader))` turns it into steps.

    Args:
        number: the number of epochs, 0 or more; it need not be whole.

    Raises:
        TypeError: `number` is not a Python number.
        ValueError: `number` is not finite, or < 0.

    Elsewhere: Composer's "10ep", big_vision's `warmup_epochs`. `from_epochs` reads a whole recipe
    whose plain integers are epochs.

    >>> from lrsched import step_decay
    >>> step_decay(0.1, 0.1, epochs(30)).resolve(steps_per_epoch=782)
    step_decay(init_value=0.1, decay_rate=0.1, step_size=23460)
    """
    return _amount_of("epochs", "number", number)


def examples(number: SupportsFloat) -> Duration:
    """A number of training examples: `number / batch_size` steps; else as `run_fraction`.

    `schedule.resolve(batch_size=...)` turns it into steps.

    Args:
        number: the number of examples, 0 or more.

    Raises:
        TypeError: `number` is not a Python number.
        ValueError: `number` is not finite, or < 0.

    Elsewhere: Composer's "50000sp" (samples), big_vision's `warmup_examples`, Megatron's
    `--lr-warmup-samples`.

    >>> from lrsched import linear
    >>> linear(1.0, 0.0, examples(1_000_000)).resolve(batch_size=256)
    linear(init_value=1.0, end_value=0.0, steps=3906)
    """
    return _amount_of("examples", "number", number)


def tokens(number: SupportsFloat) -> Duration:
    """A number of training tokens: `number / tokens_per_step` steps; else as `run_fraction`.

    `schedule.resolve(tokens_per_step=...)` turns it into steps.

    Args:
        number: the number of tokens, 0 or more.

    Raises:
        TypeError: `number` is not a Python number.
        ValueError: `number` is not finite, or < 0.

    Elsewhere: Composer's "2000000000tok", Megatron-DeepSpeed's `--lr-decay-tokens`.

    >>> from lrsched import linear
    >>> linear(1.0, 0.0, tokens(2e9) - 100).resolve(tokens_per_step=2048 * 512)
    linear(init_value=1.0, end_value=0.0, steps=1807)
    """
    return _amount_of("tokens", "number", number)


DURATION_FACTORIES: Mapping[str, Callable[..., Duration]] = {
    "run_fraction": run_fraction,
    "epochs": epochs,
    "examples": examples,
    "tokens": tokens,
}


def durations_in(value: Any) -> Iterator[Duration]:
    """The durations in a hyperparameter or in its tuple; not those inside nested schedules."""
    if isinstance(value, Duration):
        yield value
    elif type(value) is tuple:
        for item in value:
            yield from durations_in(item)


def unit_sizes(refuse: Refusal, given: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of units, by unit, from the arguments of `Schedule.resolve` that are not None."""
    sizes = {}
    for name, unit in UNITS.items():
        size = given[unit.argument]
        if size is None:
            continue
        size = refuse.check(unit.argument, unit.kind, size)
        if is_traced(size):
            refuse(unit.argument, "a number that is known, not traced", size, TypeError)
        sizes[name] = size
    return sizes


def _duration(value: Any) -> Duration | None:
    """A duration from a duration or a number of steps; None for anything else."""
    if isinstance(value, Duration):
        return value
    if not hasattr(value, "__float__"):
        return None
    return Duration((), Refusal("duration").check("steps", amount(), value))


def _amount_of(unit: str, parameter: str, value: Any) -> Duration:
    kind = amount(">= 0")
    return Duration(((Refusal(UNITS[unit].factory).check(parameter, kind, value), unit),))


when_imported("jax.tree_util", lambda tree_util: tree_util.register_static(Duration))
