"""The probe on problems whose best rate is known."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched.range_test.probe import (
    MAX_RATES,
    further_rates,
    orders,
    parabola_vertex,
    probe_rates,
    read_probe,
)
from lrsched.range_test.suggest import Suggestion
from lrsched.range_test.valley import NoSuggestion

Array = npt.NDArray[np.float64]
STEPS = 40
CURVATURES = np.geomspace(1e-3, 1.0, 30)


def descent(rates: Array, sharpest: float = 1.0, steps: int = STEPS) -> Array:
    """The losses of gradient descent on a quadratic, of (rates, 1, steps); best below 2."""
    with np.errstate(over="ignore"):
        factors = (1.0 - np.multiply.outer(rates, sharpest * CURVATURES)) ** 2
        powers = factors[:, None, :] ** np.arange(steps)[:, None]
        losses = (powers * CURVATURES).sum(axis=-1)
    return np.asarray(losses[:, None, :])


def ending(*ends: float) -> Array:
    """Trainings from a loss of 1 to these, of (rates, 1, 3)."""
    return np.array([[[1.0, 1.0, end]] for end in ends])


def driven(start: float, sharpest: float = 1.0) -> tuple[Array, Array]:
    """All rounds from a sweep's suggestion."""
    rates = probe_rates(Suggestion(0.0, start, 0.0), STEPS)
    losses = descent(rates, sharpest)
    while len(more := further_rates(rates, losses)):
        rates = np.append(rates, more)
        losses = np.append(losses, descent(more, sharpest), axis=0)
    return rates, losses


def test_first_round() -> None:
    rates = probe_rates(Suggestion(0.1, 1.0, 10.0), steps=128)
    np.testing.assert_allclose(rates, [0.1, 10**-0.5, 1.0, 10**0.5, 10.0])
    np.testing.assert_allclose(probe_rates(Suggestion(0.1, 1.0, 10.0), steps=32), 2.0 * rates)


