"""The distribution: what is in the wheel, and that it works installed alone."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import lrsched
from tests.scripts.try_wheel import installed, use_alone

ROOT = Path(__file__).parents[1]


def test_every_adapter_is_a_package_that_is_listed() -> None:
    """`adapters` is another project's import name: it must never become a package."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = configuration["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    found = [f"adapters/{path.parent.name}" for path in ROOT.glob("adapters/*/__init__.py")]
    assert sorted(listed) == sorted(["lrsched", *found])
    assert not list(ROOT.glob("adapters/*.py"))
    assert all((ROOT / package / "py.typed").exists() for package in listed)


def test_the_version_is_the_same_everywhere() -> None:
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    changed = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert cited is not None
    assert changed is not None
    assert cited[1] == changed[1] == lrsched.__version__


def test_the_wheel_works_in_an_empty_environment(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "lrsched",
        "lrsched_jax",
        "lrsched_keras",
        "lrsched_torch",
    }

    use_alone(installed(wheel, "", tmp_path / "empty"), tmp_path)
