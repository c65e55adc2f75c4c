"""Keep the divergence of a policy's updates within a band."""

from typing import Annotated, Any, NamedTuple

from lrsched._arrays.types import Namespace
from lrsched._core.checks import FLAG, Real, Refusal, is_traced
from lrsched._core.controller_decorator import controller
from lrsched._core.kinds import Positive, Rate
from lrsched._core.number_kinds import number

Factor = Annotated[Real, number(">= 1")]
Flag = Annotated[bool, FLAG]


class KLAdaptiveState(NamedTuple):
    """The learning rate, or the factor, after the last observation."""

    value: Any


def in_order(refuse: Refusal, params: dict[str, Any]) -> None:
    """Refuse a lower limit above the upper one."""
    low, high = params["min_value"], params["max_value"]
    if not is_traced(low) and not is_traced(high) and low > high:
        refuse("min_value", f"at most max_value ({high})", low)


@controller(lambda init_value: KLAdaptiveState(init_value), check=in_order)
def kl_adaptive(
    xp: Namespace,
    state: KLAdaptiveState,
    metric: Any,
    init_value: Rate,
    target_kl: Positive = 0.01,
    factor: Factor = 1.5,
    band: Factor = 2.0,
    min_value: Rate = 1e-5,
    max_value: Rate = 1e-2,
    ignore_zero: Flag = True,
) -> KLAdaptiveState:
    """Lower by a factor after a large KL divergence, higher by the factor after a small one.

        value <- max(value / factor, min_value)    if metric > target_kl * band
                 min(value * factor, max_value)    if metric < target_kl / band

    The metric is the mean KL divergence of the policy after an update from the one before it.
    Within the band, and for NaN, the value stays.

    Args:
        init_value: the value before the first observation, 0 or more.
        target_kl: the divergence in the middle of the band, above 0.
        factor: by what the value is divided and multiplied, 1 or more.
        band: how many times the target the divergence may be, or how many times less, 1 or more.
        min_value: the lowest value that a decrease reaches, 0 or more.
        max_value: the highest value that an increase reaches, at least `min_value`.
        ignore_zero: whether a divergence of 0 or less leaves the value as it is; if not, it counts
            as a small one.

    Raises:
        TypeError: a number is of the wrong type, or `ignore_zero` is not a bool.
        ValueError: a number is not finite or is outside of what is said above.

    Source: the adaptive schedule of rsl_rl (Rudin et al., "Learning to Walk in Minutes Using
    Massively Parallel Deep Reinforcement Learning", 2022, arXiv:2109.11978), after Schulman et al.,
    "Proximal Policy Optimization Algorithms", 2017, arXiv:1707.06347, section 4.

    Elsewhere: rsl_rl's `PPO(schedule="adaptive", desired_kl=...)` and Brax's `desired_kl` have
    these defaults. skrl's `KLAdaptiveLR(kl_threshold, min_lr, max_lr, kl_factor, lr_factor)` and
    rl_games' `AdaptiveScheduler` are these with `ignore_zero=False`, a `target_kl` of 0.008 and a
    `min_value` of 1e-6.

    >>> rate = kl_adaptive(1e-3)
    >>> state = rate.init()
    >>> for divergence in (0.03, 0.01, 0.001):
    ...     state = rate.update(state, divergence)
    ...     print(round(state.value, 6))
    0.000667
    0.000667
    0.001
    """
    del init_value
    (value,) = state
    is_large = metric > target_kl * band
    is_small = metric < target_kl / band
    if ignore_zero:
        is_small = xp.logical_and(is_small, metric > 0.0)
    lower = xp.maximum(value / factor, min_value)
    higher = xp.minimum(value * factor, max_value)
    return KLAdaptiveState(xp.where(is_large, lower, xp.where(is_small, higher, value)))
