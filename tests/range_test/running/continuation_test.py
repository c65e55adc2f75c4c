"""Range tests that go on, over simulated trainings whose best rate is known."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched import Schedule
from lrsched._core.checks import Refusal
from lrsched.range_test import NoSuggestion, RangeTest
from lrsched.range_test.reading.recorder import threshold
from lrsched.range_test.running.continuation import Limits, continued, limits_of
from tests.range_test.landscapes import Descent


def gone_on(task: Descent, limits: Limits) -> RangeTest:
    return continued(task.first(limits.steps), task, limits)


def kinds(task: Descent) -> list[object]:
    """What was asked for, in its order."""
    return [call[0] for call in task.calls]


def decades(one: float, other: float) -> float:
    return abs(math.log10(one / other))


def test_a_certain_test_asks_for_nothing() -> None:
    task = Descent(noise=1e-4)
    first = task.first()
    assert first.suggest().is_certain
    assert continued(first, task, Limits(200)) is first
    assert task.calls == []


def test_a_flat_test_asks_for_nothing() -> None:
    """As where the optimizer does not have the parameters of the loss."""
    task = Descent(sharpest=1e-20, noise=0.0)
    first = task.first()
    with pytest.raises(NoSuggestion) as refused:
        first.suggest()
    assert refused.value.cause == "flat"
    assert continued(first, task, Limits(200, refine=True)) is first
    assert task.calls == []


def test_too_few_losses_ask_for_nothing() -> None:
    task = Descent()
    first = task.first(8)
    assert continued(first, task, Limits(8, max_steps=1000, refine=True)) is first
    assert task.calls == []


@pytest.mark.parametrize("task", [Descent(1e-3), Descent(1e9), Descent(noise=0.3)])
@pytest.mark.parametrize("refine", [False, True])
def test_max_steps_of_no_more_than_steps_ask_for_nothing(task: Descent, refine: bool) -> None:
    task.calls.clear()
    first = task.first()
    assert continued(first, task, Limits(200, max_steps=200, refine=refine)) is first
    assert continued(first, task, Limits(200, refine=refine).none) is first
    assert continued(first, task, Limits(200, is_ramp=False)) is first
    assert task.calls == []


def test_it_goes_up_where_the_loss_still_falls() -> None:
    """At the same pace, from a thousandth of the last rate to a thousand times it."""
    task = Descent(sharpest=1e-3, noise=1e-3)
    found = gone_on(task, Limits(200))
    (kind, low, high, steps), *_ = task.calls
    assert (kind, low, high) == ("ramp", pytest.approx(1e-2), pytest.approx(1e4))
    assert steps == round(6 * 199 / 8) + 1
    assert found.earlier is not None
    assert found.earlier.suggest().still_falls
    assert not found.suggest().still_falls
    assert decades(found.suggest().suggested, task.best(200)) < 0.7


def test_it_goes_down_where_the_loss_only_rises() -> None:
    task = Descent(sharpest=1e8, noise=1e-3)
    found = gone_on(task, Limits(200))
    (kind, low, high, steps), *_ = task.calls
    assert (kind, low, high) == ("ramp", pytest.approx(1e-11), pytest.approx(1e-6))
    assert steps == round(5 * 199 / 8) + 1
    assert found.earlier is not None
    with pytest.raises(NoSuggestion) as refused:
        found.earlier.suggest()
    assert refused.value.cause == "rising"
    assert decades(found.suggest().suggested, task.best(200)) < 0.7


def test_a_further_ramp_that_shows_nothing_is_left_out() -> None:
    """Here the best rate is below both of them."""
    task = Descent(sharpest=1e14)
    first = task.first()
    found = continued(first, task, Limits(200))
    assert kinds(task)[0] == "ramp"
    assert found.earlier is None
    assert found.losses is first.losses


def test_a_ramp_keeps_its_label() -> None:
    task = Descent(sharpest=1e-3)
    first = task.first().with_label("mine")
    found = continued(first, task, Limits(200))
    assert found.earlier is first
    assert found.label == "mine"


def test_it_trains_where_the_rate_is_uncertain() -> None:
    task = Descent(noise=0.2)
    first = task.first()
    before = first.suggest()
    assert before.is_wide
    found = continued(first, task, Limits(200))
    assert set(kinds(task)) == {"train"}
    assert found.probe is not None
    assert decades(found.suggest().suggested, task.best(66)) < 0.4
    _, rate, steps, repeat, above = task.calls[0]
    assert (rate, steps, repeat) == (pytest.approx(before.suggested), 400 // 6, 0)
    assert above == threshold(first.first_losses, 4.0)
    assert found.earlier is None
    assert np.array_equal(found.losses, first.losses)


def test_it_trains_where_noise_hides_the_fall() -> None:
    """Without a divergence it begins two decades below the last rate."""
    task = Descent(noise=5.0)
    first = task.first(100)
    cut = first.trimmed(0, 20)
    with pytest.raises(NoSuggestion):
        cut.suggest()
    continued(cut, task, Limits(100, divergence=None))
    _, rate, _, _, above = task.calls[0]
    assert rate == pytest.approx(cut.learning_rates[-1] / 100.0)
    assert above == math.inf


def test_refine_trains_in_any_case() -> None:
    task = Descent(noise=1e-4)
    found = gone_on(task, Limits(200, refine=True))
    assert found.probe is not None
    assert {call[2] for call in task.calls} == {100}
    assert {call[3] for call in task.calls} == {0, 1}
    assert found.probe.losses.shape[1:] == (2, 100)
    assert sum(task.made) <= 10 * 100


def test_the_trainings_have_the_length_that_was_asked_for() -> None:
    for refine in (False, True):
        task = Descent(noise=0.2)
        gone_on(task, Limits(200, max_steps=1000, refine=refine, probe_steps=30))
        assert {call[2] for call in task.calls} == {30}


def test_the_rates_of_a_probe_are_those_that_are_used() -> None:
    task = Descent(noise=0.2)
    found = continued(task.first(), task, Limits(200), np.float32)
    assert found.probe is not None
    rates = found.probe.learning_rates
    assert np.array_equal(rates.astype(np.float32), rates)


def test_batches_that_ran_out_end_a_test() -> None:
    """There is neither a further ramp nor a training."""
    whole = Descent(sharpest=1.0).first()
    first = RangeTest(whole.learning_rates[:170], whole.losses[:170], "exhausted")
    assert first.suggest().still_falls
    task = Descent(sharpest=1.0, batches=0)
    assert continued(first, task, Limits(200)) is first
    assert continued(first, task, Limits(200, refine=True)) is first
    assert not kinds(task)


def test_batches_that_ran_out_allow_no_lower_ramp() -> None:
    rates = np.geomspace(1e-7, 1e-5, 50)
    losses = 2.0 + np.linspace(0.0, 3.0, 50) ** 2
    for stopped, expected in (("finished", ["ramp"]), ("exhausted", [])):
        first, task = RangeTest(rates, losses, stopped), Descent(1e8)  # type: ignore[arg-type]
        with pytest.raises(NoSuggestion) as refused:
            first.suggest()
        assert refused.value.cause == "rising"
        continued(first, task, Limits(50, max_steps=1000))
        assert kinds(task)[:1] == expected


def test_an_update_without_a_finite_loss_counts() -> None:
    """A third of the updates that are left is for each training."""

    class Short(Descent):
        def test(self, schedule: Schedule, steps: int) -> RangeTest:
            rates = np.array([schedule(count) for count in range(12)])
            return RangeTest(rates, np.ones(12), "nonfinite")

    task = Short()
    losses = 2.0 + np.linspace(0.0, 3.0, 50) ** 2
    first = RangeTest(np.geomspace(1e-7, 1e-5, 50), losses)
    continued(first, task, Limits(50, max_steps=50 + 125 + 13))
    assert kinds(task)[:2] == ["ramp", "train"]
    assert task.calls[1][2] == (125 + 13 - 12 - 1) // 3


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.sampled_from([1e-4, 1e-2, 1.0, 1e4, 1e8, 1e12]),
    st.sampled_from([0.0, 0.01, 0.2, 3.0]),
    st.integers(1, 250),
    st.none() | st.integers(0, 500),
    st.booleans(),
    st.none() | st.integers(1, 120),
    st.sampled_from([10**6, 100, 30]),
    st.sampled_from([4.0, None]),
)
def test_it_never_makes_more_updates_than_it_may(
    sharpest: float,
    noise: float,
    steps: int,
    more: int | None,
    refine: bool,
    probe_steps: int | None,
    batches: int,
    divergence: float | None,
) -> None:
    """Those of trainings and ramps included that end at a loss that is not finite."""
    task = Descent(sharpest, noise, divergence=divergence)
    first = task.first(steps)
    task.batches = batches
    most = None if more is None else steps + more
    limits = Limits(steps, most, refine, probe_steps, divergence=divergence)
    found = continued(first, task, limits)
    if most is None:
        most = max(3 * steps, steps + 10 * (probe_steps or 100) if refine else 0)
    assert steps + sum(task.made) <= most
    assert steps + limits.further == most
    if not task.calls:
        assert found is first


def checked(**changed: Any) -> Limits:
    given: dict[str, Any] = {"max_steps": None, "refine": False, "probe_steps": None}
    given |= {"probe_repeats": 2, "divergence": 4.0, "is_ramp": True}
    return limits_of(Refusal("range_test"), 200, **(given | changed))


@pytest.mark.parametrize(
    ("options", "further"),
    [
        ({}, 400),
        ({"max_steps": 200}, 0),
        ({"max_steps": 201}, 1),
        ({"is_ramp": False}, 0),
        ({"is_ramp": False, "max_steps": 300}, 100),
        ({"is_ramp": False, "refine": True}, 1000),
        ({"refine": True}, 1000),
        ({"refine": True, "probe_steps": 10}, 400),
        ({"refine": True, "max_steps": 250}, 50),
        ({"probe_steps": 100}, 400),
    ],
)
def test_how_far_it_may_go_on(options: dict[str, Any], further: int) -> None:
    assert checked(**options).further == further


@pytest.mark.parametrize(
    ("options", "left", "steps"),
    [
        ({}, 400, 66),  # a sixth
        ({}, 240, 50),  # but at least so many,
        ({}, 90, 30),  # if there are three of them
        ({}, 60, 20),
        ({}, 59, 0),  # of fewer than 20 nothing is learnt
        ({"probe_steps": 20}, 400, 20),
        ({"probe_steps": 20}, 59, 0),
        ({"probe_steps": 10}, 30, 10),
        ({"refine": True}, 1000, 100),
        ({"refine": True}, 150, 50),
        ({"refine": True, "probe_steps": 20}, 1000, 20),
    ],
)
def test_how_long_a_training_is(options: dict[str, Any], left: int, steps: int) -> None:
    assert checked(**options).training(left) == steps


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_steps": 199}, ValueError, r"max_steps must be at least steps \(200\), or None, got"),
        ({"max_steps": 0}, ValueError, "max_steps must be an integer >= 1"),
        ({"max_steps": 300.0}, TypeError, "max_steps must be an integer >= 1"),
        ({"max_steps": True}, TypeError, "max_steps must be an integer >= 1"),
        ({"max_steps": "300"}, TypeError, "max_steps must be an integer >= 1"),
        ({"probe_steps": 0}, ValueError, "probe_steps must be an integer >= 1"),
        ({"probe_steps": math.nan}, TypeError, "probe_steps must be an integer >= 1"),
        ({"probe_repeats": 0}, ValueError, "probe_repeats must be an integer >= 1"),
        ({"probe_repeats": None}, TypeError, "probe_repeats must be an integer >= 1"),
    ],
)
def test_wrong_limits_are_refused(options: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=f"range_test: {message}"):
        checked(**options)
