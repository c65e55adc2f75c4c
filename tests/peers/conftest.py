"""What the comparisons with peers share."""

from collections.abc import Iterator

import pytest

from tests.optional import needs


@pytest.fixture
def float64_in_jax() -> Iterator[None]:
    """JAX computes in float64."""
    with needs("jax").enable_x64(True):
        yield
