"""What a hyperparameter may be, and the wording of every refusal."""

import itertools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

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
