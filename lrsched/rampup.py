"""Factors that rise to 1, to multiply a schedule with whose own clock runs from 0.

`schedule * exponential_warmup(100)` overlays a warmup; `lrsched.warmup` puts one before.
"""

from typing import Annotated, Any

from lrsched._define import schedule
from lrsched._namespace import real
from lrsched._numerics import gaussian, progress
from lrsched._validate import Duration, Rate, Steps, Whole, integer

LogSteps = Annotated[Whole, integer(2, "steps")]


@schedule
def exponential_warmup(xp: Any, count: Any, time_constant: Duration) -> Any:
    r"""A factor that nears 1 exponentially, for ever.

    .. math:: \eta(t) = 1 - e^{-(t + 1) / \tau}

    Args:
        time_constant: tau, in steps, at least 1e-18. Untuned, for an Adam with :math:`\beta_2`,
            it is :math:`1 / (1 - \beta_2)`.

    Raises:
        TypeError, ValueError: `time_constant` is not a number >= 1e-18.

    Source: Ma and Yarats 2019, arXiv:1910.04209.

    Elsewhere: pytorch_warmup's `ExponentialWarmup(warmup_period)` and `UntunedExponentialWarmup`.

    >>> round(exponential_warmup(1 / (1 - 0.999))(999), 6)
    0.632121
    """
    return -xp.expm1(-(real(xp, count) + 1.0) / time_constant)


@schedule
def log_warmup(xp: Any, count: Any, warmup_steps: LogSteps) -> Any:
    r"""A factor that rises with the logarithm of the step, to 1.

    .. math:: \eta(t) = \min\left(\frac{\ln(t + 1)}{\ln W}, 1\right)

    Args:
        warmup_steps: W, in steps, at least 2; 1 is reached at count W - 1.

    Raises:
        TypeError, ValueError: `warmup_steps` is not an integer >= 2.

    Elsewhere: DeepSpeed's `WarmupLR(warmup_type="log")`, its default.

    >>> [round(log_warmup(100)(count), 6) for count in (0, 9, 99)]
    [0.0, 0.5, 1.0]
    """
    done, _ = progress(xp, count, warmup_steps - 1)
    return xp.log1p(1.0 * real(xp, done)) / xp.log(real(xp, warmup_steps + 0 * count))


@schedule
def sigmoid_ramp_up(xp: Any, count: Any, steps: Steps, steepness: Rate = 5.0) -> Any:
    r"""A factor that rises along half a Gaussian, to 1.

    .. math:: \eta(t) = e^{-k (1 - p)^2}, \quad p = \min(t, T) / T

    Args:
        steps: T, the length in steps, at least 1.
        steepness: k, 0 or more; it begins at :math:`e^{-k}`.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Source: Laine and Aila 2016, arXiv:1610.02242, whose name for it is the ramp-up; mean teacher
    calls it sigmoid.

    >>> [round(sigmoid_ramp_up(80)(count), 4) for count in (0, 40, 80, 81)]
    [0.0067, 0.2865, 1.0, 1.0]
    """
    _, left = progress(xp, count, steps)
    return gaussian(xp, steepness, left, steps)
