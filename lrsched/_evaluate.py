"""Evaluate the learning rates of any library: functions of the step, schedulers, sequences."""

from __future__ import annotations

import copy
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lrsched._core.checks import Refusal
from lrsched._core.schedule import Schedule

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

NARROW = ("bfloat16", "float16", "float32")  # types of less than Python's precision


class Values(NamedTuple):
    """The values of a curve, and the narrowest type that they came in: float64 for Python's."""

    values: Array
    dtype: str


def evaluate(refuse: Refusal, name: str, source: Any, counts: Sequence[int]) -> Values:
    """The values of a curve at ascending counts. Errors name the curve by `name`."""
    import numpy as np

    if isinstance(source, Schedule) and source.is_plain:
        return Values(source(np.asarray(counts)), "float64")
    if _is_torch_scheduler(source):
        if type(source).__name__ == "ReduceLROnPlateau":
            refuse(name, "a scheduler that needs no metric", source, TypeError)
        found = _at(_stepped(source), counts)
    elif callable(source):
        many = _optax_values(source, counts)
        found = map(source, counts) if many is None else iter(many)
    else:
        found = iter(_items(refuse, name, source, counts))
    dtypes = {_dtype(source)}
    values = [_next(refuse, name, found, count, dtypes) for count in counts]
    narrow = [dtype for dtype in NARROW if dtype in dtypes]
    return Values(np.asarray(values), narrow[0] if narrow else "float64")


def _at(values: Iterator[Any], counts: Sequence[int]) -> Iterator[Any]:
    """Of the values at 0, 1, ... those at ascending counts."""
    following = -1
    for count in counts:
        while following < count:
            value, following = next(values), following + 1
        yield value


def _next(refuse: Refusal, name: str, values: Iterator[Any], step: int, dtypes: set[str]) -> float:
    try:
        value = next(values)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ValueError(
            f"{refuse.schedule}: {name} at step {step} must not raise, got {reason}"
        ) from error
    try:
        if value is None or isinstance(value, (str, bytes, bool)):
            raise TypeError
        dtypes.add(_dtype(value))
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, OverflowError):
        return refuse(f"{name} at step {step}", "a number", value, TypeError)


def _dtype(value: Any) -> str:
    """The name of the type of an array or a number of an array library; "" for others."""
    return str(getattr(value, "dtype", "")).removeprefix("torch.")


def _items(refuse: Refusal, name: str, source: Any, counts: Sequence[int]) -> list[Any]:
    """The values of a sequence, or of an array of any library."""
    items = source.tolist() if hasattr(source, "tolist") else source
    if not isinstance(items, Sequence) or isinstance(items, (str, bytes)):
        wanted = "a function of the step, a torch scheduler or a sequence of values"
        refuse(name, wanted, source, TypeError)
    least = counts[-1] + 1
    if len(items) < least:
        raise ValueError(
            f"{refuse.schedule}: {name} must have at least {least} values, got {len(items)}"
        )
    return [items[count] for count in counts]


def _optax_values(source: Callable[..., Any], counts: Sequence[int]) -> list[Any] | None:
    """The values of one of optax's own functions, in one call; None where that is not possible."""
    if not str(getattr(source, "__module__", "")).startswith("optax."):
        return None
    import numpy as np

    jax = sys.modules["jax"]
    try:
        values = jax.vmap(source)(jax.numpy.asarray(np.asarray(counts, np.int32)))
    except Exception:  # of a user's function inside: evaluated step by step, it names the step
        return None
    return list(np.asarray(values))


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
