"""Typeset expressions: those of docstrings, which are Python's, as MathML."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from html import escape

GREEK = {"pi": "π", "rho": "ρ"}  # noqa: RUF001
FENCES = {"abs": "||", "ceil": "⌈⌉", "floor": "⌊⌋"}
RELATIONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "=",
    ast.NotEq: "≠",
    ast.Lt: "<",
    ast.LtE: "≤",
    ast.Gt: ">",
    ast.GtE: "≥",
}
SIGNS = {" <- ": "←", " = ": "="}
SUM, PRODUCT, SIGN, ATOM = range(4)  # what binds more tightly has a higher number
THIN_SPACE = '<mspace width="0.17em"/>'


class ExpressionError(ValueError):
    """The text is no expression that can be typeset."""


def typeset(text: str) -> str:
    """The MathML of an expression, an equation, an assignment or a comparison.

    `mod` stands for Python's `%`, `<-` for an assignment, and `=` for an equation.

    Raises:
        ExpressionError: a part is neither.

    >>> typeset("p / 2")
    '<mfrac><mi>p</mi><mn>2</mn></mfrac>'
    >>> typeset("e = r ** i")
    '<mi>e</mi><mo>=</mo><msup><mi>r</mi><mi>i</mi></msup>'
    """
    for sign, relation in SIGNS.items():
        if sign in text:
            left, _, right = text.partition(sign)
            return f"{typeset(left)}{operator(relation)}{typeset(right)}"
    try:
        tree = ast.parse(text.strip().replace(" mod ", " % "), mode="eval").body
    except SyntaxError:
        raise ExpressionError(text) from None
    return _typeset(tree)[0]


def element(tag: str, *children: str) -> str:
    """An element of MathML."""
    return f"<{tag}>{''.join(children)}</{tag}>"


def operator(sign: str) -> str:
    """A sign."""
    return element("mo", escape(sign))


def fenced(inside: str, fences: str = "()") -> str:
    """What stands between two fences, which grow with a fraction."""
    stretchy = "true" if "<mfrac>" in inside else "false"
    left, right = (f'<mo stretchy="{stretchy}">{fence}</mo>' for fence in fences)
    return element("mrow", left, inside, right)


def name(text: str) -> str:
    """A name: letters are in italics, words upright, and `v0` and `rho_max` have an index.

    >>> name("p"), name("init_value"), name("v0")
    ('<mi>p</mi>', '<mi>init_value</mi>', '<msub><mi>v</mi><mn>0</mn></msub>')
    """
    if indexed := re.fullmatch(r"([a-z])(\d+)", text):
        return element("msub", element("mi", indexed[1]), element("mn", indexed[2]))
    if indexed := re.fullmatch(rf"({'|'.join(GREEK)})_([a-z]+)", text):
        return element("msub", name(indexed[1]), name(indexed[2]))
    return element("mi", GREEK.get(text, text))


def _typeset(node: ast.expr) -> tuple[str, int]:
    """The MathML of a node, and how tightly it binds."""
    for kind, write in WRITERS.items():
        if isinstance(node, kind):
            return write(node)
    raise ExpressionError(ast.unparse(node))


def _within(node: ast.expr, at_least: int) -> str:
    """The MathML of a node, in parentheses where it binds less tightly than what is around it."""
    text, binding = _typeset(node)
    return text if binding >= at_least else fenced(text)


def _whole(node: ast.expr) -> str:
    """The MathML of a node as one child of an element."""
    text, binding = _typeset(node)
    return text if binding == ATOM else element("mrow", text)


def _listed(nodes: list[ast.expr]) -> str:
    return operator(",").join(_typeset(node)[0] for node in nodes)


def _operation(node: ast.BinOp) -> tuple[str, int]:
    left, right = node.left, node.right
    match node.op:
        case ast.Add():
            return _within(left, SUM) + operator("+") + _within(right, SUM), SUM
        case ast.Sub():
            return _within(left, SUM) + operator("−") + _within(right, PRODUCT), SUM  # noqa: RUF001
        case ast.Mult():
            sign = THIN_SPACE if _is_short(left) and _is_short(right) else operator("·")
            return _within(left, PRODUCT) + sign + _within(right, SIGN), PRODUCT
        case ast.Div():
            return element("mfrac", _whole(left), _whole(right)), ATOM
        case ast.Mod():
            return _within(left, PRODUCT) + operator(" mod ") + _within(right, SIGN), PRODUCT
        case ast.Pow():
            return element("msup", _base(left), _exponent(right)), ATOM
    raise ExpressionError(ast.unparse(node))


def _is_short(node: ast.expr) -> bool:
    """Whether a product with it needs no dot: numbers and letters."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _is_short(node.right)
    is_letter = isinstance(node, ast.Name) and (len(node.id) == 1 or node.id in GREEK)
    return is_letter or isinstance(node, ast.Constant)


def _base(node: ast.expr) -> str:
    """A base: a name or a number, or anything else in parentheses."""
    is_bare = isinstance(node, (ast.Name, ast.Constant, ast.Subscript))
    return _typeset(node)[0] if is_bare else fenced(_typeset(node)[0])


def _exponent(node: ast.expr) -> str:
    """An exponent, in which a quotient is written on one line."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        above, below = _within(node.left, PRODUCT), _within(node.right, SIGN)
        return element("mrow", above, operator("/"), below)
    return _whole(node)


def _sign(node: ast.UnaryOp) -> tuple[str, int]:
    if not isinstance(node.op, ast.USub):
        raise ExpressionError(ast.unparse(node))
    return operator("−") + _within(node.operand, SIGN), SUM  # noqa: RUF001


def _call(node: ast.Call) -> tuple[str, int]:
    function, inside = ast.unparse(node.func), _listed(node.args)
    if function == "sqrt":
        return element("msqrt", inside), ATOM
    if function in FENCES:
        return fenced(inside, FENCES[function]), ATOM
    return element(
        "mrow", name(function), operator("\N{FUNCTION APPLICATION}"), fenced(inside)
    ), ATOM


def _comparison(node: ast.Compare) -> tuple[str, int]:
    text = _typeset(node.left)[0]
    for relation, operand in zip(node.ops, node.comparators, strict=True):
        if type(relation) not in RELATIONS:
            raise ExpressionError(ast.unparse(node))
        text += operator(RELATIONS[type(relation)]) + _typeset(operand)[0]
    return text, SUM


def _constant(node: ast.Constant) -> tuple[str, int]:
    if node.value is ...:
        return operator("…"), ATOM
    if type(node.value) in (int, float):
        return element("mn", str(node.value)), ATOM
    raise ExpressionError(ast.unparse(node))


def _subscript(node: ast.Subscript) -> tuple[str, int]:
    return element("msub", _whole(node.value), _whole(node.slice)), ATOM


WRITERS: dict[type[ast.expr], Callable[..., tuple[str, int]]] = {
    ast.Name: lambda node: (name(node.id), ATOM),
    ast.Constant: _constant,
    ast.BinOp: _operation,
    ast.UnaryOp: _sign,
    ast.Call: _call,
    ast.Compare: _comparison,
    ast.Subscript: _subscript,
    ast.Tuple: lambda node: (fenced(_listed(node.elts)), ATOM),
    ast.Starred: lambda node: (_typeset(node.value)[0], ATOM),
}
