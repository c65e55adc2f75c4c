"""Parts of a range test as tests of their own: fewer updates, or a metric in the place of the loss.

Each function returns the fields in which such a test differs from the whole one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import Refusal, Whole, choice
from lrsched._core.number_kinds import integer
from lrsched.range_test.reading.recorder import Stopped
from lrsched.range_test.result.loss_curve import LossCurve

Array = npt.NDArray[np.float64]

_SKIPPED = integer(0, "updates")
_MODE = choice("min", "max")
_refuse = Refusal("RangeTest.for_metric")


def without_ends(
    test: LossCurve, metrics: Mapping[str, Array], skip_start: Whole, skip_end: Whole
) -> dict[str, Any]:
    """The fields of a test, with these metrics, without its first and last updates."""
    start, end = Refusal("RangeTest").checked(
        skip_start=(_SKIPPED, skip_start), skip_end=(_SKIPPED, skip_end)
    )
    count = len(test.learning_rates)
    if start + end >= count:
        Refusal("RangeTest")("skip_start + skip_end", f"less than {count} updates", start + end)
    kept = slice(start, count - end)
    stopped: Stopped | tuple[Stopped, ...] = test.stopped
    if end:
        whole: Stopped = "finished"
        stopped = (whole,) * len(stopped) if isinstance(stopped, tuple) else whole
    return {
        "stopped": stopped,
        "learning_rates": test.learning_rates[kept],
        "losses": test.losses[..., kept],
        "metrics": {name: _shifted(rows, kept) for name, rows in metrics.items()},
    }


def with_metric(
    test: LossCurve, metrics: Mapping[str, Array], name: str, mode: str
) -> dict[str, Any]:
    """The fields of a test with one of these metrics in the place of the loss."""
    repeats = None if test.losses.ndim == 1 else len(test.losses)
    rates, values = _metric_curve(test.learning_rates, metrics, repeats, name, mode)
    return {
        "learning_rates": rates,
        "losses": values,
        "metrics": {},
        "probe": None,
        "quantity": name if mode == "min" else f"-{name}",
        "earlier": None,
    }


def _metric_curve(
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


def _shifted(rows: Array, kept: slice) -> Array:
    """The rows (update, value) of some updates, which are counted from the first of them."""
    updates = rows[:, 0]
    chosen = rows[(updates >= kept.start) & (updates < kept.stop)]
    return np.asarray(chosen - [kept.start, 0.0])
