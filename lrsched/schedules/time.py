"""Schedules whose time passes at another rate: changed batch sizes, lengths and recipes."""

import itertools
from collections.abc import Sequence
from typing import Annotated, Any

from lrsched._arrays.namespace import MAX_COUNT, is_array, namespace_of, promoted, take
from lrsched._arrays.scalars import is_scalar
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import (
    MAX_VALUE,
    Kind,
    Real,
    Refusal,
    is_traced,
    optional,
    sequence,
    static,
)
from lrsched._core.decorator import Inner, counts_steps, recipe, schedule
from lrsched._core.kinds import BOUNDARIES, POSITIVE, Flag, StaticPhase, Steps
from lrsched._core.number_kinds import exact_number
from lrsched._core.schedule import Schedule
from lrsched._numerics.pieces import segment_index
from lrsched._numerics.steps import Steps as NumberOfSteps
from lrsched._numerics.steps import divided_by, least, since_entry, take_steps, times, total
from lrsched.schedules.combine import join, scale
from lrsched.schedules.transform import advance

_Boundaries = Annotated[Sequence[Real], static(BOUNDARIES)]
_rates = sequence("numbers >= 0", exact_number(">= 0"))
_Rates = Annotated[Sequence[Real], _rates._replace(traced=False, unit="times")]
_Unit = Annotated[Real, static(POSITIVE)._replace(unit="times")]


def _one_rate_more(refuse: Refusal, params: dict[str, Any]) -> None:
    rates, boundaries = params["rates"], params["boundaries"]
    if len(rates) != len(boundaries) + 1:
        refuse("rates", f"{len(boundaries) + 1} numbers (one more than boundaries)", rates)


@schedule(check=_one_rate_more)
def time_warp(
    xp: Namespace,
    count: Array,
    schedule: Inner,
    rates: _Rates,
    boundaries: _Boundaries = (),
    unit: _Unit = 1.0,
) -> Array:
    """A schedule whose time passes at a rate that changes at given steps.

        value(t) = schedule(u(t))

        u(t) = (rates[0] * b[1] + rates[1] * (b[2] - b[1]) + ... + rates[k] * (t - b[k])) / unit

        k = the number of `boundaries` that are <= t
        b = (0, *boundaries)

    t is the count of updates made so far. Where rates are batch sizes, u counts examples, `unit` of
    them at a time. `Schedule.resolve` makes such a schedule for a batch size that changes.

    Args:
        schedule: the schedule.
        rates: the time that passes in a step, 0 or more, one more than there are boundaries.
        boundaries: the steps at which the next rate begins, at least 1, in strictly ascending
            order.
        unit: what is 1 to `schedule`, at least 1e-18.

    Raises:
        TypeError: `schedule` is not a schedule, or a parameter is not a number or a sequence of
            numbers, or JAX traces one.
        ValueError: a rate is < 0, `boundaries` are below 1 or not strictly ascending, there is not
            exactly one more rate than there are boundaries, or `unit` < 1e-18.

    >>> from lrsched import linear
    >>> twice_as_fast = time_warp(linear(1.0, 0.0, 100), (1, 2), (40,))
    >>> [twice_as_fast(count) for count in (0, 40, 50, 70)]
    [1.0, 0.6, 0.4, 0.0]
    """
    return schedule(_warped(xp, count, rates, boundaries, unit))


def _warped(xp: Namespace, count: Array, rates: Any, boundaries: Any, unit: Any) -> NumberOfSteps:
    segment = segment_index(xp, count, boundaries)
    elapsed = since_entry(xp, count, (0, *boundaries), segment)
    offsets = _offsets(rates, boundaries)
    if is_scalar(xp):
        passed = take(xp, offsets, segment) + take(xp, rates, segment) * elapsed
    else:
        offset = take_steps(xp, offsets, segment, like=elapsed)
        rate = take_steps(xp, rates, segment, like=elapsed)
        passed = total(xp, offset, times(xp, elapsed, rate))
    return least(xp, divided_by(xp, passed, unit), MAX_COUNT)


def _offsets(rates: Sequence[float], boundaries: Sequence[float]) -> list[float]:
    """The time at 0 and at each boundary: exact where rates and boundaries are integers."""
    offsets: list[float] = [0]
    for rate, (begin, end) in zip(rates, itertools.pairwise((0, *boundaries)), strict=False):
        offsets.append(offsets[-1] + rate * (end - begin))
    return offsets


def _pair_of(item: Kind) -> Kind:
    """A kind of two numbers, before and after; or None."""
    both = sequence("a pair of numbers > 0 (before, after)", item)

    def convert(value: Any) -> Any:
        pair = both.convert(value)
        if len(pair) != 2:
            raise ValueError
        return pair

    return optional(both._replace(convert=convert, traced=False))


