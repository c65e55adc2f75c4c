"""NeMo's schedulers by their names; a warmup counts from 1 and has one step more."""

import math
from typing import Any

from tests.formulas import Curve


def prepare_lr_scheduler(
    optimizer: Any,
    *,
    name: str,
    max_steps: int,
    warmup_steps: int = 0,
    min_lr: float = 0.0,
    hold_steps: int = 0,
    constant_steps: int = 0,
    power: float = 1.0,
    decay_rate: float = 0.5,
    d_model: int = 1,
) -> Curve:
    lr, up = float(optimizer.param_groups[0]["lr"]), warmup_steps
    held = up + hold_steps if hold_steps else 0

    def poly(t: int, steps: int, power: float, low: float = 0.0) -> float:
        return float(low + (lr - low) * (1 - min(t, steps) / steps) ** power)

    def decay(t: int) -> float:
        after = max_steps - up
        match name:
            case "WarmupAnnealing":
                return poly(t - up, after, 1.0, min_lr)
            case "PolynomialDecayAnnealing":
                return poly(t - up, after, power, min_lr)
            case "SquareAnnealing":
                return max(poly(t - up, after, 2.0), min_lr)
            case "SquareRootAnnealing":
                return max(poly(t, max_steps, 0.5), min_lr)
            case "CosineAnnealing":
                p = min((t - up) / (after - constant_steps), 1.0)
                return min_lr + (lr - min_lr) * (1 + math.cos(math.pi * p)) / 2
            case "InverseSquareRootAnnealing":
                return lr / math.sqrt((t + 1) / (up + 1))
            case "NoamHoldAnnealing":
                return float(max(lr * up**decay_rate / (t - hold_steps) ** decay_rate, min_lr))
            case "WarmupHoldAnnealLinear":
                return poly(t - held, max_steps - held, 1.0, min_lr)
            case "WarmupHoldAnnealOneMinusSquareRoot":
                return max(lr * (1 - math.sqrt((t - held) / (max_steps - held))), min_lr)
            case "PolynomialHoldDecayAnnealing":
                return poly(t - held, max_steps - max(up, held), power, min_lr)
        return lr

    def noam(t: int) -> float:
        n = max(1, t)
        rate = float(lr * d_model**-0.5 * min(n**-0.5, n * up**-1.5))
        return max(rate, min_lr) if n > up else rate

    def at(t: int) -> float:
        if t <= up and constant_steps:
            return lr * t / up
        if t <= up:
            return lr * (t + 1) / (up + 1)
        return lr if t < held else decay(t)

    return noam if name == "NoamAnnealing" else at
