"""Shapes of a transition from one value to another, each as the weights of its two ends.

A weight is a function of the steps that are done, of those that remain, and of the length. The two
weights of a shape add up to 1, and each is formed so that it keeps its digits where it goes to 0.
"""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from lrsched._arrays.namespace import is_array, real
from lrsched._arrays.scalars import SCALARS
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import choice
from lrsched._numerics.elementary import fraction, half_cosine, is_literal
from lrsched._numerics.steps import Steps, as_real, least, steps_since

Weight = Callable[[Namespace, Steps, Steps, Steps], Array]


def weights(
    xp: Namespace, done: Steps, remaining: Steps, steps: Steps, shape: str
) -> tuple[Array, Array]:
    """The weights of the two ends, from (1, 0) at done = 0 to (0, 1) at remaining = 0."""
    first, second = SHAPES[shape]
    return first(xp, done, remaining, steps), second(xp, done, remaining, steps)


def interpolate(
    xp: Namespace,
    first: Array,
    second: Array,
    done: Steps,
    remaining: Steps,
    steps: Steps,
    shape: str = "linear",
) -> Array:
    """From `first`, at done = 0, to `second`, at remaining = 0.

    An end that is the literal 0.0 is skipped, and its weight never computed.
    """
    first_weight, second_weight = SHAPES[shape]
    if is_literal(second, 0.0):
        return first * first_weight(xp, done, remaining, steps)
    if is_literal(first, 0.0):
        return second * second_weight(xp, done, remaining, steps)
    first_weight, second_weight = weights(xp, done, remaining, steps, shape)
    return first * first_weight + second * second_weight


def piecewise_interpolate(
    xp: Namespace,
    count: Steps,
    values: Sequence[Array],
    edges: Sequence[Array],
    shape: str = "linear",
) -> Array:
    """Through one value at each edge, in the same shape from each to the next; the last is held.

    Edges are real numbers of steps. A segment that ends before it begins is passed over, and of two
    that a count lies in, the first counts.
    """
    count = least(xp, count, edges[-1])
    value = values[-1]
    for begin, end, first, second in reversed(
        list(zip(edges, edges[1:], values, values[1:], strict=False))
    ):
        length = real(xp, end) - real(xp, begin)
        nonempty = length > 0
        until_end = -steps_since(xp, count, end)
        inside = (until_end >= 0) & nonempty
        length = (xp if is_array(length) else SCALARS).where(nonempty, length, 1.0)
        remaining = xp.clip(until_end, 0.0, length)
        done = xp.clip(steps_since(xp, count, begin), 0.0, length)
        here = interpolate(xp, first, second, done, remaining, length, shape)
        value = xp.where(inside, here, value)
    return value


# In what follows p is the fraction that is done: "first" falls from 1 to 0, "second" rises.


def _linear_first(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """1 - p."""
    return fraction(xp, remaining, steps)


def _linear_second(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """p."""
    return fraction(xp, done, steps)


def _cosine_first(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """(1 + cos pi p) / 2."""
    return half_cosine(xp, remaining, done, steps)


def _cosine_second(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """(1 - cos pi p) / 2."""
    return half_cosine(xp, done, remaining, steps)


def _sqrt_first(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """1 - sqrt(p) = (1 - p) / (1 + sqrt(p))."""
    return fraction(xp, remaining, steps) / (1.0 + _sqrt_second(xp, done, remaining, steps))


def _sqrt_second(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """sqrt(p)."""
    # The root has an infinite slope at 0, where this weight is 0: its gradient there is 0 instead.
    begun = as_real(xp, done) > 0
    positive = xp.where(begun, fraction(xp, done, steps), 1.0)
    return xp.where(begun, xp.sqrt(positive), 0.0 * positive)


def _square_first(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """1 - p**2 = (1 - p) (1 + p)."""
    return fraction(xp, remaining, steps) * (1.0 + fraction(xp, done, steps))


def _square_second(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """p**2."""
    p = fraction(xp, done, steps)
    return p * p


def _exponential_first(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """2 * 0.5**p - 1 = 2**(1 - p) - 1."""
    return xp.expm1(math.log(2) * fraction(xp, remaining, steps))


def _exponential_second(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """2 - 2 * 0.5**p."""
    return -2.0 * xp.expm1(-math.log(2) * fraction(xp, done, steps))


def _quarter_first(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """cos(pi p / 2) = sin(pi (1 - p) / 2)."""
    return xp.sin(math.pi / 2 * fraction(xp, remaining, steps))


def _quarter_second(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """1 - cos(pi p / 2) = 2 sin(pi p / 4)**2."""
    root = xp.sin(math.pi / 4 * fraction(xp, done, steps))
    return 2.0 * root * root


def _lowered_first(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """0.7 (1 - p), and 1 at p = 0."""
    return xp.where(as_real(xp, done) > 0, 0.7 * fraction(xp, remaining, steps), 1.0)


def _lowered_second(xp: Namespace, done: Steps, remaining: Steps, steps: Steps) -> Array:
    """0.3 + 0.7 p, and 0 at p = 0."""
    return xp.where(as_real(xp, done) > 0, 0.3 + 0.7 * fraction(xp, done, steps), 0.0)


SHAPES: dict[str, tuple[Weight, Weight]] = {
    "linear": (_linear_first, _linear_second),
    "cosine": (_cosine_first, _cosine_second),
    "quarter-cosine": (_quarter_first, _quarter_second),
    "1-sqrt": (_sqrt_first, _sqrt_second),
    "1-square": (_square_first, _square_second),
    "exponential": (_exponential_first, _exponential_second),
    "lowered-linear": (_lowered_first, _lowered_second),
}

ShapeName = Literal[
    "linear", "cosine", "quarter-cosine", "1-sqrt", "1-square", "exponential", "lowered-linear"
]
# Recipes written before 2026-12 say "square".
Shape = Annotated[ShapeName, choice(*SHAPES, aliases={"square": "1-square"})]
