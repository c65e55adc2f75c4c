"""Trains with a schedule on the Keras backend of the environment; see `tests/keras/`."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

import lrsched
from lrsched_keras import KerasSchedule

RECIPE = lrsched.warmup(lrsched.cosine_decay(0.1, 12, 0.01), 4)


@keras.saving.register_keras_serializable()  # type: ignore[untyped-decorator]
def difference(wanted: Any, found: Any) -> Any:
    return found - wanted


class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.rates.append(float(self.model.optimizer.learning_rate))


def made(**options: Any) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    optimizer = keras.optimizers.SGD(KerasSchedule(RECIPE))
    model.compile(optimizer, loss=difference, **options)
    return model


def fitted(model: Any, epochs: int) -> list[float]:
    """The rates at the beginning of each batch of an epoch of eight."""
    recorder = Recorder()
    data = np.ones((16, 3), np.float32), np.ones((16, 1), np.float32)
    model.fit(*data, batch_size=2, epochs=epochs, verbose=0, callbacks=[recorder])
    return recorder.rates


def run(folder: Path) -> dict[str, Any]:
    backend = keras.backend.backend()
    results: dict[str, Any] = {}
    value = KerasSchedule(RECIPE)(keras.ops.convert_to_tensor([0, 8, 100]))
    results["curve"] = np.asarray(keras.ops.convert_to_numpy(value), float).tolist()
    if backend != "numpy":  # which does not train
        train(results, backend, folder)
    return results


def train(results: dict[str, Any], backend: str, folder: Path) -> None:
    for compiled in (True, False):
        if compiled and backend == "torch":
            continue  # Keras compiles by torch.compile, which takes a minute
        model = made(jit_compile=compiled)
        before = float(np.sum(model.get_weights()[0]))
        results[f"rates, jit_compile={compiled}"] = fitted(model, 1)
        # The loss falls by the weights: each update adds -lr to each of the three.
        after = float(np.sum(model.get_weights()[0]))
        results[f"moved, jit_compile={compiled}"] = before - after
    model.save(folder / f"{backend}.keras")
    loaded = keras.saving.load_model(folder / f"{backend}.keras")
    results["loaded"] = repr(loaded.optimizer._learning_rate)
    results["after loading"] = fitted(loaded, 1)
