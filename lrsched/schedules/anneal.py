"""Ways from one value to another, held at the end, in the shapes that papers recommend."""

import math
from typing import Annotated, Literal

from lrsched._arrays.namespace import is_array
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Real, choice, number, ordered
from lrsched._core.decorator import schedule
from lrsched._core.kinds import Positive, Power, Steps, Value
from lrsched._numerics.complement import (
    Complement,
    complement_of,
    complement_power,
    half_cosines,
    interpolate_power,
)
from lrsched._numerics.elementary import exponential, fraction, is_literal, progress
from lrsched._numerics.shapes import Shape, interpolate


@schedule
def anneal(
    xp: Namespace,
    count: Array,
    init_value: Value,
    end_value: Value,
    steps: Steps,
    shape: Shape = "1-sqrt",
) -> Array:
    r"""From one value to another in a given shape, held at the end.

    .. math:: \eta(t) = v_1 + (v_0 - v_1)\, g(p), \quad p = \min(t, T) / T

    with :math:`g` by `shape`: "linear" :math:`1 - p`; "cosine" :math:`(1 + \cos \pi p) / 2`;
    "1-sqrt" :math:`1 - \sqrt p`; "square" :math:`1 - p^2`; "exponential" :math:`2^{1 - p} - 1`;
    "lowered-linear" :math:`0.7 (1 - p)`, and 1 at :math:`p = 0`.

    Args:
        init_value: v_0, the value at count 0.
        end_value: v_1, the value at count `steps` and after.
        steps: T, the length in steps, at least 1.
        shape: "linear", "cosine", "1-sqrt", "square", "exponential" or "lowered-linear".

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Source: the cooldowns compared by Hägele et al. 2024, arXiv:2405.18392 (where "1-sqrt" is
    best); Megatron's ("exponential"); Dremov et al. 2025, arXiv:2508.01483 ("lowered-linear").

    Elsewhere: the decay of transformers' `warmup_stable_decay(decay_type)` ("linear", "cosine",
    "1-sqrt") and of Megatron's `WSD` (`lr_wsd_decay_style`: "linear", "cosine", "minus_sqrt",
    "exponential").

    >>> anneal(1.0, 0.0, 100)(25)
    0.5
    """
    done, remaining = progress(xp, count, steps)
    return interpolate(xp, init_value, end_value, done, remaining, steps, shape)


@schedule
def rex(
    xp: Namespace,
    count: Array,
    init_value: Value,
    steps: Steps,
    end_value: Value = 0.0,
    beta: Positive = 0.5,
) -> Array:
    r"""Slowly down at first and steeply at the end, held there: reflected exponential.

    .. math:: \eta(t) = v_1 + (v_0 - v_1) \frac{1 - p}{\beta + (1 - \beta)(1 - p)},
        \quad p = \min(t, T) / T

    Args:
        init_value: v_0, the value at count 0.
        steps: T, the length in steps, at least 1.
        end_value: v_1, the value at count `steps` and after.
        beta: the lower, the later the fall; 1 is linear. Above 0 and at most 1e18.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Source: Chen et al. 2021, "REX", arXiv:2107.04197, where beta is 1/2.

    Elsewhere: pytorch_optimizer's `REXScheduler`, whose first step is at its floor.

    >>> rex(1.0, 100)(50)
    0.6666666666666666
    """
    done, remaining = progress(xp, count, steps)
    p, q = fraction(xp, done, steps), fraction(xp, remaining, steps)
    whole = beta * p + q  # beta + (1 - beta) (1 - p)
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
    r"""Down along a cosine or a line whose time, or value, is taken to a power; held at the end.

    .. math:: \eta(t) = v_1 + (v_0 - v_1)\, g(p^k)^q, \quad p = \min(t, T) / T

    with :math:`g` by `shape`: "cosine" :math:`(1 + \cos \pi x) / 2`; "linear" :math:`1 - x`.

    Args:
        init_value: v_0, the value at count 0.
        steps: T, the length in steps, at least 1.
        k: above 1 it stays high for longer, below 1 it falls sooner; above 0.
        power: q, the power of the shape: that of a polynomial decay with "linear"; above 0.
        end_value: v_1, the value at count `steps` and after.
        shape: "cosine" or "linear".

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

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
    r"""Down along a hyperbolic tangent: flat, then steep, then flat; held at the end.

    .. math:: \eta(t) = v_1 + \frac{v_0 - v_1}{2} \left(1 - \tanh(L (1 - p) + U p)\right),
        \quad p = \min(t, T) / T

    The ends are reached only as nearly as the tangent reaches 1: at count `steps`,
    :math:`v_1 + (v_0 - v_1)(1 - \tanh U) / 2`, which with the defaults is 0.25 % of the way off.

    Args:
        init_value: v_0, the value that it begins near.
        steps: T, the length in steps, at least 1.
        end_value: v_1, the value that it ends near.
        lower: L, the tangent's argument at count 0.
        upper: U, its argument at count `steps`; both from -20 to 20, `lower` below `upper`.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Source: Hsueh et al. 2018, "HTD", arXiv:1806.01593.

    Elsewhere: timm's `TanhLRScheduler(lb=-7, ub=3)`.

    >>> round(tanh_decay(1.0, 90)(60), 12)
    0.5
    """
    done, _ = progress(xp, count, steps)
    exp = xp.exp if is_array(lower) else math.exp
    # e**(2 x) for the tangent's argument x: (1 - tanh x) / 2 is 1 over that plus 1.
    grown = exponential(xp, exp(2.0 * lower), 2.0 * (upper - lower), done, steps)
    return init_value / (1.0 + grown) + end_value * (grown / (1.0 + grown))
