"""praxis' schedules: `start` and `limit` are pairs of a step and a value."""

import math

from tests.formulas import Curve

Point = tuple[int, float]


def _part(t: int, start: Point, limit: Point) -> float:
    return min(max((t - start[0]) / (limit[0] - start[0]), 0.0), 1.0)


def Linear(start: Point, limit: Point) -> Curve:  # noqa: N802
    return Polynomial(1, start, limit)


def Polynomial(  # noqa: N802
    power: float, start: Point, limit: Point, origin: str = "start"
) -> Curve:
    """A power of what is done; with `origin="limit"`, of what is left."""

    def at(t: int) -> float:
        p = _part(t, start, limit)
        way = p**power if origin == "start" else 1 - (1 - p) ** power
        return float(start[1] + (limit[1] - start[1]) * way)

    return at


def Exponential(start: Point, limit: Point) -> Curve:  # noqa: N802
    def at(t: int) -> float:
        p = _part(t, start, limit)
        return float(start[1] ** (1 - p) * limit[1] ** p)

    return at


def Cosine(initial_value: float, final_value: float, total_steps: int) -> Curve:  # noqa: N802
    return DelayedCosine((0, initial_value), (total_steps, final_value))


def DelayedCosine(start: Point, limit: Point) -> Curve:  # noqa: N802
    def at(t: int) -> float:
        left = (1 + math.cos(math.pi * _part(t, start, limit))) / 2
        return limit[1] + (start[1] - limit[1]) * left

    return at


def _ramped(warmup_steps: int, top: float, after: Curve) -> Curve:
    return lambda t: top * t / warmup_steps if t < warmup_steps else after(t)


def LinearRampupCosineDecay(  # noqa: N802
    warmup_steps: int, decay_start: int, decay_end: int, min_ratio: float, max: float
) -> Curve:
    decay = DelayedCosine((decay_start, max), (decay_end, min_ratio * max))
    return _ramped(warmup_steps, max, decay)


def LinearRampupPolynomialDecay(  # noqa: N802
    warmup_steps: int, decay_start: int, decay_end: int, power: float, min_ratio: float, max: float
) -> Curve:
    decay = Polynomial(power, (decay_start, max), (decay_end, min_ratio * max))
    return _ramped(warmup_steps, max, decay)


def LinearRampupExponentialDecay(  # noqa: N802
    warmup_steps: int, decay_start: int, decay_end: int, min_ratio: float, max: float
) -> Curve:
    decay = Exponential((decay_start, max), (decay_end, min_ratio * max))
    return _ramped(warmup_steps, max, decay)


def PiecewiseConstant(boundaries: list[int], values: list[float]) -> Curve:  # noqa: N802
    return lambda t: values[sum(t >= boundary for boundary in boundaries)]


def Transformer(warmup_steps: int = 4000, model_dim: int = 512) -> Curve:  # noqa: N802
    """Noam, which counts from 1."""

    def at(t: int) -> float:
        return float(model_dim**-0.5 * min((t + 1) ** -0.5, (t + 1) * warmup_steps**-1.5))

    return at


def SqrtDecay(decay_start: int = 10000, multiplier: float = 1.0) -> Curve:  # noqa: N802
    return lambda t: float(multiplier * (t if t > decay_start else decay_start) ** -0.5)


def LinearRampupSqrtDecay(peak: float = 1.0, warmup_steps: int = 4000) -> Curve:  # noqa: N802
    """The update at step 0 has the rate of step 1."""

    def at(t: int) -> float:
        n = t or 1
        return peak * min(n / warmup_steps, math.sqrt(warmup_steps / n))

    return at
