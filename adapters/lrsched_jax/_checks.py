"""Check arguments before training starts."""

from __future__ import annotations

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched_jax._model import is_initialiser


def check_functions(refuse: Refusal, loss_fn: Any, optimizer: Any) -> None:
    """Refuse a `loss_fn` or an `optimizer` that is not a function."""
    if not callable(loss_fn):
        refuse("loss_fn", "a function loss_fn(params, batch)", loss_fn, TypeError)
    expected = (
        "a function from a schedule to an optax.GradientTransformation, such as optax.sgd itself"
    )
    if hasattr(optimizer, "update"):
        refuse(
            "optimizer",
            f"{expected} and not optax.sgd(0.1), whose rate is fixed",
            optimizer,
            TypeError,
        )
    if not callable(optimizer):
        refuse("optimizer", expected, optimizer, TypeError)
    try:
        inspect.signature(optimizer).bind("schedule")
    except ValueError:  # a function of C, without a signature
        return
    except TypeError as error:
        reason = f"a function of a schedule alone, such as a functools.partial ({error})"
    else:
        return
    refuse("optimizer", reason, optimizer, TypeError)


def check_repeats(refuse: Refusal, repeats: int, params: Any, batches: Any) -> None:
    """Refuse repeats that would be equal, or would have no batches."""
    if repeats == 1 or is_function(batches):
        return
    if not is_initialiser(params):
        expected = "1 unless params is a function of a key or batches one of the repeat"
        refuse("repeats", expected, repeats)
    if iter(batches) is batches:
        expected = "a function of the repeat, or an iterable that can begin anew for each"
        refuse("batches", expected, batches)


def check_mode(refuse: Refusal, compiled: bool, vmap: bool | None, has_metrics: bool) -> None:
    """Refuse options that exclude each other."""
    if vmap and not compiled:
        refuse("vmap", "None or False without compiled=True", vmap)
    if compiled and has_metrics:
        refuse("compiled", "False with metrics, which are called between updates", compiled)


def is_function(batches: Any) -> bool:
    """Whether `batches` is a function of the repeat number."""
    return callable(batches) and not hasattr(batches, "__iter__")


def rates_array(refuse: Refusal, name: str, schedule: Any, steps: int) -> Any:
    """The learning rate of each update, in JAX's default precision."""
    if not isinstance(schedule, Schedule):
        refuse(name, "a Schedule", schedule, TypeError)
    few = schedule.is_plain and steps <= 1000  # NumPy would not be faster
    rates = list(map(schedule, range(steps))) if few else schedule(np.arange(steps))
    return np.asarray(rates, jax.dtypes.canonicalize_dtype(jnp.float64))
