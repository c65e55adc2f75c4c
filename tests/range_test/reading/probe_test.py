"""What trainings at constant rates suggest."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched.range_test import NoSuggestion, Probe, Suggestion
from lrsched.range_test.reading.probe import read_probe
from lrsched.range_test.reading.scores import parabola_vertex
from lrsched.range_test.reading.suggestion import around
from tests.range_test.landscapes import STEPS, driven

Array = npt.NDArray[np.float64]


def ending(*ends: float) -> Array:
    """Trainings from a loss of 1 to these, of (rates, 1, 3)."""
    return np.array([[[1.0, 1.0, end]] for end in ends])


def test_a_suggestion_stays_below_what_diverged() -> None:
    """Half a decade below the lowest rate that did."""
    rates = 10.0 ** np.array([-1.0, -0.5, -0.25, 0.0])
    losses = ending(0.5, 0.2, 0.1, np.nan)
    assert read_probe(rates, losses).suggested == pytest.approx(10**-0.5)
    assert read_probe(rates, losses).high == pytest.approx(10**-0.25)


def test_a_best_rate_at_the_end_has_a_wide_band_and_a_warning() -> None:
    rates = 10.0 ** np.array([-1.0, -0.5, 0.0])
    inside = read_probe(rates, ending(0.3, 0.1, 0.3))
    assert (inside.warning, inside.is_wide) == ("", False)
    assert np.log10(np.array(inside.band) / inside.suggested) == pytest.approx([-0.6, 0.35])
    for losses, text in (
        (ending(0.1, 0.2, 0.3), "is the lowest, 0.1, so that lower ones may be better: raise max"),
        (ending(0.3, 0.2, 0.1), "is the highest, 1, so that higher ones may be better: raise max"),
    ):
        found = read_probe(rates, losses)
        assert text in found.warning
        assert found.is_wide
        assert np.log10(np.array(found.band) / found.suggested) == pytest.approx([-1.2, 0.7])


def test_order_unit_and_origin_do_not_matter() -> None:
    rates, losses = driven(1.0)
    expected = read_probe(rates, losses)
    assert read_probe(rates[::-1], losses[::-1]) == expected
    assert read_probe(rates, 7.0 * losses - 100.0) == pytest.approx(expected)
    assert read_probe(rates, losses[:, 0]) == expected


def test_a_training_that_ends_in_nan_is_the_worst() -> None:
    rates, losses = driven(0.3)
    best = int(Probe(rates, losses).ends[:, 0].argmin())
    losses = losses.copy()
    losses[best, 0, 30:] = np.nan
    assert rates[best] != pytest.approx(read_probe(rates, losses).high, rel=0.05)


def test_a_best_rate_at_the_end_is_taken_as_it_is() -> None:
    assert read_probe([0.01, 0.03, 0.1], ending(0.3, 0.2, 0.1)).high == pytest.approx(0.1)


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
    found = read_probe(rates, losses, Suggestion(50.0, 60.0, 70.0))
    assert found.low == found.suggested < 50.0


@pytest.mark.parametrize(("ends", "weight"), [(0.1, 0.411), (0.3, 0.411), (1.2, 0.0257)])
def test_the_ramp_counts_by_its_certainty(ends: float, weight: float) -> None:
    """As 1 / s**2, with s 0.25 decades for the trainings and 1.3 times its band's for the ramp."""
    rates, losses = driven(1.0)
    alone = np.log10(read_probe(rates, losses).suggested)
    ramp = around(0.01, 0.1, 1.0, ends)
    found = read_probe(rates, losses, ramp).suggested
    assert np.log10(found) == pytest.approx((alone - weight) / (1.0 + weight), rel=1e-3)


@pytest.mark.parametrize("value", [1.0, np.nan])
def test_nothing_fell(value: float) -> None:
    with pytest.raises(NoSuggestion, match="no rate that was tried got the loss below its first"):
        read_probe([0.1, 0.3, 1.0], np.full((3, 2, STEPS), value))


def test_shapes() -> None:
    with pytest.raises(ValueError, match=r"for 3 rates, got the shape \(2, 1, 40\)"):
        read_probe([0.1, 0.3, 1.0], np.zeros((2, 1, STEPS)))


@given(st.floats(-0.1, 0.1), st.floats(0.1, 10.0), st.floats(0.21, 0.5), st.floats(0.21, 0.5))
def test_vertex(centre: float, width: float, left: float, right: float) -> None:
    x = np.array([-left, 0.0, right])
    assert parabola_vertex(x, width * (x - centre) ** 2) == pytest.approx(centre, abs=1e-9)


def test_vertex_of_a_plateau() -> None:
    assert parabola_vertex(np.array([0.0, 1.0, 2.0]), np.zeros(3)) == 1.0
