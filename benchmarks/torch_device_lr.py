"""Rates computed on a GPU in torch.

`lrsched_torch.on_device` in two ways: in a CUDA graph of the whole step, captured once and
replayed; and in an update that is compiled as one graph. Both run where torch raises an error as
soon as the host waits for the device, and the rates of 200 updates are compared with the schedule,
in units of float32's last place. Each schedule's update is compiled once; with torch's own
scheduler and a float rate it is compiled again and again, until torch's limit. The times are those
of a step of a small network with Adam, the mean of 100 replays.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import torch
from torch._dynamo.exc import FailOnRecompileLimitHit

import lrsched
from benchmarks.measure import Row, Section, in_turns, run_section
from lrsched_torch import lambda_lr
from tests.gpu.torch_updates import (
    LIMIT,
    SCHEDULES,
    Replayed,
    Training,
    compiled_rates,
    compiled_update,
    on_the_device,
    replayed_rates,
    with_on_device,
    worst,
)

STEPS, TIMED = 200, 100
TIMED_SCHEDULE = lrsched.warmup(lrsched.cosine_decay(0.001, 10**6), 1000)


def fill(section: Section) -> None:
    if not torch.cuda.is_available():
        section.missing.append("a GPU, where torch sees one")
        return
    for schedule in SCHEDULES:
        what, against = f"`{schedule.name}`, in a CUDA graph", "the schedule"
        error = worst(schedule, replayed_rates(schedule, STEPS))
        section.add(Row(what, against, round(error, 2), LIMIT, unit="ulp"))
    times(section)
    most = 0
    for schedule in SCHEDULES:
        rates, compilations = compiled_rates(schedule, STEPS)
        most = max(most, compilations)
        error = round(worst(schedule, rates), 2)
        section.add(Row(f"`{schedule.name}`, compiled", "the schedule", error, LIMIT, unit="ulp"))
    section.add(Row("compilations of an update at most", "", most, 1.0))
    section.add(
        Row("compilations with torch's `LambdaLR`, until it fails", "", compilations_of_torch())
    )


def times(section: Section) -> None:
    """Of replays with the rates computed on the device, filled in by the host, and constant."""
    filled = Training(on_the_device())
    scheduler = lambda_lr(filled.optimizer, TIMED_SCHEDULE)
    constant = Training(on_the_device(0.001))
    peers = {
        "`lambda_lr`, which fills in the rate": many(Replayed(filled.update), scheduler.step),
        "a constant rate": many(Replayed(constant.update)),
    }
    for what, compiles in (("`on_device`", False), ("`on_device`, `step` compiled", True)):
        step = with_on_device(Training(on_the_device()), TIMED_SCHEDULE, compiles)
        for against, theirs in peers.items():
            ratio = in_turns(many(step), theirs, 31)
            each = replace(ratio, ours=ratio.ours / TIMED, theirs=ratio.theirs / TIMED)
            section.add(Row(f"a step in a CUDA graph, {what}", against, each))


def many(*calls: Callable[[], None]) -> Callable[[], None]:
    """Steps, each of which makes these calls, until they have ended."""

    def run() -> None:
        for _ in range(TIMED):
            for call in calls:
                call()
        torch.cuda.synchronize()

    return run


def compilations_of_torch() -> int:
    """How often an update with torch's own scheduler and a float rate is compiled."""
    training = Training(1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(training.optimizer, SCHEDULES[0])
    update, counter = compiled_update(training.optimizer, lambda: None)
    training.optimizer._opt_called = True  # type: ignore[attr-defined]  # by its unwrapped `step`
    with suppress(FailOnRecompileLimitHit):
        for _ in range(STEPS):
            training.differentiate()
            update()
            scheduler.step()
    return int(counter.frame_count)


if __name__ == "__main__":
    run_section(fill)
