"""The kinds of hyperparameter, their checks, and the one place where a refusal is worded."""

import math
import numbers
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NoReturn, Protocol

from lrsched import _durations
from lrsched._durations import durations_in
from lrsched._namespace import LARGEST_COUNT

LARGEST_VALUE = 1e18  # with growth by 2**64 at most, products stay finite in float32
SMALLEST_POSITIVE = 1e-18


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


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """What a hyperparameter may be.

    `convert` returns the value to keep. It raises TypeError for a value of the wrong kind and
    ValueError for a wrong value, with what was wanted where that is narrower than `wanted`.
    A `traced` kind holds numbers that JAX may trace; the others are static. `unit` is "steps" for
    lengths of time, which may also be a `Duration` (or hold some), and "per step" for rates of a
    step. `schema` is its JSON schema, which says less: what a type, an enumeration and a bound can
    say. `holds` is int, float or `Schedule`, where it is one or a sequence of them.
    """

    wanted: str
    convert: Callable[[Any], Any]
    traced: bool = True
    unit: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    holds: type | None = None


class Refusal:
    """Words every refusal: `cyclic: up_steps must be an integer >= 1 (steps), got 0`."""

    def __init__(self, schedule: str, durations: bool = False) -> None:
        # Only schedules keep durations in other units: whatever else takes steps needs their
        # number now.
        self.schedule = schedule
        self.durations = durations

    def __call__(
        self, parameter: str, wanted: str, got: object, error: type[Exception] = ValueError
    ) -> NoReturn:
        raise error(f"{self.schedule}: {parameter} must be {wanted}, got {_shown(got)}")

    def check(self, parameter: str, kind: Kind, value: Any) -> Any:
        """The value that a hyperparameter of this kind keeps."""
        try:
            kept = kind.convert(value)
            if not self.durations and any(durations_in(kept)):
                raise TypeError
            return kept
        except (TypeError, ValueError) as refused:
            wanted = str(refused) or kind.wanted
            error = TypeError if isinstance(refused, TypeError) else ValueError
        return self(parameter, wanted, value, error)

    def checked(self, **values: tuple[Kind, Any]) -> list[Any]:
        """The values to keep of several hyperparameters, each given with its kind."""
        return [self.check(name, kind, value) for name, (kind, value) in values.items()]

    def unresolved(self, parameter: str, value: object, arguments: str) -> NoReturn:
        """Refuse to calculate with a duration: `resolve` would need these arguments."""
        raise ValueError(
            f"{self.schedule}: {parameter} is {_shown(value)}; "
            f"resolve it with schedule.resolve({arguments})"
        )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def is_traced(value: Any) -> bool:
    """Whether a number's value is not to be had: a JAX tracer, or a tensor under autograd."""
    jax, torch = sys.modules.get("jax"), sys.modules.get("torch")
    if jax is not None and isinstance(value, jax.core.Tracer):
        return True
    return torch is not None and isinstance(value, torch.Tensor) and bool(value.requires_grad)


def _number(value: Any, integer: bool) -> Any:
    """A Python number from any library's; what is traced stays as it is."""
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


def number(
    wanted: str, accepts: Callable[[float], bool] = lambda value: True, unit: str = ""
) -> Kind:
    """A finite real number that `accepts` agrees to, kept as a float."""

    def convert(value: Any) -> Any:
        if unit == "steps" and isinstance(value, _durations.Duration):
            return value
        value = _number(value, integer=False)
        if is_traced(value):
            return value
        return float(_finite(value, accepts))

    return Kind(wanted, convert, unit=unit, schema=_timed({"type": "number"}, unit), holds=float)


def amount(wanted: str, accepts: Callable[[float], bool] = lambda value: True) -> Kind:
    """A finite Python number that `accepts` agrees to; an integer is kept as one."""

    def convert(value: Any) -> Any:
        value = _number(value, integer=False)
        if is_traced(value):
            raise TypeError
        return _finite(value, accepts)

    return Kind(wanted, convert, traced=False, holds=float)


