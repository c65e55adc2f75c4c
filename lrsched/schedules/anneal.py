"""Decays in the shapes that papers recommend, from one value to another, held at the end."""

import math
from typing import Annotated, Literal

from lrsched._arrays.namespace import is_array
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Real, choice, ordered
from lrsched._core.decorator import schedule
from lrsched._core.kinds import Positive, Power, Steps, Value
from lrsched._core.number_kinds import number
from lrsched._numerics.complement import (
    Complement,
    complement_of,
    complement_power,
    half_cosines,
    interpolate_power,
)
from lrsched._numerics.elementary import exponential, fraction, is_literal
from lrsched._numerics.shapes import Shape, interpolate
from lrsched._numerics.steps import progress


@schedule
def anneal(
    xp: Namespace,
    count: Array,
    init_value: Value,
    end_value: Value,
    steps: Steps,
    shape: Shape = "1-sqrt",
) -> Array:
    """From one value to another in a given shape, held at the end.

        value(t) = end_value + (init_value - end_value) * g(p)

        p = min(t, steps) / steps

    t is the count of updates made so far. `shape` selects g:

        "linear"            g(p) = 1 - p
        "cosine"            g(p) = (1 + cos(pi * p)) / 2
        "quarter-cosine"    g(p) = cos(pi * p / 2)
        "1-sqrt"            g(p) = 1 - sqrt(p)
        "1-square"          g(p) = 1 - p ** 2
        "exponential"       g(p) = 2 ** (1 - p) - 1
        "lowered-linear"    g(p) = 0.7 * (1 - p)    for p > 0
                                   1                for p = 0

    Args:
        init_value: the value at count 0.
        end_value: the value at count `steps` and after.
        steps: the length in steps, at least 1.
        shape: "linear", "cosine", "quarter-cosine", "1-sqrt", "1-square", "exponential" or
            "lowered-linear".

    Raises:
        TypeError: a value or `steps` is not a number, or `shape` is not a string.
        ValueError: a value is not finite, `steps` < 1, or `shape` is not one of the seven.

    Source: the cooldowns compared by Hägele et al. 2024, arXiv:2405.18392, where "1-sqrt" is best;
    Megatron ("exponential"); Dremov et al. 2025, arXiv:2508.01483 ("lowered-linear").

    Elsewhere: the decay of transformers' `warmup_stable_decay(decay_type)` ("linear", "cosine",
    "1-sqrt") and of Megatron's `WSD` (`lr_wsd_decay_style`: "linear", "cosine", "minus_sqrt",
    "exponential").

    >>> anneal(1.0, 0.0, 100)(25)
    0.5
    """
    done, remaining = progress(xp, count, steps)
    return interpolate(xp, init_value, end_value, done, remaining, steps, shape)


@schedule
def reciprocal_decay(
    xp: Namespace, count: Array, init_value: Positive, steps: Steps, end_value: Positive
) -> Array:
    """From one value to another with a reciprocal that rises along a line, held at the end.

        1 / value(t) = (1 - p) / init_value + p / end_value

        p = min(t, steps) / steps

    t is the count of updates made so far.

    Args:
        init_value: the value at count 0, at least 1e-18.
        steps: the length in steps, at least 1.
        end_value: the value at count `steps` and after, at least 1e-18.

    Raises:
        TypeError: a parameter is not a number.
        ValueError: a value is not finite or < 1e-18, or `steps` < 1.

    Source: the decay of WSD-S, Wen et al. 2024, arXiv:2410.05192.

    Elsewhere: `inverse_time(init_value, init_value / end_value - 1, steps)`, which does not hold
    the end value. From whatever value a schedule has reached it is `then_scale(schedule, begin,
    reciprocal_decay(1.0, steps, ratio))`.

    >>> round(reciprocal_decay(1.0, 100, 0.1)(50), 6)
    0.181818
    """
    done, remaining = progress(xp, count, steps)
    p, q = fraction(xp, done, steps), fraction(xp, remaining, steps)
    ratio = end_value / init_value
    return end_value / (ratio * q + p)


@schedule
def rex(
    xp: Namespace,
    count: Array,
    init_value: Value,
    steps: Steps,
    end_value: Value = 0.0,
    beta: Positive = 0.5,
) -> Array:
    """Slowly down at first and steeply at the end: reflected exponential, held at the end.

        value(t) = end_value + (init_value - end_value) * (1 - p) / (beta + (1 - beta) * (1 - p))

        p = min(t, steps) / steps

    t is the count of updates made so far.

    Args:
        init_value: the value at count 0.
        steps: the length in steps, at least 1.
        end_value: the value at count `steps` and after.
        beta: how late the value falls, from 1e-18 to 1e18: the lower, the later; 1 is a line.

    Raises:
        TypeError: a value, `beta` or `steps` is not a number.
        ValueError: a value is not finite, `steps` < 1, or `beta` is not from 1e-18 to 1e18.

    Source: Chen et al. 2021, "REX", arXiv:2107.04197, where beta is 1/2.

    Elsewhere: pytorch_optimizer's `REXScheduler`, which uses its lowest value in the first step.

    >>> rex(1.0, 100)(50)
    0.6666666666666666
    """
    done, remaining = progress(xp, count, steps)
    p, q = fraction(xp, done, steps), fraction(xp, remaining, steps)
    whole = beta * p + q  # = beta + (1 - beta) (1 - p)
    return init_value * (q / whole) + end_value * (beta * p / whole)


