"""When a range test stops: the rule against a naive statement of it, and on curves of losses."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched.range_test import Recorder
from lrsched.range_test.reading.recorder import first_losses, threshold, window

Array = npt.NDArray[np.float64]
STEPS = [0, 100, 250, 350, 1000]  # first losses of 10, 10, 12, 17 and 50, windows of 5 to 21


def recorded(losses: Any, recorder: Recorder) -> Recorder:
    """The recorder of these losses, up to where it says not to go on."""
    for loss in losses:
        if not recorder.record(float(loss)):
            break
    return recorder


def naive(
    losses: Array, divergence: float | None, steps: int, above: float | None
) -> tuple[int, str]:
    """How many losses are recorded, and why the test stops."""
    first = max(10, steps // 20)
    size = max(5, steps // 50)
    size += size % 2 == 0
    for count in range(1, len(losses) + 1):
        seen = losses[:count]
        if not np.isfinite(seen[-1]):
            return count - 1, "nonfinite"
        if above is not None:
            last, bound = seen[-size:], above
        elif divergence is not None and count > first:
            begun = seen[:first]
            level = np.median(begun)
            bound = level + max((divergence - 1) * abs(level), 2 * np.ptp(begun))
            last = seen[first:][-size:]
        else:
            continue
        if np.sum(last > bound) > size / 2:
            return count, "diverged"
    return len(losses), "finished"


pieces = st.tuples(st.floats(-3.0, 30.0), st.floats(0.0, 3.0), st.integers(1, 40))


@st.composite
def curves(draw: Any) -> Array:
    """Levels of losses with noise, one after the other, and sometimes one that is not finite."""
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    parts = draw(st.lists(pieces, min_size=1, max_size=6))
    losses = np.concatenate([m + s * generator.normal(size=n) for m, s, n in parts])
    if draw(st.booleans()):
        losses[draw(st.integers(0, len(losses) - 1))] = draw(st.sampled_from([np.nan, np.inf]))
    return losses


@settings(max_examples=300, derandomize=True)
@given(
    curves(),
    st.none() | st.floats(1.01, 10.0),
    st.sampled_from(STEPS),
    st.none() | st.floats(-3.0, 30.0),
)
def test_the_recorder_stops_by_its_rule(
    losses: Array, divergence: float | None, steps: int, above: float | None
) -> None:
    found = recorded(losses, Recorder(divergence, steps, above))
    count, stopped = naive(losses, divergence, steps, above)
    assert (len(found.losses), found.stopped) == (count, stopped)
    assert found.losses == losses[:count].tolist()


@settings(max_examples=100, derandomize=True)
@given(st.lists(st.floats(-10.0, 10.0), min_size=1, max_size=30), st.floats(1.01, 10.0))
def test_the_threshold_has_the_room_that_the_first_losses_need(
    first: list[float], divergence: float
) -> None:
    level = float(np.median(first))
    found = threshold(first, divergence)
    assert found >= level + (divergence - 1.0) * abs(level) - 1e-9
    assert found >= max(first)  # so that none of them would be high
    moved = threshold([loss + 100.0 for loss in first], 1.0 + 1e-12)
    assert moved - (level + 100.0) == pytest.approx(2.0 * np.ptp(first), abs=1e-6)


def calm(seed: int, name: str) -> Array:
    """200 losses at rates that change nothing."""
    generator = np.random.default_rng(seed)
    noise = {
        "around 0": 0.1 * generator.normal(size=200),
        "below 0": -5.0 + 0.5 * generator.normal(size=200),
        "near 0": 1e-6 * abs(1.0 + generator.normal(size=200)),
        "lognormal": np.exp(0.7 * generator.normal(size=200)),
        "heavy tails": 2.0 + generator.standard_t(2.0, size=200),
        "rare outliers": 2.0 + 50.0 * (generator.uniform(size=200) < 0.01),
    }
    return np.asarray(noise[name])


@pytest.mark.parametrize(
    "name", ["around 0", "below 0", "near 0", "heavy tails", "rare outliers", "lognormal"]
)
def test_noise_does_not_stop_a_test(name: str) -> None:
    """One in a hundred at most, of which the first losses show too little."""
    stops = [recorded(calm(seed, name), Recorder(4.0, 200)).stopped for seed in range(400)]
    assert stops.count("finished") >= 396


@settings(max_examples=50, derandomize=True)
@given(st.integers(0, 9), st.floats(-1e6, 1e6))
def test_an_outlier_among_the_first_losses_does_not_stop_a_test(place: int, outlier: float) -> None:
    losses = 2.0 + 0.1 * np.random.default_rng(0).normal(size=200)
    losses[place] = outlier
    assert recorded(losses, Recorder(4.0, 200)).stopped == "finished"


@pytest.mark.parametrize("name", ["around 0", "below 0", "near 0", "rare outliers"])
@pytest.mark.parametrize("since", [12, 100, 190])
def test_a_divergence_stops_it_within_three_updates(name: str, since: int) -> None:
    for seed in range(20):
        losses = calm(seed, name)
        losses[since:] = 1e3 * 1.5 ** np.arange(200 - since)
        found = recorded(losses, Recorder(4.0, 200))
        assert found.stopped == "diverged"
        assert since + 1 <= len(found.losses) <= since + 3


def test_losses_that_grow_stop_it_soon() -> None:
    """A loss that begins at 2.3 has diverged above 9.2, and grows by a tenth each update."""
    losses = np.concatenate([np.full(50, 2.3), 2.3 * 1.1 ** np.arange(1, 50)])
    found = recorded(losses, Recorder(4.0, 99))
    assert len(found.losses) == int(np.argmax(losses > 4.0 * 2.3)) + 3


@pytest.mark.parametrize(
    ("steps", "first", "size"),
    [
        *((1, 10, 5), (200, 10, 5), (219, 10, 5), (220, 11, 5), (299, 14, 5)),
        *((300, 15, 7), (1000, 50, 21), (1099, 54, 21)),
    ],
)
def test_longer_tests_look_at_more_losses(steps: int, first: int, size: int) -> None:
    assert (first_losses(steps), window(steps)) == (first, size)


def test_nothing_stops_it_where_nothing_is_too_high() -> None:
    rising = [1.0, *np.geomspace(1.0, 1e300, 50)]
    for recorder in (Recorder(None), Recorder(None, above=math.inf), Recorder(math.inf)):
        assert recorded(rising, recorder).stopped == "finished"
    assert recorded(rising, Recorder(4.0)).stopped == "diverged"


def test_a_given_threshold_counts_from_the_first_loss_on() -> None:
    found = recorded([9.0, 1.0, 9.0, 1.0, 9.0, 1.0], Recorder(None, 100, above=5.0))
    assert (found.losses, found.stopped) == ([9.0, 1.0, 9.0, 1.0, 9.0], "diverged")
