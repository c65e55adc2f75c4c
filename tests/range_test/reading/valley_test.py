"""What the parts of the default rule compute, on values that are known."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched.range_test.reading import smoothing
from lrsched.range_test.reading import valley as rule
from lrsched.range_test.reading.smoothing import Windows
from lrsched.range_test.reading.valley import NoSuggestion, SmoothCurve, Valley

Array = npt.NDArray[np.float64]

positions = st.lists(st.floats(0.0, 3.0), min_size=1, max_size=140).map(sorted).map(np.array)


@given(positions, st.floats(0.01, 1.0))
def test_a_window_has_half_a_width_and_2_to_50_values_on_either_side(
    x: Array, width: float
) -> None:
    found = smoothing.windows(x, width)
    for place, (first, last) in enumerate(zip(*found, strict=True)):
        before = sum(x[:place] >= x[place] - width / 2.0)
        after = sum(x[place + 1 :] <= x[place] + width / 2.0)
        assert first == max(place - min(max(before, 2), 50), 0)
        assert last == place + 1 + min(max(after, 2), 50)


@given(
    st.lists(st.floats(-10.0, 10.0), min_size=1, max_size=30).map(np.array),
    st.sampled_from([0.0, 0.5, 0.8, 1.0]),
)
def test_a_quantile_is_that_of_the_values_in_the_window(values: Array, part: float) -> None:
    around = smoothing.windows(np.arange(len(values)) / 10.0, 0.7)
    expected = [np.quantile(values[first:last], part) for first, last in zip(*around, strict=True)]
    np.testing.assert_allclose(smoothing.quantiles(values, around, part), expected, atol=1e-12)


def test_a_quantile_leaves_out_what_the_windows_have_beyond_the_values() -> None:
    around = Windows(np.array([0, 0, 0, 1]), np.array([3, 4, 4, 4]))
    np.testing.assert_array_equal(
        smoothing.quantiles(np.array([1.0, 5.0]), around, 1.0), [5.0, 5.0]
    )


def test_a_local_line_is_the_weighted_least_squares_fit() -> None:
    generator = np.random.default_rng(0)
    x, y = np.sort(generator.uniform(0.0, 2.0, 50)), generator.normal(size=50)
    at = np.linspace(-0.2, 2.2, 9)
    found = smoothing.local_lines(x, y, at, 0.3)
    for place, value in zip(at, found, strict=True):
        roots = np.exp(-0.25 * ((x - place) / 0.3) ** 2)  # of the weights, as polyfit takes them
        assert value == pytest.approx(np.polyval(np.polyfit(x, y, 1, w=roots), place))


def test_losses_are_scaled_by_the_fall() -> None:
    losses = np.array([5.0, 4.0, 3.0, 1.0, 7.0, 100.0])  # a fall from 5 to 3
    expected = np.log([1.1, 0.6, 0.1, 0.1, 2.1, 2.1])
    np.testing.assert_allclose(rule.scaled(losses, 5.0, 2.0), expected)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (1.9, 30),  # less above the first ones than the fall is deep
        (2.1, 19),  # from where a fifth of the losses around are: 2 of 5
        (np.inf, 20),
    ],
)
def test_losses_diverge_by_more_than_their_fall(after: float, expected: int) -> None:
    losses = np.repeat([1.0, 0.0, after], 10)
    around = smoothing.windows(np.arange(30.0), 1.0)
    assert rule.divergence(losses, 10, 1.0, around) == expected


def test_the_fall_is_measured_in_standard_errors() -> None:
    """For normal noise of a known deviation; a median is 1.25 times as uncertain as a mean."""
    generator, x = np.random.default_rng(0), np.linspace(-4.0, 0.0, 20_001)
    losses = np.where(x < -1.0, 3.0, 1.0) + 0.2 * generator.normal(size=len(x))
    before, bottom = 5000, 2 * 1500 + 1  # losses within 0.3 decades of the lowest point
    drop, noise, errors = rule.significance(x, losses, before, -0.5)
    assert drop == pytest.approx(2.0, abs=0.02)
    assert noise == pytest.approx(0.2, rel=0.03)
    error = math.sqrt(math.pi / 2) * 0.2 * math.sqrt(1 / before + 1 / bottom)
    assert errors == pytest.approx(2.0 / error, rel=0.03)


def test_noise_is_read_up_to_the_lowest_point_and_at_least_before_the_fall() -> None:
    x = np.linspace(0.0, 3.0, 31)
    calm, wild = np.resize([1.0, 1.2], 31), np.resize([0.0, 50.0], 31)
    *_, expected, _ = rule.significance(x, np.where(x <= 1.0, calm, 1.0), 5, 1.0)
    assert rule.significance(x, np.where(x <= 1.0, calm, wild), 5, 1.0)[1] == expected > 0.0
    assert rule.significance(x, np.where(x < 2.05, calm, wild), 21, 1.0)[1] == expected


def test_a_fall_without_noise_or_without_losses_at_its_end() -> None:
    x, losses = np.linspace(0.0, 3.0, 31), np.repeat([2.0, 1.0], [15, 16])
    assert rule.significance(x, losses, 10, 2.5) == (1.0, 0.0, np.inf)
    assert rule.significance(x, losses, 10, 3.5) == (0.0, 0.0, 0.0)


SEEN = Valley(
    np.arange(6.0), np.array([0.0, 0.5, 0.2, 0.6, 1.0, 0.0]), 4, np.linspace(0.0, 5.0, 101)
)


@pytest.mark.parametrize(
    ("part", "log_rate"),
    [
        (0.1, 0.2),
        (0.3, 2.25),  # it is below once more after the first time
        (0.9, 3.75),
        (1.0, 4.0),
        (0.0, 0.0),  # never below: from the first rate on
    ],
)
def test_the_rate_at_which_a_part_of_the_fall_is_made(part: float, log_rate: float) -> None:
    assert SEEN.rate(part) == pytest.approx(10.0**log_rate)


@pytest.mark.parametrize(
    ("updates", "log_rate", "expected"),
    [
        (np.linspace(0.0, 5.0, 101), 3.0, 20.0),
        (np.linspace(0.0, 5.0, 101), 0.5, 20.0),  # the first decade
        (np.append(np.linspace(0.0, 2.0, 21), np.linspace(2.05, 4.0, 40)), 2.0, 10.0),
        (np.append(np.linspace(0.0, 2.0, 21), np.linspace(2.05, 4.0, 40)), 2.5, 15.0),
        (np.append(np.linspace(0.0, 2.0, 21), np.linspace(2.05, 4.0, 40)), 3.5, 20.0),
        (np.linspace(0.0, 0.5, 6), 0.5, 10.0),  # less than a decade in all
    ],
)
def test_the_density_is_that_of_the_decade_below(
    updates: Array, log_rate: float, expected: float
) -> None:
    assert SEEN._replace(updates=updates).density(10.0**log_rate) == pytest.approx(expected)


def step(fall: float, rise: float, last: float = 4.0) -> tuple[Array, Array]:
    """Losses of 1 to the rate at `fall`, then of 0, and from that at `rise` on of 9; logarithms."""
    x = np.linspace(0.0, last, round(50 * last) + 1)
    return 10.0**x, np.where(x < fall, 1.0, np.where(x < rise, 0.0, 9.0))


@pytest.mark.parametrize(("updates", "width"), [(401, 0.3), (21, 4 * 0.2)])
def test_the_smooth_curve_is_made_of_lines_over_decades_or_few_updates(
    updates: int, width: float
) -> None:
    x = np.linspace(0.0, 4.0, updates)
    losses = 3.0 - np.clip(x - 1.5, 0.0, 1.0)  # medians change nothing
    found = rule.curve(10.0**x, losses)
    np.testing.assert_allclose(found.log_rates, np.linspace(0.0, 4.0, 201), atol=1e-12)
    expected = smoothing.local_lines(x, rule.scaled(losses, 3.0, 1.0), found.log_rates, width)
    np.testing.assert_allclose(found.height, expected, atol=2e-3)
    assert found.baseline == max(5, sum(x < 0.8))
    assert found.diverged == updates


def test_the_smooth_curve_stays_up_after_the_divergence() -> None:
    rates, losses = step(2.01, 3.01)
    found = rule.curve(rates, losses)
    assert abs(found.diverged - np.argmax(losses == 9.0)) <= 5
    after = found.log_rates > 3.01 + 0.6
    np.testing.assert_allclose(found.height[after], np.log(2.1), atol=0.05)


def test_a_valley_reaches_its_lowest_point_with_1() -> None:
    found = rule.valley(*step(2.01, 3.01))
    assert found.fall[found.lowest] == 1.0
    assert 2.0 < found.log_rates[found.lowest] < 3.0
    assert found.fall[: found.lowest].max() < 1.0
    assert abs(found.fall[found.log_rates < 0.8]).max() < 0.01


@pytest.mark.parametrize(
    ("lowest", "significance", "cause"),
    [
        (0.31, (1.0, 0.1, 4.1), None),
        (0.29, (1.0, 0.1, 4.1), "flat"),
        (0.29, (1.0, 0.1, 3.9), "flat"),
        (2.0, (1.0, 0.1, 3.9), "noise"),
        (2.0, (0.0, 0.0, 4.1), "flat"),
        (2.0, (0.1, 0.0, np.inf), None),
    ],
)
def test_the_bounds_of_what_is_refused(
    lowest: float,
    significance: tuple[float, float, float],
    cause: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Less than 0.3 decades after the first rate, than 4 errors."""
    found = of_smooth(lowest, significance, monkeypatch)
    if isinstance(found, NoSuggestion):
        assert found.cause == cause
    else:
        assert cause is None
        assert found.log_rates[found.lowest] == pytest.approx(lowest)
        assert found.fall[9] < 0.5
        assert found.fall[found.lowest] == 1.0
        assert found.standard_errors == significance[2]


