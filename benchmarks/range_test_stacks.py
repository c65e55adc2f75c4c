"""Range tests in trainers.

A range test of 200 updates in each stack, on the training of `benchmarks/stacks.py`, which is small
so that what a test adds to an update shows. It stands beside the bare training: the same updates
in the same stack, with a schedule of its own where a trainer has one; and beside the stack's own
finder where it has one. All of them are set up, and JAX's functions compiled, before the clock
starts; but Lightning and transformers make a new trainer for each bare training.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Row, Section, in_turns, run_section, section_of
from benchmarks.stacks import STACKS, quiet

PAIRS = 15
BARE, FINDER = 1.05, 1.05
BACKENDS = ("jax", "torch", "tensorflow")


def fill(section: Section) -> None:
    quiet()
    backend = os.environ.get("LRSCHED_STACKS_BACKEND")
    if backend:
        measure(section, "Keras", f"Keras on {backend}")
        return
    for name in STACKS:
        if name != "Keras":
            measure(section, name, name)
    for backend in BACKENDS:
        for row in in_a_process(backend).rows:
            section.add(row)


def measure(section: Section, name: str, shown: str) -> None:
    stack = STACKS[name]()
    figure = in_turns(stack.test, stack.bare, PAIRS)
    section.add(Row(shown, "the bare training", figure, BARE))
    if stack.find is not None:
        figure = in_turns(stack.test, stack.find, PAIRS)
        section.add(Row(shown, stack.finder, figure, FINDER))


def in_a_process(backend: str) -> Section:
    """What Keras does on a backend, of which a process has one."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "section.json"
        subprocess.run(
            [sys.executable, "-m", "benchmarks.range_test_stacks", str(out)],
            env={**os.environ, "KERAS_BACKEND": backend, "LRSCHED_STACKS_BACKEND": backend},
            check=True,
        )
        return section_of(json.loads(out.read_text(encoding="utf-8")))


if __name__ == "__main__":
    run_section(fill)
