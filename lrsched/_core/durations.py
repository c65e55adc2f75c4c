"""`Duration`: a length of time in units other than steps, as a value."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lrsched._core.checks import Kind, Refusal, choice, is_traced, optional
from lrsched._core.number_kinds import amount, integer, number
from lrsched._core.when_imported import when_imported


class Unit(NamedTuple):
    """A unit of time: the factory of amounts in it, and how an amount becomes steps."""

    factory: str
    argument: str  # the argument of `Schedule.resolve` that gives the size of the unit
    kind: Kind  # the kind of that argument
    steps: Callable[[Any, Any], Any]  # from an amount and that argument to steps


_size = number(">= 1e-18")
_size_or_schedule = _size._replace(expected=f"{_size.expected}, or a schedule")
UNITS = {
    "run": Unit("run_fraction", "total_steps", integer(1, "steps"), operator.mul),
    "epochs": Unit("epochs", "steps_per_epoch", _size, operator.mul),
    "examples": Unit("examples", "batch_size", _size_or_schedule, operator.truediv),
    "tokens": Unit("tokens", "tokens_per_step", _size_or_schedule, operator.truediv),
}


Round = Literal["nearest", "up", "down"]
ROUNDING: Mapping[str, Callable[[float], int]] = {
    "nearest": round,
    "up": math.ceil,
    "down": math.floor,
}
ROUND = optional(choice(*ROUNDING))


class Term(NamedTuple):
    """An amount in a unit, and how it is rounded to whole steps; None for not at all."""

    amount: int | float
    unit: str
    round: str | None = None

    def __repr__(self) -> str:
        rounding = f", round={self.round!r}" if self.round else ""
        return f"{UNITS[self.unit].factory}({abs(self.amount)!r}{rounding})"

    def steps(self, size: Any, whole: bool) -> int | float:
        """The amount in steps, for a unit of this size."""
        length: int | float = UNITS[self.unit].steps(self.amount, size)
        rounding = self.round or ("nearest" if whole else None)
        if rounding is None:
            return length
        # What is subtracted is rounded like what is added.
        sign = -1 if self.amount < 0 else 1
        return sign * ROUNDING[rounding](sign * length)


class Duration:
    """A length of time that is not yet known in steps: a sum of amounts, each with its unit.

    Made by `run_fraction`, `epochs`, `examples` and `tokens`, and by adding and subtracting these
    and numbers of steps. `Schedule.resolve` turns it into steps.

    >>> run_fraction(1.0) - 500
    run_fraction(1.0) - 500
    """

    # A dataclass would take longer to make than all else here, at each import of the library.
    __slots__ = ("steps", "terms")

    # Each amount is kept and rounded by itself. Plain numbers of steps are added up in `steps`.
    terms: tuple[Term, ...]
    steps: int | float

    __array_ufunc__ = None  # `numpy.int64(500) + duration` must call `__radd__`

    def __init__(self, terms: tuple[Term, ...], steps: int | float = 0) -> None:
        object.__setattr__(self, "terms", terms)
        object.__setattr__(self, "steps", steps)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a duration does not change")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a duration does not change")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Duration):
            return NotImplemented
        return (self.terms, self.steps) == (other.terms, other.steps)

    def __hash__(self) -> int:
        return hash((self.terms, self.steps))

    def __getstate__(self) -> tuple[Any, ...]:
        return self.terms, self.steps

    def __setstate__(self, state: Any) -> None:
        terms, steps = state
        # Pickles written before 2026-11 hold terms without a rounding.
        object.__setattr__(self, "terms", tuple(Term(*term) for term in terms))
        object.__setattr__(self, "steps", steps)

    def __add__(self, other: Any) -> Duration:
        added = _duration(other)
        if added is None:
            return NotImplemented
        return Duration(self.terms + added.terms, self.steps + added.steps or 0)

    __radd__ = __add__

    def __neg__(self) -> Duration:
        return Duration(tuple(x._replace(amount=0 - x.amount) for x in self.terms), 0 - self.steps)

    def __sub__(self, other: Any) -> Duration:
        subtracted = _duration(other)
        return NotImplemented if subtracted is None else self + -subtracted

    def __rsub__(self, other: Any) -> Duration:
        return (-self).__add__(other)

    def __repr__(self) -> str:
        parts = [(term.amount, repr(term)) for term in self.terms]
        if parts[0][0] < 0:  # as in 500 - run_fraction(0.1)
            text = repr(self.steps)
        else:
            text = parts.pop(0)[1]
            parts += [(self.steps, repr(abs(self.steps)))] if self.steps else []
        return text + "".join(f" {'-' if amount < 0 else '+'} {part}" for amount, part in parts)

    def resolved(self, sizes: Mapping[str, Any], whole: bool = False) -> Any:
        """The duration in steps; a shorter duration if `sizes` lacks some of its units.

        Args:
            sizes: the size of each known unit, by its name: "run" the steps of the run, "epochs"
                the steps of an epoch, "examples" and "tokens" the number of them in a step.
            whole: whether to round each amount to a whole number of steps, half to even, that does
                not say how.

        >>> (epochs(3) - 5).resolved({"epochs": 10.25})
        25.75
        >>> (epochs(3, round="up") - tokens(5)).resolved({"epochs": 10.25})
        31 - tokens(5)
        """
        known = [term.steps(sizes[term.unit], whole) for term in self.terms if term.unit in sizes]
        left = tuple(term for term in self.terms if term.unit not in sizes)
        steps = _without_rounding_errors(self.steps, *known)
        return Duration(left, steps) if left else steps

    def to_dict(self) -> dict[str, Any]:
        """The duration as plain data: {"duration": {"run": 0.1}}, or a list of such terms.

        >>> run_fraction(0.1).to_dict()
        {'duration': {'run': 0.1}}
        """
        terms: list[dict[str, Any]] = [
            {term.unit: term.amount} | ({"round": term.round} if term.round else {})
            for term in self.terms
        ]
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


def _without_rounding_errors(*lengths: int | float) -> int | float:
    """The sum, which is a whole number where it misses one by rounding: 0.1 * 1230 is 123."""
    total = sum(lengths)
    nearest = round(total)
    # A product has half a unit of its last place, and so has each sum.
    errors = len(lengths) * math.ulp(max(map(abs, lengths)))
    return nearest if abs(total - nearest) <= errors else total


when_imported("jax.tree_util", lambda tree_util: tree_util.register_static(Duration))
