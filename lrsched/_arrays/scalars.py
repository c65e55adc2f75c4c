"""Python numbers as an array library: the functions of the array API standard, over `math`."""

from __future__ import annotations

import math
import operator
from types import SimpleNamespace

from lrsched._arrays.types import Namespace


class ScalarNamespace(SimpleNamespace):
    """A namespace whose functions take Python numbers."""


def is_scalar(xp: Namespace) -> bool:
    """Whether a namespace is that of Python numbers, known or traced."""
    return type(xp) is ScalarNamespace


_FROM_MATH = (
    *("ceil", "floor", "trunc", "sqrt", "exp", "expm1", "log", "log1p", "log2"),
    *("sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "hypot"),
)

SCALARS = ScalarNamespace(
    **{name: getattr(math, name) for name in _FROM_MATH},
    abs=abs,
    pow=operator.pow,
    round=round,
    square=lambda x: x * x,
    minimum=min,
    maximum=max,
    clip=lambda x, low, high: low if x < low else high if x > high else x,
    where=lambda condition, x, y: x if condition else y,
    take=lambda values, index: values[index],
    logical_and=operator.and_,
    logical_or=operator.or_,
    logical_not=operator.not_,
    pi=math.pi,
    e=math.e,
    inf=math.inf,
)
