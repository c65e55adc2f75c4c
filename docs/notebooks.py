"""Run the tutorials, and make notebooks of them: `make tutorials` writes what they print and draw.

A tutorial is a page of `docs/tutorials/`, and each block of Python in it is a cell. A block of text
right after a cell is what the cell prints, and a picture right after that is the figure that it
draws. So a page is the one source of the page, of the notebook and of what is tested.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat import NotebookNode

v4: Any = nbformat.v4  # the format of notebooks; it has no types

DOCS = Path(__file__).parent
FOLDER = DOCS / "tutorials"
CELL = re.compile(
    r"^```python\n(?P<code>.*?)^```\n"
    r"(?:\n```text\n(?P<printed>.*?)^```\n)?"
    r"(?:\n!\[(?P<description>[^]]*)\]\((?P<path>[\w/.-]+\.svg)\)\n)?",
    re.DOTALL | re.MULTILINE,
)
LINK = re.compile(r"(?<!!)\[([^]]+)\]\((?!\w+:)[^)]+\)")  # to another page
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# Figures are SVG that is the same in every run.
SETTING = """\
%matplotlib inline
%config InlineBackend.figure_formats = ["svg"]
%config InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
import matplotlib
matplotlib.rcParams["svg.hashsalt"] = "lrsched"
"""
FORGET = "%reset -f"  # what the tutorial before has defined, but for what is imported
SECONDS = 300  # the longest that a cell may take


class Result(NamedTuple):
    """What a cell prints, and the SVG of the figure that it draws; empty where there is none."""

    printed: str
    figure: str


class Page(NamedTuple):
    """A tutorial: its file, and its text."""

    file: Path
    text: str

    @property
    def cells(self) -> list[re.Match[str]]:
        """The cells of the page, as `CELL` finds them."""
        return [*CELL.finditer(self.text)]

    def shown(self) -> list[Result]:
        """What the page shows of each cell."""
        return [Result(cell["printed"] or "", self._figure(cell["path"])) for cell in self.cells]

    def _figure(self, path: str | None) -> str:
        file = self.file.parent / (path or "")
        return file.read_text(encoding="utf-8") if path and file.exists() else ""


def pages() -> list[Page]:
    """The tutorials, in the order of their names."""
    return [Page(file, file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.md"))]


def notebook(page: Page) -> Any:
    """The notebook of a page, with what its cells print and draw."""
    cells: list[NotebookNode] = []
    end = 0
    for found, result in zip(page.cells, page.shown(), strict=True):
        cells += prose(page.text[end : found.start()])
        cells.append(v4.new_code_cell(found["code"].rstrip("\n"), outputs=[*outputs(result)]))
        end = found.end()
    cells += prose(page.text[end:])
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # else it is drawn at random
    return v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def prose(text: str) -> Iterator[NotebookNode]:
    """A cell of the text between two cells, without links, which lead nowhere from a notebook."""
    text = re.sub(r"<!--.*?-->\n*", "", text, flags=re.DOTALL)
    if text.strip():
        yield v4.new_markdown_cell(LINK.sub(r"\1", text).strip())


def outputs(result: Result) -> Iterator[NotebookNode]:
    """A result in the form of a notebook's outputs."""
    if result.printed:
        yield v4.new_output("stream", name="stdout", text=result.printed)
    if result.figure:
        yield v4.new_output("display_data", data={"image/svg+xml": result.figure})


def run(tutorials: Iterable[Page], folder: Path) -> list[list[Result]]:
    """Run the notebooks of tutorials in one kernel, and return the results of each cell.

    Args:
        tutorials: the pages.
        folder: the working directory, in which they may write files.

    Raises:
        CellExecutionError: a cell raises an error.
        RuntimeError: a cell writes to the standard error, such as a warning.
    """
    from nbclient import NotebookClient  # the site needs none

    books = [notebook(page) for page in tutorials]
    codes = [[cell for cell in book.cells if cell.cell_type == "code"] for book in books]
    whole = v4.new_notebook(cells=[v4.new_code_cell(SETTING)], metadata={"kernelspec": KERNEL})
    for cells in codes:
        whole.cells += [v4.new_code_cell(FORGET), *cells]
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(whole, timeout=SECONDS, resources=where).execute()
    return [[result_of(cell) for cell in cells] for cells in codes]


def result_of(cell: NotebookNode) -> Result:
    """What a cell that has been run prints and draws."""
    printed, figures = "", []
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stderr":
            raise RuntimeError(f"{cell.source}\nwrites to the standard error:\n{output.text}")
        printed += output.text if output.output_type == "stream" else ""
        figures += [output.data[kind] for kind in output.get("data", ()) if kind == "image/svg+xml"]
    assert len(figures) <= 1, f"{cell.source}\ndraws more than one figure"
    return Result(printed, "".join(figures))


def write(page: Page, results: list[Result]) -> None:
    """Write results into a page, and its figures beside it."""
    remaining = iter(results)

    def with_result(found: re.Match[str]) -> str:
        result = next(remaining)
        assert bool(result.figure) == bool(found["path"]), f"{found[0]}\nneeds or has no figure"
        text = f"```python\n{found['code']}```\n"
        if result.printed:
            text += f"\n```text\n{result.printed.rstrip()}\n```\n"
        if result.figure:
            (page.file.parent / found["path"]).write_text(result.figure, encoding="utf-8")
            text += f"\n![{found['description']}]({found['path']})\n"
        return text

    page.file.write_text(CELL.sub(with_result, page.text), encoding="utf-8")


def main() -> None:
    """Run all tutorials, and write what they print and draw."""
    with tempfile.TemporaryDirectory() as folder:
        results = run(pages(), Path(folder))
    for page, found in zip(pages(), results, strict=True):
        write(page, found)


if __name__ == "__main__":
    main()
