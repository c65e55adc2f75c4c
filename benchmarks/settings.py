"""Many settings of one schedule.

A training of 100 steps (a dense net on digits, Adam, one compiled scan) is tried with 32 settings
of a warmup and a cosine: its rate and both its durations. Ours is an argument of the training,
which is compiled once; optax's is a function that the training closes over, so that each setting is
traced and compiled. Nothing is compiled before the clock starts. optax takes no traced durations;
its `inject_hyperparams` serves the rate alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lrsched
from benchmarks.digits_jax import GPU, NO_GPU, batches, check_alike, dense_net, forget
from benchmarks.measure import Row, Section, ratio_of, run_section, timed

STEPS = 100
SETTINGS = [
    (peak, before, after)
    for peak in (3e-4, 1e-3, 3e-3, 1e-2)
    for before in (5, 10)
    for after in (50, 70, 80, 90)
]

NET = dense_net()
PARAMS = NET.init(jax.random.key(0))
STACK = tuple(jnp.stack(side) for side in zip(*batches(), strict=True))


def train(schedule: Callable[[Any], Any], params: Any, stack: Any) -> Any:
    """The losses of a training."""
    optimizer = optax.adam(schedule)

    def step(carry: Any, index: Any) -> tuple[Any, Any]:
        params, state = carry
        batch = jax.tree.map(lambda x: x[index], stack)
        loss, gradient = jax.value_and_grad(NET.loss)(params, batch)
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), loss

    turns = jnp.arange(STEPS) % len(stack[0])
    return jax.lax.scan(step, (params, optimizer.init(params)), turns)[1]


class Counted:
    """Trains with each setting, and counts the compilations."""

    def __init__(self) -> None:
        self.compilations = 0
        self.losses: list[Any] = []

    def train(self, *given: Any) -> Any:
        self.compilations += 1  # once for each time that JAX traces it
        return train(*given)

    def ours(self) -> None:
        forget()
        compiled = jax.jit(self.train)
        made = (lrsched.warmup(lrsched.cosine_decay(a, c), b) for a, b, c in SETTINGS)
        self.losses += [np.asarray(compiled(schedule, PARAMS, STACK)) for schedule in made]

    def optax(self) -> None:
        forget()
        for peak, before, after in SETTINGS:
            schedule = optax.warmup_cosine_decay_schedule(0.0, peak, before, before + after)
            compiled = jax.jit(lambda *given: self.train(schedule, *given))  # noqa: B023
            self.losses.append(np.asarray(compiled(PARAMS, STACK)))


def fill(section: Section) -> None:
    ours, theirs = Counted(), Counted()
    pair = timed(ours.ours), timed(theirs.optax)
    for mine, other in zip(ours.losses, theirs.losses, strict=True):
        check_alike(mine, other, rtol=1e-3)
    what, against = f"training with {len(SETTINGS)} settings", "optax's, closed over"
    section.add(Row(what, against, ratio_of([pair]), goal=10, at_least=True))
    section.add(Row("compilations", "", ours.compilations, goal=1))
    section.add(Row("compilations with optax's", "", theirs.compilations))
    if not GPU:
        section.missing.append(NO_GPU)


if __name__ == "__main__":
    run_section(fill)
