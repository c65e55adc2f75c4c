"""timm's schedulers, `t` counted in updates."""

import bisect
import math
from typing import Any

from tests.formulas import Curve


def _rate(optimizer: Any) -> float:
    return float(optimizer.param_groups[0]["lr"])


def _warmed(after: Curve, top: float, steps: int, start: float, prefix: bool) -> Curve:
    """A line up to `top`, before the curve with `prefix` and else in place of its beginning."""

    def at(t: int) -> float:
        if t < steps:
            return start + t * (top - start) / steps
        return after(t - steps if prefix else t)

    return at


def _cycles(
    part: Any, top: float, length: float, floor: float, mul: float, decay: float, limit: int
) -> Curve:
    """A curve of the part of a cycle, `limit` times, and then the floor.

    The number of the cycle is that of a logarithm, which may miss the first step of one.
    """

    def at(t: int) -> float:
        done = t / length  # in lengths of the first cycle
        cycle = math.floor(done if mul == 1 else math.log(1 - done * (1 - mul), mul))
        if cycle >= limit:
            return floor
        begin = cycle if mul == 1 else (1 - mul**cycle) / (1 - mul)
        return float(floor + (top * decay**cycle - floor) * part((done - begin) / mul**cycle))

    return at


def CosineLRScheduler(  # noqa: N802
    optimizer: Any,
    t_initial: int,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    k_decay: float = 1.0,
) -> Curve:
    lr = _rate(optimizer)

    def part(p: float) -> float:
        return (1 + math.cos(math.pi * p**k_decay)) / 2

    after = _cycles(part, lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit)
    return _warmed(after, lr, warmup_t, warmup_lr_init, warmup_prefix)


def PolyLRScheduler(  # noqa: N802
    optimizer: Any,
    t_initial: int,
    power: float = 0.5,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    k_decay: float = 1.0,
) -> Curve:
    def part(p: float) -> float:
        return float((1 - p**k_decay) ** power)

    lr = _rate(optimizer)
    return _cycles(part, lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit)


def TanhLRScheduler(  # noqa: N802
    optimizer: Any,
    t_initial: int,
    lb: float = -7.0,
    ub: float = 3.0,
    lr_min: float = 0.0,
    cycle_limit: int = 1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
) -> Curve:
    """Without `warmup_prefix` the line goes to where the curve is at its end."""

    def part(p: float) -> float:
        return (1 - math.tanh(lb * (1 - p) + ub * p)) / 2

    lr = _rate(optimizer)
    after = _cycles(part, lr, t_initial, lr_min, 1.0, 1.0, cycle_limit)
    top = lr if warmup_prefix else after(warmup_t)
    return _warmed(after, top, warmup_t, warmup_lr_init, warmup_prefix)


def StepLRScheduler(  # noqa: N802
    optimizer: Any,
    decay_t: int,
    decay_rate: float = 1.0,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = True,
) -> Curve:
    lr = _rate(optimizer)
    return _warmed(
        lambda t: float(lr * decay_rate ** (t // decay_t)),
        lr,
        warmup_t,
        warmup_lr_init,
        warmup_prefix,
    )


def MultiStepLRScheduler(  # noqa: N802
    optimizer: Any, decay_t: list[int], decay_rate: float = 1.0
) -> Curve:
    lr = _rate(optimizer)
    return lambda t: float(lr * decay_rate ** bisect.bisect_right(decay_t, t + 1))
