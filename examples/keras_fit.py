"""Train a Keras model with `fit`, with a schedule at the rate that a range test suggests.

The range test calls `fit` itself and restores the model. The `.keras` file that is saved after half
of the epochs holds the schedule and the count, so that the loaded model goes on where it stopped:
`KERAS_BACKEND=jax python examples/keras_fit.py` (or torch, or tensorflow) writes
`demo/keras_fit.png`.
"""

import argparse
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from data import digits
from matplotlib import pyplot

import lrsched_keras

BATCH_SIZE = 64


class LogRate(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds the learning rate of the next update to the logs of each epoch."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def compile_with(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A range test and training in Keras.")
    parser.add_argument("--epochs", type=int, default=30, help="of the training (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("demo/keras_fit.png"))
    options = parser.parse_args(arguments)
    epochs, half = options.epochs, options.epochs // 2
    (images, labels), held_out = digits()
    epoch_steps = math.ceil(len(images) / BATCH_SIZE)

    keras.utils.set_random_seed(0)
    inner = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10)]
    model = keras.Sequential([keras.layers.Input((64,)), *inner])
    compile_with(model, keras.optimizers.AdamW())
    test = lrsched_keras.range_test(model, images, labels, batch_size=BATCH_SIZE, progress=False)
    print(f"range test: {test.summary}")
    run: Any = {"total_steps": epochs * epoch_steps, "epoch_steps": epoch_steps}
    schedule = test.warmup_cosine(**run)
    print(f"schedule: {schedule!r}")

    compile_with(model, keras.optimizers.AdamW(lrsched_keras.KerasSchedule(schedule)))
    fit = {"batch_size": BATCH_SIZE, "verbose": 0, "validation_data": held_out}
    fit["callbacks"] = [LogRate()]
    first = model.fit(images, labels, epochs=half, **fit)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "half.keras")
        model = keras.saving.load_model(Path(folder) / "half.keras")
    second = model.fit(images, labels, initial_epoch=half, epochs=epochs, **fit)
    found = {name: first.history[name] + second.history[name] for name in first.history}
    print(f"updates: {int(model.optimizer.iterations)}")
    print(f"loss: {found['loss'][0]:.3f} to {found['loss'][-1]:.3f}")
    print(f"held-out accuracy: {found['val_accuracy'][-1]:.3f}")
    wanted = [schedule(epoch_steps * epoch) for epoch in range(1, epochs + 1)]
    pairs = zip(found["learning_rate"], wanted, strict=True)
    print(f"largest difference of the rates: {max(abs(a - b) for a, b in pairs):.1g}")

    figure, axes = pyplot.subplot_mosaic("AA;BC", figsize=(8, 5.6), layout="constrained")
    test.plot(ax=axes["A"], shape="warmup_cosine", **run)
    axes["A"].legend(frameon=False, fontsize="small")
    axes["A"].set_title("Range test in Keras, and a fit that is saved and loaded in its middle")
    ends = range(1, epochs + 1)
    axes["B"].plot(ends, found["learning_rate"], ".-")
    axes["B"].set(xlabel="epoch", ylabel="learning rate")
    axes["C"].plot(ends, found["loss"], label="training")
    axes["C"].plot(ends, found["val_loss"], label="held out")
    axes["C"].set(xlabel="epoch", ylabel="loss", yscale="log")
    for ax in (axes["B"], axes["C"]):
        ax.axvline(half, color="0.6", ls=":", label="saved and loaded")
    axes["C"].legend(frameon=False)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=80)


if __name__ == "__main__":
    main()
