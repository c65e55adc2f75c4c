"""Durations in examples or tokens where the number of these in an update changes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lrsched._arrays.namespace import MAX_COUNT
from lrsched._core.checks import Kind, Refusal
from lrsched._core.durations import UNITS, Duration
from lrsched._core.number_kinds import whole_as_integer
from lrsched._core.recipe import Recipe

MAX_CHANGES_AT = 10**7  # the last step at which a size may change: they are read one by one


class Clock(NamedTuple):
    """How many examples (or tokens) the updates have.

    Attributes:
        unit: "examples" or "tokens".
        sizes: how many an update has, one more number than there are boundaries.
        boundaries: the steps at which the next size begins.
    """

    unit: str
    sizes: tuple[float, ...]
    boundaries: tuple[int, ...]


def clock_of(unit: str, sizes: Any) -> Clock:
    """The clock of a batch size that is a schedule of the step."""
    refuse, argument = Refusal("resolve"), UNITS[unit].argument
    begins = _begins(unit, sizes)
    if begins is not None:
        kept, boundaries = sizes_by_step(sizes.params["values"], begins)
        if min(kept) <= 0:
            refuse(argument, "a schedule of numbers above 0", sizes)
        return Clock(unit, tuple(map(whole_as_integer, kept)), tuple(boundaries))
    if not (sizes.is_resolved and sizes.is_plain):
        expected = (
            f"a schedule of plain numbers, in steps, or a piecewise_constant with all boundaries "
            f"in {UNITS[unit].factory}(...)"
        )
        refuse(argument, expected, sizes)
    last = math.ceil(sum(steps for _, _, steps in _lengths(sizes.expand())))
    if last > MAX_CHANGES_AT:
        refuse(argument, f"a schedule that rests after {MAX_CHANGES_AT} steps", sizes)
    values = [float(sizes(count)) for count in range(last + 1)]
    later = [float(sizes(count)) for count in (2 * last + 1, 3 * last + 2, MAX_COUNT)]
    if any(value != values[-1] for value in later):
        refuse(argument, f"a schedule that rests after its {last} steps", sizes)
    if min(values) <= 0:
        refuse(argument, "a schedule of numbers above 0", sizes)
    changes = [n for n, (x, y) in enumerate(itertools.pairwise(values), start=1) if x != y]
    return Clock(unit, tuple(whole_as_integer(values[n]) for n in (0, *changes)), tuple(changes))


def _begins(unit: str, sizes: Any) -> list[Any] | None:
    """The examples before each level of batch sizes after the first, where they say examples."""
    if sizes.name != "piecewise_constant" or sizes.is_resolved or not sizes.is_plain:
        return None
    boundaries = sizes.params["boundaries"]
    if not all(isinstance(x, Duration) and _is_in(x, unit) for x in boundaries):
        return None
    return [sum(term.amount for term in x.terms) for x in boundaries]


def sizes_by_step(sizes: Sequence[Any], begins: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Batch sizes, and the steps at which the next begins.

    Each after the first holds from the update on that has so many examples before it.
    """
    kept, boundaries = [sizes[0]], []
    step, seen = 0, 0
    for size, begin in zip(sizes[1:], begins, strict=True):
        steps = max(int(-((seen - begin) // kept[-1])), 0)  # rounded up without an error
        step, seen = step + steps, seen + steps * kept[-1]
        if steps:
            boundaries.append(step)
            kept.append(size)
        else:  # an update has passed more than one change
            kept[-1] = size
    return kept, boundaries


def require_no_steps(schedule: Any, unit: str, sizes: Any) -> None:
    """Refuse sizes that change for a schedule whose formula counts steps."""
    for owner, _, _ in schedule.items():
        if owner._definition.counts_steps(owner.params):
            expected = f"a number of {unit}, as the formula of {owner.name} counts steps"
            Refusal("resolve")(UNITS[unit].argument, expected, sizes)


def in_ticks(schedule: Any, clock: Clock) -> tuple[Any, float]:
    """The schedule with its durations in ticks of a clock, and the examples in a tick.

    Their number is a power of 2, by which any number of examples is divided without rounding.
    """
    longest = 0.0
    for owner, name, value in _lengths(schedule):
        if isinstance(value, Duration) and _is_in(value, clock.unit):
            longest = max(longest, sum(term.amount for term in value.terms))
        elif value != 0:
            unit = UNITS[clock.unit]
            expected = (
                f"in {unit.factory}(...) and not rounded, as are all durations where "
                f"{unit.argument} is a schedule"
            )
            owner._definition.refuse(name, expected, value)
    tick = 2.0 ** math.floor(math.log2(min(clock.sizes)))
    while longest > tick * MAX_COUNT:
        tick *= 2.0

    def convert(kind: Kind, value: Any) -> Any:
        if type(value) is not Duration:
            return value
        return kind.length(sum(term.amount for term in value.terms) / tick)

    return schedule.map(convert), tick


def _is_in(duration: Duration, unit: str) -> bool:
    return not duration.steps and all(x.unit == unit and x.round is None for x in duration.terms)


def _lengths(schedule: Recipe) -> Iterator[tuple[Recipe, str, Any]]:
    """The durations in a schedule that are given, each with its owner and parameter.

    A rate per step other than 1 is one: it tells what a step is.
    """
    for owner, name, value in schedule.items():
        unit = owner._definition.kinds[name].unit
        if unit == "steps":
            members = value if type(value) is tuple else (value,)
            yield from ((owner, name, member) for member in members if member is not None)
        elif unit == "per step" and value != 1:
            yield owner, name, value
