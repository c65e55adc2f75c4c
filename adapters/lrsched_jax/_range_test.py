"""A learning-rate range test over a JAX loss function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import optax

from lrsched import Schedule, exponential_ramp
from lrsched.range_test import RangeTest, Recorder


def range_test(
    loss_fn: Callable[[Any, Any], jax.Array],
    params: Any,
    batches: Iterable[Any],
    optimizer: Callable[[Any], optax.GradientTransformation] = optax.sgd,
    schedule: Schedule = exponential_ramp(1e-7, 10.0, 199),  # noqa: B008  # immutable
    steps: int = 200,
) -> RangeTest:
    """Train with rising learning rates and record the loss of each update.

    The test stops after `steps` updates, at a loss above 4 times the first, at one that is not
    finite, or when the batches run out. Nothing that is passed in changes.

    Args:
        loss_fn: `loss_fn(params, batch)`, the loss of one batch; it is differentiated and jitted.
        params: the parameters, any pytree.
        batches: the batches, one for each update, of equal shapes.
        optimizer: a function from a schedule to a gradient transformation.
        schedule: the learning rate of update 0, 1, ...
        steps: the number of updates.

    Raises:
        TypeError, ValueError: `steps` is not an integer >= 1.
    """
    recorder = Recorder(schedule, steps)
    transformation = optimizer(schedule)

    @jax.jit
    def update(params: Any, state: Any, batch: Any) -> tuple[Any, Any, jax.Array]:
        loss, gradient = jax.value_and_grad(loss_fn)(params, batch)
        updates, state = transformation.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    state = transformation.init(params)
    for _, batch in zip(recorder, batches, strict=False):
        params, state, loss = update(params, state, batch)
        recorder.record(float(loss))
    return recorder.result()
