"""Docstrings as reStructuredText: formulas are typeset, and sections of ours get headings.

Sphinx's own napoleon turns "Args", "Returns" and "Raises" into fields.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Mapping

from docs._extensions.formulas import INDENT, SECTION, blocks, formula
from docs._extensions.said import expected
from lrsched._core.definition import Definition

HEADINGS = {"Source": "Source", "Elsewhere": "Elsewhere"}
EXAMPLE = ">>> "


def rewritten(
    docstring: str,
    definition: Definition | None = None,
    after_summary: str = "",
    is_formula: bool = False,
) -> str:
    """A docstring as napoleon reads it.

    Args:
        docstring: the docstring.
        definition: what it documents, if that is a schedule, a recipe or a controller.
        after_summary: text that is put below the first line.
        is_formula: whether indented blocks are formulas, as they are with a definition; others are
            code.
    """
    text = docstring
    for block in blocks(docstring):
        shown = _formula(block) if definition or is_formula else code(block)
        text = text.replace(f"\n\n{block}", f"\n\n{shown}", 1)
    if definition is not None:
        text = _with_kinds(text, definition)
    for section, heading in HEADINGS.items():
        text = re.sub(rf"^{section}: ", f".. rubric:: {heading}\n\n", text, flags=re.MULTILINE)
    text = re.sub(rf"\n\n(?={EXAMPLE})", "\n\n.. rubric:: Example\n\n", text, count=1)
    if after_summary:
        summary, _, rest = text.partition("\n\n")
        text = f"{summary}\n\n{after_summary}\n\n{rest}"
    return text


def raw_html(html: str) -> str:
    """HTML in reStructuredText."""
    return f".. raw:: html\n\n{textwrap.indent(html, INDENT)}\n"


def _formula(block: str) -> str:
    return raw_html(f'<div class="formula">{formula(block)}</div>')


def code(block: str) -> str:
    """An indented block as it is: as code, if it is code."""
    try:
        ast.parse(textwrap.dedent(block))
    except SyntaxError:
        return f".. code-block:: text\n\n{block}\n"
    return f".. code-block:: python\n\n{block}\n"


def _with_kinds(text: str, definition: Definition) -> str:
    """The text with what each parameter must be, as a refusal would say it."""
    kinds: Mapping[str, str] = {name: expected(kind) for name, kind in definition.kinds.items()}
    head, section, rest = text.partition("\nArgs:\n")
    arguments, blank, others = rest.partition("\n\n")
    for name, must_be in kinds.items():
        before, parameter, after = f"\n{arguments}".partition(f"\n{INDENT}{name}: ")
        arguments = f"{before}{parameter[:-2]} (*{must_be}*): {after}".removeprefix("\n")
    return head + section + arguments + blank + others


def sections(docstring: str) -> set[str]:
    """The sections that a docstring has, its example among them."""
    found = {name.rstrip(":") for name in SECTION.findall(docstring)}
    return found | {"Example"} if EXAMPLE in docstring else found