def _finite(value: Any, accepts: Callable[[float], bool]) -> Any:
    if value != value or abs(value) == math.inf or not accepts(value):
        raise ValueError
    if abs(value) > LARGEST_VALUE:
        raise ValueError(f"a number of magnitude <= {LARGEST_VALUE:g}")
    return value


def _timed(schema: dict[str, Any], unit: str) -> dict[str, Any]:
    """The schema of a number, or of a duration where the number is one of steps."""
    return {"anyOf": [schema, {"$ref": "#/$defs/duration"}]} if unit == "steps" else schema


def integer(least: int, unit: str) -> Kind:
    """An integer of `least` or more."""

    def convert(value: Any) -> Any:
        if unit == "steps" and isinstance(value, _durations.Duration):
            if type(value.steps) is not int:
                raise TypeError
            return value
        value = _number(value, integer=True)
        if is_traced(value):
            return value
        if value < least:
            raise ValueError
        if value > LARGEST_COUNT:
            raise ValueError(f"an integer <= {LARGEST_COUNT} ({unit})")
        return value

    schema = _timed({"type": "integer", "minimum": least, "maximum": LARGEST_COUNT}, unit)
    return Kind(f"an integer >= {least} ({unit})", convert, unit=unit, schema=schema, holds=int)


def sequence(wanted: str, item: Kind, accepts: Callable[[Any, Any], bool] | None = None) -> Kind:
    """A sequence of one kind, kept as a tuple; `accepts` must agree to each neighbouring pair."""

    def convert(values: Any) -> Any:
        if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
            raise TypeError
        kept = tuple(item.convert(value) for value in values)
        known = not (any(map(is_traced, kept)) or any(durations_in(kept)))
        if accepts is not None and known and not all(map(accepts, kept, kept[1:])):
            raise ValueError
        return kept

    schema = {"type": "array", "items": item.schema}
    return Kind(wanted, convert, unit=item.unit, schema=schema, holds=item.holds)


def choice(*options: str) -> Kind:
    """One of a few names."""

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError
        if value not in options:
            raise ValueError
        return str(value)

    wanted = " or ".join(map(repr, options))
    return Kind(wanted, convert, traced=False, schema={"enum": list(options)})


def optional(kind: Kind) -> Kind:
    """A kind, or None."""
    return Kind(
        f"{kind.wanted}, or None",
        lambda value: None if value is None else kind.convert(value),
        kind.traced,
        kind.unit,
        {"anyOf": [kind.schema, {"type": "null"}]},
        kind.holds,
    )


def _flag(value: Any) -> Any:
    if type(value) is not bool:
        raise TypeError
    return value


_steps = integer(1, "steps")
_phase = integer(0, "steps")
_value = number("a finite number")

Value = Annotated[Real, _value]
Positive = Annotated[
    Real, number(f"a number >= {SMALLEST_POSITIVE:g}", lambda value: value >= SMALLEST_POSITIVE)
]
Rate = Annotated[Real, number("a number >= 0", lambda value: value >= 0)]
RatePerStep = Annotated[Real, number("a number >= 0", lambda value: value >= 0, unit="per step")]
RealSteps = Annotated[
    Real,
    number(
        f"a number >= {SMALLEST_POSITIVE:g} (steps)",
        lambda value: value >= SMALLEST_POSITIVE,
        unit="steps",
    ),
]
Power = Annotated[Real, number("a number > 0", lambda value: value > 0)]
Fraction = Annotated[Real, number("a number from 0 to 1", lambda value: 0 <= value <= 1)]
Values = Annotated[Sequence[Real], sequence("finite numbers", _value)]
Steps = Annotated[Whole, _steps]
Phase = Annotated[Whole, _phase]
OptionalPhase = Annotated[Whole | None, optional(_phase)]
Multiple = Annotated[Whole, integer(1, "times")]
Boundaries = Annotated[
    Sequence[Whole],
    sequence("integers >= 1 in strictly ascending order (steps)", _steps, lambda a, b: a < b),
]
Milestones = Annotated[
    Sequence[Whole],
    sequence("integers >= 0 in ascending order (steps)", _phase, lambda a, b: a <= b),
]
Flag = Annotated[bool, Kind("True or False", _flag, traced=False, schema={"type": "boolean"})]
