"""fairseq's schedules; the warmup is a line from `warmup_init_lr`."""

import math

from tests.formulas import Curve


def inverse_sqrt(lr: float, warmup_updates: int, warmup_init_lr: float = 0.0) -> Curve:
    def at(t: int) -> float:
        if t < warmup_updates:
            return warmup_init_lr + (lr - warmup_init_lr) * t / warmup_updates
        return lr * math.sqrt(warmup_updates / t)

    return at


def polynomial_decay(
    lr: float,
    warmup_updates: int,
    total_num_update: int,
    end_learning_rate: float = 0.0,
    power: float = 1.0,
) -> Curve:
    """`total_num_update` counts the warmup."""

    def at(t: int) -> float:
        if t <= warmup_updates:
            return lr * t / warmup_updates
        left = max(0.0, 1 - (t - warmup_updates) / (total_num_update - warmup_updates))
        return float(end_learning_rate + (lr - end_learning_rate) * left**power)

    return at


def cosine(
    lr: float,
    lr_period_updates: int,
    min_lr: float = 0.0,
    warmup_updates: int = 0,
    warmup_init_lr: float = 0.0,
    t_mult: float = 1.0,
    lr_shrink: float = 0.1,
) -> Curve:
    """Both ends of a cosine shrink from cycle to cycle."""

    def at(t: int) -> float:
        if t < warmup_updates:
            return warmup_init_lr + (lr - warmup_init_lr) * t / warmup_updates
        done, length, shrunk = float(t - warmup_updates), float(lr_period_updates), 1.0
        while done >= length:
            done, length, shrunk = done - length, length * t_mult, shrunk * lr_shrink
        left = (1 + math.cos(math.pi * done / length)) / 2
        return shrunk * (min_lr + (lr - min_lr) * left)

    return at


def tri_stage(
    lr: float,
    warmup_steps: int,
    hold_steps: int,
    decay_steps: int,
    init_lr_scale: float = 0.01,
    final_lr_scale: float = 0.01,
) -> Curve:
    def at(t: int) -> float:
        if t < warmup_steps:
            return lr * (init_lr_scale + (1 - init_lr_scale) * t / warmup_steps)
        p = min(max(t - warmup_steps - hold_steps, 0) / decay_steps, 1.0)
        return lr * math.exp(math.log(final_lr_scale) * p)

    return at
