"""Errors in float32 on a GPU.

The largest difference of each schedule's values from the exact ones, in units of the last place, as
above, but computed on the GPU: by a function that JAX compiles, and by torch's operations one after
another. The figure is the larger of both. At most 8 is required.
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.digits_jax import GPU, NO_GPU
from benchmarks.measure import Row, Section, run_section
from tests.backends import jax_jit_together
from tests.gpu.devices import torch_values
from tests.strategies import BY_NAME, drawn
from tests.ulp import largest_error, telling_counts

SCHEDULES, COUNTS = 6, 40  # drawn for each name; of each kind, for each schedule


def fill(section: Section) -> None:
    if not GPU:
        section.missing.append(NO_GPU)
        return
    for name, strategy in BY_NAME.items():
        generator = np.random.default_rng(0)
        schedules = drawn(strategy, SCHEDULES)
        at = [telling_counts(schedule, generator, COUNTS) for schedule in schedules]
        found = {
            "JAX": jax_jit_together(schedules, at),
            "torch": list(map(torch_values, schedules, at)),
        }
        errors = {}
        for library, curves in found.items():
            each = map(largest_error, schedules, at, curves)
            (errors[library], count), schedule = max(zip(each, schedules, strict=True), key=_error)
            print(f"    {library}: {schedule} at {count}", file=sys.stderr, flush=True)
        against = ", ".join(f"{library} {error:.1f}" for library, error in errors.items())
        worst = round(max(errors.values()), 2)
        section.add(Row(f"`{name}`", against, worst, goal=8.0, unit="ulp"))


def _error(entry: tuple[tuple[float, int], object]) -> float:
    return entry[0][0]


if __name__ == "__main__":
    run_section(fill)
