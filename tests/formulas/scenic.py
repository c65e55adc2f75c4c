"""Factors joined by "*": scenic's compound schedule and T5X's scheduler."""

import bisect
import itertools
import math
from typing import Any

from tests.formulas import Curve


def compound_lr_scheduler(config: dict[str, Any]) -> Curve:
    """scenic's, whose cosine begins after the warmup and whose rsqrt has a timescale."""
    up, total = config.get("warmup_steps", 0), config.get("total_steps", 1)

    def factor(name: str, t: int) -> float:
        if name == "constant":
            return float(config["base_learning_rate"])
        if name == "linear_warmup":
            alpha = config.get("warmup_alpha", 0.0)
            return float(min(1.0, alpha + (1 - alpha) * t / up))
        if name == "rsqrt_decay":
            timescale = config.get("timescale", 10_000)
            return math.sqrt(timescale / (timescale + max(t - up, 0)))
        if name == "decay_every":
            return float(config["decay_factor"] ** (t // config["steps_per_decay"]))
        if name == "cosine_decay":
            # A warmup is taken off the cycles in equal parts; they restart for ever.
            cycle = config["steps_per_cycle"]
            cycle -= int(up / (config.get("total_steps", cycle) / cycle))
            p = max(0.0, t - up) / cycle % 1.0
            alpha = config.get("alpha", 0.0)
            return float(alpha + (1 - alpha) * (1 + math.cos(math.pi * p)) / 2)
        if name == "polynomial":
            left = max(0.0, 1 - t / config["decay_steps"])
            end = config["end_factor"]
            return float(end + (1 - end) * left ** config["power"])
        if name == "piecewise_constant":
            # The next factor begins one step after its event.
            reached = bisect.bisect_left(config["decay_events"], t)
            return float((1.0, *config["decay_factors"])[reached])
        if name == "piecewise_linear":
            points = [(0, 1.0), *zip(config["decay_events"], config["decay_factors"], strict=True)]
            for (begin, first), (end, second) in itertools.pairwise(points):
                if t <= end:
                    return float(first + (second - first) * (t - begin) / (end - begin))
            return float(points[-1][1])
        if name == "linear_cooldown":
            return float(min(1.0, (total - max(t, up)) / config["cooldown_steps"]))
        raise ValueError(name)

    names = [name.strip() for name in config["factors"].split("*")]
    return lambda t: math.prod(factor(name, t) for name in names)


def create_learning_rate_scheduler(
    factors: str = "constant * linear_warmup * rsqrt_decay",
    base_learning_rate: float = 0.5,
    warmup_steps: int = 1000,
    decay_factor: float = 0.5,
    steps_per_decay: int = 20000,
    steps_per_cycle: int = 100000,
    min_learning_rate: float = 1e-8,
) -> Curve:
    """T5X's."""

    def factor(name: str, t: int) -> float:
        late = max(t, warmup_steps)
        known = {
            "constant": base_learning_rate,
            "linear_warmup": min(1.0, t / warmup_steps),
            "rsqrt_decay": late**-0.5,
            "rsqrt_normalized_decay": (warmup_steps / late) ** 0.5,
            "decay_every": decay_factor ** (t // steps_per_decay),
            "cosine_decay": (
                1 + math.cos(math.pi * ((late - warmup_steps) / steps_per_cycle % 1.0))
            )
            / 2,
        }
        return float(known[name])

    names = [name.strip() for name in factors.split("*")]
    return lambda t: max(math.prod(factor(name, t) for name in names), min_learning_rate)
