"""The curve of a torch scheduler, and how it continues from a given learning rate."""

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
    """The learning rate of one param group as a function of the scheduler's `last_epoch`.

    Attributes:
        make: `make(lr)` is the whole curve with the base learning rate `lr`. It is proportional to
            `lr` if `is_factor`, independent of it if `sets`, and linear in it otherwise.
        base: the base learning rate from which torch starts the curve.
        is_factor: whether the scheduler multiplies the learning rate.
        sets: whether the scheduler sets the learning rate, whatever it was before.
        size: the learning rate relative to which rounding errors are measured, for a curve that
            comes near 0 by subtraction; else 0.
        last: the step of the last change.
        half_period: half the period of a CosineAnnealingLR, which starts again from `base` at
            every trough; 0 for the other schedulers.
        in_sequence: whether the scheduler starts at its step 0 when a SequentialLR reaches it.
        starts_from_current: whether it then starts from the current learning rate, not `base`.
        after: `after(lr, count)` continues from `lr` at step `count`, for curves on which the base
            learning rate that leads to `lr` could be too large.
    """

    make: Callable[[float], Schedule]
    base: float
    is_factor: bool = False
    sets: bool = False
    size: float = 0.0
    last: float = math.inf
    half_period: int = 0
    in_sequence: bool = True
    starts_from_current: bool = False
    after: Callable[[float, int], Schedule] | None = None


def step_count(name: str, value: Any, minimum: int) -> int:
    """A number of steps as an int; torch keeps some as floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return int(refuse.check(name, integer(minimum, "steps"), value))


def shifted(schedule: Schedule, by: int) -> Schedule:
    """The schedule with its clock `by` steps ahead, or behind if `by` is negative."""
    return advance(schedule, by) if by > 0 else delay(schedule, -by) if by < 0 else schedule


def curve_through(curve: Curve, count: int, lr: float, tolerance: float) -> Schedule:
    """The curve that has the learning rate `lr` at step `count`, continued as torch would.

    `tolerance` is the relative error that counts as torch's rounding.
    """
    usual = curve.make(curve.base)
    # A factor keeps its digits, a difference those of its terms, and no rate is below 1e-30.
    near = max(curve.size * tolerance * 1e-3, 1e-30)
    if math.isclose(usual(count), lr, rel_tol=tolerance, abs_tol=near):
        return usual
    return _continuation(curve, count, lr)


def _continuation(curve: Curve, count: int, lr: float) -> Schedule:
    """The curve continued from a learning rate that is not the curve's own at `count`."""
    if curve.sets:
        return _with_value_at(curve.make(lr), count, lr)
    if count >= curve.last:
        return constant(lr)
    if curve.after is not None:
        return curve.after(lr, count)
    offset = curve.make(0.0)(count)
    slope = curve.make(1.0)(count) - offset
    if slope == 0:
        refuse("the lr", f"{offset}, the scheduler's own at its lowest", lr)
    solved = curve.make((lr - offset) / slope)
    if not curve.half_period:
        return solved
    return join([solved, from_trough(curve)], [next_trough(curve, count)])


def _with_value_at(schedule: Schedule, count: int, lr: float) -> Schedule:
    """The schedule with the value `lr` at step `count`."""
    rest = [constant(lr), advance(schedule, count + 1)]
    return join([schedule, *rest], [count, count + 1]) if count else join(rest, [1])


def next_trough(curve: Curve, count: int) -> int:
    """The step of the first trough of a CosineAnnealingLR at or after `count`."""
    return count + (curve.half_period - count) % (2 * curve.half_period)


def from_trough(curve: Curve) -> Schedule:
    """The curve of a CosineAnnealingLR from a trough on; it is the same from every trough."""
    return advance(curve.make(curve.base), curve.half_period)


def product(curves: list[Curve]) -> Curve:
    """The product of factors; the first one carries the learning rate."""
    first, *others = curves

    def make(lr: float) -> Schedule:
        return _multiplied(first.make(lr), [other.make(1.0) for other in others])

    def after(lr: float, count: int) -> Schedule:
        return _multiplied(
            _continuation(first, count, lr), [_continuation(other, count, 1.0) for other in others]
        )

    size, last = max(each.size for each in curves), max(each.last for each in curves)
    return Curve(make, first.base, is_factor=True, size=size, last=last, after=after)


def _multiplied(first: Schedule, others: list[Schedule]) -> Schedule:
    for other in others:
        first = first * other
    return first
