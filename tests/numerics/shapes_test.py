"""The shapes of a transition, on Python numbers and in float32, against their formulas."""

import math
from collections.abc import Callable

from tests.optional import needs

needs("jax")

import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from lrsched._arrays.scalars import SCALARS
from lrsched._numerics.shapes import SHAPES, interpolate, piecewise_interpolate, weights
from tests.strategies import LAST

mp.prec = 200

# The weight of the second end, where p is the fraction that is done and not 0.
RISES: dict[str, Callable[[mpf], mpf]] = {
    "linear": lambda p: p,
    "cosine": lambda p: mp.sinpi(p / 2) ** 2,
    "1-sqrt": mp.sqrt,
    "quarter-cosine": lambda p: 2 * mp.sinpi(p / 4) ** 2,
    "1-square": lambda p: p**2,
    "exponential": lambda p: 2 - 2 * mpf(0.5) ** p,
    "lowered-linear": lambda p: (3 + 7 * p) / 10,
}


def test_every_shape_has_a_formula() -> None:
    assert RISES.keys() == SHAPES.keys()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_weights_of_a_shape(shape: str) -> None:
    @given(st.integers(1, LAST), st.data())
    def check(steps: int, data: st.DataObject) -> None:
        near = st.integers(1, min(9, steps))
        done = data.draw(near | near.map(lambda n: steps - n + 1) | st.integers(1, steps))
        second = RISES[shape](mpf(done) / steps)
        wanted = (1 - second, second)
        plain = weights(SCALARS, done, steps - done, steps, shape)
        part, rest, whole = map(jnp.int32, (done, steps - done, steps))
        single = weights(jnp, part, rest, whole, shape)
        for found, array, weight in zip(plain, single, wanted, strict=True):
            assert abs(mpf(found) - weight) <= weight * 2.0**-50
            assert abs(mpf(float(array)) - weight) <= weight * 2.0**-21

    check()
    assert weights(SCALARS, 0, 5, 5, shape) == (1.0, 0.0)
    zero, five = jnp.int32(0), jnp.int32(5)
    assert tuple(map(float, weights(jnp, zero, five, five, shape))) == (1.0, 0.0)


@pytest.mark.parametrize(("first", "second"), [(2.0, 0.5), (2.0, 0.0), (0.0, 2.0), (0.0, 0.0)])
def test_a_transition_is_the_weighted_sum_of_its_ends(first: float, second: float) -> None:
    for done in range(6):
        found = interpolate(SCALARS, first, second, done, 5 - done, 5, "1-square")
        assert found == pytest.approx(first + (second - first) * (done / 5) ** 2)
        single = interpolate(jnp, first, second, *map(jnp.int32, (done, 5 - done, 5)))
        assert single == pytest.approx(first + (second - first) * done / 5)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, 1.0),
        (1, 1.5),
        (2, 2.0),
        (3, 2.25 - 1.75 * 0.2),
        (5, 0.5),  # at an edge with two values, the one that ends there
        (6, 9.0 - 7.0 * 0.2),
        (10, 2.0),
        (99, 2.0),
    ],
)
def test_through_a_value_at_each_edge(count: int, expected: float) -> None:
    """A segment that ends before it begins is passed over."""
    edges, values = (0.0, 2.5, 5.0, 5.0, 10.0), (1.0, 2.25, 0.5, 9.0, 2.0)
    assert piecewise_interpolate(SCALARS, count, values, edges) == pytest.approx(expected)
    found = piecewise_interpolate(jnp, jnp.int32(count), values, edges)
    assert found == pytest.approx(expected, rel=1e-6)
    arrays = [jnp.float32(edge) for edge in edges]
    found = piecewise_interpolate(jnp, jnp.int32(count), values, arrays)
    assert found == pytest.approx(expected, rel=1e-6)
    assert math.isfinite(found)
