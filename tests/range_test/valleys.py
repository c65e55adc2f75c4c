"""A range test whose losses make a valley, for tests of what is read, drawn and stored of it."""

import numpy as np
import numpy.typing as npt

import lrsched
from lrsched.range_test import RangeTest

RATES = lrsched.exponential_ramp(1e-6, 10.0, 199)(np.arange(200))
Array = npt.NDArray[np.float64]


def losses(seed: int = 0, noise: float = 0.02, best: float = 0.05) -> Array:
    """A valley: flat, down about a tenth of the best rate, up beyond it."""
    x = np.log10(RATES / best)
    curve = 2.3 - 1.8 / (1 + np.exp(-4 * (x + 0.8))) + np.exp(3 * (x - 0.7))
    return np.asarray(curve * np.exp(noise * np.random.default_rng(seed).normal(size=len(x))))


VALLEY = RangeTest(RATES[:160], losses()[:160], "diverged")
