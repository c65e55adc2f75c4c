"""big_vision's one schedule: a decay, times a warmup, times a cooldown."""

import bisect
import math
from collections.abc import Sequence

from tests.formulas import Curve


def create_learning_rate_schedule(
    total_steps: int,
    base: float = 1.0,
    decay_type: str = "stair",
    warmup_steps: int = 0,
    cooldown_steps: int = 0,
    power: float = 1.0,
    end: float = 0.0,
    timescale: float = 10_000,
    shift: float = 0,
    steps: Sequence[int] = (),
    mults: Sequence[float] = (),
) -> Curve:
    def decay(t: int) -> float:
        p = min(max((t - warmup_steps) / (total_steps - warmup_steps), 0.0), 1.0)
        if decay_type == "cosine":
            return base * (1 + math.cos(math.pi * p)) / 2
        if decay_type == "rsqrt":
            return base / math.sqrt(1 + (max(t, warmup_steps) - warmup_steps + shift) / timescale)
        if decay_type == "stair":
            return base * (1.0, *mults)[bisect.bisect_right(steps, t)]
        return float(end + (base - end) * (1 - p) ** power)

    def at(t: int) -> float:
        up = min(1.0, t / warmup_steps) if warmup_steps else 1.0
        down = min(1.0, (total_steps - t) / cooldown_steps) if cooldown_steps else 1.0
        return decay(t) * up * down

    return at
