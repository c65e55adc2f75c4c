"""The optax schedule that does the same as one of ours, where there is one."""

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import optax

from lrsched import Schedule

Optax = Any  # a function of the count; optax has no types of its own that mypy sees


def twin(schedule: Schedule) -> Optax | None:
    """The same recipe in optax, or None where optax has none with the same conventions."""
    make = _TWINS.get(schedule.name)
    return make(**schedule.params) if make else None


def _polynomial(
    init_value: float, end_value: float, steps: int, power: float, cycle: bool
) -> Optax | None:
    return None if cycle else optax.polynomial_schedule(init_value, end_value, power, steps)


def _exponential(
    init_value: float, decay_rate: float, decay_steps: int, staircase: bool
) -> Optax | None:
    if decay_rate == 0:  # which optax takes for "no decay"
        return None
    return optax.exponential_decay(init_value, decay_steps, decay_rate, staircase=staircase)


def _piecewise(values: tuple[float, ...], boundaries: tuple[int, ...]) -> Optax | None:
    if 0.0 in values:  # it takes factors
        return None
    factors = (after / before for before, after in itertools.pairwise(values))
    return optax.piecewise_constant_schedule(values[0], dict(zip(boundaries, factors, strict=True)))


def _multi_step(init_value: float, decay_rate: float, boundaries: tuple[int, ...]) -> Optax:
    factors = {b: decay_rate**times for b, times in Counter(boundaries).items()}
    return optax.piecewise_constant_schedule(init_value, factors)


def _cosine(init_value: float, decay_steps: int, end_value: float) -> Optax | None:
    if init_value == 0:  # its floor is a ratio
        return None
    return optax.cosine_decay_schedule(init_value, decay_steps, end_value / init_value)


def _k_decay(
    init_value: float, steps: int, k: float, power: float, end_value: float, shape: str
) -> Optax | None:
    if shape != "cosine" or k != 1 or init_value == 0:
        return None
    return optax.cosine_decay_schedule(init_value, steps, end_value / init_value, power)


def _warmup(
    schedule: Schedule, warmup_steps: int, init_value: float, **others: Any
) -> Optax | None:
    after = twin(schedule)
    if after is None or warmup_steps == 0 or others != _LINES_BEFORE:
        return None
    line = optax.linear_schedule(init_value, schedule(0), warmup_steps)
    return optax.join_schedules([line, after], [warmup_steps])


def _join(schedules: tuple[Schedule, ...], boundaries: tuple[int, ...]) -> Optax | None:
    pieces = [twin(schedule) for schedule in schedules]
    if None in pieces:
        return None
    return optax.join_schedules([piece for piece in pieces if piece], boundaries)


# The other parameters of a warmup along a line before the schedule, which is all that optax has.
_LINES_BEFORE = {"shape": "linear", "mode": "before", "power": 1.0, "count_from": 0}

_TWINS: dict[str, Callable[..., Optax | None]] = {
    "constant": optax.constant_schedule,
    "linear": lambda init_value, end_value, steps: optax.linear_schedule(
        init_value, end_value, steps
    ),
    "polynomial": _polynomial,
    "exponential_ramp": lambda init_value, end_value, steps: optax.exponential_decay(
        init_value, steps, end_value / init_value, end_value=end_value
    ),
    "exponential_decay": _exponential,
    "step_decay": lambda init_value, decay_rate, step_size: _exponential(
        init_value, decay_rate, step_size, staircase=True
    ),
    "multi_step_decay": _multi_step,
    "piecewise_constant": _piecewise,
    "cosine_decay": _cosine,
    "k_decay": _k_decay,
    "warmup": _warmup,
    "join": _join,
}
