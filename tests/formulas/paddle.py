"""Paddle's `optimizer.lr`: torch's schedulers and TensorFlow's decays, without an optimizer."""

import math
from collections.abc import Callable

from tests.formulas import Curve


def PiecewiseDecay(boundaries: list[int], values: list[float]) -> Curve:  # noqa: N802
    return lambda t: values[sum(t >= boundary for boundary in boundaries)]


def NaturalExpDecay(learning_rate: float, gamma: float) -> Curve:  # noqa: N802
    return lambda t: learning_rate * math.exp(-gamma * t)


def InverseTimeDecay(learning_rate: float, gamma: float) -> Curve:  # noqa: N802
    return lambda t: learning_rate / (1 + gamma * t)


def ExponentialDecay(learning_rate: float, gamma: float) -> Curve:  # noqa: N802
    return lambda t: float(learning_rate * gamma**t)


def PolynomialDecay(  # noqa: N802
    learning_rate: float,
    decay_steps: int,
    end_lr: float = 0.0001,
    power: float = 1.0,
    cycle: bool = False,
) -> Curve:
    """With `cycle`, the end moves on by whole multiples of its distance."""

    def at(t: int) -> float:
        length = decay_steps * max(1, math.ceil(t / decay_steps)) if cycle else decay_steps
        left = 1 - min(t / length, 1.0)
        return float(end_lr + (learning_rate - end_lr) * left**power)

    return at


def LinearWarmup(  # noqa: N802
    learning_rate: float | Curve, warmup_steps: int, start_lr: float, end_lr: float
) -> Curve:
    def at(t: int) -> float:
        if t < warmup_steps:
            return start_lr + (end_lr - start_lr) * t / warmup_steps
        return learning_rate(t - warmup_steps) if callable(learning_rate) else learning_rate

    return at


def NoamDecay(d_model: int, warmup_steps: int, learning_rate: float = 1.0) -> Curve:  # noqa: N802
    """It begins at 0."""

    def at(t: int) -> float:
        late = t**-0.5 if t else 1.0
        return float(learning_rate * d_model**-0.5 * min(late, t * warmup_steps**-1.5))

    return at


def CosineAnnealingDecay(  # noqa: N802
    learning_rate: float,
    T_max: int,  # noqa: N803
    eta_min: float = 0.0,
) -> Curve:
    """It climbs back after `T_max`."""
    top = learning_rate - eta_min
    return lambda t: eta_min + top * (1 + math.cos(math.pi * t / T_max)) / 2


def MultiplicativeDecay(  # noqa: N802
    learning_rate: float, lr_lambda: Callable[[int], float]
) -> Curve:
    return lambda t: learning_rate * math.prod(lr_lambda(n) for n in range(1, t + 1))


def OneCycleLR(  # noqa: N802
    max_learning_rate: float,
    total_steps: int,
    divide_factor: float = 25.0,
    end_learning_rate: float = 0.0001,
    phase_pct: float = 0.3,
) -> Curve:
    """The last value is a rate, not a ratio."""
    start, top, last = max_learning_rate / divide_factor, max_learning_rate, total_steps - 1
    peak = phase_pct * total_steps - 1

    def at(t: int) -> float:
        first, second, p = (
            (start, top, t / peak)
            if t <= peak
            else (top, end_learning_rate, (t - peak) / (last - peak))
        )
        return second + (first - second) * (1 + math.cos(math.pi * p)) / 2

    return at


def CyclicLR(  # noqa: N802
    base_learning_rate: float,
    max_learning_rate: float,
    step_size_up: int,
    step_size_down: int | None = None,
    mode: str = "triangular",
    exp_gamma: float = 1.0,
) -> Curve:
    up, down = step_size_up, step_size_down or step_size_up

    def at(t: int) -> float:
        cycle, place = divmod(t, up + down)
        away = place / up if place <= up else (up + down - place) / down
        scale = {"triangular": 1.0, "triangular2": 0.5**cycle, "exp_range": exp_gamma**t}[mode]
        return base_learning_rate + (max_learning_rate - base_learning_rate) * away * scale

    return at
