"""What a hyperparameter may be, and the wording of every refusal."""

import itertools
import math
import numbers
import operator
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

from lrsched._arrays.namespace import MAX_COUNT

MAX_VALUE = 1e18  # with growth by 2**64 at most, products stay finite in float32


if TYPE_CHECKING:

    class Real(Protocol):
        """A Python, NumPy, JAX or torch real number: what arithmetic and `float` accept."""

        def __float__(self) -> float: ...
        def __add__(self, other: Any, /) -> Any: ...
        def __radd__(self, other: Any, /) -> Any: ...
        def __sub__(self, other: Any, /) -> Any: ...
        def __rsub__(self, other: Any, /) -> Any: ...
        def __mul__(self, other: Any, /) -> Any: ...
        def __rmul__(self, other: Any, /) -> Any: ...
        def __truediv__(self, other: Any, /) -> Any: ...
        def __rtruediv__(self, other: Any, /) -> Any: ...

    class Whole(Real, Protocol):
        """A Python, NumPy, JAX or torch integer."""

        def __index__(self) -> int: ...

else:
    Real, Whole = float, int  # as `help` shows them


class Kind(NamedTuple):
    """What a hyperparameter may be.

    Attributes:
        expected: what it must be, in words, for refusals.
        convert: returns the value to keep. It raises TypeError for a value of the wrong type and
            ValueError for a wrong value; a message of these replaces `expected`.
        traced: whether JAX may trace it. Other hyperparameters are static.
        unit: what a number counts. `stretch` multiplies lengths in "steps" and takes the root of
            rates "per step".
        schema: its JSON schema, which holds types, choices and bounds only.
        item_type: int, float or `Schedule`, for one or a sequence of them; else None.
        least: the least length that a duration above 0 has, once it is resolved or stretched.
    """

    expected: str
    convert: Callable[[Any], Any]
    traced: bool = True
    unit: str = ""
    schema: Mapping[str, Any] = MappingProxyType({})
    item_type: type | None = None
    least: float = 0.0

    def length(self, steps: Any) -> Any:
        """A length that was computed, as the kind takes it."""
        if is_traced(steps):
            return steps
        if self.item_type is int:
            steps = round(steps)
        return self.least if 0 < steps < self.least else steps


class Refused(NamedTuple):
    """What a `Refusal` says, as the attribute `refused` of its error."""

    schedule: str
    parameter: str
    expected: str
    got: object

    def text(self) -> str:
        """The message of the error."""
        return f"{self.schedule}: {self.parameter} must be {self.expected}, got {shown(self.got)}"


def refusal(refused: Refused, error: type[Exception]) -> Exception:
    """The error that says it."""
    made = error(refused.text())
    made.__dict__["refused"] = refused
    return made


class Refusal:
    """Raises errors in one form: `cyclic: up_steps must be an integer >= 1 (steps), got 0`."""

    def __init__(self, schedule: str) -> None:
        self.schedule = schedule

    def __call__(
        self, parameter: str, expected: str, got: object, error: type[Exception] = ValueError
    ) -> NoReturn:
        raise refusal(Refused(self.schedule, parameter, expected, got), error)

    def check(self, parameter: str, kind: Kind, value: Any) -> Any:
        """Convert a value to its kind, or refuse it."""
        try:
            return kind.convert(value)
        except (TypeError, ValueError) as refused:
            expected = str(refused) or kind.expected
            error = TypeError if isinstance(refused, TypeError) else ValueError
        return self(parameter, expected, value, error)

    def checked(self, **values: tuple[Kind, Any]) -> list[Any]:
        """Convert several values, each given as (kind, value)."""
        return [self.check(name, kind, value) for name, (kind, value) in values.items()]

    def unresolved(self, parameter: str, value: object, arguments: str) -> NoReturn:
        """Refuse to compute with a duration that `resolve` must turn into steps first."""
        raise ValueError(
            f"{self.schedule}: {parameter} is {shown(value)}; "
            f"resolve it with schedule.resolve({arguments})"
        )


