"""open_clip's schedules, whose warmups count from 1."""

import math
from collections.abc import Callable
from typing import Any

from tests.formulas import Curve


def _warmed(lr: float, steps: int, after: Callable[[int], float]) -> Curve:
    return lambda t: lr * (t + 1) / steps if t < steps else after(t)


def const_lr(optimizer: Any, base_lr: float, warmup_length: int, steps: int) -> Curve:
    return _warmed(base_lr, warmup_length, lambda t: base_lr)


def const_lr_cooldown(
    optimizer: Any,
    base_lr: float,
    warmup_length: int,
    steps: int,
    cooldown_steps: int,
    cooldown_power: float = 1.0,
    cooldown_end_lr: float = 0.0,
) -> Curve:
    def after(t: int) -> float:
        left = min((steps - t) / cooldown_steps, 1.0)
        return float(cooldown_end_lr + (base_lr - cooldown_end_lr) * left**cooldown_power)

    return _warmed(base_lr, warmup_length, after)


def cosine_lr(optimizer: Any, base_lr: float, warmup_length: int, steps: int) -> Curve:
    def after(t: int) -> float:
        p = (t - warmup_length) / (steps - warmup_length)
        return base_lr * (1 + math.cos(math.pi * p)) / 2

    return _warmed(base_lr, warmup_length, after)
