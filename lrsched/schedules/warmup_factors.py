"""Warmup factors: schedules that rise to 1, to be multiplied with another schedule.

`schedule * exponential_warmup(100)` lays a warmup over the schedule, both counted from step 0.
`lrsched.warmup` puts a warmup before the schedule.
"""

import math
from typing import Annotated

from lrsched._arrays.namespace import is_array, real
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Real, static
from lrsched._core.decorator import counts_steps, recipe, schedule
from lrsched._core.kinds import Rate, Steps, Timescale, or_duration
from lrsched._core.number_kinds import number, steps
from lrsched._core.schedule import Schedule
from lrsched._numerics.double_float import natural_log
from lrsched._numerics.elementary import gaussian, langevin, one_minus_exp
from lrsched._numerics.steps import as_real, progress
from lrsched.schedules.ramp import constant, linear

LogSteps = Annotated[Real, or_duration(steps(">= 2"))]


@counts_steps
@schedule
def exponential_warmup(xp: Namespace, count: Array, time_constant: Timescale) -> Array:
    """A factor that approaches 1 exponentially, without an end.

        value(t) = 1 - exp(-(t + 1) / time_constant)

    t is the count of updates made so far.

    Args:
        time_constant: in steps, a number of at least 1e-18. The untuned choice for an Adam with
            discount factor beta2 is 1 / (1 - beta2).

    Raises:
        TypeError: `time_constant` is not a number.
        ValueError: `time_constant` is not finite or < 1e-18.

    Source: Ma and Yarats 2019, arXiv:1910.04209.

    Elsewhere: pytorch_warmup's `ExponentialWarmup(warmup_period)` and `UntunedExponentialWarmup`.

    >>> round(exponential_warmup(1 / (1 - 0.999))(999), 6)
    0.632121
    """
    return one_minus_exp(xp, count, time_constant)


@counts_steps
@schedule
def log_warmup(xp: Namespace, count: Array, warmup_steps: LogSteps) -> Array:
    """A factor that rises with the logarithm of the step to 1, held there.

        value(t) = min(log(t + 1) / log(warmup_steps), 1)

    t is the count of updates made so far.

    Args:
        warmup_steps: the length in steps, at least 2; the factor is 1 from count
            `warmup_steps - 1` on.

    Raises:
        TypeError: `warmup_steps` is not a number.
        ValueError: `warmup_steps` < 2.

    Elsewhere: DeepSpeed's `WarmupLR(warmup_type="log")`, its default.

    >>> [round(log_warmup(100)(count), 6) for count in (0, 9, 99)]
    [0.0, 0.5, 1.0]
    """
    done, _ = progress(xp, count, warmup_steps - 1)
    passed = 1.0 * as_real(xp, done)
    return xp.log1p(passed) / xp.log(real(xp, warmup_steps) + 0.0 * passed)


@schedule
def sigmoid_ramp_up(xp: Namespace, count: Array, steps: Steps, steepness: Rate = 5.0) -> Array:
    """A factor that rises along half a Gaussian to 1, held there.

        value(t) = exp(-steepness * (1 - p) ** 2)

        p = min(t, steps) / steps

    t is the count of updates made so far.

    Args:
        steps: the length in steps, at least 1.
        steepness: 0 or more; the factor at count 0 is exp(-steepness).

    Raises:
        TypeError: `steps` is not a number, or `steepness` is not a number.
        ValueError: `steps` < 1, or `steepness` is not finite or < 0.

    Source: Laine and Aila 2016, arXiv:1610.02242, who call it the ramp-up; mean teacher calls it
    sigmoid.

    >>> [round(sigmoid_ramp_up(80)(count), 4) for count in (0, 40, 80, 81)]
    [0.0067, 0.2865, 1.0, 1.0]
    """
    _, remaining = progress(xp, count, steps)
    return gaussian(xp, steepness, remaining, steps)


Beta2 = Annotated[Real, number(">= 0.9", "<= 0.999999")]


@counts_steps
@schedule
def radam_warmup(xp: Namespace, count: Array, beta2: Beta2 = 0.999) -> Array:
    """A factor that rises to 1 as the variance of Adam's step falls: RAdam's, without an end.

        value(t) = sqrt((rho - 4) * (rho - 2) * rho_max / ((rho_max - 4) * (rho_max - 2) * rho))

        rho = rho_max - 2 * n * beta2 ** n / (1 - beta2 ** n)
        rho_max = 2 / (1 - beta2) - 1
        n = t + 5

    t is the count of updates made so far. Count 0 is the fifth step of RAdam, the first for which
    the root exists.

    Args:
        beta2: Adam's second discount factor, from 0.9 to 0.999999.

    Raises:
        TypeError: `beta2` is not a number.
        ValueError: `beta2` is not from 0.9 to 0.999999.

    Source: Liu et al. 2019, arXiv:1908.03265, algorithm 2; as an overlay, Ma and Yarats 2019,
    arXiv:1910.04209.

    Elsewhere: pytorch_warmup's `RAdamWarmup`, for a beta2 of 0.9 or more.

    >>> [round(radam_warmup(0.999)(count), 6) for count in (0, 995, 9995)]
    [0.017312, 0.645326, 0.999773]
    """
    # With h = -log(beta2) and the Langevin function L(x) = coth(x) - 1 / x, rho is
    # n + L(h / 2) - n * L(n * h / 2), in which nothing large cancels. Where n * h / 2 is large, the
    # code computes 1 - L(n * h / 2) directly.
    half = -0.5 * natural_log(xp, beta2)
    first = langevin(xp if is_array(half) else math, half)
    count = as_real(xp, count)
    n = count + 5.0
    x = n * half
    early = x < 1.0
    small = xp.where(early, x, 1.0)
    large = xp.clip(x, 1.0, 40.0)  # expm1(80) fits into float32, and its term is below rounding
    late = n / xp.maximum(x, 1.0) - 2.0 * n / xp.expm1(2.0 * large)
    over_4 = xp.where(early, count + 1.0 - (n * langevin(xp, small) - first), late + first - 4.0)
    limit = 1.0 / half + first
    return xp.sqrt(
        over_4 / (limit - 4.0) * ((over_4 + 2.0) / (limit - 2.0)) * (limit / (over_4 + 4.0))
    )


_Below1 = Annotated[Real, static(number(">= 0", "< 1"))]


@counts_steps
@recipe(is_scalable=False)
def untuned_linear_warmup(beta2: _Below1 = 0.999) -> Schedule:
    """A factor that rises along a line to 1, as long as an Adam with this `beta2` needs it.

        value(t) = min((t + 1) / n, 1)

        n = floor(2 / (1 - beta2))

    t is the count of updates made so far. Multiply a schedule with it.

    Args:
        beta2: Adam's second discount factor, at least 0 and below 1.

    Raises:
        TypeError: `beta2` is not a number.
        ValueError: `beta2` < 0, `beta2` >= 1, or n is above 2**31.

    Source: Ma and Yarats 2019, arXiv:1910.04209.

    Elsewhere: pytorch_warmup's `UntunedLinearWarmup`, which often takes a step less because it
    rounds `1 - beta2`; its `UntunedExponentialWarmup` is `exponential_warmup(1 / (1 - beta2))`.

    >>> [untuned_linear_warmup(0.9)(count) for count in (0, 9, 19, 20)]
    [0.05, 0.5, 1.0, 1.0]
    """
    steps = int(2 / (1 - beta2) * (1 + 1e-12))
    return linear(1 / steps, 1.0, steps - 1) if steps > 1 else constant(1.0)
