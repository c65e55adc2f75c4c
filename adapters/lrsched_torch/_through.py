"""The curve that goes on from the learning rate a torch scheduler has come to."""

from __future__ import annotations

import math

from lrsched import Schedule, advance, constant, join
from lrsched_torch._torch_curves import Curve, refuse


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
