"""Runs the tests with other versions of the dependencies than those of constraints.txt.

    python -m tests.scripts.versions oldest [--record] [core] [jax] [keras] [torch]
    python -m tests.scripts.versions newest [--record]

`oldest` makes an environment for each side of the library, with the lowest versions that
pyproject.toml allows: uv resolves them. `newest` makes one for everything, with what pip finds.
Deprecations of dependencies are no errors in these runs, and what is not installed is skipped by
name. `--record` writes the run to docs/versions/, from which `make versions` makes a page.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

from tests.scripts.recorded import EXTRAS, ROOT, call, facts_code, from_report, name_of

UV = (sys.executable, "-m", "uv", "--quiet")
RUNNER = ("hypothesis", "mpmath", "pytest", "pytest-xdist")
BACKENDS = (
    "tests/controllers/plateau_backends_test.py",
    "tests/range_test/frameworks_test.py",
    "tests/schedules/counts_test.py",
    "tests/schedules/exactness_test.py",
)


class Side(NamedTuple):
    """A side of the library that is tested alone.

    Attributes:
        extras: those that it installs.
        for_tests: what its tests use besides, of the extra "dev".
        tests: the tests that could differ between versions of what it installs.
    """

    extras: tuple[str, ...]
    for_tests: tuple[str, ...]
    tests: tuple[str, ...]


SIDES = {
    "core": Side(
        ("cli", "plot"),
        ("array-api-strict", "jsonschema", "omegaconf", "tqdm"),
        (
            *(
                f"tests/{room}"
                for room in ("arrays", "cli", "controllers", "core", "formats", "numerics")
            ),
            *("tests/configs", "tests/range_test", "tests/schedules", "tests/sweep", "lrsched"),
        ),
    ),
    "jax": Side(
        ("jax", "plot"),
        ("equinox", "orbax-checkpoint"),
        ("tests/jax", *BACKENDS, "adapters/lrsched_jax"),
    ),
    "keras": Side(("keras",), (), ("tests/keras", "adapters/lrsched_keras")),
    "torch": Side(("torch", "plot"), (), ("tests/torch", *BACKENDS, "adapters/lrsched_torch")),
}


def make_oldest(python: Path, side: Side) -> None:
    """An environment with the lowest versions of a side, made by uv."""
    dev = {name_of(each): each for each in EXTRAS["dev"]}
    call(*UV, "venv", "--clear", "-p", sys.executable, python.parents[1])
    install = (*UV, "pip", "install", "-p", python)
    project = f".[{','.join(side.extras)}]"
    names = (*RUNNER, *side.for_tests)
    needed = [dev[name] for name in names]
    call(*install, "--resolution", "lowest-direct", "--editable", project, *needed)


def make_newest(python: Path) -> None:
    """An environment with the newest versions of everything.

    pip installs torch, as it may be set up to take a certain build; uv keeps it and adds the rest.
    """
    venv.create(python.parents[1], clear=True, with_pip=True)
    call(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "torch")
    call(*UV, "pip", "install", "-p", python, "--editable", ".[dev]")


def run_tests(name: str, python: Path, tests: tuple[str, ...], record: bool) -> int:
    """Run tests, print what came out, and give pytest's exit status."""
    report = python.parents[1] / "report.xml"
    # Where CI is set, nothing may be skipped.
    variables = {key: value for key, value in os.environ.items() if key != "CI"}
    pytest = [
        str(python),
        "-m",
        "pytest",
        "-q",
        "-n2",
        "--dist=worksteal",
        "-p",
        "no:cacheprovider",
    ]
    # The same examples in every run, and reports of skips in the summary alone. The test of the
    # records is left out: it fails until this run is one of them.
    options = ["-r", "fE", "--hypothesis-seed=0", f"--junitxml={report}"]
    options.append("--ignore=tests/versions_test.py")
    done = subprocess.run([*pytest, *options, *tests], env={**variables, "OTHER_VERSIONS": "1"})
    facts = subprocess.run([python, "-c", facts_code()], check=True, capture_output=True, text=True)
    run = from_report(name, facts.stdout, report)
    print(run, flush=True)
    if record and not done.returncode:
        run.save()
    return done.returncode


def main(kind: str, *arguments: str) -> None:
    os.chdir(ROOT)
    record = "--record" in arguments
    sides = [each for each in arguments if each != "--record"]
    statuses = []
    if kind == "newest":
        python = ROOT / ".venv-newest" / "bin" / "python"
        make_newest(python)
        tests = ("tests", "lrsched", "adapters")
        statuses.append(run_tests("newest", python, tests, record))
    elif kind == "oldest":
        for name in sides or SIDES:
            python = ROOT / f".venv-oldest-{name}" / "bin" / "python"
            make_oldest(python, SIDES[name])
            statuses.append(run_tests(f"oldest-{name}", python, SIDES[name].tests, record))
    else:
        sys.exit(f"oldest or newest, not {kind}")
    sys.exit(any(statuses))


if __name__ == "__main__":
    main(*sys.argv[1:])
