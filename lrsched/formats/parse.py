"""Schedules from the text of their `repr`, read without running it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeVar

from lrsched._core.definition import REGISTRY, Definition
from lrsched._core.durations import DURATION_FACTORIES, Duration
from lrsched._core.schedule import Schedule

T = TypeVar("T")
VALUES = "a schedule, a duration, a number, a string, True, False, None, a tuple or a list"


def from_repr(text: str) -> Schedule:
    """The schedule of a recipe written as its `repr`, checked like one made in code.

    A recipe is a call of a schedule by its name, with numbers, strings, True, False, None, tuples,
    lists, durations (`run_fraction(1.0) - 500`) and other recipes as arguments. Recipes can be
    added, and multiplied with recipes and numbers. The text is parsed and never evaluated.

    Args:
        text: the recipe.

    Raises:
        TypeError: `text` is not a string, or an argument is missing, unknown or of the wrong type.
        ValueError: `text` is not a recipe, names an unknown schedule, or has a value that is
            refused. The message names the column (and the line, after the first).

    >>> from_repr("0.5 * warmup(cosine_decay(0.1, 900), warmup_steps=100)")(100)
    0.05
    >>> from_repr("warmup(cosin_decay(0.1, 900), 100)")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: from_repr: column 8: schedule must be one of ..., got 'cosin_decay' (did you mean
    'cosine_decay'?)
    """
    if not isinstance(text, str):
        raise TypeError(f"from_repr: the recipe must be a string, got {text!r:.80}")
    recipe: Schedule = read("from_repr", text, Schedule)
    return recipe


def read(caller: str, text: str, expected: type = object) -> Any:
    """A value written as its `repr`: a schedule, a duration, a number, a tuple, ...

    Errors begin with `caller` and name the place in the text.
    """
    try:
        return _Reader(caller, text).read(expected)
    except (RecursionError, MemoryError):
        raise ValueError(f"{caller}: the recipe must not be nested this deeply") from None


def find(name: str, besides: Iterable[str] = ()) -> Definition:
    """The definition of a schedule, by name.

    The ValueError for an unknown name suggests the nearest known name, or the nearest of `besides`.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    raise unknown(name, REGISTRY, besides)


def unknown(name: str, known: Iterable[str], besides: Iterable[str] = ()) -> ValueError:
    """The ValueError for an unknown name, with the nearest name in `known` or `besides`."""
    from difflib import get_close_matches

    near = get_close_matches(name[:80], [*known, *besides], n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return ValueError(f"schedule must be one of {', '.join(sorted(known))}, got {name!r:.80}{hint}")


class _Reader:
    """A reader of one text, whose errors name the place in the text."""

    def __init__(self, caller: str, text: str) -> None:
        self.caller = caller
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.source = text.lstrip()  # Python refuses an indented expression
        self.indent = text[: len(text) - len(self.source)]
        self.lines = self.source.split("\n")

    def read(self, expected: type) -> Any:
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
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
                return self.sum(node, sign, self.value(left), self.value(right))
            case ast.Call(func=called, args=args, keywords=keywords):
                return self.call(node, self.factory_named(called), args, keywords)
        return self.refuse_node(node, f"a value must be {VALUES}, got")

    def product(self, node: ast.expr, left: Any, right: Any) -> Any:
        kinds = {type(left), type(right)}
        if kinds not in ({Schedule}, {Schedule, int}, {Schedule, float}):
            self.refuse_node(node, "a product must be of schedules and numbers, got")
        return self.checked(node, lambda: left * right)

    def sum(self, node: ast.expr, sign: ast.operator, left: Any, right: Any) -> Any:
        kinds = {type(left), type(right)}
        if Duration in kinds and kinds <= {Duration, int, float}:
            minus = isinstance(sign, ast.Sub)
            return self.checked(node, lambda: left - right if minus else left + right)
        if isinstance(sign, ast.Sub):
            self.refuse_node(node, "a difference must be of durations and numbers, got")
        if kinds != {Schedule}:
            self.refuse_node(node, "a sum must be of schedules, or of durations and numbers, got")
        return self.checked(node, lambda: left + right)

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
