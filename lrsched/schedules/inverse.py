"""Decays without an end: inverse square root, inverse time, natural exponential, power law."""

from typing import Annotated

from lrsched._arrays.namespace import real
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Real, at_least_a_step_if
from lrsched._core.decorator import counts_steps, schedule
from lrsched._core.kinds import Flag, Phase, Positive, Power, Rate, Timescale, Value
from lrsched._core.number_kinds import number
from lrsched._numerics.complement import complement_of, interpolate_power
from lrsched._numerics.elementary import exponential, fraction, power_of_product
from lrsched._numerics.steps import as_real, cycle, total


@schedule
def inverse_sqrt(
    xp: Namespace,
    count: Array,
    init_value: Value,
    timescale: Timescale,
    shift: Phase = 0,
    end_value: Value = 0.0,
) -> Array:
    """Falls with the inverse square root of the time, without an end.

        value(t) = end_value + (init_value - end_value) * sqrt(timescale / (timescale + shift + t))

    t is the count of updates made so far.

    Args:
        init_value: the value at count 0, if `shift` is 0.
        timescale: in steps, above 0; after three times as many the value has fallen by half.
        shift: the steps by which the curve has begun before count 0, at least 0.
        end_value: the value that the curve decays towards.

    Raises:
        TypeError: a value, `timescale` or `shift` is not a number.
        ValueError: a value is not finite, `timescale` <= 0, or `shift` < 0.

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
    passed = real(xp, shift) + as_real(xp, count)  # the sum may not fit an integer
    whole = real(xp, timescale) + passed
    weight = xp.sqrt(real(xp, timescale) / whole)
    return init_value * weight + end_value * (passed / whole / (1.0 + weight))


@schedule
def inverse_power(
    xp: Namespace,
    count: Array,
    init_value: Value,
    timescale: Timescale,
    power: Power,
    shift: Phase = 0,
    end_value: Value = 0.0,
) -> Array:
    """Falls with an inverse power of the time, without an end.

        value(t) = end_value + (init_value - end_value) * (T / (T + shift + t)) ** power

    t is the count of updates made so far, T is `timescale`. With the power 1/2 it is
    `inverse_sqrt`, with 1 `inverse_time`.

    Args:
        init_value: the value at count 0, if `shift` is 0.
        timescale: in steps, above 0; after as many the value has fallen to 2 ** -power.
        power: the exponent, above 0.
        shift: the steps by which the curve has begun before count 0, at least 0.
        end_value: the value that the curve decays towards.

    Raises:
        TypeError: a parameter is not a number.
        ValueError: a value is not finite, `timescale` or `power` <= 0, or `shift` < 0.

    Elsewhere: k-diffusion's `InverseLR(inv_gamma, power)`, whose default power is 1 and which is
    used with 2/3; OLMo-core's `PowerLR`.

    >>> decay = inverse_power(1.0, timescale=100, power=2)
    >>> [decay(count) for count in (0, 100, 300)]
    [1.0, 0.25, 0.0625]
    """
    passed = total(xp, count, shift)
    parts = complement_of(xp, timescale, passed, total(xp, passed, timescale))
    return interpolate_power(xp, init_value, end_value, parts, power)


@schedule
def eden_decay(xp: Namespace, count: Array, init_value: Value, timescale: Timescale) -> Array:
    """Flat at first, then falls with the inverse square root of the time, without an end.

        value(t) = init_value * (1 + (t / timescale) ** 2) ** -0.25

    t is the count of updates made so far.

    Args:
        init_value: the value at count 0.
        timescale: in steps, above 0; at that count the value has fallen by 16 %.

    Raises:
        TypeError: a parameter is not a number.
        ValueError: a parameter is not finite, or `timescale` <= 0.

    Source: Eden, of icefall; Yao et al. 2023, "Zipformer", arXiv:2310.11230, equation 8, is the
    product of one in updates and one in epochs: see `eden`.

    >>> round(eden_decay(1.0, timescale=100)(100), 6)
    0.840896
    """
    x = fraction(xp, count, timescale)
    large, small = xp.maximum(x, 1.0), xp.minimum(x, 1.0) / xp.maximum(x, 1.0)
    return init_value / xp.sqrt(large * xp.sqrt(1.0 + small * small))


@schedule(check=at_least_a_step_if("staircase", "decay_steps"))
def inverse_time(
    xp: Namespace,
    count: Array,
    init_value: Value,
    decay_rate: Rate,
    decay_steps: Timescale = 1,
    staircase: Flag = False,
) -> Array:
    """Falls with the inverse of the time, smooth or in stairs, without an end.

        value(t) = init_value / (1 + decay_rate * t / decay_steps)

        value(t) = init_value / (1 + decay_rate * floor(t / decay_steps))     with `staircase`

    t is the count of updates made so far.

    Args:
        init_value: the value at count 0.
        decay_rate: what each `decay_steps` steps add to the divisor, 0 or more.
        decay_steps: the steps in which the divisor grows by `decay_rate`, above 0; at least 1 with
            `staircase`.
        staircase: whether the value changes only at every multiple of `decay_steps`.

    Raises:
        TypeError: `init_value`, `decay_rate` or `decay_steps` is not a number, or
            `staircase` is not a bool.
        ValueError: a number is not finite, `decay_rate` < 0, or `decay_steps` <= 0.

    Elsewhere: Keras' `InverseTimeDecay(initial_learning_rate, decay_steps, decay_rate)`; thinc's
    `decaying`. A decay from `init_value` to `end_value` over D steps is `inverse_time(init_value,
    init_value / end_value - 1, D)`.

    >>> inverse_time(0.1, decay_rate=1.0, decay_steps=10)(30)
    0.025
    """
    stairs = (cycle(xp, count, decay_steps)[0], 1) if staircase else (count, decay_steps)
    passed = fraction(xp, *stairs)
    return init_value / (1.0 + decay_rate * passed)


@schedule(check=at_least_a_step_if("staircase", "decay_steps"))
def natural_exponential_decay(
    xp: Namespace,
    count: Array,
    init_value: Value,
    decay_rate: Rate,
    decay_steps: Timescale = 1,
    staircase: Flag = False,
) -> Array:
    """Falls with the natural exponential of the time, smooth or in stairs, without an end.

        value(t) = init_value * exp(-decay_rate * t / decay_steps)

        value(t) = init_value * exp(-decay_rate * floor(t / decay_steps))     with `staircase`

    t is the count of updates made so far.

    Args:
        init_value: the value at count 0.
        decay_rate: the decrease of the exponent per `decay_steps` steps, 0 or more.
        decay_steps: the steps in which the exponent falls by `decay_rate`, above 0; at least 1
            with `staircase`.
        staircase: whether the value changes only at every multiple of `decay_steps`.

    Raises:
        TypeError: `init_value`, `decay_rate` or `decay_steps` is not a number, or
            `staircase` is not a bool.
        ValueError: a number is not finite, `decay_rate` < 0, or `decay_steps` <= 0.

    Elsewhere: Paddle's `NaturalExpDecay(learning_rate, gamma)`; `exponential_decay` with the rate
    `exp(-decay_rate)`.

    >>> round(natural_exponential_decay(0.1, decay_rate=1.0, decay_steps=10)(20), 6)
    0.013534
    """
    if staircase:
        stairs = cycle(xp, count, decay_steps)[0]
        return exponential(xp, init_value, -1.0 * decay_rate, stairs)
    return exponential(xp, init_value, -1.0 * decay_rate, count, decay_steps)


Exponent = Annotated[Real, number(">= -4", "<= 0")]
Tokens = Annotated[Real, number(">= 1", unit="tokens")]


@counts_steps
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
