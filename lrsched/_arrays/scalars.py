"""Python numbers as an array library: the functions of the array API standard, over `math`."""

from __future__ import annotations

import math
import operator
from types import SimpleNamespace
from typing import Any


class ScalarNamespace(SimpleNamespace):
    """A namespace whose functions take Python numbers."""


def is_scalar(xp: Any) -> bool:
    """Whether a namespace is of Python numbers, known or not."""
    return type(xp) is ScalarNamespace


SCALARS = ScalarNamespace(
    # The array API's elementwise functions.
    **{name: getattr(math, name) for name in ("ceil", "floor", "sqrt", "exp", "expm1", "log")},
    **{name: getattr(math, name) for name in ("log1p", "log2", "sin", "cos", "tan", "tanh")},
    **{name: getattr(math, name) for name in ("atan", "sinh", "cosh", "trunc", "hypot")},
    abs=abs,
    pow=operator.pow,
    round=round,
    square=lambda x: x * x,
    minimum=min,
    maximum=max,
    clip=lambda x, low, high: low if x < low else high if x > high else x,
    where=lambda condition, x, y: x if condition else y,
    logical_and=operator.and_,
    logical_or=operator.or_,
    logical_not=operator.not_,
    pi=math.pi,
    e=math.e,
    inf=math.inf,
)
