"""What is not installed is skipped by name, and in CI nothing is skipped."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.processes import FOLDERS, ROOT

IMPORTS = "import pytest\nfrom tests.optional import needing, needs\n\n"
NEEDING = {
    "function": 'def test_it(): needs("no_such_library")',
    "module": 'needs("no_such_library")\n\nimport no_such_library\n\ndef test_it(): ...',
    "parameter": (
        '@pytest.mark.parametrize("x", [needing("no_such_library", 1)])\ndef test_it(x): ...'
    ),
}
SKIPPING = {
    "skip": "def test_it(): pytest.skip('no time')",
    "module_skip": "pytest.skip('no time', allow_module_level=True)",
    "mark": "@pytest.mark.skip(reason='no time')\ndef test_it(): ...",
}
OTHERS = {
    "good": "def test_it(): ...",
    "expected": "@pytest.mark.xfail\ndef test_it(): assert False",
}


@pytest.fixture(scope="module", params=[False, True], ids=["elsewhere", "in CI"])
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bool, int, str]:
    """Whether pytest ran as in CI, its exit status, and what it printed."""
    folder = tmp_path_factory.mktemp("skips")
    shutil.copy(ROOT / "conftest.py", folder)
    for name, code in (NEEDING | SKIPPING | OTHERS).items():
        (folder / f"{name}_test.py").write_text(f"{IMPORTS}{code}\n")
    variables = {key: value for key, value in os.environ.items() if key != "CI"}
    variables |= {"PYTHONPATH": FOLDERS} | ({"CI": "true"} if request.param else {})
    options = ["-p", "no:cacheprovider", "-rA", "--continue-on-collection-errors"]
    command = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    return request.param, done.returncode, done.stdout


def lines(text: str, name: str) -> list[str]:
    """Those of the summary that are about a file."""
    return [line for line in text.splitlines() if f"{name}_test.py" in line]


@pytest.mark.parametrize("name", NEEDING)
def test_what_needs_a_missing_library(run: tuple[bool, int, str], name: str) -> None:
    """It is skipped by the library's name, and in CI an error."""
    in_ci, _, text = run
    if in_ci:
        assert any(line.startswith(("FAILED", "ERROR")) for line in lines(text, name)), text
    else:
        assert "needs no_such_library" in text
        assert not any(line.startswith(("FAILED", "ERROR", "PASSED")) for line in lines(text, name))


@pytest.mark.parametrize("name", SKIPPING)
def test_what_is_skipped(run: tuple[bool, int, str], name: str) -> None:
    in_ci, _, text = run
    found = [line for line in lines(text, name) if line.startswith(("FAILED", "ERROR"))]
    assert bool(found) == in_ci, text
    assert ("nothing may be skipped in CI: Skipped: no time" in text) == in_ci


def test_the_end_of_the_run(run: tuple[bool, int, str]) -> None:
    in_ci, status, text = run
    *_, end = text.splitlines()
    assert bool(status) == in_ci
    assert "1 passed" in end
    assert "1 xfailed" in end
    assert ("6 skipped" in end) == (not in_ci)
    assert ("skipped" in end) == (not in_ci)
