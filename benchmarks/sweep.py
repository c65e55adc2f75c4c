"""A sweep of learning rates.

32 copies of a dense net, each under a rate of its own, for 200 steps on digits:
`lrsched_jax.sweep` against the same trainings one after another, by compiled code that takes the
rate as an argument, so that nothing is compiled again: a scan over all steps, and a loop over
single ones that reads the losses at its end. All is compiled before.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.digits_jax import GPU, NO_GPU, Bare, batches, check_alike, dense_net
from benchmarks.measure import Row, Section, in_turns, run_section
from lrsched_jax import sweep

COPIES, STEPS = 32, 200
RATES = np.geomspace(1e-3, 0.3, COPIES).astype(np.float32)


def fill(section: Section) -> None:
    net = dense_net()
    params = net.init(jax.random.key(0))
    given = jax.tree.map(jnp.asarray, batches())
    stack = tuple(jnp.stack(side) for side in zip(*given, strict=True))
    bare = Bare(net)
    tables = [jnp.full(STEPS, rate) for rate in RATES]
    numbers = [list(table) for table in tables]

    def ours() -> np.ndarray:
        return sweep(net.loss, params, given, RATES, optax.sgd, STEPS).losses

    def scanned() -> np.ndarray:
        return np.stack([np.asarray(bare.scan(params, table, stack)) for table in tables])

    def looped() -> np.ndarray:
        return np.stack([bare.run_stepwise(params, rates, given) for rates in numbers])

    check_alike(ours(), scanned(), rtol=1e-2, atol=1e-3)
    for peer, name in ((scanned, "one compiled scan"), (looped, "a compiled step in a loop")):
        ratio = in_turns(ours, peer, repeats=7, warmup=1)
        against = f"one after another, {name}"
        what = f"{COPIES} learning rates, {STEPS} steps"
        goal = 8.0 if GPU else 1.0
        section.add(Row(what, against, ratio, goal, at_least=GPU))
    if not GPU:
        section.missing.append(NO_GPU)


if __name__ == "__main__":
    run_section(fill)
