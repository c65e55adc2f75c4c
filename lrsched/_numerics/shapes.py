"""The shapes of a way from one value to another, each as the weights of its two ends.

A weight is a function of the steps that are done, those that are left and the length. The two of a
shape add up to 1, and each is formed so that it keeps its digits where it goes to 0.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any

from lrsched._core.checks import choice
from lrsched._numerics.elementary import fraction, half_cosine, is_literal

Weight = Callable[[Any, Any, Any, Any], Any]


def interpolate(
    xp: Any, first: Any, second: Any, done: Any, left: Any, steps: Any, shape: str = "linear"
) -> Any:
    """From `first`, where nothing is done, to `second`, where nothing is left.

    What is 0 for certain is left out with its weight, which costs as much as the other.
    """
    of_first, of_second = SHAPES[shape]
    if is_literal(second, 0.0):
        return first * of_first(xp, done, left, steps)
    if is_literal(first, 0.0):
        return second * of_second(xp, done, left, steps)
    return first * of_first(xp, done, left, steps) + second * of_second(xp, done, left, steps)


def _left(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """1 - p."""
    return fraction(xp, left, steps)


def _done(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """p, the share that is done."""
    return fraction(xp, done, steps)


def _cosine_left(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """(1 + cos pi p) / 2."""
    return half_cosine(xp, left, done, steps)


def _cosine_done(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """(1 - cos pi p) / 2."""
    return half_cosine(xp, done, left, steps)


def _sqrt_left(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """1 - sqrt(p) = (1 - p) / (1 + sqrt(p))."""
    return fraction(xp, left, steps) / (1.0 + _sqrt_done(xp, done, left, steps))


def _sqrt_done(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """sqrt(p)."""
    # The root has no slope at 0, where this weight is 0: its gradient there is left out.
    some = xp.where(done > 0, fraction(xp, done, steps), 1.0)
    return xp.where(done > 0, xp.sqrt(some), 0.0 * some)


def _square_left(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """1 - p**2 = (1 - p) (1 + p)."""
    return fraction(xp, left, steps) * (1.0 + fraction(xp, done, steps))


def _square_done(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """p**2."""
    p = fraction(xp, done, steps)
    return p * p


def _exponential_left(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """2 * 0.5**p - 1 = 2**(1 - p) - 1."""
    return xp.expm1(math.log(2) * fraction(xp, left, steps))


def _exponential_done(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """2 - 2 * 0.5**p."""
    return -2.0 * xp.expm1(-math.log(2) * fraction(xp, done, steps))


def _lowered_left(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """0.7 (1 - p), and 1 at p = 0."""
    return xp.where(done > 0, 0.7 * fraction(xp, left, steps), 1.0)


def _lowered_done(xp: Any, done: Any, left: Any, steps: Any) -> Any:
    """0.3 + 0.7 p, and 0 at p = 0."""
    return xp.where(done > 0, 0.3 + 0.7 * fraction(xp, done, steps), 0.0)


SHAPES: dict[str, tuple[Weight, Weight]] = {
    "linear": (_left, _done),
    "cosine": (_cosine_left, _cosine_done),
    "1-sqrt": (_sqrt_left, _sqrt_done),
    "square": (_square_left, _square_done),
    "exponential": (_exponential_left, _exponential_done),
    "lowered-linear": (_lowered_left, _lowered_done),
}

Shape = Annotated[str, choice(*SHAPES)]
