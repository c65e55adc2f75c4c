"""A schedule each of libraries that have few."""

import math
from typing import Any

from tests.formulas import Curve


def LinearWarmupCosineAnnealingLR(  # noqa: N802
    optimizer: Any,
    warmup_epochs: int,
    max_epochs: int,
    warmup_start_lr: float = 0.0,
    eta_min: float = 0.0,
) -> Curve:
    """lightning-bolts': the warmup ends at `warmup_epochs - 1`, and so does the cosine begin."""
    lr = float(optimizer.param_groups[0]["lr"])

    def at(t: int) -> float:
        if t < warmup_epochs:
            return warmup_start_lr + (lr - warmup_start_lr) * t / (warmup_epochs - 1)
        p = (t - warmup_epochs) / (max_epochs - warmup_epochs)
        return eta_min + (lr - eta_min) * (1 + math.cos(math.pi * p)) / 2

    return at


def ExponentialLR(optimizer: Any, end_lr: float, num_iter: int) -> Curve:  # noqa: N802
    """pytorch-lr-finder's sweep: the last of `num_iter` updates has `end_lr`."""
    lr = float(optimizer.param_groups[0]["lr"])
    return lambda t: float(lr * (end_lr / lr) ** (t / (num_iter - 1)))


def LinearLR(optimizer: Any, end_lr: float, num_iter: int) -> Curve:  # noqa: N802
    lr = float(optimizer.param_groups[0]["lr"])
    return lambda t: lr + (end_lr - lr) * t / (num_iter - 1)


def CosineRestartLR(  # noqa: N802
    optimizer: Any, periods: list[int], restart_weights: list[float], eta_min: float = 0.0
) -> Curve:
    """mmengine's."""
    lr = float(optimizer.param_groups[0]["lr"])

    def at(t: int) -> float:
        for period, weight in zip(periods, restart_weights, strict=True):
            if t < period:
                top = lr * weight
                return eta_min + (top - eta_min) * (1 + math.cos(math.pi * t / period)) / 2
            t -= period
        return eta_min

    return at
