"""Run a range test inside `model.fit`: the rate of each update, and the loss of each batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import keras

from lrsched._core import Refusal
from lrsched.range_test.running.losses import LossReader
from lrsched.range_test.running.measurements import Measurements

_refuse = Refusal("range_test")

# What Keras calls for each batch. It makes one training step, and returns the logs; on JAX it takes
# and returns the state as well.
Function = Callable[..., Any]


class Updates:
    """Counts the updates that the batches of a fit make, and collects their losses.

    Args:
        optimizer: the optimizer that makes the updates.
        rates: the rate of each update, in the dtype of the optimizer's.
        reader: reads the losses.
        may_skip: whether an update is skipped where gradients are not finite.
        skipped: the number of updates whose batches are passed over before the first one.

    Attributes:
        batches: the number of batches that were drawn.
        passes: whether all of them were passed over.
    """

    def __init__(
        self, optimizer: Any, rates: Any, reader: LossReader, may_skip: bool, skipped: int = 0
    ) -> None:
        self.reader = reader
        self.may_skip = may_skip
        self.batches = 0
        self.rates = rates
        self._accumulated = optimizer.gradient_accumulation_steps or 1
        self._iterations = int(optimizer._iterations)  # of which some may be accumulated only
        self._losses: list[Any] = []
        self._skipped = skipped * self._accumulated  # batches
        self.passes = skipped > 0

    def passes_over(self, batch: Any) -> bool:
        """Whether the batch is one before the first of the test; then it is drawn."""
        self.passes = self._skipped > 0
        if not self.passes:
            return False
        if hasattr(batch, "__next__"):  # on torch Keras has drawn it
            next(batch)
        self._skipped -= 1
        self.batches += 1
        return True

    def end_batch(self, logs: Any, iterations: Callable[[], Any]) -> bool:
        """Take the logs of a batch, and return whether the test goes on.

        `iterations` returns how many batches the optimizer has used; it is called only where the
        optimizer may skip one.
        """
        self.batches += 1
        loss = logs.get("loss") if isinstance(logs, Mapping) else None
        if loss is None:
            _refuse("the model's train_step", 'one that returns logs with a "loss"', logs)
        if self.may_skip and int(iterations()) == self._iterations:
            return self.reader.skip([loss])
        self._losses.append(loss)
        self._iterations += 1
        if self._iterations % self._accumulated:
            return True
        losses, self._losses = self._losses, []
        return self.reader.add(losses)


class Loop(keras.callbacks.CallbackList):  # type: ignore[misc]
    """The callbacks of a fit that is a range test; it has no others, and no history.

    Args:
        model: the model.
        variable: the variable of the optimizer's learning rate.
        updates: counts the updates.
        measurements: the numbers that are measured between updates.
    """

    def __init__(
        self, model: Any, variable: Any, updates: Updates, measurements: Measurements
    ) -> None:
        super().__init__(model=model)
        self.train_function: Function | None = None  # that of the model
        self._trained = model
        self._variable = variable
        self._updates = updates
        self._measurements = measurements
        self._made = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Set rates and read losses around the function that Keras has just made."""
        model, updates = self._trained, self._updates
        self.train_function = model.train_function
        backend = _BACKENDS[keras.backend.backend()]
        model.train_function = backend(model, self._variable, updates, model.train_function)
        if updates.passes:  # metrics may have no result before the first update
            result = model.get_metrics_result
            model.get_metrics_result = lambda: {} if updates.passes else result()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Count the batches of the epoch."""
        self._made = self._updates.batches

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Measure; on JAX the model has no values later."""
        self._measurements.before(self._updates.reader.count)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop where the data has run out."""
        if self._updates.batches == self._made:
            self._trained.stop_training = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Nothing: `train_function` has ended the batch."""

    def on_train_end(self, logs: Any = None) -> None:
        """Nothing."""


class Backend(Protocol):
    """Makes a training function that sets the rate, and whose logs have the batch's own loss.

    Keras logs the mean over the epoch of what its metrics have seen. They are as at the start of
    an epoch before each batch.
    """

    def __call__(self, model: Any, variable: Any, updates: Updates, function: Function) -> Function:
        """The function in the place of the model's."""


@functools.cache
def _picked() -> Callable[[Any, int, list[Any]], tuple[Any, list[Any]]]:
    """A function of JAX that copies one of the rates, and the values of metrics."""
    import jax
    from jax import numpy as jnp

    return jax.jit(lambda rates, update, metrics: (rates[update], list(map(jnp.copy, metrics))))


def _on_jax(model: Any, variable: Any, updates: Updates, function: Function) -> Function:
    """On JAX the values of variables are arguments: writing the variables is far slower."""
    from jax import numpy as jnp

    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    variables = [id(each) for each in model.optimizer.variables]
    rate, iterations = variables.index(id(variable)), variables.index(id(inner._iterations))
    rates, pick = jnp.asarray(updates.rates), _picked()
    fresh: list[Any] = []

    def train(state: Any, iterator: Any) -> Any:
        trainable, others, optimizer, metrics = state
        # The training step takes the memory of its arguments, so each gets a copy. It must be one
        # of JAX's: a step that JAX has compiled and kept in a file may overwrite memory of NumPy's.
        if not updates.batches:
            fresh[:] = map(jnp.copy, metrics)
        if updates.passes_over(iterator):
            return {}, state
        optimizer = list(optimizer)
        optimizer[rate], metrics = pick(rates, updates.reader.count, fresh)
        logs, state = function((trainable, others, optimizer, metrics), iterator)
        if not updates.end_batch(logs, lambda: state[2][iterations]):
            model.stop_training = True
        return logs, state

    return train


def _on_torch(model: Any, variable: Any, updates: Updates, function: Function) -> Function:
    import torch

    rates = updates.rates.tolist()
    return _writing(
        model,
        updates,
        function,
        lambda update: variable.value.fill_(rates[update]),
        lambda values: [value.detach().clone() for value in values],
        lambda values, kept: torch._foreach_copy_(values, kept) if values else None,
    )


def _on_tensorflow(model: Any, variable: Any, updates: Updates, function: Function) -> Function:
    import tensorflow as tf

    def write(values: list[Any], kept: list[Any]) -> None:
        for value, each in zip(values, kept, strict=True):
            if hasattr(value, "handle"):  # a tenth of the time of `assign`
                tf.raw_ops.AssignVariableOp(resource=value.handle, value=each)
            else:
                value.assign(each)

    rates = tf.unstack(tf.constant(updates.rates))
    return _writing(
        model,
        updates,
        function,
        lambda update: write([variable.value], [rates[update]]),
        lambda values: list(map(tf.identity, values)),
        write,
    )


def _writing(
    model: Any,
    updates: Updates,
    function: Function,
    write_rate: Callable[[int], object],
    copies: Callable[[list[Any]], list[Any]],
    write: Callable[[list[Any], list[Any]], object],
) -> Function:
    """A training function for backends whose variables are written in place."""
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    metrics: list[Any] = []
    fresh: list[Any] = []

    def train(batch: Any) -> Any:
        if not updates.batches:
            metrics[:] = [variable.value for variable in model.metrics_variables]
            fresh[:] = copies(metrics)
        if updates.passes_over(batch):
            return {}
        write_rate(updates.reader.count)
        write(metrics, fresh)
        logs = function(batch)
        if not updates.end_batch(logs, lambda: inner._iterations):
            model.stop_training = True
        return logs

    return train


_BACKENDS: dict[str, Backend] = {
    "jax": _on_jax,
    "tensorflow": _on_tensorflow,
    "torch": _on_torch,
}
BACKENDS = tuple(_BACKENDS)
