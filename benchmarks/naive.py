"""Every schedule's published formula computed directly in float32: what a straight port gives.

The formulas are those of `tests/oracles.py` and `tests/recipe_oracles.py`, which are written for
mpmath. Here they run on NumPy's float32 instead, so that they stand once.
"""

import contextlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests import oracles, recipe_oracles

single = np.float32


@contextlib.contextmanager
def _same_precision(bits: int) -> Iterator[None]:
    yield


class _Float32:
    """The part of mpmath's `mp` that the formulas use, in float32."""

    cospi = staticmethod(lambda x: np.cos(single(np.pi) * single(x)))
    floor = staticmethod(np.floor)
    exp = staticmethod(lambda x: np.exp(single(x)))
    log = staticmethod(lambda x: np.log(single(x)))
    sqrt = staticmethod(lambda x: np.sqrt(single(x)))
    tanh = staticmethod(lambda x: np.tanh(single(x)))
    power = staticmethod(lambda x, y: single(x) ** single(y))
    workprec = staticmethod(_same_precision)
    prec = 24


def _load(original: Any, **names: Any) -> Any:
    """A second copy of an oracles' module, whose functions compute in float32."""
    spec = importlib.util.spec_from_file_location(f"naive_{original.__name__}", original.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module).update(names, mp=_Float32(), mpf=single)
    return module


_formulas = _load(oracles, GROWTH_LIMIT=single(2) ** 64)
_shared = vars(oracles).keys() & vars(recipe_oracles).keys() - {"RECIPES"}
_imported = {name: vars(_formulas)[name] for name in _shared if not name.startswith("__")}
_formulas.ORACLES.update(_load(recipe_oracles, **_imported).RECIPES)


def value(schedule: Any, count: int) -> float:
    """The value of a schedule at a count, computed in float32."""
    with np.errstate(all="ignore"):
        return float(single(_formulas.exact(schedule, count)))
