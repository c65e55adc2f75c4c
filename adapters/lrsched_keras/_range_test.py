"""A learning-rate range test of a Keras model, which restores everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import DIVERGENCE, PROBE_REPEATS, RangeTest
from lrsched.range_test.running.continuation import continued, limits_of
from lrsched.range_test.running.measurements import Measurements, Metrics
from lrsched.range_test.running.monitor import Log, Monitor, check_log
from lrsched.range_test.running.options import check_metrics, checked_options
from lrsched.range_test.running.rates import curve_of, ramp_between
from lrsched_keras import _checks as checks
from lrsched_keras._hyperparameter import inner_optimizer
from lrsched_keras._runs import Fits
from lrsched_keras._schedule import checked_schedule
from lrsched_keras._snapshot import Snapshot, training_state

_refuse = Refusal("range_test")


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
    max_steps: int | None = None,
    divergence: float | None = DIVERGENCE,
    metrics: Metrics | None = None,
    every: int = 10,
    refine: bool = False,
    probe_steps: int | None = None,
    probe_repeats: int = PROBE_REPEATS,
    log: Log | None = None,
    progress: bool = True,
    label: str = "Keras",
    **others: Any,
) -> RangeTest:
    """Call `model.fit` with rising learning rates, record each loss, and undo everything.

    The rates of the first `steps` updates rise. They stop earlier where the losses are too high,
    see `divergence`, at one that is not finite, and when the batches run out. Where they leave the
    best rate uncertain the test goes on, up to `max_steps` updates in all, each time by another
    `fit` from the state in which it began: with rates beyond the last one, or below the first, if
    the best may lie there; and with short trainings at constant rates around the suggestion.
    `RangeTest.summary` says what was done. The recorded rates are those that the updates used, in
    the dtype of the optimizer's rate. The losses are those of each batch before its update, and not
    the mean over the epoch that Keras logs. (Keras multiplies a loss by the size of its batch and
    divides it again: where that is no power of 2, the last bit may be rounded.)

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
            Python generator ends the test with `stopped="exhausted"`, and a test that goes on draws
            further batches of it. A `PyDataset` loads its batches without workers.
        y: the targets, as in `fit`.
        batch_size: the size of batches, as in `fit`.
        sample_weight: the weights of samples, as in `fit`.
        class_weight: the weights of classes, as in `fit`.
        shuffle: whether to shuffle, as in `fit`.
        schedule: the learning rate of update 0, 1, ...; by default
            `exponential_ramp(low, high, steps - 1)`.
        steps: the number of updates with rising rates.
        low: the first learning rate, by default 1e-7.
        high: the last learning rate, by default 10.
        max_steps: the most updates in all, by default 3 times `steps`; with a schedule of one's own
            `steps`; and with `refine` at least `steps` and 10 times `probe_steps`.
        divergence: a multiple d, above 1. The rates stop to rise where most of the last 5 losses
            are above `m + max((d - 1) * abs(m), 2 * r)`, m the median and r the range of the first
            10 losses (in a longer test of 2 %, and of the first 5 %). None or infinity never stops
            for a finite loss.
        metrics: a function without arguments that returns numbers by name, such as
            `lambda: model.evaluate(..., return_dict=True, verbose=0)`. It is called before update
            0, `every`, ..., and recorded in `RangeTest.metrics` as rows of (update, value). Random
            generators and variables that are not trained are restored after it.
        every: the number of updates between two calls of `metrics`.
        refine: whether there are trainings in any case, also at rates that need none, on several
            orders of the batches.
        probe_steps: the updates of each training; by default 100 with `refine`, else a sixth of
            the updates that are left, at least 50.
        probe_repeats: the trainings at the best rates with `refine`, on different batches.
        log: called as `log({"learning_rate": rate, "loss": loss}, update)` for each update of the
            first `steps` once its loss is read; `wandb.log` and `mlflow.log_metrics` are such
            functions.
        progress: whether to show a progress bar in terminals and notebooks, if tqdm is installed.
        label: the name of the test in figures.
        others: other arguments of `fit`, which are refused.

    Returns:
        The test. The training function that Keras has compiled for it serves the training after it
        where that may be: if it was compiled before, and always on JAX, unless the learning rate
        is a schedule of Keras. On TensorFlow a model that was never trained is compiled again for
        each training of a test that goes on.

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
    >>> test = range_test(model, x, x.prod(axis=1), batch_size=16, high=1e3, progress=False)
    >>> test.stopped, test.learning_rates[0], len(test.losses) < 200
    ('diverged', np.float64(1.0000000116860974e-07), True)
    >>> round(float(model.optimizer.learning_rate), 6), int(model.optimizer.iterations)
    (0.1, 0)
    """
    checks.check_others(others)
    steps, every, divergence = checked_options(
        _refuse, steps=steps, every=every, divergence=divergence
    )
    (refine,) = checked_options(_refuse, refine=refine)
    further = max_steps, refine, probe_steps, probe_repeats
    limits = limits_of(_refuse, steps, *further, divergence, schedule is None)
    check_metrics(_refuse, metrics, "a function that returns numbers by name")
    check_log(_refuse, log)
    schedule = checked_schedule(_refuse, ramp_between(_refuse, schedule, steps, low, high))
    curve_of(_refuse, schedule, steps)
    checks.check_model(model)
    optimizer = inner_optimizer(_refuse, model)
    checks.check_batches(x)

    batches = {"x": x, "y": y, "batch_size": batch_size, "shuffle": shuffle}
    batches |= {"sample_weight": sample_weight, "class_weight": class_weight}
    undisturbed = partial(_undisturbed, model)
    measure = partial(Measurements, metrics, every, undisturbed)
    saved = training_state(model, x)
    with Monitor(progress, log) as monitor, saved.restored():
        shown = divergence, measure, monitor, label
        fits = Fits(model, optimizer, batches, *shown, saved.rewind)
        test = continued(fits.first(schedule, steps), fits, limits, fits.dtype)
    if fits.serves_later:
        model.train_function = fits.train_function
    return test


@contextmanager
def _undisturbed(model: Any) -> Iterator[None]:
    """Restore generators, and variables that are not trained, when the block ends.

    `evaluate` leaves metrics with what it has seen.
    """
    if keras.backend.backend() == "jax":
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
    return list(model.modules()) if keras.backend.backend() == "torch" else []


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
