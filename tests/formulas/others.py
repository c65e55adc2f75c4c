"""A schedule each of libraries that have few."""

import math
from typing import Any

from tests.formulas import Curve


def _rate(optimizer: Any) -> float:
    return float(optimizer.param_groups[0]["lr"])


def LinearWarmupCosineAnnealingLR(  # noqa: N802
    optimizer: Any,
    warmup_epochs: int,
    max_epochs: int,
    warmup_start_lr: float = 0.0,
    eta_min: float = 0.0,
) -> Curve:
    """lightning-bolts': the warmup ends at `warmup_epochs - 1`, one step before the cosine."""
    lr = _rate(optimizer)

    def at(t: int) -> float:
        if t < warmup_epochs:
            return warmup_start_lr + (lr - warmup_start_lr) * t / (warmup_epochs - 1)
        p = (t - warmup_epochs) / (max_epochs - warmup_epochs)
        return eta_min + (lr - eta_min) * (1 + math.cos(math.pi * p)) / 2

    return at


def create_optimizer(
    loss: Any, init_lr: float, num_train_steps: int, num_warmup_steps: int
) -> Curve:
    """BERT's: the decay has the clock of the run."""

    def at(t: int) -> float:
        if t < num_warmup_steps:
            return init_lr * t / num_warmup_steps
        return init_lr * (1 - min(t, num_train_steps) / num_train_steps)

    return at


def yolox_warm_cos_lr(
    lr: float,
    min_lr_ratio: float,
    total_iters: int,
    warmup_total_iters: int,
    warmup_lr_start: float,
    no_aug_iter: int,
) -> Curve:
    def at(t: int) -> float:
        if t <= warmup_total_iters:
            return float(warmup_lr_start + (lr - warmup_lr_start) * (t / warmup_total_iters) ** 2)
        steps = total_iters - warmup_total_iters - no_aug_iter
        p = min((t - warmup_total_iters) / steps, 1.0)
        low = lr * min_lr_ratio
        return low + (lr - low) * (1 + math.cos(math.pi * p)) / 2

    return at


def InverseLR(  # noqa: N802
    optimizer: Any,
    inv_gamma: float = 1.0,
    power: float = 1.0,
    warmup: float = 0.0,
    min_lr: float = 0.0,
) -> Curve:
    """k-diffusion's; `warmup` is the base of a power that is subtracted from 1."""
    lr = _rate(optimizer)

    def at(t: int) -> float:
        decayed = lr * (1 + t / inv_gamma) ** -power
        return float((1 - warmup ** (t + 1)) * max(min_lr, decayed))

    return at


def ExponentialLR(optimizer: Any, end_lr: float, num_iter: int) -> Curve:  # noqa: N802
    """pytorch-lr-finder's sweep: the last of `num_iter` updates has `end_lr`."""
    lr = _rate(optimizer)
    return lambda t: float(lr * (end_lr / lr) ** (t / (num_iter - 1)))


def LinearLR(optimizer: Any, end_lr: float, num_iter: int) -> Curve:  # noqa: N802
    lr = _rate(optimizer)
    return lambda t: lr + (end_lr - lr) * t / (num_iter - 1)
