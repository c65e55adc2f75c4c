"""Sweeps and repeats of a range test, in this process and on executors."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched.range_test import RangeTest
from lrsched.sweep import Sweep, repeats_over, sweep_over
from tests.sweep import toys
from tests.sweep.toys import CURVATURES, run, setup

STEPS = 20
SCHEDULES: list[Any] = [0.01, lrsched.cosine_decay(0.5, 20), np.float32(0.25), 3.0]


def swept(schedules: Any = SCHEDULES, given: Any = setup, **options: Any) -> Sweep:
    return sweep_over(run, given, schedules, STEPS, progress=False, **options)


def repeated(given: Any = setup, repeats: int = 3, **options: Any) -> RangeTest:
    return repeats_over(run, given, repeats, progress=False, **options)


@settings(max_examples=30, derandomize=True)
@given(
    st.lists(
        st.one_of(
            st.floats(0.0, 1.5), st.builds(lrsched.cosine_decay, st.floats(0.0, 1.5), st.just(9))
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 3),
)
def test_every_copy_does_what_it_would_alone(schedules: list[Any], repeats: int) -> None:
    found = swept(schedules, repeats=repeats)
    assert found.repeats == repeats
    assert found.losses.ndim == (2 if repeats == 1 else 3)
    rows = found.losses.reshape(len(schedules), repeats, STEPS)
    for index, schedule in enumerate(found.schedules):
        rates = schedule(np.arange(STEPS))
        np.testing.assert_array_equal(found.learning_rates[index], rates)
        for seed in range(repeats):
            factors = np.vstack([np.ones(5), 1.0 - 2.0 * np.outer(rates[:-1], CURVATURES)])
            x = np.cumprod(factors, axis=0) * setup(seed)["start"]
            np.testing.assert_allclose(rows[index, seed], (CURVATURES * x**2).sum(1), rtol=1e-9)


def test_a_copy_that_diverges_goes_on_until_it_is_not_finite() -> None:
    found = sweep_over(run, setup, [0.1, 60.0], 300, progress=False)
    lost = ~np.isfinite(found.losses[1])
    first = int(lost.argmax())
    assert found.losses[1, first - 1] > 1e200
    assert lost[first:].all()
    assert np.isnan(found.losses[1, first:]).all()
    assert (found.learning_rates[1] == 60.0).all()
    assert found.failures == {}
    assert found.final_losses()[1] == np.inf


def test_metrics_are_where_they_were_measured() -> None:
    found = swept(repeats=2, label="toy")
    assert found.label == "toy"
    norms = found.metrics["norm"]
    assert norms.shape == found.losses.shape
    assert np.flatnonzero(np.isfinite(norms).any(axis=(0, 1))).tolist() == [*range(0, STEPS, 3)]
    assert norms[0, 1, 0] == abs(setup(1)["start"]).max()


@pytest.mark.parametrize("threads", [False, True])
def test_an_executor_changes_nothing(threads: bool) -> None:
    with ThreadPoolExecutor(2) as executor:
        options: Any = {"executor": executor if threads else None}
        found, again = swept(repeats=2, **options), swept(repeats=2)
        np.testing.assert_array_equal(found.losses, again.losses)
        np.testing.assert_array_equal(found.metrics["norm"], again.metrics["norm"])
        test, same = repeated(**options), repeated()
    np.testing.assert_array_equal(test.losses, same.losses)
    assert (test.stopped, test.schedule) == (same.stopped, same.schedule)


def test_a_repeated_test_has_a_row_for_each_seed() -> None:
    ramp = lrsched.exponential_ramp(1e-4, 100.0, 59)
    test = repeated(repeats=3, steps=60, schedule=ramp, label="toy")
    alone = [run(setup(seed), ramp, 60, progress=False) for seed in range(3)]
    assert (test.label, test.schedule) == ("toy", ramp)
    assert test.stopped == tuple(each.stopped for each in alone)
    longest = max(len(each.losses) for each in alone)
    assert test.losses.shape == (3, longest)
    np.testing.assert_array_equal(test.learning_rates, ramp(np.arange(longest)))
    for row, each in zip(test.losses, alone, strict=True):
        np.testing.assert_array_equal(row[: len(each.losses)], each.losses)
        assert np.isnan(row[len(each.losses) :]).all()
    assert sorted(test.metrics) == ["norm_0", "norm_1", "norm_2"]
    np.testing.assert_array_equal(test.metrics["norm_2"], alone[2].metrics["norm"])
    assert repeated(repeats=1).losses.ndim == 2
    assert test.suggest().suggested > 0


def test_the_ends_of_repeats_reach_the_test() -> None:
    given: list[Any] = []

    def noted(start: Any, **options: Any) -> RangeTest:
        given.append(options)
        return run(start, progress=False)

    repeats_over(noted, setup, 1, low=0.1, high=1.0, steps=7, divergence=None, progress=False)
    repeats_over(noted, setup, 1, progress=False)
    assert given == [
        {
            "low": 0.1,
            "high": 1.0,
            "steps": 7,
            "max_steps": 7,
            "divergence": None,
            "progress": False,
        },
        {"steps": 200, "max_steps": 200, "divergence": 4.0, "progress": False},
    ]


def seeded(seed: int) -> Any:
    seen.append(("setup", seed))
    return setup(seed)


seen: list[Any] = []


def prepare(seed: int) -> None:
    seen.append(("prepare", seed))


def test_generators_are_seeded_before_each_set_up() -> None:
    seen.clear()
    swept([0.1, 0.2], seeded, repeats=2, prepare=prepare)
    assert seen == [(what, seed) for seed in (0, 1, 0, 1) for what in ("prepare", "setup")]
    seen.clear()
    repeated(seeded, 2, prepare=prepare)
    assert seen == [(what, seed) for seed in (0, 1) for what in ("prepare", "setup")]


def test_what_some_trainings_raise_is_a_warning() -> None:
    text = "KeyError: 'no such data'"
    with pytest.warns(UserWarning, match="^sweep: missing or incomplete: ") as caught:
        found = swept([0.1, 0.2, 0.3], toys.fails_for_one, repeats=2)
    (warning,) = caught
    assert str(warning.message).endswith(
        "; ".join(f"schedules[{n}] with seed 1 ({text})" for n in range(3))
    )
    assert found.failures == {(n, 1): text for n in range(3)}
    assert np.isnan(found.losses[:, 1]).all()
    assert np.isfinite(found.losses[:, 0]).all()
    np.testing.assert_array_equal(found.final_losses(), swept([0.1, 0.2, 0.3]).final_losses())
    with pytest.warns(UserWarning, match="^repeated_range_test: .*: seed 1 .KeyError"):
        test = repeated(toys.fails_for_one, 3)
    assert test.repeats == 2
    assert test.losses[1, 0] == repeated(repeats=3).losses[2, 0]
    with pytest.warns(UserWarning, match=r"with seed 1 .*; and 3 more$"):
        swept(np.linspace(0.1, 0.8, 8), toys.fails_for_one, repeats=2)


def test_what_all_trainings_raise_is_raised() -> None:
    for executor in (None, ThreadPoolExecutor(1)):
        with pytest.raises(ZeroDivisionError, match="seed 0 of all"):
            swept(given=toys.fails, executor=executor)
        with pytest.raises(ZeroDivisionError, match="seed 0 of all"):
            repeated(toys.fails, executor=executor)


def test_batches_that_run_out() -> None:
    with pytest.warns(UserWarning, match="seed 1 .its batches ran out after 7 of 20 updates"):
        found = swept([0.1], toys.short_of_batches, repeats=2)
    assert np.isfinite(found.losses).sum(axis=2).tolist() == [[20, 7]]
    assert list(found.failures) == [(0, 1)]
    all_short = swept([0.1, 0.2], lambda seed: toys.short_of_batches(1))
    assert all_short.losses.shape == all_short.learning_rates.shape == (2, 7)
    assert all_short.failures == {}


def test_a_set_up_shows_nothing_and_names_no_framework() -> None:
    """One serves the command line too."""
    names = {"progress": True, "label": "x", "framework": "toy"}
    found = swept(given=lambda seed: setup(seed) | names)
    np.testing.assert_array_equal(found.losses, swept().losses)


REFUSALS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"given": 3}, TypeError, "setup must be a function of a seed that returns the arguments of"),
    ({"repeats": 0}, ValueError, "repeats must be an integer >= 1 (runs), got 0"),
    ({"progress": "no"}, TypeError, "progress must be True or False, got 'no'"),
    ({"executor": []}, TypeError, "executor must be one with submit(function, *arguments), as in"),
]
OF_SWEEPS: list[tuple[dict[str, Any], type[Exception], str]] = [
    *REFUSALS,
    ({"schedules": 0.1}, TypeError, "schedules must be a sequence of schedules or learning rates"),
    ({"schedules": []}, ValueError, "schedules must be a sequence of schedules or learning rates,"),
    ({"schedules": [-0.1]}, ValueError, "schedules[0] must be one of finite rates >= 0 at every"),
    ({"steps": 0}, ValueError, "steps must be an integer >= 1 (updates), got 0"),
    (
        {"given": lambda seed: {"steps": 3}},
        ValueError,
        "what setup returns must be without 'steps', which sweep has, got {'steps': 3}",
    ),
]
OF_REPEATS: list[tuple[dict[str, Any], type[Exception], str]] = [
    *REFUSALS,
    ({"steps": 1.5}, TypeError, "steps must be an integer >= 1 (updates), got 1.5"),
    ({"divergence": 1}, ValueError, "divergence must be a number > 1, or None, got 1"),
    ({"low": 2.0, "high": 1.0}, ValueError, "low must be below high (1), got 2.0"),
    (
        {"schedule": lrsched.constant(0.1), "low": 1.0},
        ValueError,
        "low must be None with a schedule, which has its own rates, got 1.0",
    ),
    (
        {"given": lambda seed: {"divergence": 3}},
        ValueError,
        "what setup returns must be without 'divergence', which repeated_range_test has, got",
    ),
]


@pytest.mark.parametrize(("options", "error", "message"), OF_SWEEPS)
def test_refusals_of_sweeps(options: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {
        "given": setup,
        "schedules": [0.1],
        "steps": 5,
        "progress": False,
    } | options
    with pytest.raises(error, match="^sweep: " + re.escape(message)):
        sweep_over(run, arguments.pop("given"), **arguments)


@pytest.mark.parametrize(("options", "error", "message"), OF_REPEATS)
def test_refusals_of_repeats(options: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {"given": setup, "repeats": 2, "progress": False} | options
    with pytest.raises(error, match="^repeated_range_test: " + re.escape(message)):
        repeats_over(run, arguments.pop("given"), **arguments)


def test_a_set_up_that_cannot_be_pickled_is_refused_by_name() -> None:
    lock = threading.Lock()

    def locked(seed: int) -> Any:
        with lock:
            return setup(seed)

    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(TypeError, match=r"^sweep: setup must be one that pickles .*, got <f"),
    ):
        swept(given=locked, executor=executor)


def test_repeats_have_the_same_rates() -> None:
    def other(seed: int) -> Any:
        return setup(seed) | {"schedule": lrsched.constant(0.1 + seed)}

    def with_schedule(given: Any, **options: Any) -> RangeTest:
        return run(given, **{"schedule": given["schedule"], **options})

    expected = "^repeated_range_test: setup must be one whose tests have the same learning rates"
    with pytest.raises(ValueError, match=expected):
        repeats_over(with_schedule, other, 2, progress=False)
