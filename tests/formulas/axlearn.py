"""axlearn's schedules: values at steps, and sequences on local clocks.

The count is the `step` of the function, which is 1 for the first update.
"""

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


def segment_wise(segments: Sequence[Curve], segment_steps: Sequence[int]) -> Curve:
    """Each segment counts from 1 to its number of steps; before the first, the rate is 0."""

    def at(t: int) -> float:
        if t <= 0:
            return 0.0
        for segment, steps in zip(segments, segment_steps, strict=False):
            if t <= steps:
                return segment(t)
            t -= steps
        return segments[-1](t)

    return at


def _line(begin: float, end: float, steps: int) -> Curve:
    return polynomial(begin_value=begin, end_step=steps, end_value=end)


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

    def cosine(t: int) -> float:
        p = min(t / (max_step - begin), 1.0)
        return peak_lr * (alpha + (1 - alpha) * (1 + math.cos(math.pi * p)) / 2)

    warmup, level = _line(begin_value, peak_lr, warmup_steps), _line(peak_lr, peak_lr, 1)
    return segment_wise([warmup, level, cosine], [warmup_steps, begin - warmup_steps])


def warmup_stable_decay(
    peak_lr: float,
    *,
    max_step: int,
    decay_begin_step: int,
    warmup_steps: int = 500,
    begin_value: float = 0.0,
    alpha: float = 0.0,
) -> Curve:
    segments = [
        _line(begin_value, peak_lr, warmup_steps),
        _line(peak_lr, peak_lr, 1),
        _line(peak_lr, peak_lr * alpha, max_step - decay_begin_step),
    ]
    return segment_wise(segments, [warmup_steps, decay_begin_step - warmup_steps])


def constant_with_linear_warmup(
    peak_lr: float, *, warmup_steps: int = 500, begin_value: float = 0.0
) -> Curve:
    warmup = _line(begin_value, peak_lr, warmup_steps)
    return segment_wise([warmup, _line(peak_lr, peak_lr, 1)], [warmup_steps])


def linear_schedule_with_warmup(
    peak_lr: float,
    *,
    max_step: int,
    warmup_steps: int,
    begin_value: float = 0.0,
    end_value: float = 0.0,
) -> Curve:
    warmup = _line(begin_value, peak_lr, warmup_steps)
    decay = _line(peak_lr, end_value, max_step - warmup_steps)
    return segment_wise([warmup, decay], [warmup_steps])