@schedule
def k_decay(
    xp: Namespace,
    count: Array,
    init_value: Value,
    steps: Steps,
    k: Power = 1.0,
    power: Power = 1.0,
    end_value: Value = 0.0,
    shape: Annotated[Literal["cosine", "linear"], choice("cosine", "linear")] = "cosine",
) -> Array:
    """Down along a cosine or a line, with powers of the time and of the height; held at the end.

        value(t) = end_value + (init_value - end_value) * g(p ** k) ** power

        p = min(t, steps) / steps

    t is the count of updates made so far. `shape` selects g:

        "cosine"    g(x) = (1 + cos(pi * x)) / 2
        "linear"    g(x) = 1 - x

    Args:
        init_value: the value at count 0.
        steps: the length in steps, at least 1.
        k: the power of the time, above 0. Above 1 the value stays high for longer, below 1 it falls
            sooner.
        power: the power of the height, above 0; with "linear" that of a polynomial decay.
        end_value: the value at count `steps` and after.
        shape: "cosine" or "linear".

    Raises:
        TypeError: a value, `k`, `power` or `steps` is not a number, or `shape` is
            not a string.
        ValueError: a number is not finite, `steps` < 1, `k` or `power` <= 0, or `shape` is neither
            "cosine" nor "linear".

    Source: Zhang and Li 2020, "k-decay", arXiv:2004.05909.

    Elsewhere: `k_decay` of timm's `CosineLRScheduler` ("cosine") and `PolyLRScheduler` ("linear",
    `power`); `optax.cosine_decay_schedule(exponent)` is `power` with `k=1`.

    >>> [round(k_decay(1.0, 100, k=k)(50), 6) for k in (0.5, 1.0, 2.0)]
    [0.19715, 0.5, 0.853553]
    """
    done, remaining = progress(xp, count, steps)
    if is_literal(k, 1.0) and is_literal(power, 1.0):
        return interpolate(xp, init_value, end_value, done, remaining, steps, shape)
    elapsed = complement_power(xp, complement_of(xp, done, remaining, steps), k)
    if shape == "cosine":
        elapsed = half_cosines(xp, elapsed)
    remaining = Complement(elapsed.q, elapsed.p)
    return interpolate_power(xp, init_value, end_value, remaining, power)


Bound = Annotated[Real, number(">= -20", "<= 20")]


@schedule(check=ordered("lower", "upper", strictly=True))
def tanh_decay(
    xp: Namespace,
    count: Array,
    init_value: Value,
    steps: Steps,
    end_value: Value = 0.0,
    lower: Bound = -6.0,
    upper: Bound = 3.0,
) -> Array:
    """Down along a hyperbolic tangent: flat, then steep, then flat; held at the end.

        value(t) = end_value + (init_value - end_value) * (1 - tanh(x)) / 2

        x = lower * (1 - p) + upper * p
        p = min(t, steps) / steps

    t is the count of updates made so far. The curve only comes near `init_value` and `end_value`,
    because tanh only comes near -1 and 1: with the default `upper`, the last value differs from
    `end_value` by 0.25 % of `init_value - end_value`.

    Args:
        init_value: the value that the curve starts near.
        steps: the length in steps, at least 1.
        end_value: the value that the curve ends near.
        lower: the argument of tanh at count 0, from -20 to 20, below `upper`.
        upper: the argument of tanh at count `steps` and after, from -20 to 20.

    Raises:
        TypeError: a value, a bound or `steps` is not a number.
        ValueError: a value is not finite, `steps` < 1, a bound is not from -20 to 20, or
            `lower` >= `upper`.

    Source: Hsueh et al. 2018, "HTD", arXiv:1806.01593.

    Elsewhere: timm's `TanhLRScheduler(lb=-7, ub=3)`.

    >>> round(tanh_decay(1.0, 90)(60), 12)
    0.5
    """
    done, _ = progress(xp, count, steps)
    exp = xp.exp if is_array(lower) else math.exp
    # With x the argument of tanh and grown = e**(2 x), (1 - tanh x) / 2 is 1 / (1 + grown).
    grown = exponential(xp, exp(2.0 * lower), 2.0 * (upper - lower), done, steps)
    return init_value / (1.0 + grown) + end_value * (grown / (1.0 + grown))
