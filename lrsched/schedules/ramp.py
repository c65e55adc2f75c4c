"""Schedules that go from one value to another once, and stay there."""

from lrsched._arrays.types import Array, Namespace
from lrsched._core.decorator import schedule
from lrsched._core.kinds import Flag, Positive, Power, Steps, Value
from lrsched._numerics.complement import complement_of, interpolate_power
from lrsched._numerics.elementary import geometric
from lrsched._numerics.shapes import interpolate
from lrsched._numerics.steps import as_real, negative, progress, where
from lrsched._numerics.steps import cycle as cycle_of


@schedule
def constant(xp: Namespace, count: Array, value: Value) -> Array:
    """A flat line.

        value(t) = value

    The value is the same at every count t.

    Args:
        value: the learning rate.

    Raises:
        TypeError: `value` is not a number.
        ValueError: `value` is not finite.

    Elsewhere: `optax.constant_schedule(value)`; in torch an optimizer without a scheduler.
    torch's `ConstantLR(factor, total_iters)` is `piecewise_constant((factor * lr, lr),
    (total_iters,))`.

    >>> constant(0.1)(1_000_000)
    0.1
    """
    return value


@schedule
def linear(xp: Namespace, count: Array, init_value: Value, end_value: Value, steps: Steps) -> Array:
    """A straight line from one value to another, held at the end.

        value(t) = init_value * (1 - p) + end_value * p

        p = min(t, steps) / steps

    t is the count of updates made so far.

    Args:
        init_value: the value at count 0.
        end_value: the value at count `steps` and after.
        steps: the length of the line in steps, at least 1.

    Raises:
        TypeError: a value or `steps` is not a number.
        ValueError: a value is not finite, or `steps` < 1.

    Source: linear decay to zero is "budgeted training", Li et al. 2019, arXiv:1905.04753; after a
    warmup it is "D2Z", Bergsma et al. 2025, arXiv:2502.15938.

    Elsewhere: `optax.linear_schedule(init_value, end_value, transition_steps)`; torch's
    `LinearLR(start_factor, end_factor, total_iters)`, whose factors multiply the optimizer's lr
    and whose `start_factor` cannot be 0.

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
    """A power of the remaining fraction of the steps, from one value to another, held at the end.

        value(t) = end_value + (init_value - end_value) * q ** power

        q = 1 - min(t, steps) / steps                         without `cycle`
        q = 1 - t / (steps * max(ceil(t / steps), 1))         with `cycle`

    t is the count of updates made so far. With `cycle` the value reaches `end_value` at every
    multiple of `steps` and then jumps to a curve that is `steps` longer.

    Args:
        init_value: the value at count 0.
        end_value: the value at count `steps`, and after it unless `cycle` is set.
        steps: the length in steps, at least 1.
        power: the exponent, above 0; 1 is `linear`, above 1 the curve starts steep and ends flat.
        cycle: whether to go on after `steps` instead of holding `end_value`.

    Raises:
        TypeError: a value, `power` or `steps` is not a number, or `cycle` is not
            a bool.
        ValueError: a number is not finite, `steps` < 1, or `power` <= 0.

    Elsewhere: `optax.polynomial_schedule(init_value, end_value, power, transition_steps)`; torch's
    `PolynomialLR(total_iters, power)`, which always ends at 0; Keras' `PolynomialDecay(power,
    cycle)`.

    >>> polynomial(1.0, 0.0, 10, power=2)(5)
    0.25
    >>> polynomial(1.0, 0.0, 10, power=2, cycle=True)(15)
    0.0625
    """
    if cycle:
        index, done, remaining = cycle_of(xp, count, steps)
        at_end = (as_real(xp, done) == 0) & (index > 0)
        cycles = xp.where(at_end, index, index + 1)
        parts = complement_of(xp, where(xp, at_end, 0, remaining), count, steps, cycles)
    else:
        done, remaining = progress(xp, count, steps)
        parts = complement_of(xp, remaining, done, steps)
    return interpolate_power(xp, init_value, end_value, parts, power)


@schedule
def exponential_ramp(
    xp: Namespace, count: Array, init_value: Positive, end_value: Positive, steps: Steps
) -> Array:
    """A straight line on a logarithmic axis from one value to another, held at the end.

        value(t) = init_value * (end_value / init_value) ** p

        p = min(t, steps) / steps

    t is the count of updates made so far. Both ends are exact: the first half is computed from
    `init_value`, the second backwards from `end_value`.

    Args:
        init_value: the value at count 0, at least 1e-18.
        end_value: the value at count `steps` and after, at least 1e-18.
        steps: the length in steps, at least 1.

    Raises:
        TypeError: a value or `steps` is not a number.
        ValueError: a value is not finite or < 1e-18, or `steps` < 1.

    Source: the sweep of a learning-rate range test, Smith 2015, arXiv:1506.01186, section 3.3.
    Smith's sweep is linear; later learning-rate finders sweep geometrically, as here.

    Elsewhere: `optax.exponential_decay(init_value, steps, end_value / init_value)`, which does not
    hold the end value. A finder that makes N updates and uses both ends takes `steps = N - 1`.

    >>> ramp = exponential_ramp(1e-4, 1.0, 4)
    >>> [float(f"{ramp(count):.6g}") for count in range(6)]
    [0.0001, 0.001, 0.01, 0.1, 1.0, 1.0]
    """
    done, remaining = progress(xp, count, steps)
    backwards = as_real(xp, done) > as_real(xp, remaining)
    n = where(xp, backwards, negative(remaining), done)
    growth = geometric(xp, 1.0, end_value / init_value, n, steps)
    return xp.where(backwards, end_value * growth, init_value * growth)
