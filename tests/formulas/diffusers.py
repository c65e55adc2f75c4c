"""diffusers' schedules, which are those of transformers but for two."""

import math
from collections.abc import Callable
from typing import Any

from tests.formulas import Curve


def _warmed(optimizer: Any, steps: int, after: Callable[[int], float], top: float = 1.0) -> Curve:
    """A factor from 0, and then a function of the steps after the warmup."""
    lr = float(optimizer.param_groups[0]["lr"])
    return lambda t: lr * (top * t / steps if t < steps else after(t - steps))


def get_constant_schedule(optimizer: Any) -> Curve:
    return _warmed(optimizer, 0, lambda t: 1.0)


def get_constant_schedule_with_warmup(optimizer: Any, num_warmup_steps: int) -> Curve:
    return _warmed(optimizer, num_warmup_steps, lambda t: 1.0)


def get_piecewise_constant_schedule(optimizer: Any, step_rules: str) -> Curve:
    """Factors until the step that stands beside them, counted from the start of the run."""
    *rules, last = step_rules.split(",")
    factors = [float(rule.split(":")[0]) for rule in rules] + [float(last)]
    ends = [int(rule.split(":")[1]) for rule in rules]
    return _warmed(optimizer, 0, lambda t: factors[sum(t >= end for end in ends)])


def get_linear_schedule_with_warmup(
    optimizer: Any,
    num_warmup_steps: int,
    num_training_steps: int,
    f_min: float = 0.0,
    f_max: float = 1.0,
) -> Curve:
    steps = num_training_steps - num_warmup_steps

    def after(t: int) -> float:
        return f_min + (f_max - f_min) * max(0.0, 1 - t / steps)

    return _warmed(optimizer, num_warmup_steps, after, f_max)


def get_cosine_schedule_with_warmup(
    optimizer: Any, num_warmup_steps: int, num_training_steps: int, num_cycles: float = 0.5
) -> Curve:
    steps = num_training_steps - num_warmup_steps

    def after(t: int) -> float:
        return (1 + math.cos(2 * math.pi * num_cycles * t / steps)) / 2

    return _warmed(optimizer, num_warmup_steps, after)


def get_cosine_with_hard_restarts_schedule_with_warmup(
    optimizer: Any, num_warmup_steps: int, num_training_steps: int, num_cycles: int = 1
) -> Curve:
    steps = num_training_steps - num_warmup_steps

    def after(t: int) -> float:
        return (1 + math.cos(math.pi * (num_cycles * t / steps % 1.0))) / 2 if t < steps else 0.0

    return _warmed(optimizer, num_warmup_steps, after)


def get_polynomial_decay_schedule_with_warmup(
    optimizer: Any,
    num_warmup_steps: int,
    num_training_steps: int,
    lr_end: float = 1e-7,
    power: float = 1.0,
) -> Curve:
    lr, steps = float(optimizer.param_groups[0]["lr"]), num_training_steps - num_warmup_steps

    def after(t: int) -> float:
        return float(lr_end + (lr - lr_end) * max(0.0, 1 - t / steps) ** power) / lr

    return _warmed(optimizer, num_warmup_steps, after)
