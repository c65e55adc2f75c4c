"""What can follow in the text of a recipe: names, parameters and options."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from lrsched._core.definition import Definition
from lrsched._core.duration_factories import DURATION_FACTORIES
from lrsched.explorer.reading import MAX_TEXT
from lrsched.formats.names import find, known_names

_TOKEN = re.compile(r"""'[^'\n]*'?|"[^"\n]*"?|[A-Za-z_][\w.]*|\S""")


class _Call(NamedTuple):
    """A call whose bracket is still open: its name, and what stands in it."""

    name: str
    arguments: list[list[str]]  # the tokens of each


def complete(text: str, place: int) -> dict[str, Any]:
    """What can stand at a place of a text.

    Args:
        text: the recipe, which need not be complete.
        place: the number of characters before the cursor.

    Returns:
        The "items", each with its text and a note, which replace the text from "begin" to "end".

    >>> complete("warmup(cosine_d", 15)["items"]  # doctest: +NORMALIZE_WHITESPACE
    [{'text': 'cosine_decay(',
      'note': 'Half a cosine from one value down to another, held at the end.'}]
    >>> [item["text"] for item in complete("warmup(cosine_decay(0.1, 900), sh", 33)["items"]]
    ['shape=']
    """
    before = text[: min(place, MAX_TEXT)]
    found = re.search(r"['\"]?[\w.-]*$", before)
    begin = found.start() if found else len(before)
    typed = before[begin:]
    calls = _open_calls(before[:begin])
    items = list(_parameters(calls, typed)) + list(_names(calls, typed))
    if not typed and not calls:
        items = []
    return {"begin": begin, "end": len(before), "items": items}


def _open_calls(before: str) -> list[_Call]:
    calls: list[_Call] = []
    previous = ""
    for token in _TOKEN.findall(before):
        if token in "([{" and token:
            calls.append(_Call(previous if token == "(" else "", [[]]))
        elif token in ")]}" and calls:
            calls.pop()
        elif token == "," and calls:
            calls[-1].arguments.append([])
        elif calls:
            calls[-1].arguments[-1].append(token)
        previous = token
    return calls


def _definition(calls: list[_Call]) -> Definition | None:
    name = calls[-1].name.removeprefix("lrsched.") if calls else ""
    return find(name) if name in known_names() else None


def _parameters(calls: list[_Call], typed: str) -> Iterator[dict[str, str]]:
    """The parameters that are not given yet, or the options of the one that stands before."""
    definition = _definition(calls)
    if definition is None:
        return
    *given, current = calls[-1].arguments
    if current:
        if len(current) == 2 and current[1] == "=" and current[0] in definition.kinds:
            kind = definition.kinds[current[0]]
            is_flag = kind.schema.get("type") == "boolean"
            options = (False, True) if is_flag else kind.schema.get("enum", ())
            texts = (text for text in map(repr, options) if text.startswith(typed))
            yield from ({"text": text, "note": ""} for text in texts)
        return
    named = {argument[0] for argument in given if argument[1:2] == ["="]}
    positional = len(given) - len(named)
    for name in definition.parameters[positional:]:
        if name not in named and name.startswith(typed):
            yield {"text": f"{name}=", "note": definition.kinds[name].expected}


def _names(calls: list[_Call], typed: str) -> Iterator[dict[str, str]]:
    """The schedules and the units of durations that begin with what is typed."""
    if not typed or typed[0] in "'\"" or not typed[0].isalpha():
        return
    for name in sorted(known_names()):
        if name.startswith(typed):
            yield {"text": f"{name}(", "note": _summary(find(name).factory)}
    for name, factory in DURATION_FACTORIES.items():
        if calls and name.startswith(typed):
            yield {"text": f"{name}(", "note": _summary(factory)}


def _summary(factory: Any) -> str:
    return (inspect.getdoc(factory) or "").partition("\n")[0]
