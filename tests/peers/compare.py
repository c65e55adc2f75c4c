"""Strategies and comparisons for tests against other libraries in JAX, in float64."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from lrsched import Schedule
from tests.optional import needs

LAST = 2**31 - 1
NUMBER = 12  # of counts at a time, the same for all so that JAX compiles once
many = settings(max_examples=150)
some = settings(max_examples=50)
rates = st.floats(-8.0, 2.0).map(lambda exponent: 10.0**exponent)
floors = st.just(0.0) | rates
decays = st.floats(0.01, 1.0) | st.floats(1e-9, 1e-3).map(lambda x: 1.0 - x)
durations = st.integers(1, 60) | st.integers(1, 10**5) | st.integers(1, LAST)
phases = st.integers(1, 50)


def counts_around(*marks: int) -> st.SearchStrategy[list[int]]:
    """Counts from 0 to twice the largest mark, those at the marks among them."""
    limit = min(2 * max(marks), LAST)
    near = [n for mark in marks for n in (mark - 1, mark, mark + 1) if 0 <= n <= LAST]
    drawn = st.lists(st.integers(0, limit), min_size=NUMBER, max_size=NUMBER)
    return drawn.map(lambda found: [0, *near, *found][:NUMBER])


def check(
    schedule: Schedule,
    theirs: Callable[[Any], Any],
    counts: Sequence[int],
    rel: float = 0.0,
    of: tuple[float, float] | None = None,
) -> None:
    """The peer's values equal ours to `rel`, or to a part `of[0]` of the rate `of[1]`."""
    jnp = needs("jax.numpy")
    ours = [schedule(count) for count in counts]
    peers = np.broadcast_to(np.asarray(theirs(jnp.asarray(counts)), np.float64), (len(counts),))
    absolute = of[0] * of[1] if of else 1e-290  # below it XLA flushes to zero
    np.testing.assert_allclose(peers, ours, rtol=rel, atol=absolute)


def one_by_one(theirs: Callable[[int], Any]) -> Callable[[Any], Any]:
    """A peer at each count alone, where count / S is a division.

    Over arrays and under jit XLA multiplies by 1 / S: stairs come late and ends are missed, as
    `tests/schedules/exponential_decay_test.py` shows.
    """
    return lambda counts: [float(theirs(int(count))) for count in counts]
