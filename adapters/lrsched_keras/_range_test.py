"""A learning-rate range test of a Keras model, which restores everything."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import DIVERGENCE, RangeTest, Recorder
from lrsched.range_test.losses import LOOK_EVERY, LossReader
from lrsched.range_test.measurements import Measurements, Metrics, as_number
from lrsched.range_test.monitor import Log, Monitor, check_log
from lrsched.range_test.options import check_metrics, checked_options, curve_of, ramp_between
from lrsched_keras import _checks as checks
from lrsched_keras._fit import Loop, Updates
from lrsched_keras._hyperparameter import inner_optimizer, is_variable
from lrsched_keras._schedule import checked_schedule
from lrsched_keras._snapshot import Snapshot, training_state

_refuse = Refusal("range_test")

_FOREVER = 2**31  # epochs


def range_test(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    batch_size: int | None = None,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    shuffle: bool = True,
    schedule: Schedule | None = None,
    steps: int = 200,
    low: float | None = None,
    high: float | None = None,
    divergence: float | None = DIVERGENCE,
    metrics: Metrics | None = None,
    every: int = 10,
    log: Log | None = None,
    progress: bool = True,
    label: str = "Keras",
    **others: Any,
) -> RangeTest:
    """Call `model.fit` with rising learning rates, record each loss, and undo everything.

    The test makes `steps` updates. It stops earlier at the second loss in a row above `divergence`
    times the first one, at a loss that is not finite, and when the batches run out. The recorded
    rates are those that the updates used, in the dtype of the optimizer's rate. The losses are
    those of each batch before its update, and not the mean over the epoch that Keras logs. (Keras
    multiplies a loss by the size of its batch and divides it again: where that is no power of 2,
    the last bit may be rounded.)

    Afterwards everything is as it was, also after an exception or Ctrl-C, so that training
    continues as if there had been no test: the variables of the model, of its optimizer, metrics
    and seed generators; the attributes of all of these, such as `history`, `stop_training`, modes
    and the learning rate or its schedule (an optimizer that was not built before is not
    built afterwards); on torch also buffers and `.grad`; the state of a
    `PyDataset` or torch `DataLoader`; and the global random generators of Keras, NumPy, Python,
    torch and TensorFlow. Not restored are batches drawn from a Python generator, the order of a
    `tf.data.Dataset` that shuffles, and state inside TensorFlow's lookup tables and kernels.

    Args:
        model: a built and compiled model. Its `train_step` may be custom; its logs must have a
            "loss". With `gradient_accumulation_steps` an update takes several batches, whose mean
            loss is recorded. `steps_per_execution` is 1 during the test.
        x: the inputs or batches: whatever `fit` takes. They are restarted when they run out; a
            Python generator ends the test with `stopped="exhausted"`. A `PyDataset` loads its
            batches without workers.
        y: the targets, as in `fit`.
        batch_size: the size of batches, as in `fit`.
        sample_weight: the weights of samples, as in `fit`.
        class_weight: the weights of classes, as in `fit`.
        shuffle: whether to shuffle, as in `fit`.
        schedule: the learning rate of update 0, 1, ...; by default
            `exponential_ramp(low, high, steps - 1)`.
        steps: the number of updates.
        low: the first learning rate, by default 1e-7.
        high: the last learning rate, by default 10.
        divergence: a multiple of the first loss, above 1; None or infinity never stops for a
            finite loss.
        metrics: a function without arguments that returns numbers by name, such as
            `lambda: model.evaluate(..., return_dict=True, verbose=0)`. It is called before update
            0, `every`, ..., and recorded in `RangeTest.metrics` as rows of (update, value). Random
            generators and variables that are not trained are restored after it.
        every: the number of updates between two calls of `metrics`.
        log: called as `log({"learning_rate": rate, "loss": loss}, update)` for each update once its
            loss is read; `wandb.log` and `mlflow.log_metrics` are such functions.
        progress: whether to show a progress bar in terminals and notebooks, if tqdm is installed.
        label: the name of the test in figures.
        others: other arguments of `fit`, which are refused.

    Returns:
        The test. The training function that Keras has compiled for it serves the training after it
        where that may be: if it was compiled before, and always on JAX, unless the learning rate
        is a schedule of Keras.

    Raises:
        TypeError, ValueError: an argument is wrong, or the logs have no loss. Everything is
            restored. Also what `fit` raises.
        RuntimeError: part of the state could not be restored; the rest is.

    A skipped update of a `LossScaleOptimizer` is repeated with the same rate and the next batch.

    Elsewhere: callbacks named `LRFinder` (surmenok, ktrain, WittmannF). They read the mean over the
    epoch as the loss, and restore the weights of the model alone.

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), loss="mse")
    >>> x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    >>> test = range_test(model, x, x[:, :1] + 1, batch_size=16, high=1e3, progress=False)
    >>> test.stopped, test.learning_rates[0], len(test.losses) < 200
    ('diverged', np.float64(1.0000000116860974e-07), True)
    >>> round(float(model.optimizer.learning_rate), 6), int(model.optimizer.iterations)
    (0.1, 0)
    """
    checks.check_others(others)
    steps, every, divergence = checked_options(
        _refuse, steps=steps, every=every, divergence=divergence
    )
    check_metrics(_refuse, metrics, "a function that returns numbers by name")
    check_log(_refuse, log)
    schedule = checked_schedule(_refuse, ramp_between(_refuse, schedule, steps, low, high))
    curve = curve_of(_refuse, schedule, steps)
    checks.check_model(model)
    optimizer = inner_optimizer(_refuse, model)
    checks.check_batches(x)

    batches = {"x": x, "y": y, "batch_size": batch_size, "shuffle": shuffle}
    batches |= {"sample_weight": sample_weight, "class_weight": class_weight}
    measurements = Measurements(metrics, every, lambda: _undisturbed(model))
    serves_later = _serves_later(model, optimizer)
    with Monitor(progress, log) as monitor, training_state(model, x).restored():
        variable = _prepared(model, optimizer, x)
        rates = np.asarray(curve).astype(variable.dtype)
        used = rates.astype(np.float64).tolist()
        look_every = 1 if _is_on_cpu(variable.value) else LOOK_EVERY
        reader = LossReader(Recorder(divergence, steps), used, _means, monitor, look_every)
        updates = Updates(optimizer, rates, reader, optimizer is not model.optimizer)
        loop = Loop(model, variable, updates, measurements)
        monitor.begin("range test", steps)
        _fit(model, batches, loop, updates)
        reader.read()
        if reader.recorder.stopped != "finished":
            monitor.fill()
    if serves_later:
        model.train_function = loop.train_function
    return reader.result(schedule, measurements.rows, label)


def _serves_later(model: Any, optimizer: Any) -> bool:
    """Whether the training function that the test compiles is right for the training after it.

    On TensorFlow it holds the variables of metrics and of the optimizer: where the test has made
    these, they are made again.
    """
    if not is_variable(optimizer._learning_rate) or model.steps_per_execution != 1:
        return False
    made = (model.optimizer, model._compile_loss, model._compile_metrics)
    return _backend() == "jax" or all(each is None or each.built for each in made)


def _prepared(model: Any, optimizer: Any, x: Any) -> Any:
    """The variable of the learning rate, once the model, its optimizer and `x` are ready."""
    vars(model).setdefault("history", None)  # `fit` returns it
    if isinstance(x, keras.utils.PyDataset):
        x.workers, x.use_multiprocessing = 0, False  # Keras leaves workers that a stop interrupts
    if model.steps_per_execution != 1:
        model.steps_per_execution, model.train_function = 1, None
    if not is_variable(optimizer._learning_rate):  # a schedule, which is compiled into the function
        rate = keras.Variable(0.0, trainable=False, name="learning_rate")
        optimizer._learning_rate, model.train_function = rate, None
    return optimizer._learning_rate


def _fit(model: Any, batches: Mapping[str, Any], loop: Loop, updates: Updates) -> None:
    """Call `fit` until the loop stops it, or the batches run out."""
    once = isinstance(batches["x"], types.GeneratorType)
    given = {name: value for name, value in batches.items() if value is not None}
    with warnings.catch_warnings():
        for known in ("Your input ran out of data", "`shuffle=True` was passed"):
            warnings.filterwarnings("ignore", known)
        try:
            model.fit(**given, epochs=1 if once else _FOREVER, verbose=0, callbacks=loop)
        except (StopIteration, UnboundLocalError):  # on JAX, where there is no batch
            if updates.batches:
                raise
    if not updates.batches:
        _refuse("x", checks.BATCHES, batches["x"])


@contextmanager
def _undisturbed(model: Any) -> Iterator[None]:
    """Restore generators, and variables that are not trained, when the block ends.

    `evaluate` leaves metrics with what it has seen.
    """
    if _backend() == "jax":
        model.jax_state_sync()
    saved = Snapshot()
    saved.keep(*model.non_trainable_variables)
    saved.keep_random_state()
    modes = [(layer, layer.training) for layer in _torch_modules(model)]
    with saved.restored():
        try:
            yield
        finally:
            model.reset_metrics()
            for layer, mode in modes:
                layer.training = mode


def _torch_modules(model: Any) -> list[Any]:
    return list(model.modules()) if _backend() == "torch" else []


def _means(updates: list[list[Any]]) -> list[float]:
    """The mean loss of each update over its batches."""
    return [sum(map(as_number, losses)) / len(losses) for losses in updates]


def _is_on_cpu(value: Any) -> bool:
    """Whether an array is in the host's memory, so that reading one does not wait."""
    devices = value.devices() if callable(getattr(value, "devices", None)) else [value.device]
    return all("cpu" in str(device).lower() for device in devices)


def _backend() -> str:
    return str(keras.backend.backend())


def run(given: Any, **options: Any) -> RangeTest:
    """Run the range test of what a set-up returns.

    Args:
        given: a mapping of the arguments of `range_test` by name, a tuple of positional ones, or
            the one positional argument.
        options: further arguments by name.

    Raises:
        What `range_test` raises.
    """
    if isinstance(given, Mapping):
        return range_test(**given, **options)
    return range_test(*(given if isinstance(given, tuple) else (given,)), **options)
