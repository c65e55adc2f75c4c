"""Sweeps and repeats of range tests in Keras, in one process or over an executor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from lrsched import Schedule
from lrsched._core import Real
from lrsched.range_test import DIVERGENCE, RangeTest
from lrsched.sweep import Sweep, repeats_over, sweep_over
from lrsched_keras._range_test import run
from lrsched_keras._snapshot import Snapshot


def sweep(
    setup: Callable[[int], Any],
    schedules: Iterable[Schedule | Real],
    steps: int = 200,
    *,
    repeats: int = 1,
    executor: Any = None,
    progress: bool = True,
    label: str = "Keras",
) -> Sweep:
    """Train a fresh copy of a model under each of many schedules.

    A copy is a range test under its own schedule, of a model that `setup` makes for it, which no
    finite loss stops. All schedules get the same seeds, and so the same initial weights and
    batches. The trainings run one after the other, or as tasks of an executor.

    Args:
        setup: `setup(seed)` makes a fresh compiled model and its data, and returns the arguments of
            `range_test`: a tuple (model, x, y) or a mapping, in which its other options may be
            given too, such as `batch_size`. Before it is called, `keras.utils.set_random_seed` is,
            with its seed.
        schedules: the schedule of each copy; a number is a constant learning rate.
        steps: the number of updates.
        repeats: the number of seeds, from 0 on, with which each schedule is used.
        executor: what has `submit(function, *arguments)`, and returns from it what has `done()` and
            `result()`. It is not shut down. None trains in this process.
        progress: whether to show a progress bar of trainings in terminals and notebooks, if tqdm is
            installed.
        label: the name of the sweep in figures.

    Returns:
        The schedules, the learning rates as they were used, the losses and the metrics.

    Raises:
        TypeError, ValueError: an argument is wrong. Nothing has run.
        Exception: what the first training raised, where all failed. If only some fail, the others
            are returned, the failures are in `Sweep.failures`, and a UserWarning names them.

    The global random generators of this process are restored afterwards. For what executors need,
    and what becomes of lost workers and after Ctrl-C, see docs/guides/sweeps-on-many-machines.md;
    workers need the backend in the environment (KERAS_BACKEND) or in Keras's configuration file.

    Elsewhere: KerasTuner and Optuna search over hyperparameters of functions that train, and do not
    record each update.

    >>> import keras, numpy
    >>> def setup(seed):
    ...     model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(0.1), loss="mse")
    ...     return model, numpy.eye(2), numpy.ones((2, 1))
    >>> found = sweep(setup, [0.01, 0.1, 10.0], steps=10, progress=False)
    >>> found.losses.shape, found.best()
    ((3, 10), constant(value=0.1))
    """
    with _same_random_state():
        return sweep_over(
            run,
            setup,
            schedules,
            steps,
            repeats=repeats,
            prepare=keras.utils.set_random_seed,
            executor=executor,
            progress=progress,
            label=label,
        )


def repeated_range_test(
    setup: Callable[[int], Any],
    repeats: int = 4,
    schedule: Schedule | None = None,
    steps: int = 200,
    *,
    low: float | None = None,
    high: float | None = None,
    divergence: float | None = DIVERGENCE,
    executor: Any = None,
    progress: bool = True,
    label: str = "Keras",
) -> RangeTest:
    """Run a range test for each of several seeds, each on a fresh model.

    `RangeTest.suggest` reads the pointwise median, and `RangeTest.spread` says how far apart the
    suggestions of the seeds are.

    Args:
        setup: `setup(seed)` makes a fresh compiled model and its data, and returns the arguments of
            `range_test`, as for `sweep`. Its seeds are 0, 1, ...
        repeats: the number of tests.
        schedule: the learning rate of update 0, 1, ...; by default the one that `setup` returns, or
            `exponential_ramp(low, high, steps - 1)`.
        steps: the number of updates.
        low: the first learning rate, by default 1e-7.
        high: the last learning rate, by default 10.
        divergence: when a test stops, as for `range_test`.
        executor: what the tests are submitted to, as for `sweep`; None runs them in this process.
        progress: whether to show a progress bar of tests in terminals and notebooks, if tqdm is
            installed.
        label: the name of the test in figures.

    Returns:
        One test, with a row of losses for each repeat, NaN after it stopped. Metric "a" of row r is
        "a_r".

    Raises:
        TypeError, ValueError: an argument is wrong. Nothing has run.
        Exception: what the first test raised, where all failed. If only some fail, a test of the
            others is returned, and a UserWarning names the failures.

    What is restored afterwards, and what executors need, is as for `sweep`.

    Elsewhere: `repeats` of `lrsched_jax.range_test`. Other finders have no repeats.

    >>> import keras, numpy
    >>> def setup(seed):
    ...     model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(0.1), loss="mse")
    ...     return model, numpy.eye(2), numpy.ones((2, 1))
    >>> test = repeated_range_test(setup, repeats=2, steps=10, progress=False)
    >>> test.repeats, test.losses.shape
    (2, (2, 10))
    """
    with _same_random_state():
        return repeats_over(
            run,
            setup,
            repeats,
            schedule=schedule,
            steps=steps,
            low=low,
            high=high,
            divergence=divergence,
            prepare=keras.utils.set_random_seed,
            executor=executor,
            progress=progress,
            label=label,
        )


@contextmanager
def _same_random_state() -> Iterator[None]:
    """Restore the global random generators when the block ends."""
    saved = Snapshot()
    saved.keep_random_state()
    with saved.restored():
        yield
