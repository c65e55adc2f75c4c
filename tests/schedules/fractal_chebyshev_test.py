"""`fractal_chebyshev`: the order of pytorch_optimizer's, and what a round of it achieves."""

import math

import numpy as np
import pytest
from hypothesis import strategies as st

import lrsched
from tests.optional import needs

steps = st.integers(1, 500)


@pytest.mark.parametrize("steps", [1, 2, 8, 64])
def test_fractal_chebyshev_is_pytorch_optimizer_s(steps: int) -> None:
    chebyshev = needs("pytorch_optimizer.lr_scheduler").chebyshev
    rates = chebyshev.get_chebyshev_steps(steps)[chebyshev.get_chebyshev_permutation(steps)]
    ours = lrsched.fractal_chebyshev(20.0, 1.0, steps)
    np.testing.assert_allclose([ours(count) for count in range(steps)], rates, rtol=1e-12)


def test_a_round_of_chebyshev_is_the_best_of_its_length() -> None:
    """After T steps no error on curvatures from m to M is above 1 / cosh(T acosh(...))."""
    m, steps = 0.01, 16
    curvatures = np.linspace(m, 1.0, 5001)
    left = np.ones_like(curvatures)
    for count in range(steps):
        left *= 1 - lrsched.fractal_chebyshev(1 / m, 1.0, steps)(count) * curvatures
    bound = 1 / math.cosh(steps * math.acosh((1 + m) / (1 - m)))
    assert np.max(np.abs(left)) == pytest.approx(bound, rel=1e-9)
