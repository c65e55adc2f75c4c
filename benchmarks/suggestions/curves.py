"""Trains every task of `benchmarks.suggestions.tasks`: range tests, probes and the truth.

For each task, over ten seeds (initialisation and order of the batches): the raw losses of range
tests of 100, 200 and 400 updates and of short runs at the constant rates of a grid, from the same
state; and, of other seeds, the loss held out after 100 and 300 updates at each rate of the grid.
"""

from __future__ import annotations

import functools
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from benchmarks.suggestions.tasks import Task, tasks
from lrsched import exponential_ramp

Array = npt.NDArray[Any]

SEEDS, TRUTH_SEEDS = 10, 12
LENGTHS = (100, 200, 400)
FIRST, LAST = 1e-7, 10.0
GRID = np.geomspace(1e-5, 10.0, 25)
HORIZONS = (100, 300)
PROBE_STEPS, PROBE_REPEATS = 80, 2


def batches(task: Task, steps: int, seed: int) -> Array:
    """The rows of each update's batch: every epoch is a new permutation."""
    generator = np.random.default_rng(seed)
    number, size = len(task.data.train[1]), task.batch_size
    epochs = -(-steps * size // (number // size * size))
    rows = [generator.permutation(number)[: number // size * size] for _ in range(epochs)]
    return np.concatenate(rows).reshape(-1, size)[:steps]


def train(task: Task, key: Any, rates: Any, rows: Any, horizons: tuple[int, ...]) -> Any:
    """The loss of each update, and the loss held out after the numbers of them given."""

    def update(carry: Any, given: Any) -> Any:
        params, state = carry
        rate, chosen = given
        batch = tuple(part[chosen] for part in task.data.train)
        loss, gradient = jax.value_and_grad(task.loss)(params, batch)
        updates, state = task.optimizer(rate).update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), loss

    params = task.init(key)
    carry = params, task.optimizer(0.0).init(params)
    losses, held_out, start = [], [task.loss(params, task.data.held_out)], 0
    for end in horizons:
        carry, part = jax.lax.scan(update, carry, (rates[start:end], rows[start:end]))
        losses.append(part)
        held_out.append(task.loss(carry[0], task.data.held_out))
        start = end
    return jnp.concatenate(losses), jnp.stack(held_out)


def sweeps(task: Task, steps: int) -> Array:
    """Range tests: losses of (seeds, steps)."""
    schedule = exponential_ramp(FIRST, LAST, steps - 1)
    rates = jnp.asarray([schedule(count) for count in range(steps)], jnp.float32)
    rows = np.stack([batches(task, steps, seed) for seed in range(SEEDS)])
    keys = jnp.stack([jax.random.key(seed) for seed in range(SEEDS)])
    run = jax.jit(jax.vmap(lambda key, rows: train(task, key, rates, rows, (steps,))[0]))
    return np.asarray(run(keys, rows))


def constant(task: Task, horizons: tuple[int, ...], runs: list[tuple[int, int]]) -> Any:
    """Runs at every rate of the grid, one for each pair of seeds, of state and of batches."""
    steps = horizons[-1]

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(None, 0, None))
    def run(key: Any, rate: Any, rows: Any) -> Any:
        return train(task, key, jnp.full(steps, rate), rows, horizons)

    grid = jnp.asarray(GRID, jnp.float32)
    found = [run(jax.random.key(a), grid, batches(task, steps, b)) for a, b in runs]
    return [np.stack([np.asarray(pair[part]) for pair in found]) for part in (0, 1)]


def curves(task: Task) -> dict[str, Array]:
    """All that is known of a task."""
    found = {f"sweep {steps}": sweeps(task, steps) for steps in LENGTHS}
    pairs = [(s, s if r == 0 else 50 * r + s) for s in range(SEEDS) for r in range(PROBE_REPEATS)]
    probes = constant(task, (PROBE_STEPS,), pairs)[0]
    found["probe"] = probes.reshape(SEEDS, PROBE_REPEATS, len(GRID), PROBE_STEPS)
    seeds = range(1000, 1000 + TRUTH_SEEDS)
    found["truth"] = constant(task, HORIZONS, [(seed, seed) for seed in seeds])[1]
    return found


def train_all(path: Path) -> None:
    """Train the tasks that the file has not yet."""
    known = dict(np.load(path)) if path.exists() else {}
    for name, task in tasks().items():
        if f"{name}/truth" in known:
            continue
        start = time.perf_counter()
        known |= {f"{name}/{kind}": found for kind, found in curves(task).items()}
        print(f"{name:28}{time.perf_counter() - start:8.1f} s", file=sys.stderr, flush=True)
        np.savez_compressed(path, allow_pickle=False, **known)
