"""The kinds of hyperparameter: each as a `Kind`, and as the annotation of a parameter."""

import operator
from collections.abc import Sequence
from typing import Annotated, Any

from lrsched._core.checks import FLAG, Kind, Real, Whole, optional, sequence, static
from lrsched._core.durations import Duration
from lrsched._core.number_kinds import integer, number, steps


def or_duration(kind: Kind) -> Kind:
    """A number of steps, or a `Duration` that `Schedule.resolve` turns into one."""

    def number_of_steps(value: Any) -> Any:
        try:
            return kind.convert(value)
        except (TypeError, ValueError) as refused:
            share = _share_of_run(value)
            if share is None:
                raise
            error = TypeError if isinstance(refused, TypeError) else ValueError
            expected = str(refused) or kind.expected
        raise error(f"{expected}; a share of the run is run_fraction({share:g})")

    def convert(value: Any) -> Any:
        if not isinstance(value, Duration):
            return number_of_steps(value)
        if kind.item_type is int and type(value.steps) is not int:
            raise TypeError
        return value

    schema = {"anyOf": [kind.schema, {"$ref": "#/$defs/duration"}]}
    return kind._replace(convert=convert, schema=schema)


def _share_of_run(value: Any) -> float | None:
    """The fraction of the run that a number below 1, or text such as "10%", seems to mean."""
    is_percentage = isinstance(value, str) and value.endswith("%")
    if isinstance(value, str) and not is_percentage:
        return None
    try:
        share = float(value[:-1]) / 100 if is_percentage else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return share if 0 < share < 1 or (is_percentage and share == 1) else None


SMALLEST_POSITIVE = ">= 1e-18"
VALUE = number()
POSITIVE = number(SMALLEST_POSITIVE)
RATE = number(">= 0")
RATE_PER_STEP = number(">= 0", unit="per step")
POWER = number("> 0")
FRACTION = number(">= 0", "<= 1")
STEPS = or_duration(steps(">= 1"))
PHASE = or_duration(steps(">= 0"))
TIMESCALE = or_duration(steps("> 0", least=1e-18))
WHOLE_STEPS = or_duration(integer(1, "steps"))
VALUES = sequence("finite numbers", VALUE)
BOUNDARIES = sequence("numbers >= 1 in strictly ascending order (steps)", STEPS, operator.lt)
MILESTONES = sequence("0 or numbers >= 1 in ascending order (steps)", PHASE, operator.le)

Value = Annotated[Real, VALUE]
Positive = Annotated[Real, POSITIVE]
Rate = Annotated[Real, RATE]
RatePerStep = Annotated[Real, RATE_PER_STEP]
Power = Annotated[Real, POWER]
Fraction = Annotated[Real, FRACTION]
Values = Annotated[Sequence[Real], VALUES]
Steps = Annotated[Real, STEPS]
Phase = Annotated[Real, PHASE]
Timescale = Annotated[Real, TIMESCALE]
OptionalPhase = Annotated[Real | None, optional(PHASE)]
WholeSteps = Annotated[Whole, WHOLE_STEPS]
StaticSteps = Annotated[Real, static(STEPS)]  # for recipes that branch on them, or round them
StaticPhase = Annotated[Real, static(PHASE)]
StaticWholeSteps = Annotated[Whole, static(WHOLE_STEPS)]
Multiple = Annotated[Whole, integer(1, "times")]
Boundaries = Annotated[Sequence[Real], BOUNDARIES]
Milestones = Annotated[Sequence[Real], MILESTONES]
Flag = Annotated[bool, FLAG]
