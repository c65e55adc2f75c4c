"""Compositions of a warmup, a level phase and a decay, any of which may have no steps."""

from typing import Any

from lrsched._core.durations import Duration
from lrsched._core.schedule import Schedule
from lrsched.schedules.anneal import anneal
from lrsched.schedules.combine import warmup
from lrsched.schedules.decay import cosine_decay
from lrsched.schedules.ramp import constant, linear
from lrsched.schedules.transform import cooldown


def warmed_up(schedule: Schedule, steps: Any, **options: Any) -> Schedule:
    """A schedule after a warmup; the schedule itself where the warmup has no steps."""
    return schedule if steps == 0 else warmup(schedule, steps, **options)


def steps_after(warmup_steps: Any, total_steps: Any) -> Any:
    """The steps of the run after the warmup; at least 1, where both are numbers."""
    after = total_steps - warmup_steps
    return after if isinstance(after, Duration) else max(after, 1)


def held_then_down(
    value: float, held_steps: Any, end_value: float, steps: Any, shape: Any = "linear"
) -> Schedule:
    """A value for some steps, which may be 0, then a decay of it: "linear", "cosine" or another."""
    if held_steps != 0:
        return cooldown(constant(value), held_steps, steps, end_value, shape)
    if shape == "linear":
        return linear(value, end_value, steps)
    if shape == "cosine":
        return cosine_decay(value, steps, end_value)
    return anneal(value, end_value, steps, shape)
