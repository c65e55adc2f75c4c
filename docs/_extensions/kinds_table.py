"""The table of what hyperparameters must be, and of which must be so: from the kinds."""

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


def rows() -> dict[str, list[tuple[str, str]]]:
    """Which parameters of which schedules must be what, by the words of the refusal."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for definition in (*REGISTRY.values(), *CONTROLLERS.values()):
        if definition.is_own:
            for parameter, kind in definition.kinds.items():
                found[expected(kind) + static(kind)].append((parameter, definition.name))
    return dict(sorted(found.items(), key=lambda row: (-len(row[1]), row[0])))


def static(kind: Kind) -> str:
    """What is said of a number that JAX may not trace."""
    is_number = kind.item_type in (int, float)
    return "" if kind.traced or not is_number else "; not traced"


def table() -> str:
    """The table in reStructuredText, the kinds with most parameters first."""
    text = HEAD
    for must_be, places in rows().items():
        by_parameter: dict[str, list[str]] = defaultdict(list)
        for parameter, name in places:
            by_parameter[parameter].append(name)
        listed = (
            f"*{parameter}* of {', '.join(f'`{name}`' for name in names)}"
            for parameter, names in by_parameter.items()
        )
        text += f"   * - {must_be}\n     - {'; '.join(listed)}\n"
    return text
