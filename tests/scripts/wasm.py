"""Runs the core's tests on the CPython that npm's `pyodide` brings, which is newer than ours.

    python -m tests.scripts.wasm [--record]

Node runs it. There is no NumPy for it: what needs NumPy is skipped by name.
"""

import os
import subprocess
import sys

from tests.scripts.recorded import ROOT, call, facts_code, from_report

FOLDER = ROOT / ".venv-wasm"
PYODIDE = "314.0.7"  # CPython 3.14.2
PLATFORM = ("--platform", "pyemscripten_2026_0_wasm32", "--python-version", "3.14")
PACKAGES = ("click", "hypothesis", "mpmath", "pytest")
TESTS = tuple(
    f"tests/{room}"
    for room in ("cli", "configs", "formats", "core", "schedules", "numerics", "arrays")
)


def install() -> None:
    """Pyodide by npm, and wheels for it by pip."""
    FOLDER.mkdir(exist_ok=True)
    call("npm", "install", "--silent", "--no-save", "--prefix", FOLDER, f"pyodide@{PYODIDE}")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    # Without plotext: its wheels for this platform are older than the command needs.
    wheels = ("--target", FOLDER / "packages", "--upgrade", "--only-binary", ":all:", *PLATFORM)
    call(*pip, *wheels, *PACKAGES)


def main(*arguments: str) -> None:
    os.chdir(ROOT)
    install()
    script = ROOT / "tests" / "scripts" / "wasm.mjs"
    report, facts = FOLDER / "report.xml", FOLDER / "facts.json"
    # V8's stack must hold a recursion of Python's, and the thread that V8 runs in must hold V8's.
    node = ["node", "--stack-size=60000", str(script), str(ROOT), str(FOLDER), facts_code()]
    options = ["-q", "-r", "fE", "-p", "no:cacheprovider", "-p", "tests.scripts.wasm_plugin"]
    # Hypothesis warns that a generator of its own may be collected.
    options += ["-W", "default::hypothesis.errors.HypothesisWarning"]
    command = [*node, *options, "--hypothesis-seed=0", "--junitxml=/work/report.xml", *TESTS]
    shell = ["bash", "-c", 'ulimit -s 65536 && exec "$@"', "node", *command]
    status = subprocess.run(shell, env={**os.environ, "CI": ""}).returncode
    run = from_report("wasm", facts.read_text(), report)
    print(run, flush=True)
    if "--record" in arguments and not status:
        run.save()
    sys.exit(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
