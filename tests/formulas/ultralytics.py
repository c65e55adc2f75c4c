"""Ultralytics' trainer: a factor for each epoch, and a warmup of batches over it."""

import math

from tests.formulas import Curve


def trainer(
    batches: int,
    *,
    lr0: float,
    lrf: float,
    epochs: int,
    cos_lr: bool = False,
    warmup_epochs: float = 3.0,
    warmup_bias_lr: float = 0.1,
    warmup_momentum: float = 0.8,
    momentum: float = 0.937,
    part: str = "lr",
) -> Curve:
    """The rate of the weights, of the biases ("bias_lr") or the momentum, at a batch."""
    up = round(min(warmup_epochs, epochs - 1) * batches)

    def decay(t: int) -> float:
        p = (t // batches) / epochs
        if cos_lr:
            return lr0 * (1 + (lrf - 1) * (1 - math.cos(math.pi * p)) / 2)
        return lr0 * ((1 - lrf) * max(1 - p, 0) + lrf)

    def at(t: int) -> float:
        begin = {"lr": 0.0, "bias_lr": warmup_bias_lr, "momentum": warmup_momentum}[part]
        end = momentum if part == "momentum" else decay(t)
        return begin + (end - begin) * t / up if t < up else end

    return at
