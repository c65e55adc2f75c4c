"""Report the differences between two range tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lrsched.range_test.reading.valley import NoSuggestion
from lrsched.range_test.result.loss_curve import LossCurve

Array = npt.NDArray[np.float64]


def compare(a: LossCurve, b: LossCurve) -> str:
    """A line each on the updates, the stop, the rates, the losses and the suggestion."""
    rates, losses = (a.learning_rates, b.learning_rates), (a.median, b.median)
    both = min(map(len, rates))
    lines = [f"updates: {len(rates[0])} and {len(rates[1])}"]
    lines.append(f"stopped: {a.stopped} and {b.stopped}")
    lines.append(f"learning rates: {_difference(*(each[:both] for each in rates))}")
    lines.append(f"losses: {_difference(*(each[:both] for each in losses))}")
    first, second = _suggested(a), _suggested(b)
    lines.append(f"suggested: {_shown(first)} and {_shown(second)}")
    if isinstance(first, float) and isinstance(second, float):
        lines[-1] += f", {max(first, second) / min(first, second):.3g} times apart"
    return "\n".join(lines)


def _suggested(test: LossCurve) -> float | str:
    """The suggested rate, or the reason why there is none."""
    try:
        return test.suggest().suggested
    except NoSuggestion as refused:
        return str(refused)


def _difference(x: Array, y: Array) -> str:
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.abs(x - y) / np.maximum(np.abs(x), np.abs(y))
    relative = np.nan_to_num(relative)  # 0 beside 0, or nothing recorded
    if not np.any(relative):
        return "the same"
    at = int(np.argmax(relative))
    return f"at most {relative[at]:.2g} relative apart, at update {at}: {x[at]:.6g} and {y[at]:.6g}"


def _shown(suggested: float | str) -> str:
    return f"{suggested:.3g}" if isinstance(suggested, float) else f"none ({suggested})"
