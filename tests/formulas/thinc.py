"""thinc's schedules; `slanted_triangular` and `cyclic_triangular` begin at their step 1."""

from collections.abc import Callable

from tests.formulas import Curve


def constant(rate: float) -> Curve:
    return lambda t: rate


def constant_then(rate: float, steps: int, schedule: Curve) -> Curve:
    """The second schedule has the clock of the run."""
    return lambda t: rate if t < steps else schedule(t)


def decaying(base_rate: float, decay: float) -> Curve:
    return lambda t: base_rate / (1 + decay * t)


def compounding(start: float, stop: float, compound: float) -> Curve:
    clip: Callable[[float, float], float] = max if start > stop else min
    return lambda t: clip(start * compound**t, stop)


def warmup_linear(initial_rate: float, warmup_steps: int, total_steps: int) -> Curve:
    def at(t: int) -> float:
        if t < warmup_steps:
            return initial_rate * t / warmup_steps
        return initial_rate * max(0.0, (total_steps - t) / (total_steps - warmup_steps))

    return at


def slanted_triangular(
    max_rate: float, num_steps: int, *, cut_frac: float = 0.1, ratio: int = 32
) -> Curve:
    cut = int(num_steps * cut_frac)

    def at(t: int) -> float:
        n = t + 1
        p = n / cut if n < cut else 1 - (n - cut) / (cut * (1 / cut_frac - 1))
        return max_rate * (1 + p * (ratio - 1)) / ratio

    return at


def cyclic_triangular(min_lr: float, max_lr: float, period: int) -> Curve:
    """`period` is half of a cycle."""

    def at(t: int) -> float:
        away = abs((t + 1) % (2 * period) - period) / period
        return min_lr + (max_lr - min_lr) * (1 - away)

    return at
