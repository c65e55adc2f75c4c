"""A Keras callback that sets a hyperparameter by a metric."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from lrsched import Schedule
from lrsched._core import Controls, Kind, Recipe, Refusal, integer, is_plain_recipe, optional
from lrsched_keras._hyperparameter import Hyperparameter, checked_hyperparameter

_refuse = Refusal("ControlledRate")
_EVERY = optional(integer(1, "updates"))


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_NAME = Kind("a name", _name, traced=False)


class ControlledRate(keras.callbacks.Callback):  # type: ignore[misc]
    """A callback that sets the learning rate, or another hyperparameter, by a metric.

    It takes a controller (`lrsched.reduce_on_plateau`, `newbob`, `kl_adaptive`, `greedy`, or one of
    `@lrsched.controller`), or a schedule that has one in it: a product with a schedule, a warmup of
    one, a floor under it.

        rate = warmup(cosine_decay(0.1, 10_000), 500) * reduce_on_plateau(decay_rate=0.5)
        model.fit(x, y, validation_data=..., callbacks=[ControlledRate(rate)])

    Before each update the hyperparameter is the value of the schedule at n, times that of the
    controller: n is `optimizer.iterations`, the number of updates, which counts no batches whose
    gradients are only accumulated. The controller observes the metric at the end of every epoch, or
    after every `every` updates. The logs of an epoch, and so the history, have the value of its
    last update. Where the logs lack the metric, the callback warns and observes nothing. With
    `steps_per_execution` the value stays for that many updates.

    In the logs of a batch Keras has the mean of a metric since the epoch began. A schedule and an
    `every` make Keras wait for each update to end; a controller alone does not.

    The learning rate must be a float when the optimizer is made. Of other hyperparameters, such as
    `momentum`, `beta_1` and `weight_decay`, Keras compiles a number into the training function,
    which would not see a change: on JAX and TensorFlow, and on torch with `jit_compile`. They are
    refused there unless the model is compiled with `run_eagerly=True`, or the number is a variable:
    `optimizer.weight_decay = keras.Variable(0.01, trainable=False)` before the first fit. With a
    variable there, Keras saves the weights of a model, but not a `.keras` file. No variable can
    stand for the momentum of SGD and RMSprop, or for a clipping norm or value.

    A callback goes on where it was when `fit` is called again; a new run needs a new one. Files
    that Keras writes with the optimizer keep its state, and loading them restores it, if the model
    already knows the callback. So it is with `keras.callbacks.BackupAndRestore`, which should stand
    after this one among the callbacks, as should `ModelCheckpoint`: they save what they find at the
    end of an epoch. Elsewhere call `callback.set_model(model)` before `model.load_weights`, or keep
    the `state_dict`. `keras.saving.load_model` knows no callbacks.

    Args:
        recipe: a controller, or a schedule with controllers, of plain numbers.
        monitor: the name of the metric in the logs.
        hyperparameter: the name of the optimizer's number that is set.
        every: after how many updates the controller observes, 1 or more; None for once at the end
            of each epoch.

    Raises:
        TypeError: recipe is neither of these, or an option is of the wrong type.
        ValueError: recipe has no controller, a duration is not in steps, or `every` is below 1.

    `set_model`, which `fit` calls, raises TypeError or ValueError where the optimizer has no such
    number, or where a change of it would be without effect.

    Elsewhere: `keras.callbacks.ReduceLROnPlateau`, which `lrsched.reduce_on_plateau` translates.

    >>> import keras, lrsched
    >>> model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), loss="mse")
    >>> rate = lrsched.constant(0.1) * lrsched.reduce_on_plateau(decay_rate=0.5, patience=0)
    >>> callback = ControlledRate(rate, monitor="loss")
    >>> callback.set_model(model)
    >>> for epoch, loss in enumerate([2.0, 1.0, 1.0]):
    ...     callback.on_epoch_end(epoch, {"loss": loss})
    ...     print(round(float(model.optimizer.learning_rate), 6))
    0.1
    0.1
    0.05
    """

    def __init__(
        self,
        recipe: Recipe,
        monitor: str = "val_loss",
        hyperparameter: str = "learning_rate",
        every: int | None = None,
    ) -> None:
        super().__init__()
        self.recipe = checked_recipe(recipe)
        self.monitor: str = _refuse.check("monitor", _NAME, monitor)
        self.hyperparameter: str = _refuse.check("hyperparameter", _NAME, hyperparameter)
        self.every: int | None = _refuse.check("every", _EVERY, every)
        self.controls = Controls([recipe])
        self._current = self.controls.current(recipe)
        self._held: Hyperparameter | None = None
        self._observed = 0  # how many times `every` updates were made
        if every is not None:
            # Keras handles batches one after another if any callback has this method.
            self.on_train_batch_end = self._after_batch

    def set_model(self, model: Any) -> None:
        """Take the model's optimizer; its files keep the state from now on."""
        super().set_model(model)
        if getattr(model, "optimizer", None) is None:
            return
        self._held = checked_hyperparameter(_refuse, model, self.hyperparameter)
        setattr(self._held.optimizer, f"controlled_{self.hyperparameter}", _KeptState(self))

    def on_train_begin(self, logs: Any = None) -> None:
        """Set the value of the first update."""
        del logs
        self._set()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the value of the next update, which a checkpoint may have changed."""
        del epoch, logs
        self._set()
        if self.every is not None:
            self._observed = self._hyperparameter.count // self.every

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the value of the next update, of a schedule."""
        del batch, logs
        if isinstance(self.recipe, Schedule):
            self._set()

    def _after_batch(self, batch: int, logs: Any = None) -> None:
        """Observe the metric after every so many updates."""
        del batch
        observed = self._hyperparameter.count // (self.every or 1)
        if observed > self._observed:
            self._observed = observed
            self._observe(logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log the value of the last update, and observe the metric if it is that of an epoch."""
        del epoch
        if logs is not None:
            logs[self.hyperparameter] = self._hyperparameter.value
        if self.every is None:
            self._observe(logs)

    def state_dict(self) -> dict[str, Any]:
        """The states of the controllers and the recipe, as plain data."""
        return {"states": self.controls.as_data(), "recipe": repr(self.recipe)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from the states of a checkpoint, with the recipe of the code.

        The hyperparameter is set when an epoch begins. Warns if the checkpoint was written with
        another recipe.

        Raises:
            TypeError, ValueError: state_dict is not a mapping with the states of these controllers.
                Nothing has changed.
        """
        refuse = Refusal("load_state_dict")
        if not isinstance(state_dict, Mapping):
            refuse("state_dict", "a mapping", state_dict, TypeError)
        self.controls.states = self.controls.read(refuse, state_dict.get("states"))
        self._current = self.controls.current(self.recipe)
        written, recipe = state_dict.get("recipe"), repr(self.recipe)
        if written != recipe:
            text = f"was written with {written}; the recipe in the code is kept: {recipe}"
            warnings.warn(f"the checkpoint {text}", UserWarning, stacklevel=2)

    @property
    def _hyperparameter(self) -> Hyperparameter:
        """The hyperparameter, with the values that the optimizer has after the last update."""
        if self._held is None or self.model is None:  # on JAX, `model` brings the values
            _refuse("optimizer", "one of a compiled model that set_model was given", None)
        return self._held

    def _set(self) -> None:
        held = self._hyperparameter
        held.set(self._current(held.count))

    def _observe(self, logs: Any) -> None:
        metric = (logs or {}).get(self.monitor)
        if metric is None:
            found = ", ".join(logs or {}) or "nothing"
            text = f"no {self.monitor!r}, which is monitored, but {found}: nothing was observed"
            warnings.warn(f"ControlledRate: the logs have {text}", UserWarning, stacklevel=2)
            return
        try:
            number = float(metric)
        except (TypeError, ValueError):
            _refuse(self.monitor, "a number in the logs", metric, TypeError)
        if self.controls.observe(number):
            self._current = self.controls.current(self.recipe)
        self._set()


class _KeptState(keras.layers.Layer):  # type: ignore[misc]
    """Keeps the state of a callback in files, as the layer that Keras takes it for."""

    def __init__(self, callback: ControlledRate) -> None:
        super().__init__()
        self._callback = callback

    def save_own_variables(self, store: Any) -> None:
        """Write the state."""
        text = json.dumps(self._callback.state_dict())
        store["state"] = np.frombuffer(text.encode(), np.uint8)

    def load_own_variables(self, store: Any) -> None:
        """Read the state, if the file has it."""
        if "state" in store.keys():  # noqa: SIM118  # no mapping
            self._callback.load_state_dict(json.loads(bytes(np.asarray(store["state"]))))


def checked_recipe(recipe: Any) -> Recipe:
    """A checked controller, or schedule with controllers."""
    expected = "a controller of plain numbers, or a schedule with one"
    if not is_plain_recipe(recipe):
        _refuse("recipe", expected, recipe, TypeError)
    if isinstance(recipe, Schedule):
        if not recipe.controllers:
            _refuse("recipe", "one that follows a metric (KerasSchedule takes any other)", recipe)
        if not recipe.is_resolved:
            recipe(0)  # raises, and names what is missing
    checked: Recipe = recipe
    return checked
