"""The exact arithmetic on pairs of float32, in torch."""

from tests.optional import needs

needs("torch")

import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from lrsched._arrays import _torch
from lrsched._numerics import double_float as pairs
from tests.strategies import LAST

mp.prec = 200
singles = st.floats(2.0**-20, 2.0**20, width=32)


@given(st.integers(1, LAST))
def test_an_integer_is_a_pair_exactly(n: int) -> None:
    high, low = pairs.pair(_torch, torch.asarray(n))
    assert int(high) + int(low) == n


@given(singles, singles)
def test_a_product_is_exact(x: float, y: float) -> None:
    """Of a Python number and an array, as a hyperparameter and a count are."""
    high, low = pairs.product(_torch, (torch.tensor(x), 0.0), (y, 0.0))
    assert mpf(float(high)) + mpf(float(low)) == mpf(x) * mpf(y)
