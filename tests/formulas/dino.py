"""DINO's and DINOv2's schedules, whose warmups are those of NumPy's `linspace`."""

import math

from tests.formulas import Curve


def cosine_scheduler(
    base_value: float,
    final_value: float,
    epochs: int,
    niter_per_ep: int,
    warmup_epochs: int = 0,
    start_warmup_value: float = 0.0,
) -> Curve:
    total, up = epochs * niter_per_ep, warmup_epochs * niter_per_ep
    return CosineScheduler(base_value, final_value, total, up, start_warmup_value)


def CosineScheduler(  # noqa: N802
    base_value: float,
    final_value: float,
    total_iters: int,
    warmup_iters: int = 0,
    start_warmup_value: float = 0.0,
    freeze_iters: int = 0,
) -> Curve:
    """The last step of the warmup has the base value, and so has the first of the cosine."""
    start = start_warmup_value

    def at(t: int) -> float:
        if t < freeze_iters:
            return 0.0
        t -= freeze_iters
        if t < warmup_iters:
            return start + (base_value - start) * t / (warmup_iters - 1)
        p = (t - warmup_iters) / (total_iters - freeze_iters - warmup_iters)
        return final_value + (base_value - final_value) * (1 + math.cos(math.pi * p)) / 2

    return at
