"""DeepSpeed's schedulers, by `t`: the number of their steps, less one in the `Warmup...` ones."""

import math
from typing import Any

from tests.formulas import Curve


def _warmup(t: int, steps: int, kind: str) -> float:
    return math.log(t + 1) / math.log(steps) if kind == "log" else t / steps


def WarmupLR(  # noqa: N802
    optimizer: Any,
    warmup_min_lr: float,
    warmup_max_lr: float,
    warmup_num_steps: int = 1000,
    warmup_type: str = "log",
) -> Curve:
    def at(t: int) -> float:
        done = _warmup(t, warmup_num_steps, warmup_type) if t < warmup_num_steps else 1.0
        return warmup_min_lr + (warmup_max_lr - warmup_min_lr) * done

    return at


def WarmupDecayLR(  # noqa: N802
    optimizer: Any,
    total_num_steps: int,
    warmup_min_lr: float,
    warmup_max_lr: float,
    warmup_num_steps: int = 1000,
    warmup_type: str = "log",
) -> Curve:
    """The decay is to `warmup_min_lr`."""

    def at(t: int) -> float:
        if t < warmup_num_steps:
            factor = _warmup(t, warmup_num_steps, warmup_type)
        else:
            factor = max(0.0, (total_num_steps - t) / (total_num_steps - warmup_num_steps))
        return warmup_min_lr + (warmup_max_lr - warmup_min_lr) * factor

    return at


def WarmupCosineLR(  # noqa: N802
    optimizer: Any,
    total_num_steps: int,
    warmup_min_ratio: float = 0.0,
    warmup_num_steps: int = 1000,
    cos_min_ratio: float = 0.0001,
    warmup_type: str = "log",
) -> Curve:
    """The cosine is one step ahead of the warmup's end."""
    lr = float(optimizer.param_groups[0]["lr"])

    def at(t: int) -> float:
        if t < warmup_num_steps:
            done = _warmup(t, warmup_num_steps, warmup_type)
            return lr * (warmup_min_ratio + (1 - warmup_min_ratio) * done)
        p = min((t + 1 - warmup_num_steps) / (total_num_steps - warmup_num_steps), 1.0)
        return lr * (cos_min_ratio + (1 - cos_min_ratio) * (1 + math.cos(math.pi * p)) / 2)

    return at


def LRRangeTest(  # noqa: N802
    optimizer: Any,
    lr_range_test_min_lr: float = 1e-3,
    lr_range_test_step_size: int = 2000,
    lr_range_test_step_rate: float = 1.0,
    lr_range_test_staircase: bool = False,
) -> Curve:
    def at(t: int) -> float:
        steps = t / lr_range_test_step_size
        steps = math.floor(steps) if lr_range_test_staircase else steps
        return lr_range_test_min_lr * (1 + lr_range_test_step_rate * steps)

    return at


def OneCycle(  # noqa: N802
    optimizer: Any,
    cycle_min_lr: float,
    cycle_max_lr: float,
    decay_lr_rate: float = 0.0,
    cycle_first_step_size: int = 2000,
    cycle_second_step_size: int | None = None,
    *,
    decay_step_size: int = 0,
) -> Curve:
    """One triangle, and from its foot down by the inverse of the time."""
    up, down = cycle_first_step_size, cycle_second_step_size or cycle_first_step_size

    def at(t: int) -> float:
        if t > up + down:
            passed = (t - up - down) / decay_step_size if decay_step_size else 0.0
            return cycle_min_lr / (1 + decay_lr_rate * passed)
        away = t / up if t <= up else (up + down - t) / down
        return cycle_min_lr + (cycle_max_lr - cycle_min_lr) * away

    return at
