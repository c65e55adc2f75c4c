"""Megatron-LM's `OptimizerParamScheduler`; `lr_decay_steps` counts the warmup."""

import math
from collections.abc import Callable

from tests.formulas import Curve

_SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda p: 1 - p,
    "cosine": lambda p: (1 + math.cos(math.pi * p)) / 2,
    "exponential": lambda p: 2 * 0.5**p - 1,
    "minus_sqrt": lambda p: 1 - math.sqrt(p),
}


def OptimizerParamScheduler(  # noqa: N802
    max_lr: float,
    min_lr: float = 0.0,
    init_lr: float = 0.0,
    lr_warmup_steps: int = 0,
    lr_decay_steps: int = 1,
    lr_decay_style: str = "linear",
    wsd_decay_steps: int = 1,
    lr_wsd_decay_style: str = "exponential",
) -> Curve:
    """At the last step of a phase, that phase still holds; after `lr_decay_steps`, `min_lr`."""

    def at(t: int) -> float:
        if lr_warmup_steps and t <= lr_warmup_steps:
            return init_lr + (max_lr - init_lr) * t / lr_warmup_steps
        if lr_decay_style == "constant":
            return max_lr
        if t > lr_decay_steps:
            return min_lr
        if lr_decay_style == "inverse-square-root":
            return max(min_lr, max_lr * math.sqrt(max(lr_warmup_steps, 1) / max(t, 1)))
        if lr_decay_style == "WSD":
            begin = lr_decay_steps - wsd_decay_steps
            p, shape = max(t - begin, 0) / wsd_decay_steps, lr_wsd_decay_style
        else:
            p = (t - lr_warmup_steps) / (lr_decay_steps - lr_warmup_steps)
            shape = lr_decay_style
        return min_lr + (max_lr - min_lr) * _SHAPES[shape](p)

    return at
