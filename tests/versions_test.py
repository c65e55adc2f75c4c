"""The table of versions, the lowest versions that are declared, and the runs on record."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.scripts.recorded import PROJECT, Run, from_report, read_runs, requirements
from tests.scripts.versions import SIDES

DOCS = Path(__file__).parents[1] / "docs"
RUNS = {run.name: run for run in read_runs()}


@pytest.fixture
def versions() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "versions.py"))


def test_the_committed_page_is_up_to_date(versions: dict[str, Any]) -> None:
    page = (DOCS / "reference" / "versions.md").read_text(encoding="utf-8")
    assert page == versions["page"](read_runs())


@pytest.mark.parametrize("side", SIDES)
def test_the_lowest_versions_that_are_declared_were_tested(side: str) -> None:
    tested = RUNS[f"oldest-{side}"].versions
    for name, requirement in requirements(*SIDES[side].extras).items():
        (lowest,) = Requirement(requirement).specifier
        assert lowest.operator == ">="
        assert Version(tested[name]) == Version(lowest.version), name


def test_the_classifiers_name_the_versions_of_python_that_were_tested() -> None:
    ran = {".".join(run.python.split(".")[:2]) for run in RUNS.values()}
    prefix = "Programming Language :: Python :: 3."
    declared = {each for each in PROJECT["classifiers"] if each.startswith(prefix)}
    assert declared == {f"Programming Language :: Python :: {each}" for each in ran}


def test_a_report_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite>"
        '<testcase name="a"/><testcase name="b"><failure message="no"/></testcase>'
        '<testcase name="c"><skipped message="needs torch">x.py:1: needs torch</skipped></testcase>'
        '<testcase name="d"><skipped message="collection skipped">'
        "('x.py', 9, 'Skipped: needs torch&gt;=2.10')</skipped></testcase>"
        "</testsuite></testsuites>"
    )
    facts = '{"python": "3.14.2", "platform": "Linux", "versions": {"numpy": "2.1.0"}}'
    run = from_report("newest", facts, report)
    assert isinstance(run, Run)
    assert (run.passed, run.skipped) == (1, {"needs torch": 1, "needs torch>=2.10": 1})
    assert "1 skipped: needs torch>=2.10" in str(run)
