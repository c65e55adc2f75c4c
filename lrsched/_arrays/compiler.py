"""Formulas over Python numbers, compiled into one function of the count, or of a metric.

A formula that is written against an array namespace runs on Python numbers as written (`SCALARS`),
but slowly: every operation is a Python call. `compiled` runs it once on an unknown count, an
`Expr`, which records what is done to it, and makes source code of the record, which takes a third
of the time.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, TypeAlias

from lrsched._arrays.scalars import SCALARS, ScalarNamespace
from lrsched._arrays.types import Array

# Calls written inline, as conditional expressions, so that only the chosen branch is evaluated.
_INLINE = {
    "minimum": "({1} if {1} < {0} else {0})",
    "maximum": "({1} if {1} > {0} else {0})",
    "clip": "({1} if {0} < {1} else {2} if {0} > {2} else {0})",
    "where": "({1} if {0} else {2})",
    "take": "{0}[{1}]",
    "logical_and": "({0} and {1})",
    "logical_or": "({0} or {1})",
    "logical_not": "(not {0})",
}
_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%"}
_OPERATORS |= {"pow": "**", "and": "&", "or": "|", "xor": "^"}
_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}

MAX_DEPTH = 20  # of nested parentheses in an expression, of which Python's parser takes 200


Operand: TypeAlias = Any  # an `Expr`, a number, or another object that the code refers to
Constants = dict[str, object]


class TracingError(Exception):
    """A formula that does with the count what no record can hold, such as a branch on it."""


class Expr:
    """A number that is not known yet: the form of its expression, and the parts that fill it."""

    __slots__ = ("form", "parts", "serial")

    _serials = itertools.count()

    def __init__(self, form: str, parts: tuple[Operand, ...]) -> None:
        self.form = form
        self.parts = parts
        self.serial = next(self._serials)  # no part is made after the whole

    def _refuse(self) -> NoReturn:
        raise TracingError

    # What would need the number itself.
    __bool__ = __int__ = __float__ = __index__ = __iter__ = __hash__ = _refuse

    def __neg__(self) -> Expr:
        return Expr("(-{0})", (self,))


def _traced_op(form: str, backwards: bool = False) -> Callable[[Operand, Operand], Expr]:
    return lambda x, y: Expr(form, (y, x) if backwards else (x, y))


for _name, _sign in (_OPERATORS | _COMPARISONS).items():
    _form = f"({{0}} {_sign} {{1}})"
    setattr(Expr, f"__{_name}__", _traced_op(_form))
    if _name in _OPERATORS:
        setattr(Expr, f"__r{_name}__", _traced_op(_form, backwards=True))


def defer(function: Callable[..., Any], *args: Array) -> Array:
    """Call a function that need not be a formula; on unknown numbers, once they are known."""
    if not _expressions(args):
        return function(*args)
    places = ", ".join(f"{{{place + 1}}}" for place in range(len(args)))
    return Expr(f"{{0}}({places})", (function, *args))


def _lift(name: str, value: Operand) -> Operand:
    """A function of `SCALARS` for unknown numbers too."""
    if name not in _INLINE:
        return functools.partial(defer, value) if callable(value) else value
    return lambda *args: Expr(_INLINE[name], args) if _expressions(args) else value(*args)


# The namespace of unknown numbers.
TRACING = ScalarNamespace(**{name: _lift(name, value) for name, value in vars(SCALARS).items()})


def compiled(
    body: Callable[..., Array], values: tuple[Operand, ...]
) -> Callable[[float], float] | None:
    """A formula with these hyperparameters, Python numbers, as a function of the count.

    None for one that branches on the count, or is too deep to be recorded.
    """
    try:
        result = body(TRACING, Expr("count", ()), *values)
    except (TracingError, RecursionError):
        return None
    names: dict[str, Any] = {}
    made: Callable[[float], float] = _made(body, "count", _block(result, names, {}, " "), names)
    return made


def compiled_rule(
    body: Callable[..., Any], state: tuple[Any, ...], values: tuple[Operand, ...]
) -> Callable[[Any, float], Any] | None:
    """A rule with these hyperparameters, Python numbers, as a function of a state and a metric.

    The states are named tuples of numbers, which may be nested, such as `state`. None for a rule
    that branches on a number, or is too deep to be recorded.
    """
    unknown, pattern = _unknown(state, itertools.count())
    try:
        result = _joined(body(TRACING, unknown, Expr("metric", ()), *values))
    except (TracingError, RecursionError):
        return None
    names: dict[str, Any] = {}
    *lines, text = _lines(result, names, {})
    lines = [f"{pattern} = state", *lines, f"return {text}"]
    lines = [f" {line}" for line in lines]
    made: Callable[[Any, float], Any] = _made(body, "state, metric", lines, names)
    return made


def _made(
    body: Callable[..., Any], parameters: str, lines: Iterable[str], names: dict[str, Any]
) -> Any:
    source = "\n".join([f"def compiled({parameters}):", *lines])
    exec(compile(source, f"<lrsched.{body.__name__}>", "exec"), names)
    return names["compiled"]


def _unknown(state: Any, numbers: Iterator[int]) -> tuple[Any, str]:
    """A state of unknown numbers, and the pattern that names the members of one."""
    if not isinstance(state, tuple):
        name = f"s{next(numbers)}"
        return Expr(name, ()), name
    members = [_unknown(member, numbers) for member in state]
    pattern = f"({''.join(f'{text}, ' for _, text in members)})" if members else "()"
    found = [member for member, _ in members]
    return (type(state)(*found) if hasattr(state, "_fields") else tuple(found)), pattern


def _joined(state: Any) -> Operand:
    """A state of unknown numbers as the expression that makes it."""
    if not isinstance(state, tuple):
        return state
    places = ", ".join(f"{{{place + 1}}}" for place in range(len(state)))
    if hasattr(state, "_fields"):
        return Expr(f"{{0}}({places})", (type(state), *map(_joined, state)))
    return Expr(f"({places}{', ' if state else ''})", (None, *map(_joined, state)))


def _block(result: Operand, constants: Constants, named: dict[int, str], margin: str) -> list[str]:
    """The lines that return a result. A choice becomes a branch, each side of it a block.

    `constants` are the objects that the code names, `named` the variables it has, by serial number.
    """
    if type(result) is not Expr or result.form != _INLINE["where"] or result.serial in named:
        *lines, text = _lines(result, constants, named)
        return [*(margin + line for line in lines), f"{margin}return {text}"]
    condition, chosen, other = result.parts
    *lines, text = _lines(condition, constants, named)
    return [
        *(margin + line for line in (*lines, f"if {text}:")),
        *_block(chosen, constants, dict(named), margin + " "),
        *_block(other, constants, named, margin),
    ]


def _lines(result: Operand, constants: Constants, named: dict[int, str]) -> list[str]:
    """Assignments of what is used more than once and not named yet; last, the expression."""
    expressions = _unnamed_parts(result, named)
    uses = Counter(
        part.serial
        for expression in expressions
        for place, part in enumerate(expression.parts)
        if type(part) is Expr
        for _ in range(expression.form.count(f"{{{place}}}"))
    )
    lines: list[str] = []
    texts = dict(named)
    depth: dict[int, int] = Counter()
    for expression in expressions:
        serial = expression.serial
        text = expression.form.format(*(_text(x, texts, constants) for x in expression.parts))
        inside = (depth[part.serial] for part in _expressions(expression.parts))
        depth[serial] = 1 + max(inside, default=0)
        if expression.parts and (uses[serial] > 1 or depth[serial] == MAX_DEPTH):
            name = named[serial] = f"x{len(named)}"
            lines.append(f"{name} = {text}")
            depth[serial], text = 1, name
        texts[serial] = text
    return [*lines, _text(result, texts, constants)]


def _unnamed_parts(result: Operand, named: dict[int, str]) -> Iterable[Expr]:
    """The expressions that a result is made of, each after its own parts."""
    found: dict[int, Expr] = {}
    unseen = _expressions((result,))
    while unseen:
        expression = unseen.pop()
        if expression.serial not in found and expression.serial not in named:
            found[expression.serial] = expression
            unseen.extend(_expressions(expression.parts))
    return [found[serial] for serial in sorted(found)]


def _expressions(parts: Iterable[Operand]) -> list[Expr]:
    return [part for part in parts if type(part) is Expr]


def _text(part: Operand, texts: dict[int, str], constants: Constants) -> str:
    return texts[part.serial] if type(part) is Expr else _constant(part, constants)


def _constant(value: Operand, constants: Constants) -> str:
    """The text of a number, or the name that the code has for another object."""
    if type(value) in (int, float, bool) and math.isfinite(value):
        text = repr(value)
        return f"({text})" if text.startswith("-") else text
    for name, other in constants.items():
        if other is value:
            return name
    constants[f"k{len(constants)}"] = value
    return f"k{len(constants) - 1}"
