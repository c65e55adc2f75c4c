"""Sweeps and repeats of range tests in torch, in one process or over an executor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from lrsched import Schedule
from lrsched._core import Real
from lrsched.range_test import DIVERGENCE, RangeTest
from lrsched.sweep import Sweep, repeats_over, sweep_over
from lrsched_torch._range_test.setups import run, seed_generators
from lrsched_torch._snapshot.restore import save_random_state


def sweep(
    setup: Callable[[int], Any],
    schedules: Iterable[Schedule | Real],
    steps: int = 200,
    *,
    repeats: int = 1,
    executor: Any = None,
    progress: bool = True,
    label: str = "torch",
) -> Sweep:
    """Train a fresh copy of a model under each of many schedules.

    A copy is a range test under its own schedule, on objects that `setup` makes for it, which no
    finite loss stops. All schedules get the same seeds, and so the same initial weights and
    batches. The trainings run one after the other, or as tasks of an executor.

    Args:
        setup: `setup(seed)` makes a fresh model, optimizer and batches, and returns the arguments
            of a range test: a mapping or a tuple of those of `range_test` (step, optimizer,
            batches, ...), of `range_test_model` (model, loss_fn, optimizer, loader, ...), or of
            the range tests of trainers; or a Trainer of transformers. Before it is called, the
            global random generators of torch, NumPy and Python are seeded with its seed. In a
            mapping, other options of the range test may be given too, such as `metrics`.
        schedules: the schedule of each copy; a number is a constant learning rate.
        steps: the number of updates.
        repeats: the number of seeds, from 0 on, with which each schedule is used.
        executor: what has `submit(function, *arguments)`, and returns from it what has `done()` and
            `result()`, such as `ProcessPoolExecutor(4)`, Dask's `client.get_executor()` or a
            submitit executor. It is not shut down. None trains in this process.
        progress: whether to show a progress bar of trainings in terminals and notebooks, if tqdm is
            installed.
        label: the name of the sweep in figures.

    Returns:
        The schedules, the learning rates as they were used, the losses and the metrics.

    Raises:
        TypeError, ValueError: an argument is wrong. Nothing has run.
        Exception: what the first training raised, where all failed. If only some fail, the others
            are returned, the failures are in `Sweep.failures`, and a UserWarning names them.

    The global random generators of this process are restored afterwards, also after an exception;
    nothing else of this process is touched but by `setup`. After Ctrl-C, trainings that wait on an
    executor are cancelled, and those that run in a `ProcessPoolExecutor` are interrupted; those in
    threads go on to their end. A training whose worker was lost is tried once more.

    Notes:
        For an executor, `setup` is pickled: by cloudpickle where it is installed, so that it may be
        a function of a notebook or a local one; else it is a function of a module. Each training
        gets a copy of what `setup` refers to, so a large data set is better loaded inside it.

        Processes share the cores: `ProcessPoolExecutor(4, initializer=torch.set_num_threads,
        initargs=(1,))`. Losses may differ in their last digits where numbers of threads do. With
        "spawn" (`mp_context=multiprocessing.get_context("spawn")`) a worker takes seconds to import
        torch; "fork" starts at once, but after this process has used a GPU or several threads it
        may hang. Several processes may use one GPU, if its memory suffices; to choose one of
        several, set CUDA_VISIBLE_DEVICES in the initializer, before torch uses it. Threads
        (`ThreadPoolExecutor`) share the global random generators, so that only a `setup` that
        draws from generators of its own, also for dropout, gives the same numbers each time.

    Elsewhere: `lrsched_jax.sweep` trains all copies in one compiled program; Ray Tune and Optuna
    search over hyperparameters of functions that train, and do not record each update.

    >>> import torch
    >>> def setup(seed):
    ...     model = torch.nn.Linear(2, 1)
    ...     optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ...     return model, torch.nn.MSELoss(), optimizer, [(torch.eye(2), torch.ones(2, 1))]
    >>> found = sweep(setup, [0.01, 0.1, 10.0], steps=30, progress=False)
    >>> found.losses.shape, found.best()
    ((3, 30), constant(value=0.1))
    """
    with _same_random_state():
        return sweep_over(
            run,
            setup,
            schedules,
            steps,
            repeats=repeats,
            prepare=seed_generators,
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
    label: str = "torch",
) -> RangeTest:
    """Run a range test for each of several seeds, each on fresh objects.

    No test goes on, so that all of them have the same rates. `RangeTest.suggest` reads the
    pointwise median, and `RangeTest.spread` says how far apart the suggestions of the seeds are.

    Args:
        setup: `setup(seed)` makes fresh objects, and returns the arguments of a range test, as for
            `sweep`. Its seeds are 0, 1, ...
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

    >>> import torch
    >>> def setup(seed):
    ...     model = torch.nn.Linear(2, 1)
    ...     optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ...     return model, torch.nn.MSELoss(), optimizer, [(torch.eye(2), torch.ones(2, 1))]
    >>> test = repeated_range_test(setup, repeats=2, steps=100, high=100.0, progress=False)
    >>> test.repeats, test.stopped
    (2, ('diverged', 'diverged'))
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
            prepare=seed_generators,
            executor=executor,
            progress=progress,
            label=label,
        )


@contextmanager
def _same_random_state() -> Iterator[None]:
    """Restore the global random generators when the block ends."""
    restore = save_random_state()
    try:
        yield
    finally:
        restore()
