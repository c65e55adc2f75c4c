"""The tutorials: their notebooks run, print and draw what the pages show, and cite correctly."""

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.optional import needs

for library in ("flax", "ipykernel", "jax", "matplotlib", "nbclient", "optax", "sklearn", "torch"):
    needs(library)

import nbformat

from docs._extensions import downloads
from docs.notebooks import DOCS, Page, Result, notebook, pages, result_of, run, v4, write
from tests.processes import FOLDERS

NUMBER = re.compile(r"\d+\.?\d*(?:e[-+]?\d+)?")
IDENTITIES = re.compile(r'\b(?:xlink:href|id|clip-path)="[^"]*"|url\(#[^)]*\)')
NAMES = [page.file.stem for page in pages()]
SOME = "Text.\n\n```python\nprint(2)\n```\n\n```text\n1\n```\n\nMore, see [a page](other.md).\n"


def differences(shown: str, found: str, tolerance: float | None = None) -> list[str]:
    """What differs between two texts, by lines.

    Numbers may differ by 2 % or by a unit of their last digit, or else by the tolerance: machines
    round differently.
    """
    lines = shown.splitlines(), found.splitlines()
    if len(lines[0]) != len(lines[1]):
        return [f"{len(lines[0])} lines, and not {len(lines[1])}"]
    return [
        f"{first!r}, and not {second!r}"
        for first, second in zip(*lines, strict=True)
        if NUMBER.sub("#", first) != NUMBER.sub("#", second)
        or any(
            float(one) != pytest.approx(float(other), rel=0.02, abs=tolerance or unit(one))
            for one, other in zip(NUMBER.findall(first), NUMBER.findall(second), strict=True)
        )
    ]


