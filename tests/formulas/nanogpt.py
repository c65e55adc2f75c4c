"""The schedules of nanoGPT, nanochat, llm.c and modded-nanogpt, as functions of their settings."""

import itertools
import math
from collections.abc import Sequence

from tests.formulas import Curve


def get_lr(learning_rate: float, min_lr: float, warmup_iters: int, lr_decay_iters: int) -> Curve:
    """nanoGPT's."""

    def at(t: int) -> float:
        if t < warmup_iters:
            return learning_rate * (t + 1) / (warmup_iters + 1)
        p = min((t - warmup_iters) / (lr_decay_iters - warmup_iters), 1.0)
        return min_lr + (learning_rate - min_lr) * (1 + math.cos(math.pi * p)) / 2

    return at


def get_lr_multiplier(
    initial_lr: float,
    num_iterations: int,
    warmup_steps: int,
    warmdown_ratio: float,
    final_lr_frac: float,
) -> Curve:
    """nanochat's, times the rate."""
    down = round(warmdown_ratio * num_iterations)

    def at(t: int) -> float:
        if t < warmup_steps:
            return initial_lr * (t + 1) / warmup_steps
        left = min((num_iterations - t) / down, 1.0)
        return initial_lr * (left + (1 - left) * final_lr_frac)

    return at


def get_muon_momentum(
    num_iterations: int, warmdown_ratio: float, warmup: int = 400, low: float = 0.85
) -> Curve:
    """nanochat's."""
    down = round(warmdown_ratio * num_iterations)

    def at(t: int) -> float:
        if t < warmup:
            return low + (0.97 - low) * t / warmup
        return 0.97 - 0.07 * max(t - (num_iterations - down), 0) / down

    return at


def get_learning_rate(
    type_: str,
    learning_rate: float,
    warmup_iterations: int,
    train_num_batches: int,
    final_learning_rate_frac: float = 0.0,
) -> Curve:
    """llm.c's."""
    low = learning_rate * final_learning_rate_frac
    begin = int(0.8 * train_num_batches) if type_ == "wsd" else warmup_iterations

    def at(t: int) -> float:
        if type_ == "constant":
            return learning_rate
        if t < warmup_iterations:
            return learning_rate * (t + 1) / warmup_iterations
        p = max(t - begin, 0) / (train_num_batches - begin)
        left = {"wsd": 1 - math.sqrt(p), "linear": 1 - p}.get(
            type_, (1 + math.cos(math.pi * p)) / 2
        )
        return low + (learning_rate - low) * left

    return at


def TrainingSchedule(  # noqa: N802
    lr: float, stages: Sequence[float], scheduled_iterations: int, cooldown_frac: float
) -> Curve:
    """modded-nanogpt's: stages of equal length, and a cooldown across them."""
    shares = itertools.accumulate([1 / len(stages)] * len(stages))
    ends = [round(share * scheduled_iterations) for share in shares]
    begin = int(scheduled_iterations * (1 - cooldown_frac))

    def at(t: int) -> float:
        factor = stages[sum(t >= end for end in ends[:-1])]
        p = min(max(t - begin, 0) / (scheduled_iterations - begin), 1.0)
        return lr * (factor * (1 - p) + 0.15 * p)

    return at
