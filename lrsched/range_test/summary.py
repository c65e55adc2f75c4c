"""Say in a sentence what a range test did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

RangeTest: TypeAlias = Any  # of the module that imports this one

ENDED = {
    "finished": "",
    "diverged": ", where the loss diverged",
    "nonfinite": ", where the loss was not finite",
    "exhausted": ", where the batches ran out",
}


def summary(test: RangeTest) -> str:
    """What was done, and why: the ramps in their order, and the trainings."""
    parts: list[str] = []
    each: RangeTest | None = test
    ramps: list[RangeTest] = []
    while each is not None:
        ramps.insert(0, each)
        each = each.earlier
    for before, ramp in zip([None, *ramps], ramps, strict=False):
        parts.append(_ramp(ramp, before))
    if test.probe is not None:
        parts.append(_probe(test.probe))
    return "; then ".join(parts)


def _ramp(test: RangeTest, before: RangeTest | None) -> str:
    rates = test.learning_rates
    if not len(rates):
        return "no updates"
    repeats = f", {test.repeats} times" if test.losses.ndim == 2 else ""
    stops = test.stopped if isinstance(test.stopped, tuple) else (test.stopped,)
    ended = ENDED[stops[0]] if len(set(stops)) == 1 else ""
    said = f"{len(rates)} updates from {rates[0]:.3g} to {rates[-1]:.3g}{repeats}{ended}"
    if before is None:
        return said
    higher = rates[-1] > before.learning_rates[-1]
    reason = "the loss still fell at the last of them" if higher else "it only rose from there"
    return f"{said}, as {reason}"


def _probe(probe: Any) -> str:
    low, high = probe.learning_rates[[0, -1]]
    ends = _trained(probe.losses)
    count, longest = probe.trainings, max(ends, default=0)
    plural = "s" if count > 1 else ""
    stopped = sum(end < probe.losses.shape[-1] for end in ends)
    early = f", {stopped} of which diverged" if stopped else ""
    return (
        f"{count} training{plural} of {longest} updates at constant rates from {low:.3g} to "
        f"{high:.3g}{early}"
    )


def _trained(losses: Any) -> Sequence[int]:
    """The number of losses of each training that was made."""
    rows = np.isfinite(losses).sum(axis=-1).ravel()
    return [int(row) for row in rows if row]
