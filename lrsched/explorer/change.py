"""A parameter of a recipe changed in its text, which keeps its form otherwise."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from lrsched._core.recipe import Recipe
from lrsched.explorer.reading import check_size, read_recipe
from lrsched.formats.parse import read

Path = Sequence[str | int]  # from the recipe to a parameter: names, and places in a list


def change(text: str, path: Path, value: str) -> str:
    """The text of a recipe with another value of a parameter, checked as by `Schedule.replace`.

    The rest of the text stays as it is. Where that is not possible, as with what `a / 2` stands
    for, the result is the `repr` of the changed recipe.

    Args:
        text: the recipe.
        path: where the parameter is, such as `("schedule", "init_value")`, or `("boundaries", 0)`.
        value: the new value, written as in a recipe.

    Raises:
        TypeError, ValueError: the value is not one, or the parameter does not take it.

    >>> change("warmup(cosine_decay(0.1, 900), 100)", ("schedule", "init_value"), "0.2")
    'warmup(cosine_decay(0.2, 900), 100)'
    >>> change("cosine_decay(0.1, 900)", ("end_value",), "0.01")
    'cosine_decay(0.1, 900, end_value=0.01)'
    """
    text = text.strip()
    recipe = read_recipe(text)
    check_size(value)
    changed = replaced(recipe, path, read(str(path[0]), value))
    with suppress(SyntaxError, ValueError, TypeError, LookupError):
        written = _written(text, recipe, path, value.strip())
        if read_recipe(written) == changed:
            return written
    return repr(changed)


def replaced(recipe: Any, path: Path, value: Any) -> Any:
    """A recipe, or a list of a recipe, with another value at a path."""
    first, *rest = path
    if isinstance(recipe, Recipe) and isinstance(first, str):
        inner = recipe.params.get(first) if rest else None
        return recipe.replace(**{first: replaced(inner, rest, value) if rest else value})
    if type(recipe) is tuple and isinstance(first, int):
        items = list(recipe)
        items[first] = replaced(items[first], rest, value) if rest else value
        return tuple(items)
    raise ValueError(f"change: the path must be that of a parameter, got {first!r}")


def _written(text: str, recipe: Any, path: Path, value: str) -> str:
    """The text with the value in the place of the one that a path leads to."""
    node: ast.expr = ast.parse(text, mode="eval").body
    inner = recipe
    for depth, step in enumerate(path):
        found = _member(node, inner, step)
        if found is None:
            if depth + 1 < len(path) or not isinstance(node, ast.Call):
                raise LookupError
            return _inserted(text, node, f"{step}={value}")
        node = found
        inner = inner.params[str(step)] if isinstance(inner, Recipe) else inner[step]
    begin, end = _span(text, node)
    return text[:begin] + value + text[end:]


def _member(node: ast.expr, recipe: Any, step: str | int) -> ast.expr | None:
    """The part of a node that writes a parameter, or an item of a list; None for a default."""
    if isinstance(node, ast.Tuple | ast.List):
        item: ast.expr = node.elts[int(step)]
        return item
    parameters = recipe._definition.parameters
    if isinstance(node, ast.Call):
        positional = dict(zip(parameters, node.args, strict=False))
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        found: dict[str | None, ast.expr] = {**positional, **named}
        return found.get(str(step))
    if isinstance(node, ast.BinOp):
        sides: list[ast.expr] = [node.left, node.right]
        if recipe.name == "scale":  # a number stands on either side
            sides.sort(key=lambda side: isinstance(side, ast.Constant | ast.UnaryOp))
        place: int = parameters.index(str(step))
        return sides[place]
    raise LookupError


def _inserted(text: str, call: ast.Call, argument: str) -> str:
    """The text with one more argument in a call."""
    _, end = _span(text, call)
    before = text[: end - 1].rstrip()
    separator = "" if not (call.args or call.keywords) else " " if before[-1] == "," else ", "
    return before + separator + argument + text[end - 1 :]


def _span(text: str, node: ast.expr) -> tuple[int, int]:
    """Where a node begins and ends in the text."""
    lines = text.split("\n")
    places = ((node.lineno, node.col_offset), (node.end_lineno or 1, node.end_col_offset or 0))
    begin, end = (
        sum(len(each) + 1 for each in lines[: line - 1])
        + len(lines[line - 1].encode()[:column].decode())
        for line, column in places
    )
    return begin, end