_BatchSizes = Annotated[tuple[Real, Real] | None, _pair_of(exact_number("> 0"))]
_Lengths = Annotated[tuple[Real, Real] | None, _pair_of(exact_number("> 0"))]


def _one_change(refuse: Refusal, params: dict[str, Any]) -> None:
    sizes, lengths = params["batch_size"], params["total_steps"]
    if (sizes is None) == (lengths is None):
        refuse("batch_size", "given, or total_steps, and not both", sizes)
    if lengths is not None and min(lengths) <= params["step"]:
        refuse("total_steps", f"numbers above step ({params['step']})", lengths)


@counts_steps(when=lambda params: params["total_steps"] is not None)
@recipe(check=_one_change, is_scalable=False)
def resume(
    schedule: Inner,
    step: StaticPhase,
    batch_size: _BatchSizes = None,
    total_steps: _Lengths = None,
) -> Schedule:
    """The schedule of a run that goes on from a step with another batch size or another length.

        value(t) = schedule(t)                          for t < step
                   schedule(step + r * (t - step))      for t >= step

        r = after / before                              for batch_size = (before, after)
            (before - step) / (after - step)            for total_steps = (before, after)

    t is the count of updates made so far, of the whole run. The learning rate is continuous: only
    the rate at which the schedule goes on changes. With another batch size it goes on by examples;
    with another length it ends where the run ends.

    Args:
        schedule: the schedule of the run so far.
        step: the updates made before the change, 0 or at least 1.
        batch_size: the batch sizes before and after the change.
        total_steps: the length of the run in steps as it was planned, and as it is now.

    Raises:
        TypeError: `schedule` is not a schedule, or a parameter is not a number or not a pair.
        ValueError: a number is not finite or not above 0, `step` is neither 0 nor at least 1, none
            or both of `batch_size` and `total_steps` are given, or a length is not above `step`.

    Elsewhere: Composer's `scale_schedule_ratio`, which stretches the whole schedule.

    >>> from lrsched import linear
    >>> longer = resume(linear(1.0, 0.0, 100), 50, total_steps=(100, 250))
    >>> [longer(count) for count in (0, 50, 150, 250)]
    [1.0, 0.5, 0.25, 0.0]
    """
    if batch_size is not None:
        unit, rate = batch_size
    else:
        assert total_steps is not None
        before, after = total_steps
        unit, rate = after - step, before - step
    if step == 0:
        return time_warp(schedule, (rate,), (), unit)
    return time_warp(schedule, (unit, rate), (step,), unit)


def _has_a_ratio(refuse: Refusal, params: dict[str, Any]) -> None:
    second, step = params["second"], params["step"]
    known = second.is_plain and second.is_resolved and not is_traced(step)
    if params["continuous"] and known and second(step) == 0:
        refuse("second", f"a schedule that is not 0 at step ({step}) if continuous", second)


@recipe(check=_has_a_ratio)
def switch(first: Inner, second: Inner, step: Steps, continuous: Flag = False) -> Schedule:
    """One schedule up to a step, and another one from there, which counts from the same start.

        value(t) = first(t)         for t < step
                   c * second(t)    for t >= step

        c = first(step) / second(step)    with `continuous`
            1                             without `continuous`

    t is the count of updates made so far, the same for both. A run that goes on with another recipe
    has such a schedule. c is at most 1e18 in magnitude.

    Args:
        first: the schedule before.
        second: the schedule after.
        step: the first step of the second schedule, at least 1.
        continuous: whether the second schedule is scaled to begin where the first one ends.

    Raises:
        TypeError: one of the two is not a schedule, `step` is not a number, or `continuous` is not
            a bool.
        ValueError: `step` < 1, or `second` is 0 at `step` and `continuous` is True.

    >>> from lrsched import constant, cosine_decay
    >>> go_on = switch(constant(0.05), cosine_decay(0.1, 200), 100, continuous=True)
    >>> [round(go_on(count), 6) for count in (0, 100, 150, 200)]
    [0.05, 0.05, 0.014645, 0.0]
    """
    if continuous:
        second = scale(second, _ratio(first(step), second(step)))
    return join([first, advance(second, step)], [step])


def _ratio(first: Array, second: Array) -> Array:
    """first / second, at most 1e18 in magnitude; where the second is an array of 0, first."""
    if not (is_array(first) or is_array(second)):
        return min(max(first / second, -MAX_VALUE), MAX_VALUE)
    xp = namespace_of([x for x in (first, second) if is_array(x)])
    first, second = (xp.asarray(x) for x in promoted(first, second))
    ratio = first / xp.where(second == 0, xp.ones_like(second), second)
    return xp.clip(ratio, -MAX_VALUE, MAX_VALUE)
