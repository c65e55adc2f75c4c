"""The table of what hyperparameters must be, from their kinds."""

from __future__ import annotations

from collections import defaultdict

from docs._extensions.said import expected
from lrsched._core.checks import Kind
from lrsched._core.controller_definition import CONTROLLERS
from lrsched._core.definition import REGISTRY

HEAD = """\
.. list-table::
   :header-rows: 1
   :class: kinds

   * - must be
     - parameters
"""


def rows() -> dict[str, set[str]]:
    """Which parameters must be what, by the words of the refusal."""
    found: dict[str, set[str]] = defaultdict(set)
    for definition in (*REGISTRY.values(), *CONTROLLERS.values()):
        if definition.is_own:
            for parameter, kind in definition.kinds.items():
                found[expected(kind) + static(kind)].add(parameter)
    return found


def static(kind: Kind) -> str:
    """What is said of a number that JAX may not trace."""
    is_number = kind.item_type in (int, float)
    return "" if kind.traced or not is_number else "; not traced"


def table() -> str:
    """The table in reStructuredText, the kinds with most parameters first."""
    text = HEAD
    for must_be, parameters in sorted(rows().items(), key=lambda row: (-len(row[1]), row[0])):
        text += f"   * - {must_be}\n     - {', '.join(sorted(parameters))}\n"
    return text
