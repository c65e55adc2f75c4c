"""Runs the range tests of all tasks as a user does, and keeps what they suggest.

For each task, ten seeds (of initial parameters and batches) and ramps of 100, 200 and 400 updates:
the test as it is by default and with `refine`, its ramp alone, what as many updates give as a
longer ramp or as repeats, and the rules of other libraries on the losses of the ramp.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

import lrsched_jax
from benchmarks.suggestions.all_tasks import all_tasks
from benchmarks.suggestions.lanes import Array, batches
from benchmarks.suggestions.tasks import Task
from lrsched.range_test import NoSuggestion, RangeTest
from lrsched.range_test.reading.finders import FINDERS

FILE = Path(__file__).parent.parent / "results" / "suggestions_runs.npz"
SEEDS = range(10)
STEPS = (100, 200, 400)
REPEATS = 3
PIECES = 5  # of the seeds of a task, one of the jobs each
OURS = ("default", "refine", "ramp", "3 times the ramp", "3 repeats")
METHODS = (*OURS, "steepest", *FINDERS)
FIGURES = ("suggested", "from", "to", "updates")  # from and to are the ends of the band


def of_task(task: Task, seeds: Sequence[int]) -> Array:
    """What is suggested, of (methods, steps, seeds, figures): see `FIGURES`."""
    found = np.full((len(METHODS), len(STEPS), len(seeds), len(FIGURES)), np.nan)
    for column, seed in enumerate(seeds):
        for row, steps in enumerate(STEPS):
            for place, values in enumerate(_of_seed(task, seed, steps)):
                found[place, row, column] = values
    return found


def _of_seed(task: Task, seed: int, steps: int) -> Iterator[tuple[float, ...]]:
    examples, size = len(task.data.train[1]), task.batch_size
    data = [np.asarray(part) for part in task.data.train]

    def order(repeat: int) -> list[Any]:
        rows = batches(examples, size, max(3 * max(STEPS), 1), seed + 50 * repeat)
        return [tuple(part[each] for part in data) for each in rows]

    def run(length: int, **options: Any) -> RangeTest:
        given: Any = order if "repeats" in options else order(0)
        params = task.init(jax.random.key(seed))
        return lrsched_jax.range_test(
            *(task.loss, params, given, task.optimizer, None, length), progress=False, **options
        )

    yield _figures(run(steps))
    yield _figures(run(steps, refine=True))
    yield _figures(run(steps, max_steps=steps))
    yield _figures(run(REPEATS * steps, max_steps=REPEATS * steps))
    yield _figures(run(steps, max_steps=steps, repeats=REPEATS))
    whole = run(steps, max_steps=steps, divergence=None)
    for method in ("steepest", *FINDERS):
        yield _figures(whole, method)


def _figures(test: RangeTest, method: str = "default") -> tuple[float, ...]:
    updates = float(test.updates)
    try:
        found = test.suggest(method)
    except NoSuggestion:
        return np.nan, np.nan, np.nan, updates
    return found.suggested, *found.band, updates


def job(name: str, piece: int) -> tuple[str, int, Array, float]:
    """Some seeds of a task."""
    start = time.perf_counter()
    found = of_task(all_tasks()[name], SEEDS[piece::PIECES])
    return name, piece, found, time.perf_counter() - start


def record(names: Sequence[str], workers: int, done: Callable[[str], None]) -> dict[str, Array]:
    """What is suggested for each task, as `of_task` says."""
    shape = len(METHODS), len(STEPS), len(SEEDS), len(FIGURES)
    found = {name: np.full(shape, np.nan) for name in names}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context) as pool:
        jobs = [pool.submit(job, name, piece) for piece in range(PIECES) for name in names]
        for each in jobs:
            name, piece, figures, seconds = each.result()
            found[name][:, :, piece::PIECES] = figures
            done(f"{name} {piece + 1} of {PIECES}: {seconds:.1f} s")
    return found


def main(names: Sequence[str] = ()) -> None:
    """Record these tasks, by default all, into the file."""
    known = dict(np.load(FILE)) if FILE.exists() and names else {}

    def done(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    known |= record(names or list(all_tasks()), os.cpu_count() or 1, done)
    np.savez_compressed(FILE, allow_pickle=False, **known)


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    main(sys.argv[1:])
