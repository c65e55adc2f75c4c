"""What the comparisons with peers share."""

from collections.abc import Iterator

import pytest

from tests.backends import jax_x64


@pytest.fixture
def float64_in_jax() -> Iterator[None]:
    """JAX computes in float64."""
    with jax_x64():
        yield
