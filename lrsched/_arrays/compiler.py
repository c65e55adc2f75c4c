"""Formulas over Python numbers, compiled into one function of the count.

A formula that is written against an array namespace runs on Python numbers as written
(`_scalars.SCALARS`), but slowly: every operation is a Python call. `compiled` runs it once on an
unknown count, a `Expr`, which records what is done to it, and makes one expression of the record,
which takes a third of the time.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from lrsched._arrays.scalars import SCALARS, ScalarNamespace

# What stands in an expression for a call, to which parts are not evaluated that are not chosen.
_INLINE = {
    "minimum": "({1} if {1} < {0} else {0})",
    "maximum": "({1} if {1} > {0} else {0})",
    "clip": "({1} if {0} < {1} else {2} if {0} > {2} else {0})",
    "where": "({1} if {0} else {2})",
}
_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%"}
_OPERATORS |= {"pow": "**", "and": "&", "or": "|", "xor": "^"}
_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}

DEEPEST = 20  # parts inside of parts of an expression, of which Python's parser takes 200


class Expr:
    """A number that is not known yet: how its expression is made of those of its parts."""

    __slots__ = ("form", "parts", "serial")

    _serials = itertools.count()

    def __init__(self, form: str, parts: tuple[Any, ...]) -> None:
        self.form = form
        self.parts = parts
        self.serial = next(self._serials)  # no part is made after the whole

    def __bool__(self) -> bool:
        raise TypeError("a formula that branches on a number cannot be recorded")

    __hash__ = None  # type: ignore[assignment]

    def __neg__(self) -> Expr:
        return Expr("(-{0})", (self,))


def _traced_op(form: str, backwards: bool = False) -> Callable[[Any, Any], Expr]:
    return lambda x, y: Expr(form, (y, x) if backwards else (x, y))


for _name, _sign in (_OPERATORS | _COMPARISONS).items():
    _form = f"({{0}} {_sign} {{1}})"
    setattr(Expr, f"__{_name}__", _traced_op(_form))
    if _name in _OPERATORS:
        setattr(Expr, f"__r{_name}__", _traced_op(_form, backwards=True))


def defer(function: Callable[..., Any], *args: Any) -> Any:
    """A function's value. It need not be a formula: numbers are given to it when they are known."""
    if not _terms(args):
        return function(*args)
    places = ", ".join(f"{{{place + 1}}}" for place in range(len(args)))
    return Expr(f"{{0}}({places})", (function, *args))


def _lift(name: str, value: Any) -> Any:
    """A function of `SCALARS` for terms too."""
    if name not in _INLINE:
        return functools.partial(defer, value) if callable(value) else value
    return lambda *args: Expr(_INLINE[name], args) if _terms(args) else value(*args)


TRACING = ScalarNamespace(**{name: _lift(name, value) for name, value in vars(SCALARS).items()})


def entry(values: Any, index: Any) -> Any:
    """The value at a place."""
    return Expr("{0}[{1}]", (values, index)) if type(index) is Expr else values[index]


def compiled(body: Callable[..., Any], values: tuple[Any, ...]) -> Callable[[Any], Any] | None:
    """A formula with these hyperparameters as a function of the count, of Python numbers all.

    None for one that branches on a number, or is too deep to be recorded.
    """
    try:
        result = body(TRACING, Expr("count", ()), *values)
    except (TypeError, RecursionError):
        return None
    known: dict[str, Any] = {}
    source = "\n".join(["def compiled(count):", *_block(result, known, {}, " ")])
    exec(compile(source, f"<lrsched.{body.__name__}>", "exec"), known)
    return known["compiled"]  # type: ignore[no-any-return]


def _block(result: Any, known: dict[str, Any], named: dict[int, str], margin: str) -> list[str]:
    """The lines that return a result. Of a choice, each side is evaluated where it is chosen."""
    if type(result) is not Expr or result.form != _INLINE["where"] or result.serial in named:
        *lines, text = _lines(result, known, named)
        return [*(margin + line for line in lines), f"{margin}return {text}"]
    condition, chosen, other = result.parts
    *lines, text = _lines(condition, known, named)
    return [
        *(margin + line for line in (*lines, f"if {text}:")),
        *_block(chosen, known, dict(named), margin + " "),
        *_block(other, known, named, margin),
    ]


def _lines(result: Any, known: dict[str, Any], named: dict[int, str]) -> list[str]:
    """Assignments of what is used more than once and not named yet; last, the expression."""
    terms = _unnamed_parts(result, named)
    uses = Counter(
        part.serial
        for term in terms
        for place, part in enumerate(term.parts)
        if type(part) is Expr
        for _ in range(term.form.count(f"{{{place}}}"))
    )
    lines: list[str] = []
    text = dict(named)
    depth: dict[int, int] = Counter()
    for term in terms:
        parts = [_text(part, text, known) for part in term.parts]
        expression = term.form.format(*parts)
        depth[term.serial] = 1 + max((depth[part.serial] for part in _terms(term.parts)), default=0)
        if term.parts and (uses[term.serial] > 1 or depth[term.serial] == DEEPEST):
            name = named[term.serial] = f"x{len(named)}"
            lines.append(f"{name} = {expression}")
            depth[term.serial], expression = 1, name
        text[term.serial] = expression
    return [*lines, _text(result, text, known)]


def _unnamed_parts(result: Any, named: dict[int, str]) -> Iterable[Expr]:
    """The terms that a result is made of, none before its own parts."""
    found: dict[int, Expr] = {}
    unseen = _terms((result,))
    while unseen:
        term = unseen.pop()
        if term.serial not in found and term.serial not in named:
            found[term.serial] = term
            unseen.extend(_terms(term.parts))
    return [found[serial] for serial in sorted(found)]


def _text(part: Any, text: dict[int, str], known: dict[str, Any]) -> str:
    return text[part.serial] if type(part) is Expr else _constant(part, known)


def _terms(parts: Iterable[Any]) -> list[Expr]:
    return [part for part in parts if type(part) is Expr]


def _constant(value: Any, known: dict[str, Any]) -> str:
    """The text of a number, or the name under which something else is known."""
    if type(value) in (int, float, bool) and math.isfinite(value):
        text = repr(value)
        return f"({text})" if text.startswith("-") else text
    for name, other in known.items():
        if other is value:
            return name
    known[f"k{len(known)}"] = value
    return f"k{len(known) - 1}"
