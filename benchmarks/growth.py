"""Costs that grow.

What a range test costs by its length, a curve by its values, a torch scheduler by its param groups,
a joined schedule by its pieces, and warm restarts by how many came before. Each point is the median
of a few calls; of compiling, one.
"""

from __future__ import annotations

import itertools
import statistics
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

import lrsched
from benchmarks.digits_jax import Bare, batches, dense_net, forget, ready
from benchmarks.measure import Growth, Section, calls_for, run_section, timed
from benchmarks.optax_twins import twin
from lrsched import Schedule
from lrsched_jax import range_test
from lrsched_torch import lambda_lr

Curve = tuple[str, list[float], list[float]]
Work = Callable[[], Any]

UPDATES = (30, 100, 300, 1000, 3000)
VALUES = (10, 100, 1000, 10_000, 100_000, 1_000_000)
GROUPS = (1, 10, 100, 1000)
PIECES = (2, 5, 10, 30, 100, 300, 1000)
CYCLES = (1, 3, 10, 30, 100, 1000, 10_000)


def curve(name: str, sizes: Iterable[int], cost: Callable[[int], float]) -> Curve:
    points = [(float(size), cost(size)) for size in sizes]
    return (name, *map(list, zip(*points, strict=True)))  # type: ignore[return-value]


def seconds(work: Work) -> float:
    """The median of a few."""
    calls = calls_for(work, 1)
    return statistics.median(timed(work, calls) for _ in range(5))


def fill(section: Section) -> None:
    section.growths += [updates(), values(), groups(), *pieces(), cycles()]


def updates() -> Growth:
    """Of a range test in JAX, for each of its updates."""
    net, given = dense_net(), batches()
    params, bare = net.init(jax.random.key(0)), Bare(net)

    def ours(compiled: bool) -> Callable[[int], float]:
        def of(steps: int) -> float:
            ramp = lrsched.exponential_ramp(1e-5, 0.1, steps - 1)
            test = (net.loss, params, given, optax.sgd, ramp, steps)
            options: Any = {"divergence": None, "compiled": compiled, "progress": False}
            return seconds(lambda: range_test(*test, **options)) / steps

        return of

    def theirs(way: Callable[..., Any]) -> Callable[[int], float]:
        def of(steps: int) -> float:
            rates = np.geomspace(1e-5, 0.1, steps).astype(np.float32)
            return seconds(lambda: way(params, rates, given)) / steps

        return of

    curves = [
        curve("range_test, compiled=False", UPDATES, ours(False)),
        curve("range_test, compiled=True", UPDATES, ours(True)),
        curve("bare loop", UPDATES, theirs(bare.run_stepwise)),
        curve("bare lax.scan", UPDATES, theirs(bare.in_a_scan)),
    ]
    title = "Range test in JAX, a dense net on digits"
    return Growth("updates", title, "updates", "seconds for each update", curves)


def values() -> Growth:
    """Of a curve, for each of its values."""
    ours, size = lrsched.cosine_decay(0.1, 1_000_000), "values in the curve"
    compiled, peer = jax.jit(ours), jax.jit(jax.vmap(twin(ours)))  # type: ignore[arg-type, type-var]

    def each(call: Callable[[Any], Any], make: Callable[[int], Any]) -> Callable[[int], float]:
        def of(number: int) -> float:
            counts = make(number)
            return seconds(lambda: ready(call(counts))) / number

        return of

    curves = [
        curve("lrsched, NumPy", VALUES, each(ours, np.arange)),
        curve("lrsched, JAX", VALUES, each(compiled, jnp.arange)),
        curve("optax, JAX", VALUES, each(peer, jnp.arange)),
    ]
    return Growth("values", "Curve of cosine_decay", size, "seconds for each value", curves)


def groups() -> Growth:
    """Of a step of a torch scheduler."""

    def stepping(make: Callable[[Any], Any]) -> Callable[[int], float]:
        def of(number: int) -> float:
            each = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(number)]
            optimizer = torch.optim.SGD(each, lr=0.1)
            scheduler = make(optimizer)
            optimizer.step()
            return seconds(scheduler.step)

        return of

    theirs = torch.optim.lr_scheduler
    ours = lrsched.cosine_decay(0.1, 10**9)
    curves = [
        curve("lambda_lr, cosine_decay", GROUPS, stepping(lambda o: lambda_lr(o, ours))),
        curve(
            "lambda_lr, a schedule each",
            GROUPS,
            stepping(
                lambda o: lambda_lr(
                    o, [ours.replace(init_value=1.0 + n) for n in range(len(o.param_groups))]
                )
            ),
        ),
        curve("CosineAnnealingLR", GROUPS, stepping(lambda o: theirs.CosineAnnealingLR(o, 10**9))),
        curve("LambdaLR", GROUPS, stepping(lambda o: theirs.LambdaLR(o, ours))),
    ]
    return Growth("groups", "Step of a torch scheduler", "param groups", "seconds", curves)


