"""The kinds of hyperparameter: each as a `Kind`, and as the annotation of a parameter."""

import math
import operator
from collections.abc import Sequence
from typing import Annotated, Any

from lrsched._core.checks import FLAG, Kind, Real, Whole, integer, number, optional, sequence
from lrsched._core.durations import Duration


def or_duration(kind: Kind) -> Kind:
    """A number of steps, or a `Duration` that `Schedule.resolve` turns into one."""

    def convert(value: Any) -> Any:
        if not isinstance(value, Duration):
            return kind.convert(value)
        if kind.item_type is int and type(value.steps) is not int:
            raise TypeError
        return value

    schema = {"anyOf": [kind.schema, {"$ref": "#/$defs/duration"}]}
    return kind._replace(convert=convert, schema=schema)


def _power(rate: Any, factor: float) -> Any:
    try:
        return rate**factor
    except OverflowError:
        return math.inf


SMALLEST_POSITIVE = ">= 1e-18"
VALUE = number()
POSITIVE = number(SMALLEST_POSITIVE)
RATE = number(">= 0")
RATE_PER_STEP = number(">= 0", unit="per step")
FACTOR_PER_DECAY_STEPS = RATE._replace(per="decay_steps", over=_power)
RATE_PER_DECAY_STEPS = RATE._replace(per="decay_steps", over=operator.mul)
POWER = number("> 0")
FRACTION = number(">= 0", "<= 1")
STEPS = or_duration(integer(1, "steps"))
PHASE = or_duration(integer(0, "steps"))
REAL_STEPS = or_duration(number(SMALLEST_POSITIVE, unit="steps"))
VALUES = sequence("finite numbers", VALUE)
BOUNDARIES = sequence(
    "integers >= 1 in strictly ascending order (steps)", STEPS, lambda a, b: a < b
)
MILESTONES = sequence("integers >= 0 in ascending order (steps)", PHASE, lambda a, b: a <= b)

Value = Annotated[Real, VALUE]
Positive = Annotated[Real, POSITIVE]
Rate = Annotated[Real, RATE]
RatePerStep = Annotated[Real, RATE_PER_STEP]
FactorPerDecaySteps = Annotated[Real, FACTOR_PER_DECAY_STEPS]
RatePerDecaySteps = Annotated[Real, RATE_PER_DECAY_STEPS]
RealSteps = Annotated[Real, REAL_STEPS]
Power = Annotated[Real, POWER]
Fraction = Annotated[Real, FRACTION]
Values = Annotated[Sequence[Real], VALUES]
Steps = Annotated[Whole, STEPS]
Phase = Annotated[Whole, PHASE]
OptionalPhase = Annotated[Whole | None, optional(PHASE)]
StepNumber = Annotated[Whole, integer(1, "steps")]  # no duration: it is computed with at once
PhaseNumber = Annotated[Whole, integer(0, "steps")]
Multiple = Annotated[Whole, integer(1, "times")]
Boundaries = Annotated[Sequence[Whole], BOUNDARIES]
Milestones = Annotated[Sequence[Whole], MILESTONES]
Flag = Annotated[bool, FLAG]
