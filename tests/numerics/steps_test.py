"""Numbers of steps, whole or not, on Python numbers and in JAX, in float32 and in float64."""

from fractions import Fraction
from typing import Any

from tests.optional import needs

needs("jax")

import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched._arrays.namespace import MAX_COUNT
from lrsched._arrays.scalars import SCALARS
from lrsched._numerics import steps as rule
from tests.backends import jax_x64
from tests.strategies import LAST

wholes = st.integers(0, 60) | st.integers(0, LAST)
_floats = st.floats(0.0, 60.0) | st.floats(0.0, LAST)
reals = _floats.map(lambda x: x if x > 1e-18 else 0.0)
moments = wholes | reals
periods = st.integers(1, 60) | st.integers(1, LAST) | st.floats(1.0, 60.0) | st.floats(1.0, LAST)


def value(n: Any) -> Fraction:
    """A number of steps exactly, whatever its form."""
    parts = n if type(n) is tuple else (n,)
    return sum((Fraction(float(part)) for part in parts), Fraction(0))


def close(found: Any, wanted: Fraction, *terms: float, bits: int) -> bool:
    """To as many bits of the largest term."""
    largest = max([abs(Fraction(term)) for term in terms] + [abs(wanted)])
    return bool(abs(value(found) - wanted) <= largest / 2**bits)


@pytest.mark.parametrize(
    ("count", "length", "expected"),
    [
        (0, 5, (0, 5, 5)),
        (3, 5, (3, 2, 5)),
        (9, 5, (5, 0, 5)),
        (3, 4.5, (3, 1.5, 4.5)),
        (9, 4.5, (4.5, 0, 4.5)),
        (0, 0.5, (0, 0.5, 0.5)),
        (0, 0, (1, 0, 1)),  # a phase without steps is done
        (7, 0, (1, 0, 1)),
    ],
)
def test_progress_through_a_phase(count: int, length: float, expected: Any) -> None:
    assert rule.phase_progress(SCALARS, count, length) == expected
    for given_length in (length, jnp.asarray(length)):
        for x64 in (False, True):
            with jax_x64(x64):
                found = rule.phase_progress(jnp, jnp.asarray(count, jnp.int32), given_length)
                assert tuple(map(value, found)) == expected
    if length:
        assert rule.progress(SCALARS, count, length) == expected[:2]


@given(wholes, moments)
def test_a_difference_keeps_the_digits_of_a_whole_count(count: int, moment: float) -> None:
    """However late it is: a pair has 48 bits of the difference, and not of the count."""
    wanted = Fraction(count) - Fraction(moment)
    rest = abs(wanted) % 1
    found = rule.minus(jnp, jnp.int32(count), moment)
    assert close(found, wanted, float(rest), bits=44)
    assert close(rule.minus(jnp, moment, jnp.int32(count)), -wanted, float(rest), bits=44)
    assert rule.minus(SCALARS, count, moment) == count - moment
    if count + moment <= MAX_COUNT:
        wanted_sum = Fraction(count) + Fraction(moment)
        assert close(rule.plus(jnp, jnp.int32(count), moment), wanted_sum, bits=44)
    assert bool(rule.less(jnp, jnp.int32(count), moment)) == (count < moment)
    since = rule.since(jnp, jnp.int32(count), moment)
    assert close(since, max(wanted, Fraction(0)), float(rest), bits=44)


@given(wholes, moments, moments)
def test_differences_of_differences(count: int, first: float, second: float) -> None:
    """As of a join in a join: 44 bits of the largest number, which a float32 has not."""
    once = rule.since(jnp, jnp.int32(count), first)
    wanted = max(Fraction(count) - Fraction(first), Fraction(0)) - Fraction(second)
    assert close(rule.minus(jnp, once, second), wanted, count, first, second, bits=44)
    least, most = rule.least(jnp, once, second), rule.most(jnp, once, second)
    assert close(rule.plus(jnp, least, most), value(once) + Fraction(second), bits=43)
    assert value(least) <= value(most)


@given(wholes, moments)
def test_the_whole_part(count: int, moment: float) -> None:
    since = rule.since(jnp, jnp.int32(count), moment)
    assert int(rule.whole_part(jnp, since)) == value(since) // 1
    assert int(rule.whole_part(jnp, jnp.int32(count))) == count


def divided(count: int, period: float) -> tuple[Fraction, Fraction]:
    """The cycle of a count and the steps in it, by exact arithmetic."""
    index, done = divmod(Fraction(count), Fraction(period))
    return Fraction(index), done


def is_at_a_boundary(count: int, period: float) -> bool:
    """Whether rounding may say so: the count misses it by little more than `ROUNDING`."""
    done = divided(count, period)[1]
    return min(done, Fraction(period) - done) <= Fraction(count) / 2**43


@given(wholes, periods)
def test_the_cycle_that_a_count_lies_in(count: int, period: float) -> None:
    index, done = divided(count, period)
    found = [("python", 50, rule.cycle(SCALARS, count, period))]
    found.append(("float32", 46, rule.cycle(jnp, jnp.int32(count), period)))
    with jax_x64():
        found.append(("float64", 50, rule.cycle(jnp, jnp.asarray(count), period)))
    for name, bits, (cycle, position, remaining) in found:
        if is_at_a_boundary(count, period) and isinstance(period, float):
            position = value(position)
            assert position <= Fraction(count) / 2**43, name
            assert round(Fraction(count) / Fraction(period)) == int(cycle), name
        else:
            assert int(cycle) == index, name
            assert close(position, done, count, bits=bits), name
        assert close(remaining, Fraction(period) - value(position), count, period, bits=44), name


@pytest.mark.parametrize(
    ("count", "period", "cycle"),
    [
        (11, 1.1, 10),
        (10, 1.1, 9),
        (1000, 1000 / 3, 3),
        (999, 1000 / 3, 2),
        (3003, 2.4 * 1251.25, 1),
    ],
)
def test_a_count_that_rounding_puts_beside_a_boundary_is_at_it(
    count: int, period: float, cycle: int
) -> None:
    """Ten cycles of 1.1 steps are 11, though the float 1.1 is a little more than that."""
    assert rule.cycle(SCALARS, count, period)[0] == cycle
    assert int(rule.cycle(jnp, jnp.int32(count), period)[0]) == cycle
    if count == 11:
        assert count // period == 9
        assert rule.cycle(SCALARS, count, period)[1] == 0


@given(wholes, moments)
def test_the_steps_since_a_moment(count: int, moment: float) -> None:
    wanted = Fraction(count) - Fraction(moment)
    assert rule.steps_since(SCALARS, count, moment) == pytest.approx(float(wanted), abs=1e-9)
    arrays = [moment, jnp.int32(moment) if isinstance(moment, int) else jnp.float32(moment)]
    for each in arrays:
        single = rule.steps_since(jnp, jnp.int32(count), each)
        exactly = Fraction(count) - value(each)
        assert abs(value(single) - exactly) <= abs(exactly) / 2**23 + Fraction(1, 2**23)
