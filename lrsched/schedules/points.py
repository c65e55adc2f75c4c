"""A curve through given points."""

import itertools
import math
from typing import Annotated, Any, Literal

from lrsched._arrays.namespace import is_array, take
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Refusal, choice, is_traced
from lrsched._core.decorator import schedule
from lrsched._core.kinds import Boundaries, Values
from lrsched._numerics import shapes
from lrsched._numerics.elementary import exponential_between
from lrsched._numerics.pieces import segment_index
from lrsched._numerics.steps import negative, plus, since_entry, where

Interpolation = Annotated[
    Literal["linear", "cosine", "exponential"], choice("linear", "cosine", "exponential")
]


def _points(refuse: Refusal, params: dict[str, Any]) -> None:
    values, boundaries = params["values"], params["boundaries"]
    if not boundaries:
        refuse("boundaries", "at least one number", boundaries)
    if len(values) != len(boundaries) + 1:
        refuse("values", f"{len(boundaries) + 1} numbers (one more than boundaries)", values)
    known = [value for value in values if not is_traced(value)]
    if params["shape"] == "exponential" and not all(value >= 1e-18 for value in known):
        refuse("values", "numbers >= 1e-18 with the shape 'exponential'", values)


@schedule(check=_points)
def interpolate(
    xp: Namespace,
    count: Array,
    values: Values,
    boundaries: Boundaries,
    shape: Interpolation = "linear",
) -> Array:
    """Through given values at given steps, along lines or curves; the last is held.

        value(t) = values[k] + (values[k + 1] - values[k]) * g(p)

        k = the number of `boundaries` that are <= t
        p = (t - b[k]) / (b[k + 1] - b[k]),  b = (0, *boundaries)

    t is the count of updates made so far. `values[0]` is the value at count 0, `values[i + 1]` that
    at `boundaries[i]`. `shape` selects g:

        "linear"         g(p) = p
        "cosine"         g(p) = (1 - cos(pi * p)) / 2
        "exponential"    value(t) = values[k] * (values[k + 1] / values[k]) ** p

    Args:
        values: the values, one more than there are boundaries.
        boundaries: the steps of the values after the first, each at least 1, in strictly ascending
            order; there is at least one.
        shape: "linear", "cosine" or "exponential".

    Raises:
        TypeError: `values` or `boundaries` is not a sequence of numbers, or `shape` is not a
            string.
        ValueError: a value is not finite, `boundaries` are below 1 or not strictly ascending,
            there is not exactly one more value than there are boundaries, `shape` is none of the
            three names, or a value is < 1e-18 with "exponential".

    Elsewhere: `optax.piecewise_interpolate_schedule`, which takes the ratio of each value to the
    one before; ignite's `PiecewiseLinear`, which holds the first value until its first milestone;
    NumPy's `interp`; fastai's `combine_scheds`.

    >>> curve = interpolate((0.0, 1.0, 0.1), (10, 30))
    >>> [round(curve(count), 6) for count in (0, 5, 10, 20, 30, 40)]
    [0.0, 0.5, 1.0, 0.55, 0.1, 0.1]
    """
    last = len(boundaries) - 1
    reached = segment_index(xp, count, boundaries)
    segment = xp.minimum(reached, last)
    done = since_entry(xp, count, (0, *boundaries[:-1]), segment)
    remaining = negative(since_entry(xp, count, boundaries, segment))
    inside = reached <= last
    done, remaining = where(xp, inside, done, 1), where(xp, inside, remaining, 0)
    length = plus(xp, done, remaining)
    first, second = take(xp, values[:-1], segment), take(xp, values[1:], segment)
    if shape == "exponential":
        logs = [_log_ratio(xp, x, y) for x, y in itertools.pairwise(values)]
        return exponential_between(xp, first, second, logs, segment, done, remaining, length)
    return shapes.interpolate(xp, first, second, done, remaining, length, shape)


def _log_ratio(xp: Namespace, first: Array, second: Array) -> Array:
    ratio = second / first
    return xp.log(ratio) if is_array(ratio) else math.log(ratio)
