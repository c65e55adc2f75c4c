"""Composer's schedulers: factors of the optimizer's rate, by the batch and the batches in all.

Times are strings here: "150ba" are batches, "0.5dur" a part of the run.
"""

import math
from collections.abc import Callable

Factor = Callable[[int, int], float]  # of the batch and of the number of batches


def _batches(time: str, total: int) -> int:
    if time.endswith("dur"):
        return int(float(time.removesuffix("dur")) * total)
    return int(time.removesuffix("ba"))


def _part(t: int, time: str, total: int, since: int = 0) -> float:
    return min(1.0, (t - since) / (_batches(time, total) - since))


def _cosine(p: float, low: float) -> float:
    return low + (1 - low) * (1 + math.cos(math.pi * p)) / 2


def _warmed(t_warmup: str, top: float, after: Factor) -> Factor:
    def at(t: int, total: int) -> float:
        up = _batches(t_warmup, total)
        return top * t / up if t < up else after(t, total)

    return at


def ConstantScheduler(alpha: float = 1.0, t_max: str = "1dur") -> Factor:  # noqa: N802
    return lambda t, total: alpha if t < _batches(t_max, total) else 1.0


def StepScheduler(step_size: str, gamma: float = 0.1) -> Factor:  # noqa: N802
    return lambda t, total: float(gamma ** (t // _batches(step_size, total)))


def MultiStepScheduler(milestones: list[str], gamma: float = 0.1) -> Factor:  # noqa: N802
    return lambda t, total: float(gamma ** sum(t >= _batches(m, total) for m in milestones))


def ExponentialScheduler(gamma: float, decay_period: str) -> Factor:  # noqa: N802
    return lambda t, total: float(gamma ** (t / _batches(decay_period, total)))


def LinearScheduler(  # noqa: N802
    alpha_i: float = 1.0, alpha_f: float = 0.0, t_max: str = "1dur"
) -> Factor:
    return lambda t, total: alpha_i + (alpha_f - alpha_i) * _part(t, t_max, total)


def CosineAnnealingScheduler(t_max: str = "1dur", alpha_f: float = 0.0) -> Factor:  # noqa: N802
    return lambda t, total: _cosine(_part(t, t_max, total), alpha_f)


def PolynomialScheduler(  # noqa: N802
    power: float, t_max: str = "1dur", alpha_f: float = 0.0
) -> Factor:
    return lambda t, total: float(alpha_f + (1 - alpha_f) * (1 - _part(t, t_max, total)) ** power)


def CosineAnnealingWarmRestartsScheduler(  # noqa: N802
    t_0: str, t_mult: float = 1.0, alpha_f: float = 0.0
) -> Factor:
    """Each cycle's length is cut to whole batches."""

    def at(t: int, total: int) -> float:
        length = _batches(t_0, total)
        while t >= length:
            t, length = t - length, int(t_mult * length)
        return _cosine(t / length, alpha_f)

    return at


def MultiStepWithWarmupScheduler(  # noqa: N802
    t_warmup: str, milestones: list[str], gamma: float = 0.1
) -> Factor:
    """The milestones count the warmup."""
    return _warmed(t_warmup, 1.0, MultiStepScheduler(milestones, gamma))


def LinearWithWarmupScheduler(  # noqa: N802
    t_warmup: str, alpha_i: float = 1.0, alpha_f: float = 0.0, t_max: str = "1dur"
) -> Factor:
    """`t_max` counts the warmup."""

    def after(t: int, total: int) -> float:
        part = _part(t, t_max, total, since=_batches(t_warmup, total))
        return alpha_i + (alpha_f - alpha_i) * part

    return _warmed(t_warmup, alpha_i, after)


def CosineAnnealingWithWarmupScheduler(  # noqa: N802
    t_warmup: str, t_max: str = "1dur", alpha_f: float = 0.0
) -> Factor:
    """`t_max` counts the warmup."""

    def after(t: int, total: int) -> float:
        return _cosine(_part(t, t_max, total, since=_batches(t_warmup, total)), alpha_f)

    return _warmed(t_warmup, 1.0, after)
