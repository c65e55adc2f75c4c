"""nanotron's `learning_rate_scheduler`; the step `lr_warmup_steps` belongs to the warmup."""

import math

from tests.formulas import Curve


def learning_rate_scheduler(
    train_steps: int,
    *,
    learning_rate: float,
    lr_warmup_steps: int = 0,
    lr_warmup_style: str = "linear",
    lr_decay_style: str = "linear",
    lr_decay_steps: int | None = None,
    lr_decay_starting_step: int | None = None,
    min_decay_lr: float,
) -> Curve:
    up = lr_warmup_steps
    down = train_steps - up if lr_decay_steps is None else lr_decay_steps
    begin = up if lr_decay_starting_step is None else lr_decay_starting_step

    def at(t: int) -> float:
        if t <= up:
            return learning_rate * t / max(up, 1) if lr_warmup_style == "linear" else learning_rate
        if t < begin:
            return learning_rate
        p = min((t - begin) / down, 1.0)
        left = {
            "linear": 1 - p,
            "cosine": (1 + math.cos(math.pi * p)) / 2,
            "1-sqrt": 1 - math.sqrt(p),
        }[lr_decay_style]
        return min_decay_lr + (learning_rate - min_decay_lr) * left

    return at
