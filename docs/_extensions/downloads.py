"""Offers each tutorial as a notebook, which is made of the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from docs.notebooks import notebook, pages

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PLACE = "<!-- notebook -->"  # where a page offers its notebook
OFFER = '<a class="notebook" href="{name}.ipynb" download>Download this page as a notebook</a>'


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect what this extension does."""
    app.connect("source-read", offer)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def offer(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the link to its notebook into a tutorial."""
    if app.builder.format == "html" and docname.startswith("tutorials/"):
        source[0] = source[0].replace(PLACE, OFFER.format(name=docname.rpartition("/")[2]))


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the notebooks beside the pages of the site."""
    if exception is not None or app.builder.format != "html":
        return
    for page in pages():
        path = Path(app.outdir, "tutorials", f"{page.file.stem}.ipynb")
        nbformat.write(notebook(page), path)  # type: ignore[no-untyped-call]
