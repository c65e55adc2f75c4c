"""Two numbers that add up to 1, on Python numbers and compiled by JAX in float32."""

from typing import Any

from tests.optional import needs

needs("jax")

import jax.numpy as jnp
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from lrsched._arrays.scalars import SCALARS
from lrsched._numerics import complement as rule
from lrsched._numerics.complement import Complement

mp.prec = 200


@st.composite
def splits(draw: Any) -> tuple[int, int]:
    """Two numbers of steps; often a few steps of many, and sometimes none."""
    few, many = st.integers(0, 9), st.integers(1, 2**30 - 1)
    first, second = draw(few | many), draw(many)
    return (first, second) if draw(st.booleans()) else (second, first)


def exact(pair: Any) -> Any:
    return mpf(float(pair[0])) + mpf(float(pair[1]))


def close(found: Any, wanted: Any, bits: int) -> bool:
    return bool(abs(found - wanted) <= abs(wanted) * mpf(2) ** -bits or abs(wanted) < 2.0**-90)


def in_jax(first: int, second: int) -> Complement:
    total = first + second
    return rule.complement_of(jnp, jnp.int32(first), jnp.int32(second), jnp.int32(total))


def plain(first: int, second: int) -> Complement:
    return rule.complement_of(SCALARS, first, second, first + second)


@given(splits(), st.integers(1, 9))
def test_two_parts_of_a_whole(split: tuple[int, int], times: int) -> None:
    """The divisor is given as a product, which need not be an integer of 31 bits."""
    total = sum(split)
    single = [jnp.int32(n) for n in (*split, total, times)]
    for found, bits in (
        (rule.complement_of(SCALARS, *split, total, times), 51),
        (rule.complement_of(jnp, *single), 42),
    ):
        for pair, n in zip(found, split, strict=True):
            assert close(exact(pair), mpf(n) / total / times, bits)


exponents = st.sampled_from([0.5, 1.0, 2.0, 2.5, 3.0, 4.0, 7.0])


@settings(max_examples=40)
@given(splits(), exponents)
def test_a_power_and_its_complement(split: tuple[int, int], exponent: float) -> None:
    power = (mpf(split[0]) / sum(split)) ** mpf(exponent)
    for found, bits in (
        (rule.complement_power(SCALARS, plain(*split), exponent), 46),
        (rule.complement_power(jnp, in_jax(*split), exponent), 24),
    ):
        assert close(exact(found.p), power, bits)
        assert close(exact(found.q), 1 - power, bits)


@given(splits())
def test_half_cosines(split: tuple[int, int]) -> None:
    angles = [mpf(n) / sum(split) / 2 for n in split]
    for of, xp, bits in ((plain(*split), SCALARS, 50), (in_jax(*split), jnp, 26)):
        found = rule.half_cosines(xp, of)
        for pair, angle in zip(found, angles, strict=True):
            assert close(exact(pair), mp.sinpi(angle) ** 2, bits)


@given(splits(), exponents, st.sampled_from([0.0, 0.25, 3.0]))
def test_a_power_between_two_values(split: tuple[int, int], exponent: float, second: float) -> None:
    power = (mpf(split[0]) / sum(split)) ** mpf(exponent)
    wanted = 2 * power + mpf(second) * (1 - power)
    found = rule.interpolate_power(SCALARS, 2.0, second, plain(*split), exponent)
    assert close(mpf(found), wanted, 46)
    single = rule.interpolate_power(jnp, 2.0, second, in_jax(*split), exponent)
    assert close(mpf(float(single)), wanted, 21)


def test_the_ends_are_exact() -> None:
    for of, xp in ((plain, SCALARS), (in_jax, jnp)):
        for exponent in (0.5, 2.0, 2.5):
            for first, second, expected in ((0, 7, 0.25), (7, 0, 2.0)):
                assert (
                    rule.interpolate_power(xp, 2.0, 0.25, of(first, second), exponent) == expected
                )
                found = rule.complement_power(xp, of(first, second), exponent)
                assert (exact(found.p), exact(found.q)) == (first > 0, second > 0)
