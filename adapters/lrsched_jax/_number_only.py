"""Optimizers that take a number where others take a schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax

from lrsched_jax._model import Fixed
from lrsched_jax._types import Batch, PyTree

Training: TypeAlias = Any  # one of `_training`, which calls this


def takes_number(
    training: Training, params: PyTree, state: PyTree, rate: Any, fixed: Fixed, batch: Batch
) -> bool:
    """Whether what fails with a schedule can be traced with a number in its place.

    An optimizer is refused whose updates do not use the number, or use its value, which a trace
    does not have.
    """
    loss, optimizer = training.loss, training.optimizer
    numeric = type(training)(loss, optimizer, takes_number=True)
    concrete = type(training)(loss, lambda schedule: optimizer(0.1))

    def begins(training: Training) -> bool:
        return _traces(training._init, params, state, rate)

    def updates(training: Training) -> bool:
        carry = jax.eval_shape(training._init, params, state, rate)
        return _traces(training._one, carry, rate, fixed, batch)

    def succeeds(other: Training) -> bool:
        """Whether this gets further than the schedule did."""
        return begins(other) and (not begins(training) or updates(other))

    if not succeeds(numeric):
        if succeeds(concrete):
            expected = "a function of a schedule, or of a number that is traced"
            reason = "this one takes a number, and uses its value"
            loss.refuse("optimizer", f"{expected} ({reason})", optimizer, TypeError)
        return False
    carry = jax.eval_shape(numeric._init, params, state, rate)
    if not _depends(lambda rate, carry: numeric._one(carry, rate, fixed, batch), rate, carry):
        expected = "a function of a schedule that every update uses"
        reason = "this one takes a number, and uses it before the first update only"
        loss.refuse("optimizer", f"{expected} ({reason})", optimizer, TypeError)
    return True


def _traces(function: Callable[..., Any], *arguments: Any) -> bool:
    try:
        jax.eval_shape(function, *arguments)
    except Exception:  # of the user's functions: the caller raises the first one
        return False
    return True


def _depends(function: Callable[..., Any], first: Any, *others: Any) -> bool:
    """Whether the result of a function depends on its first argument, a scalar."""
    jaxpr = jax.make_jaxpr(function)(first, *others).jaxpr
    reached = {id(jaxpr.invars[0])}
    for equation in jaxpr.eqns:
        if any(id(variable) in reached for variable in equation.invars):
            reached.update(map(id, equation.outvars))
    return any(id(variable) in reached for variable in jaxpr.outvars)
