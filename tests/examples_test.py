"""The page of the examples: it lists them all, and each is short and has a small picture."""

import ast
import re

import pytest

from tests.processes import ROOT

PAGE = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
LISTED = dict(re.findall(r"^\| \[`?(\w+)\.py`?\]\(.*\(pictures/(\w+\.png)\)", PAGE, re.MULTILINE))
OTHERS = {"data", "digits", "digits_report", "learned_schedule"}  # the data, and two of their own


def test_the_page_lists_every_example() -> None:
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert set(LISTED) == names - OTHERS
    assert all(f"{name}.py" in PAGE for name in OTHERS - {"digits_report"})
    pictures = {path.name for path in (ROOT / "examples" / "pictures").iterdir()}
    assert set(LISTED.values()) == pictures


@pytest.mark.parametrize("name", LISTED)
def test_an_example_is_short_and_says_how_to_run_it(name: str) -> None:
    code = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    assert len(code.splitlines()) <= 120
    docstring = ast.get_docstring(ast.parse(code)) or ""
    assert f"python examples/{name}.py" in docstring
    assert (ROOT / "examples" / "pictures" / LISTED[name]).stat().st_size < 60_000
