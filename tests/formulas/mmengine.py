"""mmengine's `param_scheduler`: each changes the value that it finds, from step to step."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.formulas import Curve

Scheduler = Mapping[str, Any]
Step = Callable[[Scheduler, float, float, int], float]  # of the value, the rate and its own step


def _factor(curve: Callable[[Scheduler, int], float]) -> Step:
    """A scheduler that multiplies by how much its curve changes."""

    def step(scheduler: Scheduler, value: float, rate: float, k: int) -> float:
        return value * curve(scheduler, k) / (curve(scheduler, k - 1) if k else 1.0)

    return step


def _linear(scheduler: Scheduler, k: int) -> float:
    start, end = scheduler.get("start_factor", 1 / 3), scheduler.get("end_factor", 1.0)
    return float(start + (end - start) * k / (scheduler["end"] - scheduler.get("begin", 0) - 1))


def _constant(scheduler: Scheduler, k: int) -> float:
    return float(scheduler["factor"] if k < scheduler["end"] - 1 else 1.0)


def _poly(scheduler: Scheduler, value: float, rate: float, k: int) -> float:
    low, last = scheduler.get("eta_min", 0.0), scheduler["end"] - scheduler.get("begin", 0) - 1
    left = (1 - 1 / (last - k + 1)) ** scheduler.get("power", 1.0) if k else 1.0
    return float(low + (value - low) * left)


def _cosine(scheduler: Scheduler, value: float, rate: float, k: int) -> float:
    """A ratio of two cosines, but for the step after its lowest value."""
    half, low = scheduler["T_max"], scheduler.get("eta_min", 0.0)
    if k == 0:
        return value
    if k % (2 * half) == (half + 1) % (2 * half):
        return float(value + (rate - low) * (1 - math.cos(math.pi / half)) / 2)
    now, before = (1 + math.cos(math.pi * each / half) for each in (k, k - 1))
    return float(low + (value - low) * now / before)


def _restarts(scheduler: Scheduler, value: float, rate: float, k: int) -> float:
    low = scheduler["eta_min"]
    for period, weight in zip(scheduler["periods"], scheduler["restart_weights"], strict=True):
        if k < period:
            top = rate * weight
            return float(low + (top - low) * (1 + math.cos(math.pi * k / period)) / 2)
        k -= period
    return value


def _one_cycle(scheduler: Scheduler, value: float, rate: float, k: int) -> float:
    top, last = scheduler["eta_max"], scheduler["total_steps"] - 1
    peak = 0.3 * scheduler["total_steps"] - 1
    first, second, p = (top / 25, top, k / peak)
    if k > peak:
        first, second, p = top, top / 25e4, (k - peak) / (last - peak)
    return float(second + (first - second) * (1 + math.cos(math.pi * p)) / 2)


def _quadratic(scheduler: Scheduler, value: float, rate: float, k: int) -> float:
    """mmdet's, whose rate is that of the optimizer."""
    return float(rate * ((k + 1) / scheduler["end"]) ** 2)


STEPS: Mapping[str, Step] = {
    "LinearLR": _factor(_linear),
    "ConstantLR": _factor(_constant),
    "ExponentialLR": _factor(lambda each, k: float(each["gamma"] ** k)),
    "StepLR": _factor(lambda each, k: float(each["gamma"] ** (k // each["step_size"]))),
    "MultiStepLR": _factor(
        lambda each, k: float(each["gamma"] ** sum(k >= n for n in each["milestones"]))
    ),
    "PolyLR": _poly,
    "CosineAnnealingLR": _cosine,
    "CosineRestartLR": _restarts,
    "OneCycleLR": _one_cycle,
    "QuadraticWarmupLR": _quadratic,
}


def param_scheduler(lr: float, schedulers: Sequence[Scheduler]) -> Curve:
    """Those that are active at a step, one after the other; `end` is the first step without."""
    rates: list[float] = []

    def at(t: int) -> float:
        for n in range(len(rates), t + 1):
            value = rates[-1] if rates else lr
            for each in schedulers:
                if each.get("begin", 0) <= n < each.get("end", math.inf):
                    value = STEPS[each["type"]](each, value, lr, n - each.get("begin", 0))
            rates.append(value)
        return rates[t]

    return at
