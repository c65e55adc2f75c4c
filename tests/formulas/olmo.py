"""OLMo-core's schedulers: `get_lr(initial_lr, step, max_steps)`."""

import math
from collections.abc import Callable

GetLr = Callable[[float, int, int], float]


def _up(lr: float, t: int, steps: int, low: float) -> float:
    return low + (lr - low) * t / steps


def ConstantWithWarmup(warmup_steps: int, warmup_min_lr: float = 0.0) -> GetLr:  # noqa: N802
    return lambda lr, t, total: _up(lr, min(t, warmup_steps), warmup_steps, warmup_min_lr)


def LinearWithWarmup(  # noqa: N802
    warmup_steps: int, alpha_f: float = 0.1, warmup_min_lr: float = 0.0
) -> GetLr:
    def get_lr(lr: float, t: int, total: int) -> float:
        if t < warmup_steps:
            return _up(lr, t, warmup_steps, warmup_min_lr)
        p = min((t - warmup_steps) / (total - warmup_steps), 1.0)
        return lr - (1 - alpha_f) * lr * p

    return get_lr


def CosWithWarmup(  # noqa: N802
    warmup_steps: int, alpha_f: float = 0.1, warmup_min_lr: float = 0.0
) -> GetLr:
    def get_lr(lr: float, t: int, total: int) -> float:
        if t < warmup_steps:
            return _up(lr, t, warmup_steps, warmup_min_lr)
        p = min((t - warmup_steps) / (total - warmup_steps), 1.0)
        return alpha_f * lr + (1 - alpha_f) * lr * (1 + math.cos(math.pi * p)) / 2

    return get_lr


def CosWithWarmupAndLinearDecay(  # noqa: N802
    warmup_steps: int, decay_steps: int, alpha_f: float = 0.1, decay_min_lr: float = 0.0
) -> GetLr:
    """The cosine of the whole run, cut short by a line from where it is."""
    cosine = CosWithWarmup(warmup_steps, alpha_f)

    def get_lr(lr: float, t: int, total: int) -> float:
        begin = total - decay_steps
        if t < begin:
            return cosine(lr, t, total)
        left = max(total - t, 0) / decay_steps
        return decay_min_lr + (cosine(lr, begin, total) - decay_min_lr) * left

    return get_lr


def InvSqrtWithWarmup(  # noqa: N802
    warmup_steps: int, alpha_f: float = 0.1, warmup_min_lr: float = 0.0
) -> GetLr:
    def get_lr(lr: float, t: int, total: int) -> float:
        if t < warmup_steps:
            return _up(lr, t, warmup_steps, warmup_min_lr)
        return alpha_f * lr + (1 - alpha_f) * lr * math.sqrt(warmup_steps / t)

    return get_lr


def WSD(  # noqa: N802
    warmup_steps: int, decay_steps: int, warmup_min_lr: float = 0.0, decay_min_lr: float = 0.0
) -> GetLr:
    def get_lr(lr: float, t: int, total: int) -> float:
        if t <= warmup_steps:
            return _up(lr, t, warmup_steps, warmup_min_lr)
        left = min(max(total - t, 0) / decay_steps, 1.0)
        return decay_min_lr + (lr - decay_min_lr) * left

    return get_lr


def SequentialScheduler(  # noqa: N802
    schedulers: list[GetLr], schedulers_max_steps: list[int]
) -> GetLr:
    """Each begins from the rate that the one before has at its own end."""

    def get_lr(lr: float, t: int, total: int) -> float:
        for scheduler, steps in zip(schedulers, schedulers_max_steps, strict=False):
            if t <= steps:
                return scheduler(lr, t, steps)
            lr, t, total = scheduler(lr, steps, steps), t - steps, total - steps
        return schedulers[-1](lr, t, total)

    return get_lr
