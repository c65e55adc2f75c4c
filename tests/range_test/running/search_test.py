"""The search on problems whose best rate is known."""

import contextlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched.range_test import NoSuggestion, Probe
from lrsched.range_test.reading.probe import read_probe
from lrsched.range_test.running.search import MAX_RATES, Search
from tests.range_test.landscapes import FIRST, STEPS, TASK, Descent, Train, searched, trains

Array = npt.NDArray[np.float64]
BEST = TASK.best(STEPS)


def places(found: Probe) -> Array:
    """The logarithms of the rates that were tried, as multiples of a quarter of a decade."""
    return np.asarray(np.log10(found.learning_rates) * 4.0)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.floats(-1.5, 1.5), st.floats(1e-3, 1e3), st.sampled_from([0.0, 0.01, 0.05]))
def test_the_best_rate_is_found_from_far_off(off: float, sharpest: float, noise: float) -> None:
    task = Descent(sharpest, noise)
    best = BEST / sharpest
    found = searched(trains(task), 10.0**off * best)
    assert len(found.learning_rates) <= MAX_RATES
    low, suggested, high = read_probe(found.learning_rates, found.losses, first=FIRST)
    assert abs(np.log10(high / best)) < 0.35
    assert low <= suggested < high
    assert task.final(suggested, STEPS) < 0.6  # of the 2.0 before


def test_it_tries_half_decades_outwards_and_then_quarters() -> None:
    """Upwards first, while no rate on a side is worse; the best one is at 10**0.1."""
    ends = {-1.5: 2.0, -1.0: 1.5, -0.5: 0.5, 0.0: 0.2, 0.25: 0.3, 0.5: 0.9, -0.25: 0.3}
    tried: list[float] = []

    def train(rate: float, repeat: int) -> list[float]:
        place = round(float(np.log10(rate)), 9)
        tried.append(place)
        return [2.0] * 20 + [ends[place]] * 20

    searched(train, 0.1)
    assert tried == [-1.0, -1.5, -0.5, 0.0, 0.5, -0.25, 0.25]


def test_it_goes_on_beyond_rates_that_are_worse_by_noise_only() -> None:
    """The losses of both are on the same batches, so that their differences tell."""
    generator = np.random.default_rng(0)
    batches, own = generator.normal(size=STEPS), generator.normal(size=(9, STEPS))

    def train_with(noise: Array, slope: float) -> Train:
        def train(rate: float, repeat: int) -> list[float]:
            place = round(float(np.log10(rate) * 2))
            return list(1.0 + slope * abs(place) + batches + noise[place])

        return train

    apart = searched(train_with(0.001 * own, 0.05), 1.0)
    assert places(apart).min() == pytest.approx(-2.0)
    assert places(apart).max() == pytest.approx(2.0)
    hidden = searched(train_with(own, 0.001), 1.0, updates=STEPS * 5)
    assert places(hidden).max() - places(hidden).min() == pytest.approx(8.0)


def test_the_best_is_bracketed_by_a_quarter_of_a_decade() -> None:
    found = searched(trains(TASK), 1.0)
    best = found.learning_rates[found.ends[:, 0].argmin()]
    near = np.sort(abs(np.log10(found.learning_rates / best)))
    np.testing.assert_allclose(near[1:3], 0.25)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(
    st.integers(0, 600),
    st.integers(1, 60),
    st.integers(1, 3),
    st.floats(-3.0, 3.0),
    st.sampled_from([0.0, 0.1, 3.0]),
    st.sampled_from([10**6, 100, 7, 0]),
)
def test_it_makes_no_more_updates_than_given(
    updates: int, steps: int, repeats: int, off: float, noise: float, batches: int
) -> None:
    """Those of trainings that diverge included, and at most 11 rates, each repeated."""
    task = Descent(1.0, noise, batches)
    found = Search(10.0**off, trains(task, steps), steps, repeats, updates, FIRST).probe()
    assert sum(task.made) <= updates
    assert {call[2] for call in task.calls} <= {steps}
    if found is None:
        assert updates < steps or batches < steps
        return
    assert found.losses.shape == (len(found.learning_rates), repeats, steps)
    assert len(found.learning_rates) <= MAX_RATES
    assert np.all(np.diff(found.learning_rates) > 0)
    assert found.is_whole
    assert found.updates <= updates
    assert len({call[1:4] for call in task.calls}) == len(task.calls)  # none of them twice


