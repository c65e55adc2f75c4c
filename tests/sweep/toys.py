"""A range test of gradient descent in NumPy, and set-ups for it."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from lrsched import Schedule
from lrsched.range_test import DIVERGENCE, RangeTest, Recorder, default_ramp

CURVATURES = np.geomspace(1e-2, 1.0, 5)


def setup(seed: int) -> dict[str, Any]:
    """A quadratic whose start is drawn."""
    return {"start": np.random.default_rng(seed).normal(size=5) + 3.0}


def short_of_batches(seed: int) -> dict[str, Any]:
    """The second seed has too few batches."""
    return setup(seed) | {"batches": iter(range(7 if seed == 1 else 100))}


def fails_for_one(seed: int) -> dict[str, Any]:
    if seed == 1:
        raise KeyError("no such data")
    return setup(seed)


def fails(seed: int) -> dict[str, Any]:
    raise ZeroDivisionError(f"seed {seed} of all")


def run(
    given: Any,
    schedule: Schedule | None = None,
    steps: int = 200,
    divergence: float | None = DIVERGENCE,
    progress: bool = True,
    max_steps: int | None = None,
) -> RangeTest:
    """The range test of this framework, which never goes on."""
    assert not progress
    assert max_steps in (None, steps)
    given = given if isinstance(given, dict) else {"start": given}
    schedule = default_ramp(steps) if schedule is None else schedule
    x, batches = given["start"].copy(), given.get("batches", range(steps))
    recorder, rates = Recorder(divergence), [schedule(count) for count in range(steps)]
    recorder.stopped = "exhausted"
    norms = []
    for count, _ in zip(range(steps), _until(batches), strict=False):
        norms.append((count, float(np.abs(x).max())))
        with np.errstate(over="ignore", invalid="ignore"):
            loss = float((CURVATURES * x**2).sum())
            x = x - rates[count] * 2.0 * CURVATURES * x
        if count == steps - 1:
            recorder.stopped = "finished"
        if not recorder.record(loss):
            break
    made = len(recorder.losses)
    kept = np.array([row for row in norms[:made] if row[0] % 3 == 0]).reshape(-1, 2)
    return RangeTest(
        np.array(rates[:made]),
        np.array(recorder.losses),
        recorder.stopped,
        schedule,
        {"norm": kept},
    )


def _until(batches: Any) -> Iterator[Any]:
    yield from batches