def shown(value: object) -> str:
    """A value as refusals show it: its `repr`, cut off at 80 characters."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of more than 4300 digits, a deep list
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def is_traced(value: Any) -> bool:
    """Whether a number has no known value: a JAX tracer, or a torch tensor that needs gradients."""
    if not hasattr(value, "dtype"):
        return False
    # Another thread may be importing these libraries: a part of them may not be there yet.
    if isinstance(value, getattr(sys.modules.get("jax.core"), "Tracer", ())):
        return True
    is_tensor = isinstance(value, getattr(sys.modules.get("torch"), "Tensor", ()))
    return is_tensor and bool(value.requires_grad)


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


def sequence(expected: str, item: Kind, in_order: Callable[[Any, Any], bool] | None = None) -> Kind:
    """A sequence of one kind, kept as a tuple. Neighbouring Python numbers must be `in_order`."""

    def convert(values: Any) -> Any:
        is_no_sequence = isinstance(values, (str, bytes, Mapping, Set))
        if is_no_sequence or not isinstance(values, Iterable):
            raise TypeError
        kept = tuple(item.convert(value) for value in values)
        if in_order is not None:
            for pair in itertools.pairwise(kept):
                if all(type(value) in (int, float) for value in pair) and not in_order(*pair):
                    raise ValueError
        return kept

    schema = {"type": "array", "items": item.schema}
    return Kind(
        expected, convert, unit=item.unit, schema=schema, item_type=item.item_type, least=item.least
    )


def choice(*options: str, aliases: Mapping[str, str] = MappingProxyType({})) -> Kind:
    """One of a few names; aliases are names from before."""

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError
        value = aliases.get(value, value)
        if value not in options:
            raise ValueError
        return str(value)

    expected = " or ".join(map(repr, options))
    return Kind(expected, convert, traced=False, schema={"enum": list(options)})


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


def choice_or_function(options: Sequence[str], function: str) -> Kind:
    """One of a few names, or a function."""
    name = choice(*options)

    def convert(value: Any) -> Any:
        return value if callable(value) else name.convert(value)

    expected = f"{', '.join(map(repr, options))} or {function}"
    return Kind(expected, convert, traced=False, schema=name.schema)


def optional(kind: Kind) -> Kind:
    """A kind, or None."""
    return Kind(
        f"{kind.expected}, or None",
        lambda value: None if value is None else kind.convert(value),
        kind.traced,
        kind.unit,
        {"anyOf": [kind.schema, {"type": "null"}]},
        kind.item_type,
        kind.least,
    )


def static(kind: Kind) -> Kind:
    """A kind whose values JAX may not trace."""

    def convert(value: Any) -> Any:
        value = kind.convert(value)
        if is_traced(value):
            raise TypeError(f"{kind.expected}, known when the schedule is made")
        return value

    return kind._replace(convert=convert, traced=False)


def _flag(value: Any) -> Any:
    if type(value) is not bool:
        raise TypeError
    return value


FLAG = Kind("True or False", _flag, traced=False, schema={"type": "boolean"})


def at_least_a_step_if(flag: str, parameter: str) -> Callable[[Refusal, Mapping[str, Any]], None]:
    """A check that a duration has a step if a flag is set: what recurs in stairs or cycles."""

    def check(refuse: Refusal, params: Mapping[str, Any]) -> None:
        if params[flag] and not is_traced(params[parameter]) and params[parameter] < 1:
            refuse(parameter, f"a number >= 1 (steps) with {flag}", params[parameter])

    return check


def ordered(
    lower: str, upper: str, strictly: bool = False
) -> Callable[[Refusal, Mapping[str, Any]], None]:
    """A check that one hyperparameter is at most another, or strictly below it."""

    def check(refuse: Refusal, params: Mapping[str, Any]) -> None:
        low, high = params[lower], params[upper]
        if is_traced(low) or is_traced(high) or low < high or (low == high and not strictly):
            return
        relation = "below" if strictly else "<="
        refuse(lower, f"{relation} {upper} ({high})", low)

    return check
