"""Repeats of a range test in JAX.

`repeats=16`, from 16 random starts, of a test with 200 updates of a dense net on digits, as one
compiled loop each or for all: against 16 calls with one start each, and against one. All is
compiled before, and nothing diverges, so that all do the same updates. By default a CPU runs them
one by one, and a GPU all of them together.
"""

from __future__ import annotations

from typing import Any

import jax
import optax

import lrsched
from benchmarks.digits_jax import GPU, NO_GPU, batches, dense_net
from benchmarks.measure import Row, Section, in_turns, run_section
from lrsched_jax import range_test

STEPS, REPEATS = 200, 16
RAMP = lrsched.exponential_ramp(1e-5, 0.1, STEPS - 1)


def fill(section: Section) -> None:
    net, given = dense_net(), batches()

    def test(params: Any, repeats: int = 1, vmap: bool | None = None) -> Any:
        found = range_test(
            *(net.loss, params, given, optax.sgd, RAMP, STEPS),
            divergence=None,
            compiled=True,
            repeats=repeats,
            vmap=vmap,
        )
        assert found.losses.shape[-1] == STEPS
        return found.losses

    def one(seed: int) -> Any:
        return test(net.init(jax.random.key(seed)))

    for vmap in (None, not GPU):  # the default, and the other way
        shown = f"`repeats={REPEATS}`" + ("" if vmap is None else f", `vmap={vmap}`")

        def repeated() -> Any:
            return test(net.init, REPEATS, vmap)  # noqa: B023

        for against, peer, goal in (
            (
                f"{REPEATS} tests",
                lambda: [one(seed) for seed in range(REPEATS)],
                None if vmap is not None or GPU else 1.0,
            ),
            ("one test", lambda: one(0), 3.0 if GPU and vmap is None else None),
        ):
            section.add(Row(shown, against, in_turns(repeated, peer, 11), goal))
    if not GPU:
        section.missing.append(NO_GPU)


if __name__ == "__main__":
    run_section(fill)
