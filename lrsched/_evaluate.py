"""Evaluate the learning rates of any library: functions of the step, schedulers, sequences."""

from __future__ import annotations

import copy
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lrsched._core.checks import Refusal
from lrsched._core.schedule import Schedule

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

_refuse = Refusal("diff")


def values_of(name: str, source: Any, steps: int) -> Array:
    """The values at the first `steps` steps. Errors name the source by `name`."""
    import numpy as np

    if isinstance(source, Schedule) and source.is_plain:
        values: Array = source(np.arange(steps))
        return values
    if _is_torch_scheduler(source):
        if type(source).__name__ == "ReduceLROnPlateau":
            _refuse(name, "a scheduler that needs no metric", source, TypeError)
        found = _stepped(source)
    elif callable(source):
        many = _optax_values(source, steps)
        found = map(source, range(steps)) if many is None else iter(many)
    else:
        found = iter(_items(name, source, steps))
    return np.asarray([_next(name, found, step) for step in range(steps)])


def _next(name: str, values: Iterator[Any], step: int) -> float:
    try:
        value = next(values)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ValueError(f"diff: {name} at step {step} must not raise, got {reason}") from error
    try:
        if value is None or isinstance(value, (str, bytes, bool)):
            raise TypeError
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, OverflowError):
        return _refuse(f"{name} at step {step}", "a number", value, TypeError)


def _items(name: str, source: Any, steps: int) -> list[Any]:
    """The values of a sequence, or of an array of any library."""
    items = source.tolist() if hasattr(source, "tolist") else source
    if not isinstance(items, Sequence) or isinstance(items, (str, bytes)):
        wanted = "a function of the step, a torch scheduler or a sequence of values"
        _refuse(name, wanted, source, TypeError)
    if len(items) < steps:
        raise ValueError(f"diff: {name} must have at least {steps} values, got {len(items)}")
    return list(items[:steps])


def _optax_values(source: Callable[..., Any], steps: int) -> list[Any] | None:
    """The values of one of optax's own functions, in one call; None where that is not possible."""
    if not str(getattr(source, "__module__", "")).startswith("optax."):
        return None
    jax = sys.modules["jax"]
    try:
        values = jax.vmap(source)(jax.numpy.arange(steps))
    except Exception:  # of a user's function inside: evaluated step by step, it names the step
        return None
    return list(values.tolist())


def _is_torch_scheduler(source: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.optim.lr_scheduler.LRScheduler)


def _stepped(scheduler: Any) -> Iterator[Any]:
    """The learning rates of a copy of a torch scheduler that shares only the parameters."""
    optimizer = scheduler.optimizer
    memo: dict[int, Any] = {id(p): p for group in optimizer.param_groups for p in group["params"]}
    memo[id(optimizer.state)] = defaultdict(dict)  # not copied: moments are as large as the model
    scheduler = copy.deepcopy(scheduler, memo)
    while True:
        yield scheduler.optimizer.param_groups[0]["lr"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns that the optimizer was not stepped
            scheduler.step()
