"""ESPnet 2's schedulers of updates, most of which count from 1."""

import bisect
import math
from collections.abc import Sequence
from typing import Any

from tests.formulas import Curve


def _rate(optimizer: Any) -> float:
    return float(optimizer.param_groups[0]["lr"])


def WarmupLR(optimizer: Any, warmup_steps: float = 25000) -> Curve:  # noqa: N802
    lr, up = _rate(optimizer), warmup_steps
    return lambda t: float(lr * up**0.5 * min((t + 1) ** -0.5, (t + 1) * up**-1.5))


def NoamLR(optimizer: Any, model_size: float = 320, warmup_steps: float = 25000) -> Curve:  # noqa: N802
    lr, up = _rate(optimizer), warmup_steps
    return lambda t: float(lr * model_size**-0.5 * min((t + 1) ** -0.5, (t + 1) * up**-1.5))


def WarmupStepLR(  # noqa: N802
    optimizer: Any,
    warmup_steps: int = 25000,
    steps_per_epoch: int = 10000,
    step_size: int = 1,
    gamma: float = 0.1,
) -> Curve:
    """The steps count epochs from the one in which the warmup ends."""
    lr = _rate(optimizer)

    def at(t: int) -> float:
        n = t + 1
        if n <= warmup_steps:
            return lr * n / warmup_steps
        epochs = n // steps_per_epoch - warmup_steps // steps_per_epoch
        return float(lr * gamma ** (epochs // step_size))

    return at


def PiecewiseLinearWarmupLR(  # noqa: N802
    optimizer: Any, warmup_steps_list: Sequence[float], warmup_lr_list: Sequence[float]
) -> Curve:
    lr = _rate(optimizer)

    def at(t: int) -> float:
        n = t + 1
        if n > warmup_steps_list[-1]:
            return lr * math.sqrt(warmup_steps_list[-1] / n)
        k = min(bisect.bisect_right(warmup_steps_list, n), len(warmup_steps_list) - 1)
        (begin, end), (low, high) = warmup_steps_list[k - 1 : k + 1], warmup_lr_list[k - 1 : k + 1]
        return low + (high - low) * (n - begin) / (end - begin)

    return at


def TristageLR(  # noqa: N802
    optimizer: Any,
    max_steps: int,
    warmup_ratio: float = 0.1,
    hold_ratio: float = 0.4,
    init_lr_scale: float = 0.01,
    final_lr_scale: float = 0.01,
) -> Curve:
    lr, up, hold = _rate(optimizer), int(max_steps * warmup_ratio), int(max_steps * hold_ratio)

    def at(t: int) -> float:
        n = min(t + 1, max_steps)
        if n < up:
            return lr * (init_lr_scale + (1 - init_lr_scale) * n / up)
        p = max(n - up - hold, 0) / (max_steps - up - hold)
        return lr * math.exp(math.log(final_lr_scale) * p)

    return at


def ExponentialDecayWarmup(  # noqa: N802
    optimizer: Any,
    max_lr: float,
    min_lr: float,
    total_steps: int,
    warmup_steps: int = 0,
    warm_from_zero: bool = False,
) -> Curve:
    """Whatever its warmup, update 0 has the first value."""

    def at(t: int) -> float:
        if t == 0:
            return 0.0 if warm_from_zero else max_lr
        if t < warmup_steps:
            return max_lr * (t + 1) / warmup_steps if warm_from_zero else _rate(optimizer)
        return float(
            max_lr * (min_lr / max_lr) ** ((t - warmup_steps) / (total_steps - warmup_steps))
        )

    return at


def CosineAnnealingWarmupRestarts(  # noqa: N802
    optimizer: Any,
    first_cycle_steps: int,
    cycle_mult: float = 1.0,
    max_lr: float = 0.1,
    min_lr: float = 0.001,
    warmup_steps: int = 0,
    gamma: float = 1.0,
) -> Curve:
    """A cycle's length without its warmup grows, and is cut to whole steps."""

    def at(t: int) -> float:
        length, top = first_cycle_steps, max_lr
        while t >= length:
            t, top = t - length, top * gamma
            length = int((length - warmup_steps) * cycle_mult) + warmup_steps
        if t < warmup_steps:
            return min_lr + (top - min_lr) * t / warmup_steps
        p = (t - warmup_steps) / (length - warmup_steps)
        return min_lr + (top - min_lr) * (1 + math.cos(math.pi * p)) / 2

    return at
