"""What a range test refuses before it begins."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrsched import Schedule
from lrsched_jax._model import REFUSE, is_initialiser


def check_functions(**functions: Any) -> None:
    """The functions, of which `metrics` may be None."""
    wanted = {
        "loss_fn": "a function loss_fn(params, batch)",
        "metrics": "a function of the parameters, or None",
        "optimizer": "a function from a schedule to an optax.GradientTransformation, "
        "such as optax.sgd itself",
    }
    for name, function in functions.items():
        if name == "optimizer" and hasattr(function, "update"):
            rate = " and not optax.sgd(0.1), whose rate is fixed"
            REFUSE(name, wanted[name] + rate, function, TypeError)
        if not callable(function) and not (name == "metrics" and function is None):
            REFUSE(name, wanted[name], function, TypeError)


def check_repeats(repeats: int, params: Any, batches: Any) -> None:
    """That repeats differ, and that each has batches."""
    if repeats == 1 or is_function(batches):
        return
    if not is_initialiser(params):
        wanted = "1 unless params is a function of a key or batches one of the repeat"
        REFUSE("repeats", wanted, repeats)
    if iter(batches) is batches:
        wanted = "a function of the repeat, or an iterable that can begin anew for each"
        REFUSE("batches", wanted, batches)


def check_mode(compiled: Any, vmap: Any, has_metrics: bool) -> None:
    """That the ways to run go together."""
    for name, value in (("compiled", compiled), ("vmap", vmap)):
        if not (value is None or isinstance(value, bool)):
            REFUSE(name, "True, False or None", value, TypeError)
    if vmap and not compiled:
        REFUSE("vmap", "None or False without compiled=True", vmap)
    if compiled and has_metrics:
        REFUSE("compiled", "None or False with metrics, which are called between updates", compiled)


def is_function(batches: Any) -> bool:
    """Whether this gives the batches of a repeat, and is none itself."""
    return callable(batches) and not hasattr(batches, "__iter__")


def rates_of(schedule: Any, steps: int) -> Any:
    """The learning rate of each update, in JAX's precision."""
    if not isinstance(schedule, Schedule):
        REFUSE("schedule", "a Schedule", schedule, TypeError)
    return np.asarray(schedule(np.arange(steps)), jax.dtypes.canonicalize_dtype(jnp.float64))
