"""Kinds of hyperparameter that are numbers: real ones, integers, and numbers of steps."""

import math
import numbers
import operator
from collections.abc import Callable
from typing import Any

from lrsched._arrays.namespace import MAX_COUNT
from lrsched._core.checks import MAX_VALUE, Kind, is_traced


def _number(value: Any, integer: bool) -> Any:
    """A number of any library as a Python number; traced ones stay as they are."""
    if type(value) is int or (type(value) is float and not integer):
        return value
    if hasattr(value, "dtype") and getattr(value, "shape", None) == ():
        kind = str(value.dtype)
        if "int" not in kind and (integer or "float" not in kind):
            raise TypeError
        return value if is_traced(value) else value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError
    if isinstance(value, numbers.Integral):
        return int(value)
    if integer:
        raise TypeError
    return float(value)


_COMPARISONS = {
    ">=": (operator.ge, "minimum"),
    ">": (operator.gt, "exclusiveMinimum"),
    "<=": (operator.le, "maximum"),
    "<": (operator.lt, "exclusiveMaximum"),
}


class _Bounds:
    """Bounds of a number, written as in a refusal: (">= 0", "< 1")."""

    def __init__(self, bounds: tuple[str, ...]) -> None:
        self.text = " and ".join(bounds)
        self.schema: dict[str, float] = {}
        self._tests: list[tuple[Callable[[Any, Any], bool], float]] = []
        for bound in bounds:
            sign, limit = bound.split()
            compare, keyword = _COMPARISONS[sign]
            self._tests.append((compare, float(limit)))
            self.schema[keyword] = float(limit)
        if list(self.schema) == ["minimum", "maximum"]:
            self.text = "from " + " to ".join(bound.split()[1] for bound in bounds)

    def accept(self, value: Any) -> bool:
        return all(compare(value, limit) for compare, limit in self._tests)

    def check(self, value: Any) -> Any:
        """A finite number within the bounds."""
        if value != value or abs(value) == math.inf or not self.accept(value):
            raise ValueError
        if abs(value) > MAX_VALUE:
            raise ValueError(f"a number of magnitude <= {MAX_VALUE:g}")
        return value


def number(*bounds: str, unit: str = "") -> Kind:
    """A finite real number within bounds, kept as a float: `number(">= 0", "< 1")`."""
    within = _Bounds(bounds)

    def convert(value: Any) -> Any:
        value = _number(value, integer=False)
        return value if is_traced(value) else float(within.check(value))

    schema = {"type": "number", **within.schema}
    return Kind(
        _expected("number", within, unit), convert, unit=unit, schema=schema, item_type=float
    )


def whole_as_integer(value: Any) -> Any:
    """The number, as an integer if it is whole."""
    return int(value) if value == int(value) else value


def steps(*bounds: str, least: float = 1.0) -> Kind:
    """A number of steps within bounds, 0 or at least `least`; a whole one is kept as an integer."""
    within = _Bounds(bounds)

    def convert(value: Any) -> Any:
        value = _number(value, integer=False)
        if is_traced(value):
            return value
        if 0 < value < least:
            raise ValueError
        within.check(value)
        if value > MAX_COUNT:
            raise ValueError(f"a number <= {MAX_COUNT} (steps)")
        return whole_as_integer(value)

    schema = {"type": "number", **within.schema, "maximum": MAX_COUNT}
    expected = _expected("number", within, "steps")
    if bounds == (">= 0",) and least == 1:
        expected = "0 or a number >= 1 (steps)"
    return Kind(expected, convert, unit="steps", schema=schema, item_type=float, least=least)


def amount(*bounds: str) -> Kind:
    """A finite Python number within bounds; an integer is kept as one."""
    within = _Bounds(bounds)

    def convert(value: Any) -> Any:
        value = _number(value, integer=False)
        if is_traced(value):
            raise TypeError
        return within.check(value)

    return Kind(_expected("number", within, ""), convert, traced=False, item_type=float)


def exact_number(*bounds: str) -> Kind:
    """A finite Python number within bounds, which JAX may not trace; an integer if it is whole."""
    kind = amount(*bounds)

    def convert(value: Any) -> Any:
        return whole_as_integer(kind.convert(value))

    schema = {"type": "number", **_Bounds(bounds).schema}
    return kind._replace(convert=convert, schema=schema)


def _expected(kind: str, within: _Bounds, unit: str) -> str:
    text = f"a {kind} {within.text}" if within.text else f"a finite {kind}"
    return f"{text} ({unit})" if unit else text


def integer(least: int, unit: str) -> Kind:
    """An integer of `least` or more."""

    def convert(value: Any) -> Any:
        value = _number(value, integer=True)
        if is_traced(value):
            return value
        if value < least:
            raise ValueError
        if value > MAX_COUNT:
            raise ValueError(f"an integer <= {MAX_COUNT} ({unit})")
        return value

    schema = {"type": "integer", "minimum": least, "maximum": MAX_COUNT}
    return Kind(f"an integer >= {least} ({unit})", convert, unit=unit, schema=schema, item_type=int)


def number_choice(*options: int) -> Kind:
    """One of a few integers."""

    def convert(value: Any) -> Any:
        value = _number(value, integer=True)
        if is_traced(value):
            raise TypeError
        if value not in options:
            raise ValueError
        return value

    expected = " or ".join(map(str, options))
    schema = {"enum": list(options)}
    return Kind(expected, convert, traced=False, schema=schema, item_type=int)
