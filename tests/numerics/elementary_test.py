"""The building blocks of formulas, on Python numbers and compiled by JAX in float32."""

import math
from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("jax")

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from lrsched._arrays.scalars import SCALARS
from lrsched._numerics import elementary
from lrsched._numerics.double_float import SATURATION, normal
from tests.backends import jax_x64
from tests.strategies import LAST

mp.prec = 200
steps = st.integers(1, LAST)
rates = st.floats(2.0**-6, 100.0, width=32) | st.floats(0.875, 1.125, width=32)


@st.composite
def parts(draw: Any) -> tuple[int, int]:
    """A number of steps, and one of so many; often within a few of either end."""
    total = draw(steps)
    near = st.integers(0, 9).map(lambda n: min(n, total))
    return draw(near | near.map(lambda n: total - n) | st.integers(0, total)), total


def close(found: Any, wanted: Any, ulp: float) -> bool:
    """In units of the last place of the number's precision, or where float32 has none."""
    digits = 53 if isinstance(found, float) else 24
    return bool(abs(mpf(float(found)) - wanted) <= ulp * abs(wanted) * mpf(2) ** (1 - digits))


def in_jax(name: str) -> Callable[..., Any]:
    return jax.jit(lambda *xs: getattr(elementary, name)(jnp, *xs))


jitted = {name: in_jax(name) for name in ("half_cosine", "one_minus_exp", "power_of_product")}


@pytest.mark.parametrize(
    ("value", "number", "expected"),
    [(0.0, 0.0, True), (1.0, 0.0, False), (0, 0.0, False), (jnp.float32(0.0), 0.0, False)],
)
def test_a_literal_is_a_python_float(value: object, number: float, expected: bool) -> None:
    assert elementary.is_literal(value, number) is expected


@given(parts())
def test_a_half_cosine(part: tuple[int, int]) -> None:
    done, total = part
    wanted = mp.sinpi(mpf(done) / total / 2) ** 2
    assert close(elementary.half_cosine(SCALARS, done, total - done, total), wanted, 4)
    assert close(jitted["half_cosine"](*map(jnp.int32, (done, total - done, total))), wanted, 2)


@given(st.integers(1, 2**24), st.integers(0, 2**24), st.floats(0.0, 1.0, width=32))
def test_a_half_cosine_of_pairs(done: int, rest: int, extra: float) -> None:
    """Of a duration that is an integer and a float."""
    part, total = (float(done), extra), (float(done + rest), extra)
    wanted = mp.sinpi((mpf(done) + extra) / (mpf(done + rest) + extra) / 2) ** 2
    pairs = [normal(jnp.float32(high), jnp.float32(low)) for high, low in (part, total)]
    found = jitted["half_cosine"](pairs[0], (jnp.float32(rest), jnp.float32(0.0)), pairs[1])
    assert close(found, wanted, 2)


@given(rates, parts(), st.booleans())
def test_growth_and_decay(rate: float, part: tuple[int, int], traced: bool) -> None:
    """The growth saturates at 2**64."""
    n, length = part
    power = min(mpf(rate) ** (mpf(n) / length), mpf(2) ** SATURATION)
    found = elementary.geometric(SCALARS, 3.0, rate, n, length)
    assert close(found, 3 * power, 16)
    given_rate, given_steps = (jnp.float32(rate), jnp.int32(length)) if traced else (rate, length)
    single = elementary.geometric(jnp, 3.0, given_rate, jnp.int32(n), given_steps)
    assert close(single, 3 * power, 3)


@pytest.mark.parametrize("rate", [1.5, 2.0, 100.0])
def test_growth_saturates(rate: float) -> None:
    for n in (5000, LAST):
        assert elementary.geometric(SCALARS, 1.0, rate, n) == pytest.approx(2.0**64, rel=1e-13)
        single = elementary.geometric(jnp, 1.0, rate, jnp.int32(n))
        assert single == pytest.approx(2.0**64, rel=1e-6)
        with jax_x64():
            array = elementary.geometric(jnp, 1.0, jnp.float64(rate), jnp.int64(n))
        assert array == pytest.approx(2.0**64, rel=1e-13)
    with jax_x64():
        shrunk = elementary.geometric(jnp, 1.0, jnp.float64(1 / rate), jnp.int64(9))
    assert shrunk == pytest.approx(rate**-9, rel=1e-13)


