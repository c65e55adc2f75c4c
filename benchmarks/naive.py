"""Every schedule's published formula computed directly in float32: what a straight port gives.

The formulas are those of `tests/oracles.py`, which are written for mpmath. Here they run on NumPy's
float32 instead, so that they stand once.
"""

import contextlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests import oracles

single = np.float32


@contextlib.contextmanager
def _same_precision(bits: int) -> Iterator[None]:
    yield


class _Float32:
    """The part of mpmath's `mp` that the formulas use, in float32."""

    cospi = staticmethod(lambda x: np.cos(single(np.pi) * single(x)))
    exp = staticmethod(lambda x: np.exp(single(x)))
    log = staticmethod(lambda x: np.log(single(x)))
    sqrt = staticmethod(lambda x: np.sqrt(single(x)))
    tanh = staticmethod(lambda x: np.tanh(single(x)))
    power = staticmethod(lambda x, y: single(x) ** single(y))
    workprec = staticmethod(_same_precision)
    prec = 24


def _load() -> Any:
    """A second copy of the oracles' module, whose functions compute in float32."""
    spec = importlib.util.spec_from_file_location("naive_oracles", oracles.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module).update(mp=_Float32(), mpf=single, GROWTH_LIMIT=single(2) ** 64)
    return module


_formulas = _load()


def value(schedule: Any, count: int) -> float:
    """The value of a schedule at a count, computed in float32."""
    with np.errstate(all="ignore"):
        return float(single(_formulas.exact(schedule, count)))
