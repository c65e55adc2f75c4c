"""What a checkpoint of a scheduler holds: the step and the ratios are restored from it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lrsched._core import Kind, Refusal, integer

_STEP = Kind("an integer (steps)", integer(-(2**31), "steps").convert)
_TOLERANCE = 0.01  # relative; a learning rate in a bfloat16 tensor is rounded by up to 0.4 %


class Saved(NamedTuple):
    """What a scheduler reads in a checkpoint.

    Attributes:
        step: the number of the last step, `last_epoch`.
        calls: the number of `step()` calls.
        rates: the learning rates that the scheduler had set, or None if they are not known.
        initial: the learning rates that the param groups were made with, or None.
        ratios: the ratios of the param groups, or None if they are not known.
        recipe: the recipe, or None if another scheduler wrote the checkpoint.
    """

    step: int
    calls: int
    rates: list[float] | None
    initial: list[float] | None
    ratios: list[float] | None
    recipe: Any


def read_state(state_dict: Any) -> Saved:
    """Read the state dict of any scheduler."""
    refuse = Refusal("load_state_dict")
    if not isinstance(state_dict, Mapping):
        refuse("state_dict", "a mapping", state_dict, TypeError)
    # The step is negative for a scheduler that a SequentialLR has not started yet.
    step = refuse.check("last_epoch", _STEP, state_dict.get("last_epoch"))
    calls = refuse.check("_step_count", _STEP, state_dict.get("_step_count", step + 1))
    ratios = state_dict.get("lr_ratios")
    if ratios is not None and not (_are_numbers(ratios) and min(ratios, default=0) >= 0):
        refuse("lr_ratios", "a list of numbers >= 0", ratios)
    rates, initial = (
        values if _are_numbers(values) else None
        for values in (state_dict.get("_last_lr"), state_dict.get("base_lrs"))
    )
    return Saved(step, calls, rates, initial, ratios, state_dict.get("recipe"))


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) in (int, float) and math.isfinite(value) for value in values
    )


def warn_of_changes(
    saved: Saved, recipe: Sequence[str], rates: Sequence[Any], stacklevel: int
) -> None:
    """Warn the caller of `load_state_dict` if the code has another recipe or other rates.

    Args:
        saved: the checkpoint.
        recipe: the recipe in the code.
        rates: the learning rates that it has at the step of the checkpoint.
        stacklevel: that of the caller, as in `warnings.warn`.
    """
    if saved.recipe != recipe:
        was = "another scheduler" if saved.recipe is None else _listed(saved.recipe)
        text = f"the checkpoint was written with {was}; the schedule in the code is kept: "
        text += _listed(recipe)
    elif _differ(saved, rates):
        text = "the checkpoint was written with other learning rates"
    else:
        return
    if _differ(saved, rates):
        text += f" (the lr was {_listed(saved.rates)} and is {_listed(rates)} now)"
    warnings.warn(text, UserWarning, stacklevel=stacklevel + 1)


def warn_of_ratios(code: Sequence[float], saved: Sequence[float] | None, stacklevel: int) -> None:
    """Warn if a checkpoint, whose ratios are kept, is of param groups made with other ratios.

    Args:
        code: the learning rates that the groups of the code were made with.
        saved: those of the checkpoint.
        stacklevel: that of the caller, as in `warnings.warn`.
    """
    if saved is None or len(saved) != len(code) or not (any(saved) and any(code)):
        return
    pairs = zip(code, saved, strict=True)
    if any(not math.isclose(a * max(saved), b * max(code)) for a, b in pairs):
        warnings.warn(
            "the ratios of the learning rates are those of the checkpoint, whose param groups were "
            f"made with {_listed([*saved])}; the code makes them with {_listed([*code])}",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def _differ(saved: Saved, rates: Sequence[Any]) -> bool:
    if saved.rates is None or saved.step < 0 or len(saved.rates) != len(rates):
        return False
    pairs = zip(saved.rates, rates, strict=True)
    return any(b is not None and not math.isclose(a, b, rel_tol=_TOLERANCE) for a, b in pairs)


def _listed(values: Any) -> str:
    return ", ".join(map(str, values)) if isinstance(values, list) else str(values)
