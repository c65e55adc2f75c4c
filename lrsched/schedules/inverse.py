"""Decays without an end: inverse square root, inverse time, natural exponential, power law."""

from typing import Annotated

from lrsched._arrays.namespace import real
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Real, number
from lrsched._core.decorator import schedule
from lrsched._core.kinds import Flag, Phase, Positive, RatePerDecaySteps, Steps, Value
from lrsched._numerics.elementary import exponential, fraction, power_of_product


@schedule
def inverse_sqrt(
    xp: Namespace,
    count: Array,
    init_value: Value,
    timescale: Steps,
    shift: Phase = 0,
    end_value: Value = 0.0,
) -> Array:
    """Falls with the inverse square root of the time, without an end.

        value(t) = end_value + (init_value - end_value) * sqrt(timescale / (timescale + shift + t))

    t is the count of updates made so far.

    Args:
        init_value: the value at count 0, if `shift` is 0.
        timescale: in steps, at least 1; after three times as many the value has fallen by half.
        shift: the steps by which the curve has begun before count 0, at least 0.
        end_value: the value that the curve decays towards.

    Raises:
        TypeError: a value is not a number, or `timescale` or `shift` is not an integer.
        ValueError: a value is not finite, `timescale` < 1, or `shift` < 0.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 5.3; with timescale and shift, Zhai et
    al. 2021, arXiv:2106.04560.

    Elsewhere, each after a linear warmup of W steps: transformers' `inverse_sqrt(timescale)` and
    big_vision's `rsqrt(timescale, shift)` are `warmup(inverse_sqrt(lr, timescale, shift), W)`.
    T5's and Megatron's `sqrt(W / t)` is `warmup(inverse_sqrt(lr, W), W)`; Megatron's floor is
    `end_value`. Noam's `min((t + 1)**-0.5, (t + 1) * W**-1.5)`, which counts from 1, is
    `warmup(inverse_sqrt(lr, W), W - 1, lr / W)` with `lr = W**-0.5`.

    >>> decay = inverse_sqrt(1.0, timescale=100)
    >>> [decay(count) for count in (0, 300, 1500)]
    [1.0, 0.5, 0.25]
    """
    passed = real(xp, shift) + real(xp, count)  # the sum may not fit an integer
    whole = real(xp, timescale) + passed
    weight = xp.sqrt(real(xp, timescale) / whole)
    return init_value * weight + end_value * (passed / whole / (1.0 + weight))


@schedule
def inverse_time(
    xp: Namespace,
    count: Array,
    init_value: Value,
    decay_rate: RatePerDecaySteps,
    decay_steps: Steps = 1,
    staircase: Flag = False,
) -> Array:
    """Falls with the inverse of the time, smooth or in stairs, without an end.

        value(t) = init_value / (1 + decay_rate * t / decay_steps)

        value(t) = init_value / (1 + decay_rate * floor(t / decay_steps))     with `staircase`

    t is the count of updates made so far.

    Args:
        init_value: the value at count 0.
        decay_rate: what each `decay_steps` steps add to the divisor, 0 or more.
        decay_steps: the steps in which the divisor grows by `decay_rate`, at least 1.
        staircase: whether the value changes only at every multiple of `decay_steps`.

    Raises:
        TypeError: `init_value` or `decay_rate` is not a number, `decay_steps` is not an integer, or
            `staircase` is not a bool.
        ValueError: a number is not finite, `decay_rate` < 0, or `decay_steps` < 1.

    Elsewhere: Keras' `InverseTimeDecay(initial_learning_rate, decay_steps, decay_rate)`; thinc's
    `decaying`. A decay from `init_value` to `end_value` over D steps is `inverse_time(init_value,
    init_value / end_value - 1, D)`.

    >>> inverse_time(0.1, decay_rate=1.0, decay_steps=10)(30)
    0.025
    """
    passed = real(xp, count // decay_steps) if staircase else fraction(xp, count, decay_steps)
    return init_value / (1.0 + decay_rate * passed)


@schedule
def natural_exponential_decay(
    xp: Namespace,
    count: Array,
    init_value: Value,
    decay_rate: RatePerDecaySteps,
    decay_steps: Steps = 1,
    staircase: Flag = False,
) -> Array:
    """Falls with the natural exponential of the time, smooth or in stairs, without an end.

        value(t) = init_value * exp(-decay_rate * t / decay_steps)

        value(t) = init_value * exp(-decay_rate * floor(t / decay_steps))     with `staircase`

    t is the count of updates made so far.

    Args:
        init_value: the value at count 0.
        decay_rate: the decrease of the exponent per `decay_steps` steps, 0 or more.
        decay_steps: the steps in which the exponent falls by `decay_rate`, at least 1.
        staircase: whether the value changes only at every multiple of `decay_steps`.

    Raises:
        TypeError: `init_value` or `decay_rate` is not a number, `decay_steps` is not an integer, or
            `staircase` is not a bool.
        ValueError: a number is not finite, `decay_rate` < 0, or `decay_steps` < 1.

    Elsewhere: Paddle's `NaturalExpDecay(learning_rate, gamma)`; `exponential_decay` with the rate
    `exp(-decay_rate)`.

    >>> round(natural_exponential_decay(0.1, decay_rate=1.0, decay_steps=10)(20), 6)
    0.013534
    """
    if staircase:
        return exponential(xp, init_value, -1.0 * decay_rate, count // decay_steps)
    return exponential(xp, init_value, -1.0 * decay_rate, count, decay_steps)


Exponent = Annotated[Real, number(">= -4", "<= 0")]
Tokens = Annotated[Real, number(">= 1", unit="tokens")]


@schedule
def power_law(
    xp: Namespace,
    count: Array,
    peak_value: Value,
    coefficient: Positive,
    exponent: Exponent = -0.51,
    tokens_per_step: Tokens = 1.0,
) -> Array:
    """Falls with a power of the tokens seen, below a ceiling, without an end.

        value(t) = min(peak_value, coefficient * n ** exponent)

        n = max(t * tokens_per_step, 1)

    t is the count of updates made so far. The value depends on how many tokens were seen, not on
    how long the run will be.

    Args:
        peak_value: the ceiling.
        coefficient: the power law's value at one token, at least 1e-18; in the paper 4.6 times the
            batch size.
        exponent: the power of the tokens, from -4 to 0.
        tokens_per_step: the tokens of an optimizer update, at least 1; with 1 the value is a power
            of the steps.

    Raises:
        TypeError: a parameter is not a number.
        ValueError: a number is not finite, `coefficient` < 1e-18, `exponent` is not from -4 to 0,
            or `tokens_per_step` < 1.

    Source: Shen et al. 2024, "Power Scheduler", arXiv:2408.13359, which adds a warmup before it
    and an exponential decay at the end.

    Elsewhere: marin's power schedule.

    >>> law = power_law(0.02, coefficient=4.6 * 128, tokens_per_step=128 * 4096)
    >>> f"{law(0):.4g} {law(1000):.4g} {law(4000):.4g}"
    '0.02 0.02 0.01037'
    """
    return xp.minimum(
        power_of_product(xp, coefficient, count, tokens_per_step, exponent), peak_value
    )
