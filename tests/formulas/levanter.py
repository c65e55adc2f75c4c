"""levanter's and marin's optimizer config: cycles of a warmup, a hold and a decay."""

import math
from dataclasses import dataclass

from tests.formulas import Curve


@dataclass(frozen=True)
class InvSqrtLrSchedule:
    timescale: float = 10_000


@dataclass(frozen=True)
class PowerLrSchedule:
    batch_size: int
    seq_length: int
    a: float = 4.6
    b: float = -0.51


@dataclass(frozen=True)
class AdamConfig:
    """Durations are in steps here; there they may be fractions of a cycle as well."""

    learning_rate: float
    min_lr_ratio: float = 0.1
    lr_schedule: str | InvSqrtLrSchedule | PowerLrSchedule = "cosine"
    warmup: int = 0
    rewarmup: int = 0  # of the cycles after the first
    decay: int | None = None  # all that is left of a cycle
    cycles: int = 1

    def lr_scheduler(self, num_train_steps: int) -> Curve:
        """A warmup begins where the cycle before has ended, the first one at 0."""
        steps = num_train_steps // self.cycles

        def at(t: int) -> float:
            cycle, t = divmod(t, steps)
            up = self.rewarmup if cycle else self.warmup
            down = steps - up if self.decay is None else self.decay
            if t < up:
                start = self._decayed(down, down, up) if cycle else 0.0
                return start + (self.learning_rate - start) * t / up
            return self._decayed(max(t - (steps - down), 0), down, up)

        return at

    def _decayed(self, t: int, steps: int, warmup: int) -> float:
        top = self.learning_rate
        low = top * self.min_lr_ratio
        if isinstance(self.lr_schedule, InvSqrtLrSchedule):
            tau = self.lr_schedule.timescale
            return max(top * math.sqrt(tau / max(t + warmup, tau)), low)
        if isinstance(self.lr_schedule, PowerLrSchedule):
            power = self.lr_schedule
            seen = t * power.batch_size * power.seq_length
            return min(top, power.batch_size * power.a * seen**power.b) if t else top
        p = min(t / steps, 1.0)
        if self.lr_schedule == "inv":  # which has no value of its own at 0
            return top / ((top / low - 1) * max(t, 1) / steps + 1)
        if self.lr_schedule == "cosine":
            return low + (top - low) * (1 + math.cos(math.pi * p)) / 2
        return top + (low - top) * p
