"""levanter's and marin's optimizer config: cycles of a warmup, a hold and a decay."""

import math
from dataclasses import dataclass

from tests.formulas import Curve


@dataclass(frozen=True)
class CosineLrSchedule:
    exponent: float = 1.0


@dataclass(frozen=True)
class PolynomialLrSchedule:
    power: float = 2.0


@dataclass(frozen=True)
class InvSqrtLrSchedule:
    timescale: float = 10_000


@dataclass(frozen=True)
class InvSqrtDecayLrSchedule:
    decay_constant: float = 28.6


@dataclass(frozen=True)
class PowerLrSchedule:
    batch_size: int
    seq_length: int
    a: float = 4.6
    b: float = -0.51


Kind = (
    CosineLrSchedule
    | PolynomialLrSchedule
    | InvSqrtLrSchedule
    | InvSqrtDecayLrSchedule
    | PowerLrSchedule
)


@dataclass(frozen=True)
class AdamConfig:
    """A duration is a number of steps above 1, or a fraction of a cycle."""

    learning_rate: float
    min_lr_ratio: float = 0.1
    lr_schedule: str | Kind = "cosine"
    warmup: float = 0.01
    rewarmup: float = 0.0  # of the cycles after the first
    decay: float | None = None  # all that is left of a cycle
    cycles: int = 1

    def lr_scheduler(self, num_train_steps: int) -> Curve:
        """A warmup begins where the cycle before has ended, the first one at 0."""
        steps = num_train_steps // self.cycles

        def length(duration: float) -> int:
            return int(duration * steps) if duration <= 1 else int(duration)

        def at(t: int) -> float:
            cycle, t = divmod(t, steps)
            up = length(self.rewarmup if cycle else self.warmup)
            down = steps - up if self.decay is None else length(self.decay)
            if t < up:
                start = self._decayed(down, down, up) if cycle else 0.0
                return start + (self.learning_rate - start) * t / up
            return self._decayed(max(t - (steps - down), 0), down, up)

        return at

    def _decayed(self, t: int, steps: int, warmup: int) -> float:
        top, kind = self.learning_rate, self.lr_schedule
        low, p = top * self.min_lr_ratio, min(t / steps, 1.0)
        half = (1 + math.cos(math.pi * p)) / 2
        if isinstance(kind, CosineLrSchedule):
            return float(low + (top - low) * half**kind.exponent)
        if isinstance(kind, PolynomialLrSchedule):
            return float(low + (top - low) * (1 - p) ** kind.power)
        if isinstance(kind, InvSqrtLrSchedule):
            return max(top * min(1.0, math.sqrt(kind.timescale / max(t + warmup, 1))), low)
        if isinstance(kind, InvSqrtDecayLrSchedule):
            return max(top / math.sqrt(1 + kind.decay_constant * t / steps), low)
        if isinstance(kind, PowerLrSchedule):
            seen = t * kind.batch_size * kind.seq_length
            return float(min(top, kind.batch_size * kind.a * seen**kind.b)) if t else top
        if kind == "inv":  # which has no value of its own at 0
            return max(top / ((top / low - 1) * max(t, 1) / steps + 1), low)
        if kind == "cosine":
            return low + (top - low) * half
        return top + (low - top) * p
