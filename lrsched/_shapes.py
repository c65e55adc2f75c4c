"""The shapes of a way from one value to another, each as the weights of its two ends.

A shape takes the steps that are done, those that are left and the length, and gives the weight of
the first value and that of the second. They add up to 1, and each is formed so that it keeps its
digits where it goes to 0.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any

from lrsched._numerics import half_cosine, share
from lrsched._validate import choice

Weights = tuple[Any, Any]


def _linear(xp: Any, done: Any, left: Any, steps: Any) -> Weights:
    """1 - p and p."""
    return share(xp, left, steps), share(xp, done, steps)


def _cosine(xp: Any, done: Any, left: Any, steps: Any) -> Weights:
    """(1 + cos pi p) / 2 and (1 - cos pi p) / 2."""
    return half_cosine(xp, left, steps), half_cosine(xp, done, steps)


def _one_minus_sqrt(xp: Any, done: Any, left: Any, steps: Any) -> Weights:
    """1 - sqrt(p) = (1 - p) / (1 + sqrt(p)), and sqrt(p)."""
    # The root has no slope at 0, where the second weight is 0: its gradient there is left out.
    some = xp.where(done > 0, share(xp, done, steps), 1.0)
    root = xp.where(done > 0, xp.sqrt(some), 0.0 * some)
    return share(xp, left, steps) / (1.0 + root), root


def _square(xp: Any, done: Any, left: Any, steps: Any) -> Weights:
    """1 - p**2 = (1 - p) (1 + p), and p**2."""
    p = share(xp, done, steps)
    return share(xp, left, steps) * (1.0 + p), p * p


def _exponential(xp: Any, done: Any, left: Any, steps: Any) -> Weights:
    """2 * 0.5**p - 1 = 2**(1 - p) - 1, and 2 - 2 * 0.5**p."""
    first = xp.expm1(math.log(2) * share(xp, left, steps))
    return first, -2.0 * xp.expm1(-math.log(2) * share(xp, done, steps))


def _lowered_linear(xp: Any, done: Any, left: Any, steps: Any) -> Weights:
    """0.7 (1 - p), and 0.3 + 0.7 p; at p = 0 still 1 and 0."""
    begun = done > 0
    first = xp.where(begun, 0.7 * share(xp, left, steps), 1.0)
    return first, xp.where(begun, 0.3 + 0.7 * share(xp, done, steps), 0.0)


SHAPES: dict[str, Callable[[Any, Any, Any, Any], Weights]] = {
    "linear": _linear,
    "cosine": _cosine,
    "1-sqrt": _one_minus_sqrt,
    "square": _square,
    "exponential": _exponential,
    "lowered-linear": _lowered_linear,
}

Shape = Annotated[str, choice(*SHAPES)]
