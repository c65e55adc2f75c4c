"""Typeset formulas: the indented blocks of a docstring, which are the one definition, as MathML.

A block has a line for each equation. Four spaces or more separate what an equation says from when
it holds; further cases of it stand below its right side. Commas with two spaces separate several
equations on a line. A line may begin with the choice that it is for:

    value(t) = 1 - t / steps    for t < steps
               0                for t >= steps

    n = t + 1,  k = the number of `boundaries` that are <= t

    "linear"    g(p) = p
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from html import escape

from docs._extensions.expressions import ExpressionError, element, operator, typeset

INDENT = "    "
COLUMNS = re.compile(r" {4,}")
CLAUSES = re.compile(r",  +")
EQUATION = re.compile(r" (=|<-) ")
ARROWS = {"=": "=", "<-": "←"}
COMPARISONS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}
CONDITION = re.compile(r"(for|with|without|if|elsewhere|after)\b")
PROSE = "the "  # how a right side in words begins
SECTION = re.compile(r"^(?:Args|Raises|Source|Elsewhere):", re.MULTILINE)
GAP = '<mspace width="1em"/>'


class FormulaError(ValueError):
    """A block is not in the form that this module reads."""


@dataclass
class Equation:
    """A line of a block, with the lines below it that say further cases."""

    label: str
    left: str
    cases: list[tuple[str, str]] = field(default_factory=list)

    def row(self) -> str:
        """The equation as a row of a table, its cases beside a brace where there are several."""
        cells = element("mtd", self.label) if self.label else ""
        if len(self.cases) == 1:
            ((right, condition),) = self.cases
            return cells + element("mtd", self.left, right, condition and GAP + condition)
        rows = (element("mtr", element("mtd", a), element("mtd", b)) for a, b in self.cases)
        brace = element("mrow", operator("{"), element("mtable", *rows))
        return cells + element("mtd", self.left, brace)


def blocks(docstring: str) -> list[str]:
    """The formulas of a docstring: the indented blocks before its first section."""
    head = SECTION.split(docstring, maxsplit=1)[0]
    return [part for part in re.split(r"\n\n+", head) if part.startswith(INDENT)]


def formula(block: str) -> str:
    """The `math` element of a block, with the block as the text for who does not see it.

    Raises:
        FormulaError: a line is in no form that is known; the message says which.

    >>> print(formula("    n = 1"))  # doctest: +ELLIPSIS
    <math display="block" alttext="n = 1"><mtable>...<mn>1</mn></mtd></mtr></mtable></math>
    """
    equations: list[Equation] = []
    for line in block.splitlines():
        try:
            _read(line, equations)
        except ExpressionError as error:
            raise FormulaError(f"{line.strip()} ({error})") from None
    rows = (element("mtr", equation.row()) for equation in equations)
    said = escape(re.sub(r"\s+", " ", block.strip()))
    return f'<math display="block" alttext="{said}">{element("mtable", *rows)}</math>'


def _read(line: str, equations: list[Equation]) -> None:
    """Add what a line says to the equations above it."""
    cells = COLUMNS.split(line.strip())
    condition = _condition(cells.pop()) if CONDITION.match(cells[-1]) else ""
    label = _words(cells.pop(0)) if len(cells) == 2 else ""
    if len(cells) != 1:
        raise ExpressionError("it has other columns")
    *before, last = CLAUSES.split(cells[0])
    if line.startswith(f"{INDENT} ") and equations and not before and not label:
        equations[-1].cases.append((_side(last), condition))
        return
    left, right = _sides(last)
    earlier = "".join("".join(_sides(clause)) + operator(",") + GAP for clause in before)
    equations.append(Equation(label, earlier + left, [(right, condition)]))


def _sides(clause: str) -> tuple[str, str]:
    """The left side of an equation with its sign, and the right side."""
    found = EQUATION.search(clause)
    if found is None:
        raise ExpressionError("it is no equation")
    left, right = clause[: found.start()], clause[found.end() :]
    return typeset(left) + operator(ARROWS[found[1]]), _side(right)


def _side(text: str) -> str:
    """A right side: an expression, or words."""
    return _words(text) if text.startswith(PROSE) else typeset(text)


def _condition(text: str) -> str:
    """When a case holds: a word and an expression, or words."""
    word, _, rest = text.partition(" ")
    if rest:
        with contextlib.suppress(ExpressionError):
            return _words(f"{word} ") + typeset(rest)
    return _words(text)


def _words(text: str) -> str:
    """Words, in which `names` and "choices" are code, and letters and comparisons are typeset.

    >>> _words("that are <= t")
    '<mtext>that are\\xa0</mtext><mo>≤</mo><mtext>\\xa0</mtext><mi>t</mi>'
    """
    parts = []
    for part in re.split(r"(`[^`]+`|\"[^\"]+\"|[<>]=?|\b[b-zA-HJ-Z]\b)", text):  # "a" is a word
        if part.startswith(("`", '"')):
            parts.append(element("mtext", element("code", escape(part.strip("`")))))
        elif part in COMPARISONS:
            parts.append(operator(COMPARISONS[part]))
        elif len(part) == 1 and part.isalpha():
            parts.append(element("mi", part))
        elif part:
            spaced = re.sub(r"^\s|\s$", "\N{NO-BREAK SPACE}", part)
            parts.append(element("mtext", escape(spaced, quote=False)))
    return "".join(parts)
