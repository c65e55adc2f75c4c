"""A schedule inside of a compiled training step.

`jax.jit` of an optax update by Adam, of a network of 64, 32 and 10 units with batches of 64, with
the schedule in it. Tracing includes lowering, and everything that JAX keeps is thrown away before
each; the size is that of the compiled program, all its fused parts counted.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

import lrsched
from benchmarks.digits_jax import GPU, NO_GPU, batches, dense_net, forget, ready
from benchmarks.measure import (
    GPU_ONLY,
    Row,
    Section,
    in_turns,
    no_garbage_collection,
    ratio_of,
    run_section,
)
from benchmarks.optax_twins import twin

SCHEDULES = [
    lrsched.constant(0.001),
    lrsched.linear(0.001, 0.0, 1000),
    lrsched.polynomial(0.001, 0.0, 1000, power=3.0),
    lrsched.exponential_ramp(1e-5, 0.001, 1000),
    lrsched.exponential_decay(0.001, 0.99, 10),
    lrsched.step_decay(0.001, 0.5, 100),
    lrsched.multi_step_decay(0.001, 0.5, [300, 600, 900]),
    lrsched.piecewise_constant([0.001, 0.0005, 0.0001], [300, 600]),
    lrsched.cosine_decay(0.001, 1000),
    lrsched.k_decay(0.001, 1000, k=1.0),
    lrsched.warmup(lrsched.cosine_decay(0.001, 900), 100),
    lrsched.join(
        [lrsched.linear(0.0, 0.001, 100), lrsched.constant(0.001), lrsched.linear(0.001, 0.0, 300)],
        [100, 700],
    ),
]
REPEATS = 3 if GPU_ONLY else 7
COUNT = 500

NET, BATCH = dense_net(), batches()[0]
PARAMS = NET.init(jax.random.key(0))


class Cost(NamedTuple):
    """What it takes to compile a step: seconds, seconds, instructions."""

    trace: float
    compile: float
    size: float


def step(schedule: Callable[[Any], Any]) -> tuple[Callable[..., Any], Any]:
    """An update, not compiled, and the state it begins in."""
    optimizer = optax.adam(schedule)

    def train(params: Any, state: Any, batch: Any) -> Any:
        loss, gradient = jax.value_and_grad(NET.loss)(params, batch)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    state = optax.tree.set(optimizer.init(PARAMS), count=jax.numpy.int32(COUNT))
    return train, state


def compiled(schedule: Callable[[Any], Any]) -> tuple[Cost, Callable[[], Any]]:
    """What a step costs to compile, and a call of it."""
    train, state = step(schedule)
    forget()
    begin = time.perf_counter()
    lowered = jax.jit(train).trace(PARAMS, state, BATCH).lower()
    traced = time.perf_counter()
    program = lowered.compile()
    cost = Cost(traced - begin, time.perf_counter() - traced, program.as_text().count(" = "))
    return cost, lambda: ready(program(PARAMS, state, BATCH))


def fill(section: Section) -> None:
    compiled(SCHEDULES[0])
    order = random.Random(0)
    for ours in SCHEDULES:
        theirs: Any = twin(ours)
        costs: dict[Any, list[Cost]] = {ours: [], theirs: []}
        calls = {}
        with no_garbage_collection():
            for _ in range(REPEATS):
                for each in order.sample([ours, theirs], 2):
                    cost, calls[each] = compiled(each)
                    costs[each].append(cost)
        traces, compilations, sizes = (
            list(zip(*pair, strict=True))
            for pair in zip(*(zip(*costs[each], strict=True) for each in costs), strict=True)
        )
        found = {
            "tracing": ratio_of(traces),
            "compiling": ratio_of(compilations),
            "size": ratio_of(sizes[:1], "instructions"),
            "a step": in_turns(calls[ours], calls[theirs]),
        }
        for what, ratio in found.items():
            section.add(Row(f"{what}, `{ours.name}`", "the step with optax's", ratio, goal=1.0))
    if not GPU:
        section.missing.append(NO_GPU)


if __name__ == "__main__":
    run_section(fill)
