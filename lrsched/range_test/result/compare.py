"""Report the differences between two range tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Side(NamedTuple):
    """One of the two tests. `suggested` is its rate, or the reason why it has none."""

    rates: Array
    losses: Array
    stopped: str
    suggested: float | str


def compare(a: Side, b: Side) -> str:
    """A line each on the updates, the stop, the rates, the losses and the suggestion."""
    both = min(len(a.rates), len(b.rates))
    lines = [f"updates: {len(a.rates)} and {len(b.rates)}"]
    lines.append(f"stopped: {a.stopped} and {b.stopped}")
    lines.append(f"learning rates: {_difference(a.rates[:both], b.rates[:both])}")
    lines.append(f"losses: {_difference(a.losses[:both], b.losses[:both])}")
    first, second = a.suggested, b.suggested
    lines.append(f"suggested: {_shown(first)} and {_shown(second)}")
    if isinstance(first, float) and isinstance(second, float):
        lines[-1] += f", {max(first, second) / min(first, second):.3g} times apart"
    return "\n".join(lines)


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
