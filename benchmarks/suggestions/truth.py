"""What the best rates of the tasks are: the losses at every rate of a grid, over whole runs.

Twelve seeds of every task are trained at 25 rates: as constant rates, and as the peaks of a warmup
with a cosine and of one cycle. `python -m benchmarks.suggestions.truth` records the losses anew: in
ten minutes with a large GPU, or in hours on a CPU.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.suggestions.all_tasks import all_tasks, part_of
from benchmarks.suggestions.lanes import Array, Lanes, Trainer
from benchmarks.suggestions.tasks import Task
from lrsched import Schedule, one_cycle, warmup_cosine

FILE = Path(__file__).parent.parent / "results" / "suggestions_truth.npz"
GRID = np.geomspace(1e-5, 10.0, 25)
SEEDS = range(1000, 1012)
LENGTHS = (150, 600, 2400)
CONSTANT = (100, 150, 300, 600, 2400)
DIGITS = 12  # bits of a loss that are kept: three decimals


def shapes(steps: int) -> dict[str, Schedule]:
    """The schedules whose peaks are tried; their highest value is 1."""
    return {
        "warmup_cosine": warmup_cosine(1.0, steps, steps // 20),
        "one_cycle": one_cycle(1.0, steps),
    }


def record(task: Task) -> dict[str, Array]:
    """The losses held out and in training, of (2, seeds, rates, 1 + numbers of updates).

    The first ones are those before training. The key is the shape, and the number of updates.
    """
    seeds = np.repeat(SEEDS, len(GRID))
    rates = np.tile(GRID, len(SEEDS))
    trainer = Trainer(task, len(seeds), LENGTHS[-1], len(SEEDS))

    def run(unit: Array, ends: tuple[int, ...]) -> Array:
        _, *losses = trainer.run(Lanes(seeds, rates[:, None] * unit, seeds), ends)
        shape = (2, len(SEEDS), len(GRID), 1 + len(ends))
        return rounded(np.stack(losses).reshape(shape))

    found = {"constant": run(np.ones(LENGTHS[-1]), CONSTANT)}
    for steps in LENGTHS:
        for name, schedule in shapes(steps).items():
            unit = np.array([schedule(count) for count in range(steps)])
            found[f"{name} {steps}"] = run(unit, (steps,))
    return found


def described() -> dict[str, Array]:
    """The names of the tasks, with what the judge needs to know of each."""
    tasks = all_tasks()
    return {
        "names": np.array(list(tasks)),
        "parts": np.array([part_of(name) for name in tasks]),
        "signed": np.array([task.signed for task in tasks.values()]),
        "epoch_steps": np.array([task.epoch_steps for task in tasks.values()]),
    }


def rounded(losses: Array) -> Array:
    """The losses in float32 with a few bits of mantissa, which can be compressed."""
    bits = losses.astype(np.float32).view(np.uint32)
    mask = np.uint32(0xFFFFFFFF << (23 - DIGITS) & 0xFFFFFFFF)
    return (bits & mask).view(np.float32)


def main() -> None:
    set_option: Any = jax.config.update  # untyped
    set_option("jax_default_matmul_precision", "highest")
    found: dict[str, Array] = {}
    for name, task in all_tasks().items():
        start = time.perf_counter()
        found |= {f"{name}/{key}": losses for key, losses in record(task).items()}
        print(f"{name:36}{time.perf_counter() - start:8.1f} s", file=sys.stderr, flush=True)
    np.savez_compressed(FILE, allow_pickle=False, **found, **described())


if __name__ == "__main__":
    main()