@given(st.floats(-1.5, 1.5), st.floats(1e-3, 1e3))
def test_the_best_rate_is_found_from_far_off(off: float, sharpest: float) -> None:
    fine = np.geomspace(0.1, 2.2, 200) / sharpest
    best = fine[descent(fine, sharpest)[:, 0, -STEPS // 3 :].mean(axis=1).argmin()]
    rates, losses = driven(10.0**off * best, sharpest)
    assert len(rates) <= MAX_RATES
    found = read_probe(rates, losses)
    assert abs(np.log10(found.high / best)) < 0.35
    assert found.suggested == pytest.approx(found.high * (STEPS / 128) ** 0.5)
    assert found.low == pytest.approx(min(rates))
    assert found.low <= found.suggested <= found.high


def test_the_best_is_bracketed_by_a_quarter_of_a_decade() -> None:
    rates, losses = driven(1.0)
    near = np.sort(abs(np.log10(rates / rates[losses[:, 0, -13:].mean(axis=1).argmin()])))
    np.testing.assert_allclose(near[1:3], 0.25)


def test_order_unit_and_origin_do_not_matter() -> None:
    rates, losses = driven(1.0)
    expected = read_probe(rates, losses)
    assert read_probe(rates[::-1], losses[::-1]) == expected
    assert read_probe(rates, 7.0 * losses - 100.0) == pytest.approx(expected)
    assert read_probe(rates, losses[:, 0]) == expected


def test_a_training_that_ends_in_nan_is_the_worst() -> None:
    rates, losses = driven(0.3)
    best = int(losses[:, 0, -13:].mean(axis=1).argmin())
    losses[best, 0, 30:] = np.nan
    assert rates[best] != pytest.approx(read_probe(rates, losses).high, rel=0.05)


def test_a_best_rate_at_the_end_is_taken_as_it_is() -> None:
    rates = np.array([0.01, 0.03, 0.1])
    assert read_probe(rates, descent(rates)).high == pytest.approx(0.1)


def test_a_best_rate_between_two_others_moves_towards_the_better_one() -> None:
    """At most half-way, and less far if the other is hardly better."""
    rates = 10.0 ** np.array([-1.0, -0.5, 0.0])
    moved = [
        float(np.log10(read_probe(rates, ending(left, 0.1, right)).high))
        for left, right in ((0.3, 0.2), (0.2, 0.3), (0.3, 0.3), (0.9, 0.1))
    ]
    assert -0.5 < moved[0] < -0.25
    assert moved[1] == pytest.approx(-1.0 - moved[0])
    assert moved[2] == pytest.approx(-0.5)
    assert moved[3] == pytest.approx(-0.25)


def test_the_low_of_the_sweep_is_kept() -> None:
    rates, losses = driven(1.0)
    assert read_probe(rates, losses, Suggestion(0.01, 1.0, 2.0)).low == 0.01
    pick = read_probe(rates, losses).suggested
    assert read_probe(rates, losses, Suggestion(50.0, 60.0, 70.0)).low == pick


@pytest.mark.parametrize(
    ("decades", "ends", "expected"),
    [
        ([-1.0, -0.5, 0.0], [0.1, 0.2, 0.3], [-1.5, -2.0]),  # half a decade and a whole one lower
        ([-1.0, -0.5, 0.0], [0.3, 0.2, 0.1], [0.5, 1.0]),
        ([0.0, -1.0, -0.5], [0.1, 0.3, 0.2], [0.5, 1.0]),  # in any order
        ([-1.0, -0.5, 0.0], [1.0, 1.0, 1.0], [-1.5, -2.0]),  # none fell
        ([-1.0, -0.5, 0.0], [0.2, 0.1, 0.2], [-0.75, -0.25]),
        ([-0.5, -0.25, 0.25], [0.2, 0.1, 0.2], [0.0]),
        ([-0.5, -0.25, 0.0], [0.2, 0.1, 0.2], []),
    ],
)
def test_the_rates_that_follow(
    decades: list[float], ends: list[float], expected: list[float]
) -> None:
    found = further_rates(10.0 ** np.array(decades), ending(*ends))
    np.testing.assert_allclose(np.log10(found), expected, atol=1e-12)


@pytest.mark.parametrize("tried", [MAX_RATES - 1, MAX_RATES])
def test_the_search_stays_within_the_number_of_rates(tried: int) -> None:
    found = further_rates(10.0 ** np.arange(tried), ending(*np.linspace(0.1, 0.9, tried)))
    np.testing.assert_allclose(np.log10(found), [-0.5][: MAX_RATES - tried])


def test_the_search_ends() -> None:
    """Here every lower rate is better: the loss only rises, the less the lower the rate."""
    rates = probe_rates(Suggestion(0.0, 1.0, 0.0), STEPS)

    def train(rates: Array) -> Array:
        return np.asarray((1.0 - 0.1 / (1.0 + rates))[:, None, None] ** np.arange(STEPS))

    while len(more := further_rates(rates, train(rates))):
        rates = np.append(rates, more)
    assert len(rates) == MAX_RATES


@pytest.mark.parametrize("value", [1.0, np.nan])
def test_nothing_fell(value: float) -> None:
    with pytest.raises(NoSuggestion, match="no rate that was tried got the loss below its first"):
        read_probe([0.1, 0.3, 1.0], np.full((3, 2, STEPS), value))


def test_orders_are_of_different_batches_where_there_are_enough() -> None:
    np.testing.assert_array_equal(orders(100, 3, 2), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(orders(5, 3, 2), [[0, 1, 2], [2, 3, 4]])
    np.testing.assert_array_equal(orders(4, 9, 2), [[0, 1, 2, 3], [2, 3, 0, 1]])
    np.testing.assert_array_equal(orders(100, 3, 1), [[0, 1, 2]])


def test_shapes() -> None:
    with pytest.raises(ValueError, match=r"for 3 rates, got the shape \(2, 1, 40\)"):
        read_probe([0.1, 0.3, 1.0], np.zeros((2, 1, STEPS)))


@given(st.floats(-0.1, 0.1), st.floats(0.1, 10.0), st.floats(0.21, 0.5), st.floats(0.21, 0.5))
def test_vertex(centre: float, width: float, left: float, right: float) -> None:
    x = np.array([-left, 0.0, right])
    assert parabola_vertex(x, width * (x - centre) ** 2) == pytest.approx(centre, abs=1e-9)


def test_vertex_of_a_plateau() -> None:
    assert parabola_vertex(np.array([0.0, 1.0, 2.0]), np.zeros(3)) == 1.0
