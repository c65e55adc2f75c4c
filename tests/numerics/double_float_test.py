"""The exact arithmetic on pairs of float32, compiled by JAX, against mpmath."""

from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("jax")

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from lrsched._numerics import double_float as pairs
from tests.strategies import LAST

mp.prec = 200
counts = st.integers(1, LAST)
singles = st.floats(2.0**-20, 2.0**20, width=32)


def exact(pair: pairs.Pair) -> Any:
    return mpf(float(pair[0])) + mpf(float(pair[1]))


def in_jax(f: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(lambda *xs: f(jnp, *xs))


jitted_pair = in_jax(pairs.pair)
jitted_product = in_jax(lambda xp, x, y: pairs.product(xp, (x, 0.0), (y, 0.0)))
jitted_ratio = in_jax(pairs.ratio)
jitted_log2 = in_jax(lambda xp, x: pairs.log2(xp, (x, 0.0)))
jitted_power = in_jax(lambda xp, v, x, y: pairs.times_power_of_2(xp, v, (x, 0.0), (y, 0.0)))

jitted_power_of_2 = in_jax(lambda xp, x: pairs.power_of_2(xp, (x, 0.0 * x)))
jitted_lost = in_jax(lambda xp, x: pairs.one_minus_exp2(xp, (x, 0.0 * x)))
jitted_sine = in_jax(lambda xp, x, low: pairs.quarter_sine(xp, (x, low)))


@given(counts)
def test_an_integer_is_a_pair_exactly(n: int) -> None:
    assert exact(jitted_pair(jnp.int32(n))) == n


@given(st.floats(-1e30, 1e30).filter(lambda x: abs(x) > 1e-30))
def test_a_python_float_is_a_pair_to_48_bits(x: float) -> None:
    high, low = pairs.pair(jnp, x)
    assert high == np.float32(high)
    assert abs(exact((high, np.float32(low))) - mpf(x)) <= abs(x) * 2.0**-48


@given(singles, singles)
def test_a_product_is_exact(x: float, y: float) -> None:
    assert exact(jitted_product(jnp.float32(x), jnp.float32(y))) == mpf(x) * mpf(y)


@given(counts, counts)
def test_a_ratio_is_right_to_44_bits(n: int, steps: int) -> None:
    wanted = mpf(n) / steps
    for found in (jitted_ratio(jnp.int32(n), jnp.int32(steps)), pairs.ratio(jnp, n, steps)):
        assert abs(exact(found) - wanted) <= wanted * 2.0**-44


@given(singles | st.floats(0.5, 2.0, width=32) | st.floats(1.0 - 2.0**-12, 1.0, width=32))
def test_a_logarithm_keeps_its_digits(x: float) -> None:
    """Near 1 relative to itself, elsewhere to 2**-28."""
    wanted = mp.log(mpf(x), 2)
    allowed = min(2.0**-28, 2.0**-21 * float(abs(wanted)))
    assert abs(exact(jitted_log2(jnp.float32(x))) - wanted) <= allowed


@given(singles, st.floats(-11, 11, width=32), st.floats(-11, 11, width=32))
def test_a_power_of_2_is_right_to_the_last_place(value: float, x: float, y: float) -> None:
    exponent = min(mpf(x) * mpf(y), mpf(pairs.SATURATION))
    wanted = mpf(value) * mpf(2) ** exponent
    found = jitted_power(jnp.float32(value), jnp.float32(x), jnp.float32(y))
    if wanted >= 2.0**-126:
        assert abs(mpf(float(found)) - wanted) <= wanted * 2.0**-22


powers = st.floats(-30.0, 0.0, width=32) | st.floats(-(2.0**-20), 0.0, width=32)


@given(powers)
def test_a_power_and_what_it_lost_are_pairs(x: float) -> None:
    power = mpf(2) ** mpf(x)
    assert abs(exact(jitted_power_of_2(jnp.float32(x))) - power) <= power * 2.0**-29
    lost = 1 - power
    found = exact(jitted_lost(jnp.float32(x)))
    assert abs(found - lost) <= lost * 2.0**-27 or lost < 2.0**-75
    high, low = jitted_lost(jnp.float32(x))
    assert np.float32(high + low) == high  # either is used alone


@given(st.floats(0.0, 1.0, width=32) | st.floats(0.0, 2.0**-20, width=32), st.floats(-0.5, 0.5))
def test_a_sine_is_a_pair(x: float, part: float) -> None:
    low = float(np.float32(part * np.spacing(np.float32(x)) * (0 < x < 1)))
    wanted = mp.sinpi((mpf(x) + mpf(low)) / 2)
    found = exact(jitted_sine(jnp.float32(x), jnp.float32(low)))
    assert abs(found - wanted) <= wanted * 2.0**-29 or wanted < 2.0**-75


@pytest.mark.parametrize("whole", [-126, -104, -17, -16, -15, -1, 0, 1, 15, 16, 63])
def test_whole_powers_of_2_are_exact(whole: int) -> None:
    assert jitted_power(1.0, float(whole), 1.0) == 2.0**whole


def test_growth_saturates() -> None:
    for exponent in (64.0, 100.0, 1e30):
        assert jitted_power(1.0, exponent, 1.0) == 2.0**pairs.SATURATION
