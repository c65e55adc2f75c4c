"""Optax transformations that multiply updates by a learning rate without rounding the rate."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from lrsched._core import Real, Refusal, number
from lrsched_jax._stateful import (
    ControlledSchedule,
    ControlledState,
    checked_stateful,
    follows_metric,
)
from lrsched_jax._types import PyTree, ScheduleFunction

_RATE = number()


def scale_by_learning_rate(
    learning_rate: ScheduleFunction | Real, *, flip_sign: bool = True
) -> optax.GradientTransformation:
    """Scale updates by the negative learning rate, which is never rounded below float32.

        update = -learning_rate(count) * update

    It takes the place of `optax.scale_by_learning_rate` at the end of a chain. The product is
    formed in at least float32, and then rounded to the type of the update. optax rounds the rate
    itself to that type first: to 8 bits for a bfloat16 update.

    Where the learning rate follows a metric, `update` takes the metric as `value=`, as that of
    `optax.contrib.reduce_on_plateau` does, and observes it before it scales: a metric that exhausts
    the patience already lowers the update with which it was passed. With `value=None` nothing is
    observed, for metrics that are not computed at every update. The `rate` of the state is that of
    the last update.

    Args:
        learning_rate: a schedule of lrsched, optax or your own, a controller such as
            `lrsched.reduce_on_plateau`, or a number, which may be traced.
        flip_sign: whether to scale by the negative learning rate. Use False after an optimizer that
            has its own learning rate, with a controller that begins at 1.0:
            `optax.chain(optax.adam(1e-3), scale_by_learning_rate(plateau, flip_sign=False))`.

    Returns:
        An `optax.GradientTransformation`. Its state is that of optax's, so that `current_lr` and
        checkpoints take one for the other; but a `ControlledState` where the rate follows a metric.

    Raises:
        TypeError: learning_rate is neither a function nor a number.
        ValueError: learning_rate is a number that is not finite, or follows a metric and has a
            duration that is not in steps.

    Elsewhere: `optax.scale_by_learning_rate`. `optax.adam(schedule)` is
    `optax.chain(optax.scale_by_adam(), optax.scale_by_learning_rate(schedule))`.

    >>> import lrsched
    >>> schedule = lrsched.linear(1.003, 0.0, 100)
    >>> optimizer = optax.chain(optax.identity(), scale_by_learning_rate(schedule))
    >>> update = jnp.asarray(99.0, jnp.bfloat16)
    >>> optimizer.update(update, optimizer.init(update))[0]
    Array(-99.5, dtype=bfloat16)
    >>> optimizer = optax.sgd(schedule)
    >>> optimizer.update(update, optimizer.init(update))[0]
    Array(-99, dtype=bfloat16)
    """
    sign = -1 if flip_sign else 1
    if follows_metric(learning_rate):
        refuse = Refusal("scale_by_learning_rate")
        return _controlled(checked_stateful(refuse, "learning_rate", learning_rate), sign)
    if not callable(learning_rate):
        rate = Refusal("scale_by_learning_rate").check("learning_rate", _RATE, learning_rate)
        return optax.stateless(lambda updates, params: scaled(sign * rate, updates))

    def init(params: PyTree) -> optax.ScaleByScheduleState:
        del params
        return optax.ScaleByScheduleState(count=jnp.zeros((), jnp.int32))

    def update(
        updates: PyTree, state: optax.ScaleByScheduleState, params: PyTree = None
    ) -> tuple[PyTree, optax.ScaleByScheduleState]:
        del params
        updates = scaled(sign * learning_rate(state.count), updates)
        return updates, optax.ScaleByScheduleState(count=optax.safe_increment(state.count))

    return optax.GradientTransformation(init, update)


def _controlled(schedule: ControlledSchedule, sign: int) -> optax.GradientTransformationExtraArgs:
    def init(params: PyTree) -> ControlledState:
        del params
        return schedule.init()

    def update(
        updates: PyTree,
        state: ControlledState,
        params: PyTree = None,
        *,
        value: Any,
        **extra_args: Any,
    ) -> tuple[PyTree, ControlledState]:
        del params, extra_args
        state = schedule.update(state, value=value)
        return scaled(sign * state.rate, updates), state

    return optax.GradientTransformationExtraArgs(init, update)


def scaled(rate: Any, updates: PyTree) -> PyTree:
    """Each update times the rate, in its own type; the product is formed in at least float32."""
    rate = jnp.asarray(rate)

    def scale(update: Any) -> Any:
        dtype = jnp.result_type(update)
        narrow = jnp.issubdtype(dtype, jnp.floating) and dtype.itemsize < 4
        wide = jnp.float32 if narrow else dtype
        return (rate.astype(wide) * jnp.asarray(update, wide)).astype(dtype)

    return jax.tree.map(scale, updates)
