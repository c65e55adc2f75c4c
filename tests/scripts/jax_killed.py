"""A training that may be killed at any time; `tests/jax/killed_training_test.py` does it.

    python jax_killed.py FOLDER STEPS EVERY

It saves a checkpoint every so many steps with Orbax, in the background, and goes on from the last
complete one. It logs the learning rate that `current_lr` found, the one that was applied, and the
loss.
"""

import os
import sys
from pathlib import Path
from typing import Any, TextIO

if __name__ == "__main__":  # and not where pytest looks for doctests
    os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp  # type: ignore[import-untyped]

import lrsched
import lrsched_jax
from tests.scripts.killed import go_on

SCHEDULE = lrsched.warmup(lrsched.cosine_restarts(0.1, 37), 10)


def optimizer() -> Any:
    labels = {"w": "w", "seen": "seen"}
    return optax.multi_transform({"w": optax.adam(SCHEDULE), "seen": optax.sgd(SCHEDULE)}, labels)


@jax.jit
def begin() -> Any:
    """The parameters and the optimizer's state."""
    params = {"w": jnp.zeros(3), "seen": jnp.float32(0)}
    return params, optimizer().init(params)


@jax.jit
def update(params: Any, state: Any, batch: Any) -> Any:
    """One step: what it leaves, the rate found and the one that it applied, the loss before it."""
    loss, gradient = jax.value_and_grad(lambda w: jnp.mean((batch @ w - 1) ** 2))(params["w"])
    # The gradient of `seen` is one, so that what it changes by is the rate itself.
    gradients = {"w": gradient, "seen": jnp.float32(1)}
    rate = lrsched_jax.current_lr(state, SCHEDULE)
    updates, state = optimizer().update(gradients, state, params)
    now = optax.apply_updates(params, updates), state
    return now, (rate, -updates["seen"], loss)


def train(folder: Path, log: TextIO, steps: int, every: int) -> None:
    options = ocp.CheckpointManagerOptions(max_to_keep=2)
    with ocp.CheckpointManager(folder / "checkpoints", options=options) as manager:
        first, now = manager.latest_step() or 0, begin()
        if first:
            now = manager.restore(first, args=ocp.args.StandardRestore(now))
        for step in range(first, steps):
            batch = np.random.default_rng(step).normal(size=(8, 3)).astype(np.float32)
            now, numbers = update(*now, batch)
            print(step, *map(float, numbers), file=log, flush=True)
            if (step + 1) % every == 0:
                manager.save(step + 1, args=ocp.args.StandardSave(now))


if __name__ == "__main__":
    # Nothing of JAX runs yet, which would not survive the fork.
    go_on(train, Path(sys.argv[1]), *map(int, sys.argv[2:]))
