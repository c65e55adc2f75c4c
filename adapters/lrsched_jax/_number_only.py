"""Tell an optimizer that takes a number, and no schedule, from one with another fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax

from lrsched_jax._types import Batch, Key, PyTree

Training: TypeAlias = Any  # one of `_training`, which calls this


def refuse_number_only(
    training: Training, params: PyTree, state: PyTree, rate: Any, key: Key, batch: Batch
) -> None:
    """Refuse the optimizer if what fails with a schedule can be traced with a number."""

    def given(number: Any) -> Training:
        """The same training, whose optimizer gets this in place of the schedule."""
        return type(training)(training.loss, lambda schedule: training.optimizer(number))

    def begins(training: Training) -> bool:
        return _traces(training._init, params, state, rate)

    def updates(training: Training) -> bool:
        carry = jax.eval_shape(given(0.1)._init, params, state, rate)
        return _traces(training._one, carry, rate, key, batch)

    if not begins(given(0.1)) or (begins(training) and not updates(given(0.1))):
        return
    if updates(given(object())):  # which no update could use
        expected = (
            "a function of a schedule that every update uses (this one takes a number, and uses "
            "it before the first update only)"
        )
    else:
        expected = (
            "a function of a schedule and not of a number (for such an f: lambda schedule: "
            "optax.inject_hyperparams(f)(schedule))"
        )
    training.loss.refuse("optimizer", expected, training.optimizer, TypeError)


def _traces(function: Callable[..., Any], *arguments: Any) -> bool:
    try:
        jax.eval_shape(function, *arguments)
    except Exception:  # of the user's functions: the caller raises the first one
        return False
    return True
