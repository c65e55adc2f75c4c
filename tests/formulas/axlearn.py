"""axlearn's schedules: values at steps, and sequences on local clocks."""

import bisect
import math
from collections.abc import Sequence

from tests.formulas import Curve


def polynomial(
    *,
    begin_step: int = 0,
    begin_value: float = 0.0,
    end_step: int = 1,
    end_value: float = 0.0,
    power: float = 1.0,
) -> Curve:
    """A power of what is done, not of what is left."""

    def at(t: int) -> float:
        p = min(max((t - begin_step) / (end_step - begin_step), 0.0), 1.0)
        return float(begin_value + (end_value - begin_value) * p**power)

    return at


def exponential(
    *, begin_step: int = 0, begin_value: float, end_step: int = 1, end_value: float
) -> Curve:
    def at(t: int) -> float:
        p = min(max((t - begin_step) / (end_step - begin_step), 0.0), 1.0)
        return float(begin_value ** (1 - p) * end_value**p)

    return at


def adafactor(
    scale: float = 1.0,
    *,
    warmup_steps: int = 10_000,
    decay_power: float = -0.5,
    step_offset: int = 0,
) -> Curve:
    def at(t: int) -> float:
        n = t + step_offset
        up = n * warmup_steps ** (decay_power - 1)
        return float(scale * (min(up, n**decay_power) if n else 0.0))

    return at


def stepwise(sub: Sequence[Curve], start_step: Sequence[int]) -> Curve:
    def at(t: int) -> float:
        k = bisect.bisect_right(start_step, t)
        return sub[k](t - (start_step[k - 1] if k else 0))

    return at


def cosine_with_linear_warmup(
    peak_lr: float,
    *,
    max_step: int,
    warmup_steps: int = 500,
    begin_value: float = 0.0,
    alpha: float = 0.0,
    decay_begin_step: int | None = None,
) -> Curve:
    """`max_step` counts the warmup and the hold after it."""
    begin = max(warmup_steps, decay_begin_step or 0)

    def at(t: int) -> float:
        if t < warmup_steps:
            return begin_value + (peak_lr - begin_value) * t / warmup_steps
        p = min(max((t - begin) / (max_step - begin), 0.0), 1.0)
        return peak_lr * (alpha + (1 - alpha) * (1 + math.cos(math.pi * p)) / 2)

    return at


def constant_with_linear_warmup(
    peak_lr: float, *, warmup_steps: int = 500, begin_value: float = 0.0
) -> Curve:
    return lambda t: begin_value + (peak_lr - begin_value) * min(t / warmup_steps, 1.0)


def linear_schedule_with_warmup(
    peak_lr: float,
    *,
    max_step: int,
    warmup_steps: int,
    begin_value: float = 0.0,
    end_value: float = 0.0,
) -> Curve:
    up = constant_with_linear_warmup(peak_lr, warmup_steps=warmup_steps, begin_value=begin_value)
    down = polynomial(
        begin_step=warmup_steps, begin_value=peak_lr, end_step=max_step, end_value=end_value
    )
    return lambda t: up(t) if t < warmup_steps else down(t)
