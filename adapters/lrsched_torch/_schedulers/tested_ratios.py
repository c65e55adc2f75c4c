"""Warn where a schedule gives param groups other proportions than the range test before it."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Sequence

import torch

_tested: weakref.WeakKeyDictionary[torch.optim.Optimizer, tuple[float, ...] | None]
_tested = weakref.WeakKeyDictionary()


def remember_tested(optimizer: torch.optim.Optimizer, ratios: Sequence[float] | None) -> None:
    """Keep the ratios that a range test used; None if they changed from update to update."""
    _tested[optimizer] = None if ratios is None else tuple(ratios)


def warn_if_tested_otherwise(
    caller: str, optimizer: torch.optim.Optimizer, ratios: Sequence[float]
) -> None:
    """Warn if one schedule gives the groups other ratios than the last range test did."""
    used = _tested.get(optimizer, ())
    if used is None and len(ratios) > 1:
        text = "schedules of different shapes"
    elif used and len(used) == len(ratios) and not all(map(_close, used, ratios)):
        text = f"the ratios {_shown(used)}"
    else:
        return
    warnings.warn(
        f"{caller}: the param groups get the ratios {_shown(ratios)} to the schedule, and the "
        f"range test of this optimizer used {text}: pass the same keep_ratios and "
        "reference_group to both, or a list of schedules",
        UserWarning,
        stacklevel=3,
    )


def _close(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=1e-9)


def _shown(ratios: Sequence[float]) -> str:
    return f"({', '.join(f'{ratio:.3g}' for ratio in ratios)})"
