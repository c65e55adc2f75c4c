"""Sweeps and repeats of range tests over an executor, for every framework."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import FLAG, Refusal
from lrsched._core.schedule import Schedule
from lrsched.range_test.reading.recorder import DIVERGENCE
from lrsched.range_test.result.range_test import RangeTest
from lrsched.range_test.running.options import checked_options
from lrsched.range_test.running.rates import ramp_between
from lrsched.range_test.running.runs import Run, range_test_of
from lrsched.sweep.failure import Failure, succeeded, warn
from lrsched.sweep.result import Index, Sweep
from lrsched.sweep.schedules import rates_of, schedules_of
from lrsched.sweep.tasks import run_tasks

Array = npt.NDArray[np.float64]
SetUp = Callable[[int], Any]  # from a seed to the arguments of a range test
Prepare = Callable[[int], object]
RunTest = Callable[..., RangeTest]  # run(arguments, **options)

# Arguments of a set-up that a task leaves out: they are about what one test shows.
_SHOWN = frozenset({"progress", "label", "framework"})


class Trained(NamedTuple):
    """What a task returns."""

    rates: Array
    run: Run
    schedule: Schedule | None


def sweep_over(
    run: RunTest,
    setup: SetUp,
    schedules: Any,
    steps: int = 200,
    *,
    repeats: int = 1,
    prepare: Prepare | None = None,
    executor: Any = None,
    progress: bool = True,
    label: str = "",
    name: str = "sweep",
) -> Sweep:
    """Train a fresh copy under each of many schedules, as tasks of an executor.

    A copy is a range test of `setup(seed)` under its own schedule that no finite loss stops. Every
    schedule gets the same seeds.

    Args:
        run: `run(setup(seed), schedule=..., steps=..., divergence=None, progress=False)` returns
            the `RangeTest` of a framework. It is pickled, so a function of a module.
        setup: makes fresh objects, and returns the arguments of the framework's `range_test`.
        schedules: the schedules; a number is a constant learning rate.
        steps: the number of updates.
        repeats: how many seeds, from 0 on, each schedule is used with.
        prepare: called with the seed before each call of `setup`, as to seed global random
            generators; pickled as `run` is.
        executor: what the tasks are submitted to, or None for this process.
        progress: whether to show a progress bar of trainings.
        label: the name of the sweep in figures.
        name: the name of the user's function, in errors.

    Returns:
        The sweep, with losses of (schedules, repeats, steps) where repeats are more than one.

    Raises:
        TypeError, ValueError: an argument is wrong. Nothing has run.
        Exception: what the first training raised, where all failed. If only some fail, they are in
            `Sweep.failures`, and a UserWarning names them.
    """
    refuse = Refusal(name)
    _check_setup(refuse, setup)
    steps, repeats = checked_options(refuse, steps=steps, repeats=repeats)
    copies = schedules_of(refuse, schedules)
    rates = rates_of(refuse, copies, steps)
    refuse.check("progress", FLAG, progress)
    options = {"steps": steps, "divergence": None}
    task = functools.partial(_train, run, prepare, setup, name, options)
    places = list(np.ndindex(len(copies), repeats))
    tasks = [({"schedule": copies[copy]}, seed) for copy, seed in places]
    outcomes = run_tasks(refuse, task, tasks, executor, progress, name, ("setup", setup))
    names = [_name(copy, seed, repeats) for copy, seed in places]
    succeeded(name, dict(zip(names, outcomes, strict=True)))
    found = _sweep(copies, rates, repeats, outcomes, label)
    warn(name, {_name(*_place(index), repeats): text for index, text in found.failures.items()})
    return found


def repeats_over(
    run: RunTest,
    setup: SetUp,
    repeats: int = 4,
    *,
    schedule: Any = None,
    steps: int = 200,
    low: float | None = None,
    high: float | None = None,
    divergence: float | None = DIVERGENCE,
    prepare: Prepare | None = None,
    executor: Any = None,
    progress: bool = True,
    label: str = "",
    name: str = "repeated_range_test",
) -> RangeTest:
    """Run a range test of `setup(seed)` for each of several seeds, as tasks of an executor.

    No test goes on, so that all of them have the same learning rates.

    Args:
        run: `run(setup(seed), steps=..., max_steps=..., divergence=..., progress=False)` returns
            the `RangeTest` of a framework. It is pickled, so a function of a module.
        setup: makes fresh objects, and returns the arguments of the framework's `range_test`.
        repeats: the number of tests, with the seeds 0, 1, ...
        schedule: as for the framework's `range_test`; None leaves it to `setup`, and so for `low`
            and `high`.
        steps: the number of updates.
        low: the first learning rate.
        high: the last learning rate.
        divergence: when a test stops, as for the framework's `range_test`.
        prepare: called with the seed before each call of `setup`, as to seed global random
            generators; pickled as `run` is.
        executor: what the tasks are submitted to, or None for this process.
        progress: whether to show a progress bar of tests.
        label: the name of the test in figures.
        name: the name of the user's function, in errors.

    Returns:
        One test with a row for each repeat that succeeded. Metric "a" of row r is "a_r".

    Raises:
        TypeError, ValueError: an argument is wrong. Nothing has run.
        Exception: what the first test raised, where all failed. If only some fail, a UserWarning
            names them.
    """
    refuse = Refusal(name)
    _check_setup(refuse, setup)
    repeats, steps, divergence = checked_options(
        refuse, repeats=repeats, steps=steps, divergence=divergence
    )
    ramp_between(refuse, schedule, steps, low, high)
    refuse.check("progress", FLAG, progress)
    rates_given = {"schedule": schedule, "low": low, "high": high}
    options = {key: value for key, value in rates_given.items() if value is not None}
    options |= {"steps": steps, "max_steps": steps, "divergence": divergence}
    task = functools.partial(_train, run, prepare, setup, name, options)
    tasks: list[tuple[Any, ...]] = [({}, seed) for seed in range(repeats)]
    outcomes = run_tasks(refuse, task, tasks, executor, progress, name, ("setup", setup))
    found = {f"seed {seed}": outcome for seed, outcome in enumerate(outcomes)}
    trained = succeeded(name, found)
    warn(name, {place: each.text for place, each in found.items() if isinstance(each, Failure)})
    first, longest = trained[0], max((each.rates for each in trained), key=len)
    if any(not np.array_equal(each.rates, longest[: len(each.rates)]) for each in trained):
        refuse("setup", "one whose tests have the same learning rates for every seed", setup)
    return range_test_of([each.run for each in trained], longest, first.schedule, label)


def _check_setup(refuse: Refusal, setup: Any) -> None:
    if not callable(setup):
        expected = "a function of a seed that returns the arguments of range_test"
        refuse("setup", expected, setup, TypeError)


def _train(
    run: RunTest,
    prepare: Prepare | None,
    setup: SetUp,
    name: str,
    options: Mapping[str, Any],
    own: Mapping[str, Any],
    seed: int,
) -> Trained:
    """Run one test: what tasks call. `own` are options of this task alone."""
    if prepare is not None:
        prepare(seed)
    given, options = setup(seed), {**options, **own}
    if isinstance(given, Mapping):
        for key in given.keys() & options.keys():
            Refusal(name)("what setup returns", f"without {key!r}, which {name} has", given)
        given = {key: value for key, value in given.items() if key not in _SHOWN}
    test = run(given, **options, progress=False)
    rows = {metric: np.asarray(found) for metric, found in test.metrics.items()}
    assert isinstance(test.stopped, str)
    return Trained(
        test.learning_rates, Run(test.losses.tolist(), test.stopped, rows), test.schedule
    )


def _sweep(
    schedules: Sequence[Schedule], rates: Array, repeats: int, outcomes: Sequence[Any], label: str
) -> Sweep:
    """The sweep of these outcomes, in the order of schedules and then of seeds."""
    trained = [each for each in outcomes if not isinstance(each, Failure)]
    steps = max(len(each.rates) for each in trained)
    rates = rates[:, :steps].copy()
    losses = np.full((len(schedules), repeats, steps), np.nan)
    metrics: dict[str, Array] = {}
    failures: dict[Index, str] = {}
    for place, found in zip(np.ndindex(losses.shape[:2]), outcomes, strict=True):
        index: Index = place if repeats > 1 else place[0]
        if isinstance(found, Failure):
            failures[index] = found.text
            continue
        made = len(found.rates)
        rates[place[0], :made] = found.rates
        losses[place][:made] = found.run.losses
        if made < steps and found.run.stopped == "exhausted":
            failures[index] = f"its batches ran out after {made} of {steps} updates"
        for name, rows in found.run.metrics.items():
            row = metrics.setdefault(name, np.full_like(losses, np.nan))[place]
            row[rows[:, 0].astype(int)] = rows[:, 1]
    if repeats == 1:
        losses, metrics = losses[:, 0], {name: each[:, 0] for name, each in metrics.items()}
    return Sweep(tuple(schedules), rates, losses, metrics, failures=failures, label=label)


def _place(index: Index) -> tuple[int, int]:
    return index if isinstance(index, tuple) else (index, 0)


def _name(schedule: int, seed: int, repeats: int) -> str:
    """A training of a sweep as errors and warnings name it."""
    return f"schedules[{schedule}]" + (f" with seed {seed}" if repeats > 1 else "")
