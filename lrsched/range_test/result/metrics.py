"""A recorded metric of a range test in the place of its loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import Refusal, choice

Array = npt.NDArray[np.float64]

_MODE = choice("min", "max")
_refuse = Refusal("RangeTest.for_metric")


def metric_curve(
    rates: Array, metrics: Mapping[str, Array], repeats: int | None, name: Any, mode: Any
) -> tuple[Array, Array]:
    """The rates at which a metric was recorded, and its values, low ones good.

    Of repeats (None for a test that was not repeated) there is a row for each, NaN where it had
    ended. Their metrics have the number of the repeat in their names.
    """
    mode = _refuse.check("mode", _MODE, mode)
    names = [name] if repeats is None else [f"{name}_{repeat}" for repeat in range(repeats)]
    if not all(each in metrics for each in names):
        known = ", ".join(map(repr, metrics)) or "none was"
        _refuse("name", f"that of a recorded metric ({known})", name)
    rows = [metrics[each] for each in names]
    updates = np.unique(np.concatenate([each[:, 0] for each in rows])).astype(int)
    values = np.full((len(rows), len(updates)), np.nan)
    for row, recorded in zip(values, rows, strict=True):
        row[np.searchsorted(updates, recorded[:, 0])] = recorded[:, 1]
    values = values if mode == "min" else -values
    return rates[updates], values[0] if repeats is None else values


def shifted(rows: Array, kept: slice) -> Array:
    """The rows (update, value) of some updates, which are counted from the first of them."""
    updates = rows[:, 0]
    chosen = rows[(updates >= kept.start) & (updates < kept.stop)]
    return np.asarray(chosen - [kept.start, 0.0])
