"""What is refused before training begins."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched_jax._model import is_initialiser


def check_functions(refuse: Refusal, **functions: Any) -> None:
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
            refuse(name, wanted[name] + rate, function, TypeError)
        if not callable(function) and not (name == "metrics" and function is None):
            refuse(name, wanted[name], function, TypeError)


def check_repeats(refuse: Refusal, repeats: int, params: Any, batches: Any) -> None:
    """That repeats differ, and that each has batches."""
    if repeats == 1 or is_function(batches):
        return
    if not is_initialiser(params):
        wanted = "1 unless params is a function of a key or batches one of the repeat"
        refuse("repeats", wanted, repeats)
    if iter(batches) is batches:
        wanted = "a function of the repeat, or an iterable that can begin anew for each"
        refuse("batches", wanted, batches)


def check_mode(refuse: Refusal, compiled: Any, vmap: Any, has_metrics: bool) -> None:
    """That the ways to run go together."""
    for name, value in (("compiled", compiled), ("vmap", vmap)):
        if not (value is None or isinstance(value, bool)):
            refuse(name, "True, False or None", value, TypeError)
    if vmap and not compiled:
        refuse("vmap", "None or False without compiled=True", vmap)
    if compiled and has_metrics:
        refuse("compiled", "None or False with metrics, which are called between updates", compiled)


def is_function(batches: Any) -> bool:
    """Whether this gives the batches of a repeat, and is none itself."""
    return callable(batches) and not hasattr(batches, "__iter__")


def rates_array(refuse: Refusal, name: str, schedule: Any, steps: int) -> Any:
    """The learning rate of each update, in JAX's precision."""
    if not isinstance(schedule, Schedule):
        refuse(name, "a Schedule", schedule, TypeError)
    few = schedule.is_plain and steps <= 1000  # for which NumPy does not pay
    rates = list(map(schedule, range(steps))) if few else schedule(np.arange(steps))
    return np.asarray(rates, jax.dtypes.canonicalize_dtype(jnp.float64))
