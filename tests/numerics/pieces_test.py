"""Which piece of a curve a count lies in, on Python numbers, in NumPy and in JAX."""

from typing import Any

from tests.optional import needs

needs("jax")

import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lrsched._numerics.pieces import (
    _piecewise_scalar,
    piecewise,
    piecewise_numpy,
    segment_index,
)

ascending = st.lists(st.integers(0, 9), max_size=4).map(sorted)
counts = st.lists(st.integers(0, 12), min_size=1, max_size=5)


@given(counts, ascending)
def test_a_segment_begins_at_its_boundary(at: list[int], boundaries: list[int]) -> None:
    expected = [sum(count >= boundary for boundary in boundaries) for count in at]
    assert segment_index(np, np.array(at), boundaries).tolist() == expected
    assert segment_index(np, np.array(at), [*map(np.int64, boundaries)]).tolist() == expected
    assert segment_index(jnp, jnp.array(at), boundaries).tolist() == expected


@given(counts, ascending)
def test_a_piece_counts_from_where_it_began(at: list[int], boundaries: list[int]) -> None:
    pieces = [lambda n, k=k: 100.0 * k + n for k in range(len(boundaries) + 1)]

    def expected(count: int) -> float:
        index = sum(count >= boundary for boundary in boundaries)
        return 100.0 * index + count - (boundaries[index - 1] if index else 0)

    wanted = [expected(count) for count in at]
    assert [_piecewise_scalar(count, boundaries, pieces) for count in at] == wanted
    assert piecewise(jnp, jnp.array(at), boundaries, pieces).tolist() == wanted
    assert piecewise_numpy(np.array(at), boundaries, pieces).tolist() == wanted
    column = piecewise_numpy(np.array(at)[:, None], boundaries, pieces)
    assert column.tolist() == [[value] for value in wanted]


@given(counts, ascending)
def test_a_piece_never_sees_a_count_outside_its_own(at: list[int], boundaries: list[int]) -> None:
    """Where all are evaluated: there it might overflow."""
    seen: dict[int, Any] = {}

    def piece(number: int) -> Any:
        def value(count: Any) -> Any:
            seen[number] = count.tolist()
            return 1.0 * count

        return value

    piecewise(jnp, jnp.array(at), boundaries, [piece(k) for k in range(len(boundaries) + 1)])
    edges = [0, *boundaries, 99]
    for number, found in seen.items():
        length = edges[number + 1] - edges[number]
        assert all(0 <= count <= length for count in found)
