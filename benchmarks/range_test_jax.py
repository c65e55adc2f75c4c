"""A range test in JAX.

200 updates by gradient descent on digits, batches of 64, a dense net and a small convnet, with a
ramp that does not diverge, so that all do the same updates. The peers are the bare code: a compiled
step in a loop that reads the losses at its end, the same reading each loss, and one `lax.scan`,
which stacks the batches first like ours. The first call of a new loss function, which compiles, has
rows of its own; everything else is compiled before. On a GPU a wide dense net and a wide convnet
are tried too, whose updates take longer than the launches of their kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

import lrsched
from benchmarks.digits_jax import (
    GPU,
    NO_GPU,
    Bare,
    Net,
    batches,
    check_alike,
    convnet,
    dense_net,
    forget,
    wide,
)
from benchmarks.measure import Row, Section, in_turns, ratio_of, run_section, timed
from lrsched_jax import range_test

STEPS = 200
RAMP = lrsched.exponential_ramp(1e-5, 0.1, STEPS - 1)
RATES = RAMP(np.arange(STEPS)).astype(np.float32)
BATCHES = batches()


def ours(net: Net, params: Any, compiled: bool) -> Any:
    test = range_test(
        *(net.loss, params, BATCHES, optax.sgd, RAMP, STEPS),
        divergence=None,
        compiled=compiled,
        progress=False,
    )
    assert len(test.losses) == STEPS
    return test.losses


def fill(section: Section) -> None:
    for make in (dense_net, convnet):
        warm(section, make())
        first(section, make)
    if GPU:
        for net in (dense_net(8192), convnet(256)):
            warm(section, wide(net))
    else:
        section.missing.append(NO_GPU)


def warm(section: Section, net: Net) -> None:
    """What is compiled already."""
    params, bare = net.init(jax.random.key(0)), Bare(net)
    given = params, RATES, BATCHES
    for mode in (False, True):
        check_alike(ours(net, params, mode), bare.run_stepwise(*given), rtol=1e-2)

    def add(
        mode: bool,
        against: str,
        peer: Callable[[], Any],
        goal: float | None = None,
        fast: bool = False,
    ) -> None:
        small = net.name == "dense net"
        ratio = in_turns(lambda: ours(net, params, mode), peer, 41 if small else 15)
        section.add(Row(f"{net.name}, `compiled={mode}`", against, ratio, goal, fast))

    add(False, "the bare loop", lambda: bare.run_stepwise(*given), 1.05)
    add(True, "the bare `lax.scan`", lambda: bare.in_a_scan(*given), 1.1)
    reading = "the bare loop that reads each loss"
    if net.name == "dense net":
        add(True, reading, lambda: bare.run_stepwise(*given, reading=True), 4, fast=True)
    add(False, reading, lambda: bare.run_stepwise(*given, reading=True), 1.0)
    add(True, "`compiled=False`", lambda: ours(net, params, False))


def first(section: Section, make: Callable[[], Net]) -> None:
    """The first call, of which most is compiling."""

    params = make().init(jax.random.key(0))

    def new(run: Callable[[Net], Any]) -> float:
        net = make()
        forget()
        return timed(lambda: run(net))

    for mode, name, way in (
        (False, "the bare loop", Bare.run_stepwise),
        (True, "the bare `lax.scan`", Bare.in_a_scan),
    ):
        pairs = []
        for _ in range(3):
            mine = new(lambda net: ours(net, params, mode))  # noqa: B023
            bare = new(lambda net: way(Bare(net), params, RATES, BATCHES))  # noqa: B023
            pairs.append((mine, bare))
        what = f"{make().name}, `compiled={mode}`, the first call"
        section.add(Row(what, name, ratio_of(pairs)))


if __name__ == "__main__":
    run_section(fill)
