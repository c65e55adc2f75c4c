"""Values outside of training.

One value from Python, and curves of a million steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

import lrsched
from benchmarks.measure import GPU_ONLY, Row, Section, in_turns, ratio_of, run_section, timed

STEPS = 1_000_000
STEPPED = 20_000  # of torch's scheduler, for which a million calls would take minutes

PAIRS: list[tuple[lrsched.Schedule, Callable[[Any], Any]]] = [
    (lrsched.cosine_decay(0.1, STEPS), optax.cosine_decay_schedule(0.1, STEPS)),
    (lrsched.exponential_decay(0.1, 0.99, 1000), optax.exponential_decay(0.1, 1000, 0.99)),
    (
        lrsched.warmup(lrsched.cosine_decay(0.1, STEPS - 1000), 1000),
        optax.warmup_cosine_decay_schedule(0.0, 0.1, 1000, STEPS),
    ),
    (lrsched.linear(0.1, 0.0, STEPS), optax.linear_schedule(0.1, 0.0, STEPS)),
]


def fill(section: Section) -> None:
    for ours, theirs in PAIRS:
        jitted = jax.jit(theirs)
        for name, peer in (("jitted", jitted), ("not jitted", theirs)):
            ratio = in_turns(
                lambda: ours(12345),  # noqa: B023
                lambda: peer(12345).block_until_ready(),  # noqa: B023
            )
            what, against = f"`{ours.name}` at one count, from Python", f"optax's, {name}"
            section.add(Row(what, against, ratio, goal=20, at_least=True))
    counts, on_device = np.arange(STEPS), jnp.arange(STEPS)
    for ours, theirs in PAIRS:
        compiled, peer = jax.jit(ours), jax.jit(jax.vmap(theirs))
        ratio = in_turns(
            lambda: compiled(on_device).block_until_ready(),  # noqa: B023
            lambda: peer(on_device).block_until_ready(),  # noqa: B023
        )
        what = f"`{ours.name}`, a curve of 10⁶ steps"
        section.add(Row(f"{what}, JAX", "optax's, `vmap`, `jit`", ratio, goal=1.0))
    if GPU_ONLY:
        return
    for ours, make in (
        (PAIRS[0][0], lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS)),
        (PAIRS[1][0], lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.99**0.001)),
    ):
        pairs = [(timed(lambda: ours(counts)), stepped(make)) for _ in range(11)]  # noqa: B023
        what, against = f"`{ours.name}`, a curve of 10⁶ steps, NumPy", "stepping torch's scheduler"
        section.add(Row(what, against, ratio_of(pairs), goal=100, at_least=True))


def stepped(make: Callable[[Any], Any]) -> float:
    """Seconds for a million steps, from fewer."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = make(optimizer)
    optimizer.step()
    return timed(scheduler.step, STEPPED) * STEPS


if __name__ == "__main__":
    run_section(fill)