def unit(number: str) -> float:
    """A unit of the last digit of a number that is written down, of whole ones none."""
    digits, _, exponent = number.partition("e")
    decimals = len(digits.partition(".")[2])
    return 1.01 * 10.0 ** (int(exponent or 0) - decimals) if decimals else 0.0


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Result]]:
    """The results of all notebooks, of one kernel."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([FOLDERS, os.environ.get("PYTHONPATH", "")]))
        found = run(pages(), tmp_path_factory.mktemp("tutorials"))
    return dict(zip(NAMES, found, strict=True))


def test_there_are_tutorials() -> None:
    assert {"find-the-learning-rate", "one-recipe-two-frameworks"} <= {*NAMES}


@pytest.mark.parametrize("page", pages(), ids=NAMES)
def test_a_tutorial_prints_and_draws_what_it_shows(
    page: Page, results: dict[str, list[Result]]
) -> None:
    found = results[page.file.stem]
    assert sum(bool(result.printed) for result in found) > 4
    assert sum(bool(result.figure) for result in found) > 2
    for shown, result in zip(page.shown(), found, strict=True):
        assert differences(shown.printed, result.printed) == []
        first, second = (IDENTITIES.sub("", each.figure) for each in (shown, result))
        assert differences(first, second, tolerance=0.5) == []  # points: half a line's width


@pytest.mark.parametrize("page", pages(), ids=NAMES)
def test_the_notebook_of_a_page_is_whole(page: Page) -> None:
    book = notebook(page)
    nbformat.validate(book)
    codes = [cell for cell in book.cells if cell.cell_type == "code"]
    assert "".join(f"```python\n{cell.source}\n```" for cell in codes) == "".join(
        re.findall(r"^```python\n.*?^```", page.text, re.DOTALL | re.MULTILINE)
    )
    for text in (cell.source for cell in book.cells if cell.cell_type == "markdown"):
        assert not re.search(r"```|<!--|\]\(", text), text
    kinds = [output.output_type for cell in codes for output in cell.outputs]
    assert kinds.count("stream") == page.text.count("```text\n")
    assert kinds.count("display_data") == page.text.count("![")


def test_the_site_offers_each_notebook(tmp_path: Path) -> None:
    site: Any = SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=tmp_path)
    (tmp_path / "tutorials").mkdir()
    downloads.write(site, None)
    assert {path.stem for path in tmp_path.rglob("*.ipynb")} == {*NAMES}
    for page in pages():
        source = [page.text]
        downloads.offer(site, f"tutorials/{page.file.stem}", source)
        assert source[0].count(f'href="{page.file.stem}.ipynb"') == 1


def test_results_are_written_where_the_page_shows_them(tmp_path: Path) -> None:
    page = Page(tmp_path / "page.md", SOME)
    write(page, [Result("2\n", "")])
    assert page.file.read_text() == SOME.replace("\n1\n", "\n2\n")
    with pytest.raises(AssertionError, match="needs or has no figure"):
        write(page, [Result("2\n", "<svg/>")])
    drawn = page._replace(text=SOME.replace("1\n```\n", "1\n```\n\n![A circle](circle.svg)\n"))
    write(drawn, [Result("", "<svg/>")])
    assert (tmp_path / "circle.svg").read_text() == "<svg/>"
    assert "text" not in page.file.read_text()


def test_a_cell_that_warns_or_draws_twice_is_refused() -> None:
    warning = v4.new_output("stream", name="stderr", text="UserWarning: old")
    with pytest.raises(RuntimeError, match="old"):
        result_of(v4.new_code_cell(outputs=[warning]))
    figure = v4.new_output("display_data", data={"image/svg+xml": "<svg/>"})
    assert result_of(v4.new_code_cell(outputs=[figure])) == Result("", "<svg/>")
    with pytest.raises(AssertionError, match="more than one"):
        result_of(v4.new_code_cell(outputs=[figure, figure]))


def test_other_texts_and_numbers_are_found() -> None:
    assert differences("loss 0.35 of 300", "loss 0.36 of 300") == []
    assert differences("loss 0.35", "loss 0.37") == ["'loss 0.35', and not 'loss 0.37'"]
    assert differences("9 trainings", "8 trainings") != []
    assert differences("equal: True", "equal: False") != []
    assert differences("one\ntwo", "one") == ["2 lines, and not 1"]
    assert differences('x="10.2"', 'x="10.6"', tolerance=0.5) == []
    assert differences('x="10.2"', 'x="10.8"', tolerance=0.5) != []


def test_the_tutorial_believes_what_the_report_says() -> None:
    """Its figures are those of ramps of 200 updates, for the tasks that chose nothing."""
    report = (DOCS / "explanation/range-tests-quality.md").read_text(encoding="utf-8")
    text = (DOCS / "tutorials/find-the-learning-rate.md").read_text(encoding="utf-8")
    text = " ".join(text.partition("## What to believe")[2].split())

    def of(aim: str, ramp: int = 1) -> tuple[float, float]:
        (row,) = re.findall(rf"^\| {aim}[^|]*\|(.*)\|$", report, re.MULTILINE)
        cells = [re.findall(r"[\d.]+", cell) for cell in row.split("|")]
        return float(cells[2][ramp]), float(cells[3][ramp])

    unseen, unlike = of("constant rate")
    worst, worst_unlike = of("its worst seed (?=\\|)")
    refined, worst_refined = of("the same, refined")[1], of("its worst seed, refined")[1]
    long = of("peak of a warmup and a cosine", ramp=2)
    band = of("best rate in the 80 % band")
    for said in (
        f"the held-out loss was {unseen:.2f} times that at the best rate",
        f"the worst of all single tests was {max(worst, worst_unlike):.1f} times as bad",
        f"There the loss was {unlike:.2f} times the best one",
        f"it was {refined:.2f} times",
        f"{worst_refined:.1f} times instead of {worst_unlike:.1f} times",
        f"{band[0]:.0f} % on the tasks of the first kind, and of {band[1]:.0f} %",
        f"was {long[0]:.2f} and {long[1]:.2f} times the best one",
    ):
        assert said in text, said
