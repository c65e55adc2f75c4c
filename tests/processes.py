"""Processes that tests start."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "tests" / "scripts"
FOLDERS = os.pathsep.join([str(ROOT), str(ROOT / "adapters")])

# What is a warning where the versions are not those of constraints.txt, and elsewhere an error.
DEPRECATIONS = [
    *(":DeprecationWarning", ":PendingDeprecationWarning", ":FutureWarning"),
    "The epoch parameter in `scheduler.step():UserWarning",  # torch's SequentialLR, before 2.7
]
ALLOWED = [f"default:{each}" for each in DEPRECATIONS if os.environ.get("OTHER_VERSIONS")]


def python_command(*arguments: object, warnings: str = "error") -> list[str]:
    """The command that starts this Python, by default with warnings as errors."""
    options = [f"-W{each}" for each in [warnings, *ALLOWED]]
    return [sys.executable, *options, *map(str, arguments)]


def run_python(code: str) -> str:
    """What a program prints that has no warnings and raises no error."""
    command = python_command("-c", code)
    # With bytecode kept, as in any installation: compiling the source takes as long again.
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout


def start(
    script: str | Path,
    *arguments: object,
    warnings: str = "error",
    session: bool = False,
    **environment: str,
) -> "subprocess.Popen[str]":
    """Start a script of `tests/scripts/`, in a session of its own on request."""
    command = python_command(SCRIPTS / script, *arguments, warnings=warnings)
    variables = {**os.environ, "PYTHONPATH": FOLDERS, **environment}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=variables, start_new_session=session, **pipes)


def outputs(*processes: "subprocess.Popen[str]", seconds: float = 120) -> list[str]:
    """What processes print that all end well; none of them is left."""
    try:
        ended = [process.communicate(timeout=seconds) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert not any(process.returncode for process in processes), "\n".join(e for _, e in ended)
    return [out for out, _ in ended]
