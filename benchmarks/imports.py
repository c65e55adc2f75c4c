"""Importing.

Each in a process of its own, with compiled bytecode there: the processor's time for the `import`,
and how many modules it adds. lrsched itself imports no array library.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from benchmarks.measure import Row, Section, ratio_of, run_section

CODE = """
import sys, time
known, begin = set(sys.modules), time.process_time()
import {package}
print(time.process_time() - begin, len(set(sys.modules) - known))
"""


def imported(package: str) -> tuple[float, int]:
    """Seconds and modules."""
    command = [sys.executable, "-c", CODE.format(package=package)]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    seconds, modules = subprocess.check_output(command, text=True, env=env).split()
    return float(seconds), int(modules)


def fill(section: Section) -> None:
    imported("lrsched")  # which may compile it
    alone = statistics.median(imported("lrsched")[0] for _ in range(21))
    section.add(Row("`import lrsched`", "", 1e3 * alone, goal=30, unit="ms"))
    section.add(Row("modules that it adds", "", imported("lrsched")[1], unit="modules"))
    for package in ("optax", "torch.optim"):
        imported(package)
        pairs = [(imported("lrsched")[0], imported(package)[0]) for _ in range(5)]
        section.add(Row("`import lrsched`", f"`import {package}`", ratio_of(pairs), goal=1.0))


if __name__ == "__main__":
    run_section(fill)
