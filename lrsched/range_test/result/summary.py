"""Say in a sentence what a range test did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from lrsched.range_test.reading.probe import Probe
from lrsched.range_test.reading.suggestion import Suggestion, plain
from lrsched.range_test.reading.valley import NoSuggestion

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
    before: RangeTest | None = None
    for ramp in _ramps(test):
        because = "" if before is None else f"as {_beyond(before)}, "
        parts.append(because + _said_of_ramp(ramp))
        before = ramp
    if test.probe is not None:
        parts.append(f"{_reason(test)}, {_said_of_probe(test.probe)}")
    return "; then, ".join(parts)


def _ramps(test: RangeTest) -> Iterator[RangeTest]:
    """The tests that were made, the first one first."""
    if test.earlier is not None:
        yield from _ramps(test.earlier)
    yield test


def _said_of_ramp(test: RangeTest) -> str:
    rates = test.learning_rates
    if not len(rates):
        return "no updates"
    ended = ENDED[test.stops[0]] if len(set(test.stops)) == 1 else ""
    times = f"{test.repeats} times " if test.repeats > 1 else ""
    return (
        f"{times}{_number(len(rates), 'update')} at learning rates from {plain(rates[0])} to "
        f"{plain(rates[-1])}{ended}"
    )


def _beyond(before: RangeTest) -> str:
    """Why a further ramp was made."""
    first, last = before.learning_rates[[0, -1]]
    if isinstance(before.ramp_suggestion, NoSuggestion):
        return f"the loss only rose from {plain(first)} on"
    return f"the loss still fell at {plain(last)}"


def _reason(test: RangeTest) -> str:
    """Why trainings were made."""
    found = test.ramp_suggestion
    if isinstance(found, Suggestion) and found.is_certain:
        return "to check the rate"
    return "as this left the best rate uncertain"


def _said_of_probe(probe: Probe) -> str:
    low, high = min(probe.learning_rates), max(probe.learning_rates)
    made = probe.ends[~np.isnan(probe.ends)]
    updates = int(np.isfinite(probe.losses).sum(axis=-1).max(initial=0))
    diverged = int(np.isinf(made).sum())
    early = f", of which {diverged} diverged" if diverged else ""
    return (
        f"{_number(len(made), 'training')} of {_number(updates, 'update')} at constant rates from "
        f"{plain(low)} to {plain(high)}{early}"
    )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