def test_an_update_without_a_finite_loss_counts() -> None:
    """Ten trainings of ten updates, each of which ends at the last one."""
    made = 0

    def train(rate: float, repeat: int) -> list[float]:
        nonlocal made
        made += 10
        return [2.0] * 9

    searched(train, 1.0, updates=100, steps=10)
    assert made == 100


def test_the_best_rates_are_repeated_on_other_batches() -> None:
    """The best one, its neighbours, and each repeat of all before the next one."""
    task = Descent(1.0, 0.01)
    found = searched(trains(task), 1.0, repeats=3)
    made = ~np.isnan(found.ends)
    assert made[:, 0].all()
    assert (made[:, 1] == made[:, 2]).all()
    (again,) = np.nonzero(made[:, 1])
    assert len(again) >= 3
    ends = np.nanmean(found.ends, axis=1)
    assert ends.argmin() in again
    assert np.all(np.diff(np.array([call[3] for call in task.calls], int)) >= 0)
    few = searched(trains(Descent(1.0, 0.01)), 1.0, repeats=3, updates=7 * STEPS)
    assert few.trainings <= 7


def test_trainings_that_diverge_lead_to_lower_rates() -> None:
    """Each rate that was tried first is too high; a decade lower each time where none fell."""
    task = Descent(sharpest=1.0, noise=0.01)
    found = searched(trains(task), 1e4)
    assert np.isnan(found.losses[-3:, 0, -1]).all()
    np.testing.assert_allclose(np.sort(places(found))[-3:], [14.0, 16.0, 18.0])
    suggested = read_probe(found.learning_rates, found.losses, first=FIRST).suggested
    assert task.final(suggested, STEPS) < 0.6


def test_noise_alone_is_refused() -> None:
    """At every rate the losses only vary; a few in a hundred pass, of six rates or more each."""
    told = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        first = list(2.0 + generator.normal(size=10))

        def train(rate: float, repeat: int) -> list[float]:
            return list(2.0 + generator.normal(size=60))  # noqa: B023

        found = Search(1.0, train, 60, 1, 400, first).probe()
        assert found is not None
        with contextlib.suppress(NoSuggestion):
            read_probe(found.learning_rates, found.losses, first=first)
            told += 1
    assert told <= 10


def test_a_fall_that_the_first_losses_hide_is_seen_beside_other_rates() -> None:
    """On the same batches, whose losses vary by more than the fall: the search goes up to it."""
    generator = np.random.default_rng(0)
    batches = 70.0 + 25.0 * generator.normal(size=60)

    def train(rate: float, repeat: int) -> list[float]:
        if rate > 0.05:
            return [100.0, 1e4, 1e6]
        fall = np.minimum(1e3 * rate * np.arange(60), 60.0)
        return list(batches * (1.0 - fall / 70.0))

    first = list(70.0 + 25.0 * generator.normal(size=10))
    found = Search(1e-5, train, 60, 1, 60 * 11, first).probe()
    assert found is not None
    assert 0.001 < read_probe(found.learning_rates, found.losses, first=first).high < 0.05


def test_trainings_that_return_nothing_are_none() -> None:
    """As where the batches ran out: no other rate is tried."""
    tried: list[float] = []

    def train(rate: float, repeat: int) -> list[float]:
        tried.append(rate)
        return []

    assert Search(1.0, train, STEPS, 2, 10**4, FIRST).probe() is None
    assert tried == [1.0]


def test_a_training_that_returns_nothing_ends_the_search() -> None:
    task = Descent(1.0, 0.01, batches=STEPS * 5)
    found = searched(trains(task), 0.1, repeats=2)
    assert found.trainings == 5
    assert len(task.calls) == 6


def test_the_rates_are_those_of_the_dtype() -> None:
    search = Search(0.1, trains(TASK), STEPS, 1, 10**3, FIRST)
    found = search.probe(np.float32)
    assert found is not None
    expected = np.sort([call[1] for call in TASK.calls[-len(found.learning_rates) :]])
    np.testing.assert_array_equal(found.learning_rates, expected.astype(np.float32))
