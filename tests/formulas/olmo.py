"""OLMo-core's schedulers: `get_lr(initial_lr, step, max_steps)`."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

GetLr = Callable[[float, int, int], float]


def _up(lr: float, t: int, steps: int, low: float) -> float:
    return low + (lr - low) * min(t, steps) / steps


def _down(lr: float, left: int, steps: int, low: float) -> float:
    return low + (lr - low) * min(left, steps) / steps


def _length(total: int, steps: int | None, fraction: float | None) -> int:
    """Steps or a fraction of the run, of which there must be exactly one."""
    if (steps is None) == (fraction is None):
        raise ValueError("a length or a fraction, not both")
    return round(total * fraction) if fraction is not None else int(steps or 0)


def ConstantWithWarmup(*, warmup: int, warmup_min_lr: float = 0.0) -> GetLr:  # noqa: N802
    return lambda lr, t, total: _up(lr, t, warmup, warmup_min_lr)


def LinearWithWarmup(  # noqa: N802
    *, warmup: int, alpha_f: float = 0.1, warmup_min_lr: float = 0.0
) -> GetLr:
    def get_lr(lr: float, t: int, total: int) -> float:
        if t < warmup:
            return _up(lr, t, warmup, warmup_min_lr)
        p = min((t - warmup) / (total - warmup), 1.0)
        return lr - (1 - alpha_f) * lr * p

    return get_lr


def CosWithWarmup(  # noqa: N802
    *, warmup: int, alpha_f: float = 0.1, warmup_min_lr: float = 0.0
) -> GetLr:
    def get_lr(lr: float, t: int, total: int) -> float:
        if t < warmup:
            return _up(lr, t, warmup, warmup_min_lr)
        p = min((t - warmup) / (total - warmup), 1.0)
        return alpha_f * lr + (1 - alpha_f) * lr * (1 + math.cos(math.pi * p)) / 2

    return get_lr


def HalfCosWithWarmup(*, warmup: int, alpha_f: float = 0.1) -> GetLr:  # noqa: N802
    """The second half of the cosine, and a warmup to where it begins."""

    def get_lr(lr: float, t: int, total: int) -> float:
        low = alpha_f * lr
        if t < warmup:
            return _up((lr + low) / 2, t, warmup, 0.0)
        p = min((t - warmup) / (total - warmup), 1.0)
        return low + (lr - low) * (1 - math.sin(math.pi / 2 * p)) / 2

    return get_lr


def CosWithWarmupAndLinearDecay(  # noqa: N802
    *,
    warmup: int,
    decay: int | None = None,
    decay_fraction: float | None = 0.1,
    alpha_f: float = 0.1,
    decay_min_lr: float = 0.0,
) -> GetLr:
    """The cosine of the whole run, cut short by a line from where it is."""
    cosine = CosWithWarmup(warmup=warmup, alpha_f=alpha_f)

    def get_lr(lr: float, t: int, total: int) -> float:
        steps = _length(total, decay, decay_fraction)
        begin = total - steps
        if t < begin:
            return cosine(lr, t, total)
        return _down(cosine(lr, begin, total), total - t, steps, decay_min_lr)

    return get_lr


def InvSqrtWithWarmup(  # noqa: N802
    *, warmup: int, alpha_f: float = 0.1, warmup_min_lr: float = 0.0
) -> GetLr:
    def get_lr(lr: float, t: int, total: int) -> float:
        if t < warmup:
            return _up(lr, t, warmup, warmup_min_lr)
        return alpha_f * lr + (1 - alpha_f) * lr * math.sqrt(warmup / t)

    return get_lr


def PowerLR(  # noqa: N802
    *,
    warmup: int,
    b: float = -0.51,
    decay: int | None = None,
    decay_fraction: float | None = 0.1,
    decay_min_lr: float = 0.0,
) -> GetLr:
    def get_lr(lr: float, t: int, total: int) -> float:
        if t <= warmup:
            return _up(lr, t, warmup, 0.0)
        steps = _length(total, decay, decay_fraction)
        power = float(lr * (min(t, total - steps) / warmup) ** b)
        return _down(power, total - t, steps, decay_min_lr) if t >= total - steps else power

    return get_lr


def WSD(  # noqa: N802
    *,
    warmup: int,
    decay: int | None = None,
    decay_fraction: float | None = 0.1,
    warmup_min_lr: float = 0.0,
    decay_min_lr: float = 0.0,
) -> GetLr:
    def get_lr(lr: float, t: int, total: int) -> float:
        if t <= warmup:
            return _up(lr, t, warmup, warmup_min_lr)
        steps = _length(total, decay, decay_fraction)
        return _down(lr, total - t, steps, decay_min_lr) if t >= total - steps else lr

    return get_lr


class ComposableSchedulerStage(NamedTuple):
    """A line from a rate, or from where the stage before has ended, to another."""

    duration: int
    start_lr: float | None = None
    end_lr: float = 0.0


def ComposableScheduler(*, stages: Sequence[ComposableSchedulerStage]) -> GetLr:  # noqa: N802
    def get_lr(lr: float, t: int, total: int) -> float:
        for duration, start, end in stages:
            begin = lr if start is None else start
            if t < duration:
                return begin + (end - begin) * t / duration
            t, lr = t - duration, end
        return lr

    return get_lr


def SequentialScheduler(  # noqa: N802
    *, schedulers: Sequence[GetLr], schedulers_max: Sequence[int]
) -> GetLr:
    """Each begins from the rate that the one before has at its own end."""

    def get_lr(lr: float, t: int, total: int) -> float:
        for scheduler, steps in zip(schedulers, schedulers_max, strict=False):
            if t <= steps:
                return scheduler(lr, t, steps)
            lr, t, total = scheduler(lr, steps, steps), t - steps, total - steps
        return schedulers[-1](lr, t, total)

    return get_lr
