"""Schedules and controllers from the text of their `repr`, read without running it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias, TypeVar, overload

from lrsched._core.controller import Controller
from lrsched._core.duration_factories import DURATION_FACTORIES
from lrsched._core.durations import Duration
from lrsched._core.schedule import Schedule
from lrsched.formats.names import find, of_kind

T = TypeVar("T")
RECIPE = (Schedule, Controller)
Types: TypeAlias = type | tuple[type, ...]
VALUES = "a schedule, a duration, a number, a string, True, False, None, a tuple or a list"


@overload
def from_repr(text: str, kind: None = None) -> Schedule | Any: ...
@overload
def from_repr(text: str, kind: type[T]) -> T: ...
def from_repr(text: str, kind: type[Any] | None = None) -> Any:
    """The schedule or the controller of a recipe written as its `repr`, checked as if made in code.

    A recipe is a call of a schedule by its name, with numbers, strings, True, False, None, tuples,
    lists, durations (`run_fraction(1.0) - 500`) and other recipes as arguments. Recipes can be
    added, and multiplied with recipes and numbers. The text is parsed and never evaluated.

    Args:
        text: the recipe.
        kind: what it must be, `Schedule` or `Plateau`; by default either.

    Raises:
        TypeError: `text` is not a string, the recipe is not of the kind, or an argument is missing,
            unknown or of the wrong type.
        ValueError: `text` is not a recipe, names an unknown schedule, or has a value that is
            refused. The message names the column (and the line, after the first).

    >>> from_repr("0.5 * warmup(cosine_decay(0.1, 900), warmup_steps=100)")(100)
    0.05
    >>> from_repr("warmup(cosin_decay(0.1, 900), 100)")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: from_repr: column 8: did you mean 'cosine_decay'? schedule must be one of ...
    """
    if not isinstance(text, str):
        raise TypeError(f"from_repr: the recipe must be a string, got {text!r:.80}")
    return of_kind("from_repr", read("from_repr", text, RECIPE), kind)


def read(caller: str, text: str, expected: Types = object) -> Any:
    """A value written as its `repr`: a schedule, a duration, a number, a tuple, ...

    Errors begin with `caller` and name the place in the text.
    """
    try:
        return _Reader(caller, text).read(expected)
    except (RecursionError, MemoryError):
        raise ValueError(f"{caller}: the recipe must not be nested this deeply") from None


class _Reader:
    """A reader of one text, whose errors name the place in the text."""

    def __init__(self, caller: str, text: str) -> None:
        self.caller = caller
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.source = text.lstrip()  # Python refuses an indented expression
        self.indent = text[: len(text) - len(self.source)]
        self.lines = self.source.split("\n")

    def read(self, expected: Types) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's, of style such as "1if"
                tree = ast.parse(self.source, mode="eval")
        except SyntaxError as error:
            line = min(error.lineno or 1, len(self.lines))
            self.refuse(line, (error.offset or 1) - 1, f"the recipe must be a call: {error.msg}")
        except ValueError as error:  # null characters, lone surrogates
            raise ValueError(f"{self.caller}: the recipe must be text: {error}") from None
        value = self.value(tree.body)
        if not isinstance(value, expected):
            self.refuse_node(tree.body, "the recipe must be a schedule, got")
        return value

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return value
            case ast.UnaryOp(
                op=ast.USub() | ast.UAdd() as sign,
                operand=ast.Constant(value=int() | float() as size),
            ) if not isinstance(size, bool):
                return -size if isinstance(sign, ast.USub) else size
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return tuple(map(self.value, items))
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return self.product(node, self.value(left), self.value(right))
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self.quotient(node, self.value(left), self.value(right))
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
                return self.sum(node, sign, self.value(left), self.value(right))
            case ast.Call(func=called, args=args, keywords=keywords):
                return self.call(node, self.factory_named(called), args, keywords)
        return self.refuse_node(node, f"a value must be {VALUES}, got")

    def product(self, node: ast.expr, left: Any, right: Any) -> Any:
        kinds = {_type_of(left), _type_of(right)}
        if Schedule not in kinds or not kinds <= {Schedule, int, float}:
            self.refuse_node(node, "a product must be of schedules and numbers, got")
        return self.checked(node, lambda: left * right)

    def quotient(self, node: ast.expr, left: Any, right: Any) -> Any:
        if not isinstance(left, RECIPE) or type(right) not in (int, float) or not right:
            self.refuse_node(node, "a quotient must be of a schedule and a number but 0, got")
        return self.checked(node, lambda: left / right)

    def sum(self, node: ast.expr, sign: ast.operator, left: Any, right: Any) -> Any:
        kinds, minus = {_type_of(left), _type_of(right)}, isinstance(sign, ast.Sub)
        for summand in (Duration, Schedule):
            if summand in kinds and kinds <= {summand, int, float}:
                return self.checked(node, lambda: left - right if minus else left + right)
        what = "difference" if minus else "sum"
        return self.refuse_node(
            node, f"a {what} must be of schedules and numbers, or of durations and numbers, got"
        )

    def factory_named(self, called: ast.expr) -> Callable[..., Any]:
        name = ast.unparse(called).removeprefix("lrsched.")
        if name in DURATION_FACTORIES:
            return DURATION_FACTORIES[name]
        return self.checked(called, lambda: find(name, DURATION_FACTORIES)).factory

    def call(
        self, node: ast.expr, make: Callable[..., Any], args: Any, keywords: list[ast.keyword]
    ) -> Any:
        positional = [self.value(arg) for arg in args]
        named: dict[str, Any] = {}
        for keyword in keywords:
            if keyword.arg is None or keyword.arg in named:
                self.refuse_node(keyword, "a parameter must be named once, got")
            named[keyword.arg] = self.value(keyword.value)
        return self.checked(node, lambda: make(*positional, **named))

    def checked(self, node: ast.expr, make: Callable[[], T]) -> T:
        """What `make` returns; its error gets the place of the node."""
        try:
            return make()
        except (TypeError, ValueError) as error:
            refused = error
        return self.refuse(node.lineno, self.column(node), str(refused), type(refused))

    def refuse_node(self, node: ast.expr | ast.keyword, reason: str) -> NoReturn:
        got = ast.get_source_segment(self.source, node) or ast.unparse(node)
        got = got if len(got) <= 80 else f"{got[:77]}..."
        self.refuse(node.lineno, self.column(node), f"{reason} {got}")

    def column(self, node: ast.expr | ast.keyword) -> int:
        """The offset of a node in its line, in characters (Python's is in bytes of UTF-8)."""
        line = self.lines[node.lineno - 1].encode()
        return len(line[: node.col_offset].decode())

    def refuse(
        self, line: int, column: int, reason: str, error: type[Exception] = ValueError
    ) -> NoReturn:
        before = self.indent + "".join(f"{text}\n" for text in self.lines[: line - 1])
        row = before.count("\n") + 1
        column += len(before) - before.rfind("\n")
        place = f"line {row}, column {column}" if row > 1 else f"column {column}"
        raise error(f"{self.caller}: {place}: {reason}") from None


def _type_of(operand: Any) -> type:
    """The type of an operand; a controller stands wherever a schedule can."""
    return Schedule if isinstance(operand, Controller) else type(operand)
