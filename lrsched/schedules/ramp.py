"""Schedules that go from one value to another once, and stay there."""

from lrsched._arrays.types import Array, Namespace
from lrsched._core.decorator import schedule
from lrsched._core.kinds import Flag, Positive, Power, Steps, Value
from lrsched._numerics.complement import complement_of, interpolate_power
from lrsched._numerics.elementary import geometric, progress
from lrsched._numerics.shapes import interpolate


@schedule
def constant(xp: Namespace, count: Array, value: Value) -> Array:
    r"""A flat line.

    .. math:: \eta(t) = v

    Args:
        value: the learning rate at every count.

    Raises:
        TypeError, ValueError: `value` is not a finite number.

    Elsewhere: `optax.constant_schedule(value)`; in torch an optimizer without a scheduler.
    torch's `ConstantLR(factor, total_iters)` is `piecewise_constant((factor * lr, lr),
    (total_iters,))`.

    >>> constant(0.1)(1_000_000)
    0.1
    """
    return value


@schedule
def linear(xp: Namespace, count: Array, init_value: Value, end_value: Value, steps: Steps) -> Array:
    r"""A straight line from one value to another, held at the end.

    .. math:: \eta(t) = v_0 \frac{T - t}{T} + v_1 \frac{t}{T}, \quad t = \min(\text{count}, T)

    Args:
        init_value: the value at count 0.
        end_value: the value at count `steps` and after.
        steps: T, the length of the line in steps, at least 1.

    Raises:
        TypeError, ValueError: a value is not a finite number, or `steps` not an integer >= 1.

    Source: linear decay to zero is "budgeted training", Li et al. 2019, arXiv:1905.04753, and
    after a warmup "D2Z", Bergsma et al. 2025, arXiv:2502.15938.

    Elsewhere: `optax.linear_schedule(init_value, end_value, transition_steps)`; torch's
    `LinearLR(start_factor, end_factor, total_iters)`, whose factors multiply the optimizer's lr
    (and whose `start_factor` cannot be 0).

    >>> line = linear(1.0, 0.0, 4)
    >>> [line(count) for count in range(6)]
    [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    done, remaining = progress(xp, count, steps)
    return interpolate(xp, init_value, end_value, done, remaining, steps)


@schedule
def polynomial(
    xp: Namespace,
    count: Array,
    init_value: Value,
    end_value: Value,
    steps: Steps,
    power: Power,
    cycle: Flag = False,
) -> Array:
    r"""A power of what is left, from one value to another, held at the end.

    .. math:: \eta(t) = v_1 + (v_0 - v_1) \left(\frac{T - t}{T}\right)^p,
        \quad t = \min(\text{count}, T)

    Args:
        init_value: the value at count 0.
        end_value: the value at count `steps` and after.
        steps: T, the length in steps, at least 1.
        power: p, above 0; 1 is `linear`, above 1 the curve starts steep and ends flat.
        cycle: whether to go on instead of holding: with :math:`T \lceil t / T \rceil` for T, so
            that every `steps` the end is reached, and then left for the point of a curve which is
            that much longer.

    Raises:
        TypeError, ValueError: a value is not a finite number, `steps` not an integer >= 1,
            `power` not a number > 0, or `cycle` not a bool.

    Elsewhere: `optax.polynomial_schedule(init_value, end_value, power, transition_steps)`; torch's
    `PolynomialLR(total_iters, power)`, which always ends at 0; Keras' `PolynomialDecay(power,
    cycle)`.

    >>> polynomial(1.0, 0.0, 10, power=2)(5)
    0.25
    >>> polynomial(1.0, 0.0, 10, power=2, cycle=True)(15)
    0.0625
    """
    if cycle:
        cycles = xp.maximum(-(-count // steps), 1)
        remaining = cycles * steps - count  # the product may overflow, and then this overflows back
        parts = complement_of(xp, remaining, count, steps, cycles)
    else:
        done, remaining = progress(xp, count, steps)
        parts = complement_of(xp, remaining, done, steps)
    return interpolate_power(xp, init_value, end_value, parts, power)


@schedule
def exponential_ramp(
    xp: Namespace, count: Array, init_value: Positive, end_value: Positive, steps: Steps
) -> Array:
    r"""A straight line on a logarithmic axis from one value to another, held at the end.

    .. math:: \eta(t) = v_0 \left(\frac{v_1}{v_0}\right)^{t / T}, \quad t = \min(\text{count}, T)

    Both ends are hit exactly: the first half is counted from the beginning, the second backwards
    from the end.

    Args:
        init_value: the value at count 0, at least 1e-18.
        end_value: the value at count `steps` and after, at least 1e-18.
        steps: T, the length in steps, at least 1.

    Raises:
        TypeError, ValueError: a value is not a finite positive number, or `steps` not an
            integer >= 1.

    Source: the sweep of a learning-rate range test, Smith 2015, arXiv:1506.01186, section 3.3
    (there on a linear scale; the finders since sweep geometrically).

    Elsewhere: `optax.exponential_decay(init_value, steps, end_value / init_value)` without the
    hold. A finder that makes N updates and wants both ends among them takes `steps = N - 1`.

    >>> ramp = exponential_ramp(1e-4, 1.0, 4)
    >>> [float(f"{ramp(count):.6g}") for count in range(6)]
    [0.0001, 0.001, 0.01, 0.1, 1.0, 1.0]
    """
    done, remaining = progress(xp, count, steps)
    backwards = done > remaining
    growth = geometric(
        xp, 1.0, end_value / init_value, xp.where(backwards, -remaining, done), steps
    )
    return xp.where(backwards, end_value * growth, init_value * growth)
