"""Values that compiled code contains, as dictionary keys."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np


class StaticValue:
    """A value as a dictionary key: equal where code compiled for one serves the other.

    Partials of one function with equal arguments are equal. What cannot be hashed equals itself.
    """

    def __init__(self, value: Any) -> None:
        self.value = value
        try:
            self._identity = _identity(value)
            self._hash = hash(self._identity)
        except TypeError:
            self._identity = id(value)
            self._hash = hash(self._identity)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StaticValue) and self._identity == other._identity


def _identity(value: Any) -> Any:
    if isinstance(value, (float, complex, np.generic)):
        return type(value), repr(value)  # as 0.0 and -0.0 are equal, and NaN does not equal itself
    if type(value) is not functools.partial:
        return type(value), value  # as 1, 1.0 and True are equal
    keywords = sorted((name, _identity(x)) for name, x in value.keywords.items())
    return _identity(value.func), tuple(map(_identity, value.args)), tuple(keywords)