@pytest.mark.parametrize(("lowest", "expected"), [(3.84, False), (3.86, True), (4.0, True)])
def test_a_fall_goes_on_where_it_is_lowest_at_the_last_rates(
    lowest: float, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less than 0.15 decades before the last one."""
    found = of_smooth(lowest, (1.0, 0.1, 4.1), monkeypatch)
    assert isinstance(found, Valley)
    assert found.still_falls is expected


def of_smooth(
    lowest: float, significance: tuple[float, float, float], monkeypatch: pytest.MonkeyPatch
) -> Valley | NoSuggestion:
    """What is made of a smooth curve that is lowest at a place from 0 to 4."""
    at = np.linspace(0.0, 4.0, 401)
    smooth = SmoothCurve(at, abs(at - lowest), baseline=10, diverged=401)
    monkeypatch.setattr(rule, "curve", lambda rates, losses: smooth)
    monkeypatch.setattr(rule, "significance", lambda *arguments: significance)
    try:
        return rule.valley(10.0**at, np.zeros(401))
    except NoSuggestion as refused:
        return refused


@pytest.mark.parametrize(
    ("decades", "diverges", "rise", "cause"),
    [
        (4.0, False, 0.0, "flat"),
        (4.0, False, 1.0, "noise"),  # calm for so long that the first rates are not too high
        (2.0, False, 1.0, "rising"),
        (2.0, True, 0.0, "rising"),
        (2.9, True, 0.0, "rising"),
        (3.1, True, 0.0, "noise"),
    ],
)
def test_why_a_curve_never_falls(decades: float, diverges: bool, rise: float, cause: str) -> None:
    x = np.arange(0.0, decades + 1e-9, 0.05)
    losses = 2.0 + rise * x
    if diverges:
        x, losses = np.append(x, x[-1] + 0.05), np.append(losses, np.inf)
    with pytest.raises(NoSuggestion) as refused:
        rule.valley(10.0**x, losses)
    assert refused.value.cause == cause


@pytest.mark.parametrize(("last", "expected"), [(0.0, False), (0.02, False), (1.0, True)])
def test_a_rise_at_the_end_is_more_than_noise(last: float, expected: bool) -> None:
    losses = 2.0 + 0.1 * np.random.default_rng(0).normal(size=100)
    losses[-10:] += last
    assert rule.rises_at_end(losses, 10) is expected


def test_the_bottom_is_where_nine_tenths_of_the_fall_are_made() -> None:
    """From where 0.9 is reached until the fall is below it again, or the last rate."""
    fall = np.array([0.0, 0.8, 1.0, 0.95, 0.92, 0.5])
    found = Valley(np.arange(6.0), fall, 2, np.arange(6.0))
    assert found.bottom == pytest.approx(5.0 - 1.5)
    assert found._replace(fall=fall.clip(max=1.0, min=[0, 0, 0, 0, 0, 0.95])).bottom == (
        pytest.approx(5.0 - 1.5)
    )
    early = found._replace(fall=np.array([0.0, 0.8, 1.0, 0.5, 0.92, 0.5]))
    assert early.bottom == pytest.approx(3.0 - 1.5)


@pytest.mark.parametrize("deviation", [0.01, 3.0])
def test_noise_is_read_from_successive_losses(deviation: float) -> None:
    x = np.linspace(0.0, 1.0, 5000)
    losses = 100.0 * x + deviation * np.random.default_rng(0).normal(size=5000)
    assert smoothing.noise_of(losses) == pytest.approx(deviation, rel=0.05)


@given(st.integers(1, 100), st.floats(0.01, 10.0), st.integers(0, 2**16))
def test_losses_that_do_not_fall_at_first_are_all_untrained(
    count: int, noise: float, seed: int
) -> None:
    losses = np.full(count + 100, 3.0)
    losses[:count] += noise * np.random.default_rng(seed).uniform(-1.0, 1.0, count)
    losses[count:] = np.linspace(3.0, -40.0, 100)
    assert rule.untrained(losses, count) == count


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("rate", [0.02, 0.05, 0.2])
def test_losses_that_fall_from_the_start_are_untrained_up_to_there(
    rate: float, noise: float
) -> None:
    """The median of those that are left is near the first loss."""
    losses = 3.0 * np.exp(-rate * np.arange(200))
    losses += noise * np.random.default_rng(0).normal(size=200)
    count = rule.untrained(losses, 64)
    assert 3 <= count < 64
    assert np.median(losses[:count]) > 2.3


def test_a_fall_of_less_than_a_tenth_is_no_training_yet() -> None:
    losses = np.concatenate([np.linspace(1.0, 0.95, 50), np.linspace(0.9, 0.0, 50)])
    assert rule.untrained(losses, 50) == 50