def joined(number: int) -> Schedule:
    """So many half cosines, each lower and longer than the one before."""
    pieces = [lrsched.cosine_decay(0.1 / (1 + n), 100 + n) for n in range(number)]
    lengths = (piece.params["decay_steps"] for piece in pieces[:-1])
    return lrsched.join(pieces, list(itertools.accumulate(lengths)))


def pieces() -> list[Growth]:
    """Of a join: a value, a curve, and a compiled program."""
    schedules = {number: joined(number) for number in PIECES}
    last = {number: sum(joined.params["boundaries"]) for number, joined in schedules.items()}
    peers: dict[int, Any] = {number: twin(schedule) for number, schedule in schedules.items()}
    costs = {
        "lrsched": {number: compiling(schedule) for number, schedule in schedules.items()},
        "optax": {number: compiling(peer) for number, peer in peers.items()},
    }
    counts = np.arange(10_000)

    def jitted(number: int) -> float:
        peer = costs["optax"][number][2]
        return seconds(lambda: ready(peer(7)))

    calls = [
        curve("lrsched, Python", PIECES, lambda n: seconds(lambda: schedules[n](last[n]))),
        curve(
            "lrsched, NumPy, each of 10⁴",
            PIECES,
            lambda n: seconds(lambda: schedules[n](counts)) / 1e4,
        ),
        curve("optax, jitted", PIECES, jitted),
    ]
    found = [Growth("pieces", "Value of a join of half cosines", "pieces", "seconds", calls)]
    for place, name, title in (
        (0, "seconds", "Tracing and compiling a join of half cosines"),
        (1, "instructions", "Compiled program of a join of half cosines"),
    ):
        curves = [
            curve(library, PIECES, lambda n: each[n][place])  # noqa: B023
            for library, each in costs.items()
        ]
        found.append(Growth(f"pieces-{name}", title, "pieces", name, curves))
    return found


def compiling(schedule: Callable[[Any], Any]) -> tuple[float, int, Any]:
    """Seconds, instructions, and the program."""
    forget()
    begin = time.perf_counter()
    program = jax.jit(lambda count: schedule(count)).trace(jnp.int32(0)).lower().compile()
    taken = time.perf_counter() - begin
    return taken, program.as_text().count(" = "), lambda n: program(jnp.int32(n))


def cycles() -> Growth:
    """Of a value after many warm restarts, from Python."""
    first = 10

    def restarts(mult: int) -> Callable[[int], float]:
        schedule = lrsched.cosine_restarts(0.1, first, period_mult=mult)

        def of(cycle: int) -> float:
            begin = first * cycle if mult == 1 else first * (mult**cycle - 1) // (mult - 1)
            return seconds(lambda: schedule(begin + 3))

        return of

    def unequal(cycle: int) -> float:
        made = lrsched.with_restarts(lrsched.cosine_decay(0.1, first), first, cycle + 1, 1.5)
        last = made.params["boundaries"][-1]
        return seconds(lambda: made(last + 3))

    def torch_restarts(mult: int) -> Callable[[int], float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        make = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts
        scheduler = make(optimizer, first, mult)

        def of(cycle: int) -> float:
            begin = first * cycle if mult == 1 else first * (mult**cycle - 1) // (mult - 1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the optimizer was not stepped
                return seconds(lambda: scheduler.step(begin + 3))

        return of

    growing = [cycle for cycle in CYCLES if first * 2**cycle < 2**31]
    curves = [
        curve("cosine_restarts, period_mult=1", CYCLES, restarts(1)),
        curve("cosine_restarts, period_mult=2", growing, restarts(2)),
        curve("with_restarts, period_mult=1.5", [1, 3, 10, 30], unequal),
        curve("CosineAnnealingWarmRestarts.step(count), T_mult=1", CYCLES, torch_restarts(1)),
        curve("CosineAnnealingWarmRestarts.step(count), T_mult=2", growing, torch_restarts(2)),
    ]
    return Growth("cycles", "Value after warm restarts, from Python", "cycles", "seconds", curves)


if __name__ == "__main__":
    run_section(fill)
