"""Trains with `ControlledRate` on the Keras backend of the environment; see `tests/keras/`."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

import lrsched
from lrsched_keras import ControlledRate

SCHEDULE = lrsched.warmup(lrsched.cosine_decay(0.1, 60, 0.01), 4)
# The losses fall, which is no better with "max": each second one cuts after the first.
PLATEAU = lrsched.reduce_on_plateau(decay_rate=0.5, patience=1, mode="max", threshold_mode="abs")
RECIPE = SCHEDULE * PLATEAU
MOMENTUM = PLATEAU.replace(init_value=0.8)
DECAY = PLATEAU.replace(init_value=0.1)
LOSSES = [3.0, 2.0, 2.0, 4.0, 2.0]  # of the loop without fit, an epoch each
EPOCHS, UPDATES = 6, 8  # of the fits


class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the rate of each batch and, if there is one, of each epoch's metric."""

    def __init__(self, hyperparameter: str = "learning_rate") -> None:
        super().__init__()
        self.hyperparameter = hyperparameter
        self.rates: list[float] = []
        self.losses: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.rates.append(float(getattr(self.model.optimizer, self.hyperparameter)))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.losses.append(logs.get("val_loss"))


class Falling(keras.callbacks.Callback):  # type: ignore[misc]
    """Logs a metric that falls."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["val_falling"] = -epoch


class Kill(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a run in the middle of its fourth epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (self.epoch, batch) == (3, 4):
            raise KeyboardInterrupt


def difference(wanted: Any, found: Any) -> Any:
    return found - wanted


def made(optimizer: Any = None, **options: Any) -> Any:
    """A model whose gradient is 1 for each of three weights, so that each falls by the rate."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer or keras.optimizers.SGD(0.5), loss=difference, **options)
    return model


def fit(model: Any, *callbacks: Any, epochs: int = EPOCHS, **options: Any) -> Any:
    data = np.ones((2 * UPDATES, 3), np.float32), np.ones((2 * UPDATES, 1), np.float32)
    return model.fit(
        *data,
        batch_size=2,
        epochs=epochs,
        verbose=0,
        validation_data=data,
        callbacks=[*callbacks],
        **options,
    )


def weight(model: Any) -> float:
    return float(np.sum(model.get_weights()[0]))


def in_a_loop() -> list[float]:
    """The rates of a loop without fit, which calls the callback itself."""
    variable = keras.Variable(np.zeros(1, np.float32))
    model = keras.Model()
    model.optimizer = keras.optimizers.SGD(0.5)
    callback = ControlledRate(RECIPE, "loss")
    callback.set_model(model)
    rates = []
    for epoch, loss in enumerate(LOSSES):
        for batch in range(UPDATES):
            callback.on_train_batch_begin(batch)
            before = float(keras.ops.convert_to_numpy(variable)[0])
            gradient = keras.ops.convert_to_tensor(np.ones(1, np.float32))
            model.optimizer.apply([gradient], [variable])
            rates.append(before - float(keras.ops.convert_to_numpy(variable)[0]))
        callback.on_epoch_end(epoch, {"loss": loss})
    return rates


def in_fit(**options: Any) -> dict[str, Any]:
    model, recorder = made(keras.optimizers.SGD(0.5, **options)), Recorder()
    before = weight(model)
    history = fit(model, ControlledRate(RECIPE), recorder)
    return {
        "rates": recorder.rates,
        "losses": recorder.losses,
        "moved": before - weight(model),
        "logged": history.history["learning_rate"],
    }


def in_two_fits() -> list[float]:
    model, recorder, callback = made(), Recorder(), ControlledRate(RECIPE)
    fit(model, callback, recorder, epochs=2)
    fit(model, callback, recorder, initial_epoch=2)
    return recorder.rates


def killed(folder: Path, is_first: bool) -> list[list[float]]:
    """The rates of each epoch of a run that is killed and begun again."""
    recorder = Recorder()

    def run(*others: Any) -> None:
        backup = keras.callbacks.BackupAndRestore(folder)
        both = [ControlledRate(RECIPE), backup]
        fit(made(), *(both if is_first else [backup, *both[:1]]), recorder, *others)

    try:
        run(Kill())
    except KeyboardInterrupt:
        run()
    rates = recorder.rates
    lost = len(rates) - EPOCHS * UPDATES
    return [rates[: 3 * UPDATES], rates[3 * UPDATES + lost :]]


def beside_keras() -> list[list[float]]:
    """The rates of Keras's own callback and of ours, by the losses of a fit."""
    options: dict[str, Any] = {"factor": 0.3, "patience": 2, "cooldown": 2, "min_delta": 0.125}
    plateau = lrsched.reduce_on_plateau(0.5, 0.3, 1, "max", 0.125, "abs", 1, 1e-3, 0.0)
    found = []
    for callback in (
        keras.callbacks.ReduceLROnPlateau(mode="max", min_lr=1e-3, **options),
        ControlledRate(plateau),
    ):
        found.append(fit(made(), callback, epochs=12).history["learning_rate"])
    return found


def decayed() -> dict[str, Any]:
    """How weights fall by a weight decay in a variable, whose gradients are 0."""
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.weight_decay = keras.Variable(0.2, trainable=False)
    model, recorder = made(optimizer), Recorder("weight_decay")
    model.compile(optimizer, loss=lambda wanted, found: 0.0 * (found - wanted))
    before = weight(model)
    callback = ControlledRate(DECAY, "val_falling", "weight_decay")
    fit(model, Falling(), callback, recorder)
    return {"left": weight(model) / before, "rates": recorder.rates}


def with_momentum(**options: Any) -> Any:
    """How far the weights fall with a momentum that is set, or why it cannot be set."""
    model = made(keras.optimizers.SGD(0.5, momentum=0.9), **options)
    before = weight(model)
    try:
        fit(model, ControlledRate(MOMENTUM, hyperparameter="momentum"))
    except ValueError as refused:
        return str(refused)
    return before - weight(model)


def run(folder: Path) -> dict[str, Any]:
    backend = keras.backend.backend()
    results: dict[str, Any] = {"loop": in_a_loop()}
    if backend != "numpy":  # which does not train
        results["fit"] = in_fit()
        results["accumulated"] = in_fit(gradient_accumulation_steps=2)
        results["two fits"] = in_two_fits()
        results["killed"] = killed(folder / f"{backend} after", True)
        results["killed, backup first"] = killed(folder / f"{backend} before", False)
        results["beside Keras"] = beside_keras()
        results["weight decay"] = decayed()
        results["momentum"] = with_momentum()
        results["momentum, eagerly"] = with_momentum(run_eagerly=True)
    return results
