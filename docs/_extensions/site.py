"""The Sphinx extension of this site: a reference of docstrings, and links from names in code."""

from __future__ import annotations

import re
import shutil
from inspect import getdoc
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from docs._extensions import reference
from docs._extensions.docstrings import sections
from docs._extensions.names import target
from docs._extensions.places import ROOT

BEFORE_NAPOLEON = 400  # Sphinx calls what has a lower priority first; 500 is the default
EXPLORER = ROOT / "lrsched" / "explorer" / "page"  # what `make explorer` makes
EXPLORER_LINK = '<a href="explore/index.html">The explorer</a> draws any recipe as you change it.'
OUTSIDE = {  # files outside of docs/ that are pages of the site
    "benchmarks/README.md": "explanation/benchmarks.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
}
FIELDS = {" -- ": " \N{EN DASH} ", "Variables": "Attributes"}
LINK = re.compile(r"\]\(((?:\.\./)+)([\w./-]+)")
PAGES_OF_NAMES = ("reference/gallery", "reference/schedules/index")
PACKAGE_PAGES = "reference/api/lrsched"
LISTS = ("guides/index",)  # pages whose lists of other pages are parts of the site's tree
LISTED = re.compile(r"^- \[(.+?)\]\(([\w-]+)\.md\)", re.MULTILINE)
OTHERS_NAMES = ("reference/cross-table", "guides/coming-from")  # pages of names of other libraries


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect what this extension does."""
    app.connect("builder-inited", write_reference)
    app.connect("source-read", lead_to_pages)
    app.connect("source-read", put_into_tree)
    app.connect("autodoc-process-docstring", rewrite_docstring, priority=BEFORE_NAPOLEON)
    app.connect("autodoc-process-signature", hide_signature)
    app.connect("sphinx-click-process-description", show_as_code)
    app.connect("sphinx-click-process-epilog", show_as_code)
    app.connect("doctree-read", link_names)
    app.connect("doctree-read", name_fields)
    app.connect("build-finished", copy_explorer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_reference(app: Sphinx) -> None:
    """Write the pages that are made of docstrings."""
    reference.write(Path(app.srcdir) / "reference")


def lead_to_pages(app: Sphinx, docname: str, source: list[str]) -> None:
    """Lead links to what is outside of docs/ to its pages, where these exist."""

    def page(found: re.Match[str]) -> str:
        inside = OUTSIDE.get(found[2])
        return f"]({found[1][: -len('../')]}{inside}" if inside else found[0]

    source[0] = LINK.sub(page, source[0])
    if EXPLORER.exists():
        source[0] = source[0].replace("<!-- explorer -->", EXPLORER_LINK)


def put_into_tree(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the pages that a page lists into the site's tree, so that it need not name them twice."""
    if docname in LISTS:
        entries = "\n".join(f"{title} <{page}>" for title, page in LISTED.findall(source[0]))
        source[0] += f"\n```{{toctree}}\n:hidden:\n\n{entries}\n```\n"


def rewrite_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Typeset the formulas of a docstring, and add what the reference has besides."""
    lines[:] = reference.documented(name, "\n".join(lines), EXPLORER.exists()).splitlines()


def hide_signature(app: Sphinx, what: str, name: str, obj: Any, *others: Any) -> Any:
    """Show no signature of a class that something else makes, whose docstring has no arguments."""
    is_made_elsewhere = what in ("class", "exception") and "Args" not in sections(getdoc(obj) or "")
    return ("", None) if is_made_elsewhere else None


def link_names(app: Sphinx, doctree: nodes.document) -> None:
    """Make links of code that names something public."""
    docname = app.env.docname
    package = "lrsched" if docname.startswith(("reference/schedules/", "reference/api/")) else ""
    if docname.startswith(PACKAGE_PAGES):
        package = docname.rpartition("/")[2]
    for literal in list(doctree.findall(nodes.literal)):
        in_link = isinstance(literal.parent, (nodes.reference, nodes.title, pending_xref))
        code = literal.astext()
        found = None if in_link else target(code, package, docname in PAGES_OF_NAMES)
        if found is None or ("." not in code and docname in OTHERS_NAMES):
            continue
        literal.replace_self(link(found, literal, docname))
    if docname == "reference/gallery":
        for image in list(doctree.findall(nodes.image)):
            image.replace_self(link(f"lrsched.{image['alt']}", image, docname))


def link(full_name: str, inside: nodes.Node, docname: str) -> pending_xref:
    """A link to the place of a public name."""
    made = pending_xref(
        "", refdomain="py", reftype="obj", reftarget=full_name, refdoc=docname, refwarn=True
    )
    made.append(inside.deepcopy())
    return made


def name_fields(app: Sphinx, doctree: nodes.document) -> None:
    """Write dashes and headings of fields as they are written elsewhere."""
    for text in list(doctree.findall(nodes.Text)):
        if text.astext() in FIELDS:
            text.parent.replace(text, nodes.Text(FIELDS[text.astext()]))


def show_as_code(app: Sphinx, context: Any, lines: list[str]) -> None:
    """Show what a command's help has in lines of its own as code, as it is in the terminal."""
    shown: list[str] = []
    for line in lines:
        is_code = line.startswith("| ") and not line.endswith(":")
        if is_code and not (shown and shown[-1].startswith("   ")):
            shown += ["", ".. code-block:: sh", ""]
        shown.append(f"   {line[2:].strip()}" if is_code else line)
    lines[:] = shown


def copy_explorer(app: Sphinx, exception: Exception | None) -> None:
    """Copy the explorer to the site, where it was made."""
    if exception is None and app.builder.format == "html" and EXPLORER.exists():
        shutil.copytree(EXPLORER, Path(app.outdir) / "explore", dirs_exist_ok=True)