@given(st.floats(-20.0, 20.0, width=32), parts())
def test_an_exponential(exponent: float, part: tuple[int, int]) -> None:
    n, length = part
    wanted = 0.5 * mp.exp(mpf(exponent) * n / length)
    assert close(elementary.exponential(SCALARS, 0.5, exponent, n, length), wanted, 32)
    single = elementary.exponential(jnp, 0.5, exponent, jnp.int32(n), jnp.int32(length))
    assert close(single, wanted, 3)


@given(st.floats(0.0, 40.0, width=32), parts())
def test_a_gaussian(exponent: float, part: tuple[int, int]) -> None:
    n, length = part
    wanted = mp.exp(-mpf(exponent) * (mpf(n) / length) ** 2)
    assert close(elementary.gaussian(SCALARS, exponent, n, length), wanted, 64)
    assert close(elementary.gaussian(jnp, exponent, jnp.int32(n), jnp.int32(length)), wanted, 3)


@given(steps, st.floats(2.0**-10, 2.0, width=32), st.floats(-2.0, 0.0, width=32))
def test_a_power_of_a_product(count: int, factor: float, exponent: float) -> None:
    """Of what is below 1 it is 1."""
    wanted = 0.5 * max(mpf(count) * factor, mpf(1)) ** mpf(exponent)
    found = elementary.power_of_product(SCALARS, 0.5, count, factor, exponent)
    assert close(found, wanted, 64)
    single = jitted["power_of_product"](0.5, jnp.int32(count), factor, exponent)
    assert close(single, wanted, 3)


@given(st.floats(1e-6, 1.0))
def test_langevin(x: float) -> None:
    assert close(elementary.langevin(SCALARS, x), mp.coth(x) - 1 / mpf(x), 4)


@given(st.integers(0, LAST), st.floats(0.5, 2.0**31, width=32))
def test_what_an_exponential_has_lost(count: int, time_constant: float) -> None:
    wanted = -mp.expm1(-(mpf(count) + 1) / time_constant)
    assert close(elementary.one_minus_exp(SCALARS, count, time_constant), wanted, 8)
    assert close(jitted["one_minus_exp"](jnp.int32(count), jnp.float32(time_constant)), wanted, 3)


@given(st.floats(0.5, 1.0) | st.floats(1.0 - 1e-9, 1.0), st.integers(0, 1000))
def test_what_a_power_has_lost(rate: float, n: int) -> None:
    wanted = 1 - mpf(rate) ** n
    assert close(elementary.one_minus_power(SCALARS, rate, n), wanted, 8)
    assert elementary.one_minus_power(SCALARS, 1.0, n) == 0.0


def test_what_a_power_has_lost_saturates() -> None:
    assert elementary.one_minus_power(SCALARS, 2.0, 5) == pytest.approx(-31.0)
    assert elementary.one_minus_power(SCALARS, 2.0, 1000) == pytest.approx(-(2.0**64))
    assert elementary.one_minus_power(SCALARS, 0.0, 0) == 0.0
    assert elementary.one_minus_power(SCALARS, 0.0, 1) == 1.0


@pytest.mark.parametrize("rate", [0.5, 1.0, 3.0])
def test_a_rate_is_a_decay_and_a_growth(rate: float) -> None:
    expected = (min(rate, 1.0), max(rate, 1.0))
    assert elementary.decay_and_growth(SCALARS, rate) == expected
    assert elementary.decay_and_growth(jnp, rate) == expected
    assert tuple(map(float, elementary.decay_and_growth(jnp, jnp.float32(rate)))) == expected
    assert math.prod(expected) == rate
