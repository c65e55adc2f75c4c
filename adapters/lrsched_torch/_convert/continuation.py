"""A curve, and how it goes on from the learning rate that a torch scheduler has come to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lrsched import Schedule, advance, constant, delay, join
from lrsched._core import Refusal, integer

refuse = Refusal("from_torch")


@dataclass(frozen=True)
class Curve:
    """What a scheduler makes of a learning rate, on the clock of its `last_epoch`.

    `make(lr)` is the whole curve, begun from an lr: in proportion to it for a factor, a line in it
    otherwise, the same whatever it is where the scheduler sets the rate outright. `base` is the lr
    that torch begins it from, `size` the one that rounding is measured by where the curve can come
    near 0 by a difference, `last` the step of its last change. `half_period` is that of a
    CosineAnnealingLR, which at every trough begins anew from `base`. `after(lr, count)` goes on
    from an lr where the beginning of a curve to it could be too high.
    """

    make: Callable[[float], Schedule]
    base: float
    is_factor: bool = False
    sets: bool = False
    size: float = 0.0
    last: float = math.inf
    half_period: int = 0
    in_sequence: bool = True  # whether a SequentialLR that comes to it begins it at its count 0
    meets: bool = False  # whether that begins it from the lr that is there, not from `base`
    after: Callable[[float, int], Schedule] | None = None


def whole(name: str, value: Any, least: int) -> int:
    """A number of steps; torch keeps some as floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return int(refuse.check(name, integer(least, "steps"), value))


def shifted(schedule: Schedule, by: int) -> Schedule:
    """A schedule whose own clock is ahead by so many steps."""
    return advance(schedule, by) if by > 0 else delay(schedule, -by) if by < 0 else schedule


def through(curve: Curve, count: int, lr: float, tolerance: float) -> Schedule:
    """The curve that has this lr at this count, as torch would go on from there.

    `tolerance` is how far torch's rounding may be from the formula, relatively.
    """
    usual = curve.make(curve.base)
    # A factor keeps its digits, a difference those of its terms, and no rate is below 1e-30.
    near = max(curve.size * tolerance * 1e-3, 1e-30)
    if math.isclose(usual(count), lr, rel_tol=tolerance, abs_tol=near):
        return usual
    return _going_on(curve, count, lr)


def _going_on(curve: Curve, count: int, lr: float) -> Schedule:
    if curve.sets:
        return _but_now(curve.make(lr), count, lr)
    if count >= curve.last:
        return constant(lr)
    if curve.after is not None:
        return curve.after(lr, count)
    rest = curve.make(0.0)(count)
    slope = curve.make(1.0)(count) - rest
    if slope == 0:
        refuse("the lr", f"{rest}, the scheduler's own at its lowest", lr)
    begun = curve.make((lr - rest) / slope)
    if not curve.half_period:
        return begun
    return join([begun, from_trough(curve)], [trough(curve, count)])


def _but_now(schedule: Schedule, count: int, lr: float) -> Schedule:
    """A schedule with another value at one count."""
    rest = [constant(lr), advance(schedule, count + 1)]
    return join([schedule, *rest], [count, count + 1]) if count else join(rest, [1])


def trough(curve: Curve, count: int) -> int:
    """The first trough of a CosineAnnealingLR that is not before a count."""
    return count + (curve.half_period - count) % (2 * curve.half_period)


def from_trough(curve: Curve) -> Schedule:
    """What a CosineAnnealingLR does from any trough on."""
    return advance(curve.make(curve.base), curve.half_period)


def product(curves: list[Curve]) -> Curve:
    """Factors that multiply, the first of which has the learning rate."""
    first, *others = curves

    def make(lr: float) -> Schedule:
        return _multiplied(first.make(lr), [other.make(1.0) for other in others])

    def after(lr: float, count: int) -> Schedule:
        return _multiplied(
            _going_on(first, count, lr), [_going_on(other, count, 1.0) for other in others]
        )

    size, last = max(each.size for each in curves), max(each.last for each in curves)
    return Curve(make, first.base, is_factor=True, size=size, last=last, after=after)


def _multiplied(first: Schedule, others: list[Schedule]) -> Schedule:
    for other in others:
        first = first * other
    return first
