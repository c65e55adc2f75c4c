"""Write the pages of the reference: what autodoc and napoleon then fill from the docstrings."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from docs._extensions import kinds_table
from docs._extensions.docstrings import rewritten
from docs._extensions.names import LITERAL, target
from docs._extensions.places import (
    Page,
    families,
    group_pages,
    package_pages,
    schedule_pages,
    value_of,
)
from docs._extensions.said import is_data, of_data
from lrsched import json_schema
from lrsched._core.definition import Definition
from lrsched.explorer.address import write_recipes
from lrsched.explorer.examples import EXAMPLES

OF_OWN_CODE = ("schedule", "controller")  # decorators, whose docstrings show code
EXPLORER = "explore/index.html"
SCHEDULES = "Schedules"
INDEX_TEXT = """\
Each schedule has a page with its picture, its formula, its parameters and what other libraries
call it. The :doc:`gallery </reference/gallery>` shows the curves of all of them.
"""


def write(folder: Path) -> None:
    """Write every page below a folder, and leave alone what is as it was."""
    pages = {f"{page.path}.rst": page_text(page) for page in all_pages()}
    pages["schedules/index.rst"] = schedules_index()
    pages["api/index.rst"] = api_index()
    pages["api/kinds_table.txt"] = kinds_table.table()
    pages["api/recipe.schema.json"] = json.dumps(json_schema(), indent=1) + "\n"
    for path, text in pages.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
    for file in (*folder.glob("schedules/*"), *folder.glob("api/*")):
        if file.relative_to(folder).as_posix() not in pages:
            file.unlink()


def all_pages() -> Iterator[Page]:
    """The pages that are made of docstrings."""
    yield from schedule_pages()
    yield from group_pages()
    yield from package_pages()


def page_text(page: Page) -> str:
    """A page: its title, what its package says of itself, and its names."""
    parts = [heading(page.title)]
    if page.title.startswith("lrsched"):
        parts.append(inspect.cleandoc(import_module(page.title).__doc__ or ""))
    parts += map(entry, page.names)
    return "\n\n".join(parts) + "\n"


def heading(text: str, line: str = "=") -> str:
    """A heading in reStructuredText."""
    return f"{text}\n{line * len(text)}"


def entry(full_name: str) -> str:
    """What Sphinx documents under a public name."""
    if is_data(full_name):
        value = value_of(full_name)
        shown = f"\n   :value: {value}" if isinstance(value, (int, float)) else ""
        return f".. py:data:: {full_name}{shown}\n\n   {of_data(full_name)}"
    if not inspect.isclass(value_of(full_name)):
        return f".. autofunction:: {full_name}"
    bases = value_of(full_name).__mro__
    others = sorted({base.__name__ for base in bases if not base.__module__.startswith("lrsched")})
    return f".. autoclass:: {full_name}\n   :members:\n   :inherited-members: {', '.join(others)}"


def schedules_index() -> str:
    """The families, with a line on the shape of each schedule."""
    parts = [heading(SCHEDULES), INDEX_TEXT]
    for family, names in families().items():
        parts.append(heading(family[:1].upper() + family[1:], "-"))
        parts.append("\n".join(f"- `{name}`: {summary(name)}" for name in names))
        parts.append(".. toctree::\n   :hidden:\n\n" + "\n".join(f"   {name}" for name in names))
    return "\n\n".join(parts) + "\n"


def api_index() -> str:
    """Everything else that is public, page by page."""
    pages = [*group_pages(), *package_pages()]
    parts = [heading("Functions and classes"), "What is public besides the schedules."]
    parts += (f":doc:`{page.title} <{Path(page.path).name}>`: {_listed(page)}" for page in pages)
    names = (f"   {Path(page.path).name}" for page in pages)
    parts.append(".. toctree::\n   :hidden:\n\n" + "\n".join(names))
    return "\n\n".join(parts) + "\n"


def _listed(page: Page) -> str:
    """The names on a page as links, those of a package without it."""
    shown = ((full_name.rpartition(".")[2], full_name) for full_name in page.names)
    return ", ".join(f":py:obj:`{name} <{full_name}>`" for name, full_name in shown)


def summary(name: str) -> str:
    """The first line of the docstring of a public name of `lrsched`."""
    return (inspect.getdoc(value_of(f"lrsched.{name}")) or "").splitlines()[0]


def documented(full_name: str, docstring: str, explorer: bool = False) -> str:
    """A docstring as the reference shows it.

    Args:
        full_name: the public name.
        docstring: its docstring.
        explorer: whether the site has the explorer, and links lead into it.
    """
    definition = definition_of(full_name)
    if definition is None:
        name = full_name.removeprefix("lrsched.")
        in_family = any(name in names for names in families().values())
        return rewritten(docstring, is_formula=in_family and name not in OF_OWN_CODE)
    text = rewritten(docstring, definition, picture(definition.name, explorer))
    return f"{text}\n\n{see_also(definition.name, docstring)}\n"


def definition_of(full_name: str) -> Definition | None:
    """The definition of a schedule, a recipe or a controller."""
    package, _, name = full_name.rpartition(".")
    value = getattr(import_module("lrsched"), name, None) if package == "lrsched" else None
    found = getattr(value, "_definition", None)
    return found if isinstance(found, Definition) and found.name == name else None


@cache
def examples() -> dict[str, str]:
    """The recipe of each picture of the gallery, by the name of the schedule."""
    return {schedule.name: repr(schedule) for schedule in EXAMPLES}


def picture(name: str, explorer: bool) -> str:
    """The picture of a schedule, with its recipe."""
    recipe = examples().get(name)
    if recipe is None:
        return ""
    shown = f".. image:: /reference/gallery/{name}.svg\n   :alt: The curve of the recipe below\n"
    shown += f"   :class: curve\n\n.. code-block:: python\n\n   {recipe}\n"
    if explorer:
        shown += (
            f"\n`Open this recipe in the explorer <../../{EXPLORER}#{write_recipes([recipe])}>`__\n"
        )
    return shown


def see_also(name: str, docstring: str) -> str:
    """The rest of the family, and what the docstring names besides."""
    family, names = next((family, names) for family, names in families().items() if name in names)
    related = [other for other in names if other != name]
    named = (target(code) for code in LITERAL.findall(docstring))
    others = [x.removeprefix("lrsched.") for x in dict.fromkeys(named) if x and x.count(".") == 1]
    lines = [f"- The same family, {family}: {_codes(related)}"]
    if mentioned := [other for other in others if other not in names]:
        lines.append(f"- Named above: {_codes(mentioned)}")
    return ".. rubric:: See also\n\n" + "\n".join(lines)


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f":py:obj:`{name} <lrsched.{name}>`" for name in names)
