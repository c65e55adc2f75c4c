"""torchtitan's warmup, stable phase and decay; the warmup counts from 1."""

import math

from tests.formulas import Curve


def lr_scheduler(
    lr: float,
    training_steps: int,
    warmup_steps: int,
    decay_ratio: float | None = None,
    decay_type: str = "linear",
    min_lr_factor: float = 0.0,
) -> Curve:
    """The settings of its section `lr_scheduler`; without a ratio, all after the warmup decays."""
    after = training_steps - warmup_steps
    decay_steps = after if decay_ratio is None else round(training_steps * decay_ratio)
    first = training_steps + 1 - decay_steps  # one more stable step, so that no update has 0

    def at(t: int) -> float:
        if t < warmup_steps:
            return lr * (t + 1) / warmup_steps
        if t < first:
            return lr
        p = (t + 1 - first) / decay_steps
        left = {
            "linear": 1 - p,
            "sqrt": 1 - math.sqrt(p),
            "cosine": (1 + math.cos(math.pi * p)) / 2,
        }[decay_type]
        return lr * (min_lr_factor + (1 - min_lr_factor) * left)

    return at
