"""MLX's schedules."""

import math
from collections.abc import Sequence

from tests.formulas import Curve


def exponential_decay(init: float, decay_rate: float) -> Curve:
    return lambda t: float(init * decay_rate**t)


def step_decay(init: float, decay_rate: float, step_size: int) -> Curve:
    return lambda t: float(init * decay_rate ** (t // step_size))


def cosine_decay(init: float, decay_steps: int, end: float = 0.0) -> Curve:
    def at(t: int) -> float:
        p = min(t, decay_steps) / decay_steps
        return end + (init - end) * (1 + math.cos(math.pi * p)) / 2

    return at


def linear_schedule(init: float, end: float, steps: int) -> Curve:
    return lambda t: init + (end - init) * min(t, steps) / steps


def join_schedules(schedules: Sequence[Curve], boundaries: Sequence[int]) -> Curve:
    def at(t: int) -> float:
        k = sum(boundary <= t for boundary in boundaries)
        return schedules[k](t - (boundaries[k - 1] if k else 0))

    return at
