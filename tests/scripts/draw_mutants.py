"""Draws a sample of the mutants of some source files. Its environment has cosmic-ray only.

    python tests/scripts/draw_mutants.py SAMPLE FILE ...

It prints one JSON object: how many mutants the files have, and the sample. `mutants.py` runs it.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

# An operator becomes its neighbour and its opposite. The others mostly raise TypeError.
BINARY = """Add_Sub Sub_Add Mul_Div Div_Mul FloorDiv_Div Mod_FloorDiv Pow_Mul LShift_RShift
    RShift_LShift BitOr_BitAnd BitAnd_BitOr BitXor_BitAnd"""
COMPARISON = """Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt Eq_NotEq NotEq_Eq
    Is_IsNot IsNot_Is"""
UNARY = "USub_UAdd Delete_Not Delete_Invert"
OTHERS = """AddNot ReplaceTrueWithFalse ReplaceFalseWithTrue ReplaceAndWithOr ReplaceOrWithAnd
    ReplaceBreakWithContinue ReplaceContinueWithBreak ExceptionReplacer NumberReplacer
    RemoveDecorator ZeroIterationForLoop"""
OPERATORS = {
    name: get_operator(f"core/{name}")()
    for name in (
        *(f"ReplaceBinaryOperator_{pair}" for pair in BINARY.split()),
        *(f"ReplaceComparisonOperator_{pair}" for pair in COMPARISON.split()),
        *(f"ReplaceUnaryOperator_{pair}" for pair in UNARY.split()),
        *OTHERS.split(),
    )
}

Position = tuple[int, int]  # line from 1, column from 0


class Place(NamedTuple):
    """Where a file can be mutated, and its rank: the lowest ranks are the sample.

    A rank depends on the line only, so an edit elsewhere leaves the sample as it was.
    """

    rank: str
    path: str
    operator: str
    occurrence: int


def _left_out(tree: ast.AST) -> Iterator[ast.AST]:
    """The parts whose mutants no test should notice: annotations, and the texts of messages.

    Mutants of docstrings and of other plain strings do not exist.
    """
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr():
                yield node
            case ast.arg(annotation=ast.AST() as annotation):
                yield annotation
            case ast.AnnAssign(annotation=annotation):
                yield annotation
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield node
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                yield node
            case ast.FunctionDef():
                yield from (d for d in node.decorator_list if ast.unparse(d) == "overload")
                if node.returns is not None:
                    yield node.returns


def _within(position: Position, node: ast.AST) -> bool:
    start = node.lineno, node.col_offset  # type: ignore[attr-defined]  # all of these have them
    end = node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
    return bool(start <= position < end)


def places(path: str) -> Iterator[Place]:
    """Every place where a file can be mutated."""
    with open(path, encoding="utf-8") as file:
        source = file.read()
    lines, left_out = source.splitlines(), list(_left_out(ast.parse(source)))
    nodes = list(ast_nodes(get_ast(source)))
    seen: Counter[tuple[str, str, int]] = Counter()
    for name, operator in OPERATORS.items():
        positions = (start for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, (line, column) in enumerate(positions):
            if any(_within((line, column), node) for node in left_out):
                continue
            same = (name, lines[line - 1], column)
            rank = hashlib.sha256(repr((path, *same, seen[same])).encode()).hexdigest()
            seen[same] += 1
            yield Place(rank, path, name, occurrence)


def main(sample: int, paths: list[str]) -> None:
    found = sorted(place for path in paths for place in places(path))
    mutants = []
    for _, path, name, occurrence in found[:sample]:
        with open(path, encoding="utf-8") as file:
            source = mutate_code(file.read(), OPERATORS[name], occurrence)
        mutants.append((path, source))
    json.dump({"count": len(found), "mutants": mutants}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
