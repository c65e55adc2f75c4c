"""Write a schedule as one would for a run of a known length."""

from __future__ import annotations

from typing import Any

from lrsched import Schedule, cosine_decay, join, warmup


def within_run(schedule: Schedule, total_steps: float) -> Schedule:
    """A simpler schedule with the same values at all counts below `total_steps`, if there is one.

    What comes after the run is left out: torch's cosine rises again then. A line that leads to the
    value at which the next schedule begins is a warmup.
    """
    params = schedule.params
    if schedule.name == "join":
        return _joined(params["schedules"], params["boundaries"], total_steps)
    if schedule.name == "cyclic" and _is_half_a_cosine(params, total_steps):
        return cosine_decay(params["init_value"], params["up_steps"], params["peak_value"])
    if schedule.name in ("scale", "warmup"):
        before = params["warmup_steps"] if schedule.name == "warmup" else 0
        return schedule.replace(schedule=within_run(params["schedule"], total_steps - before))
    return schedule


def _is_half_a_cosine(params: dict[str, Any], steps: float) -> bool:
    is_plain = params["shape"] == "cosine" and params["mode"] == "triangular"
    return bool(is_plain and steps <= params["up_steps"])


def _joined(
    schedules: tuple[Schedule, ...], boundaries: tuple[float, ...], total_steps: float
) -> Schedule:
    ends = [*(end for end in boundaries if end < total_steps), total_steps]
    begins = [0, *ends[:-1]]
    parts = [
        within_run(part, end - begin)
        for part, begin, end in zip(schedules, begins, ends, strict=False)
    ]
    if len(parts) == 1:
        return parts[0]
    first, *others = parts
    rest = others[0]
    if len(others) > 1:
        rest = join(others, [end - ends[0] for end in ends[1:-1]])
    rises = first.name == "linear" and first.params["steps"] == ends[0]
    if rises and first.params["end_value"] == rest(0):
        return warmup(rest, ends[0], first.params["init_value"])
    return join(parts, ends[:-1])
