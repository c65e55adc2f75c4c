"""A suggestion as a value: a tuple of three rates with a band."""

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched.range_test import Suggestion
from lrsched.range_test.reading.suggestion import around, plain, said

rates = st.floats(1e-12, 1e6)
FOUND = Suggestion(0.01, 0.1, 0.3, (0.05, 0.2), "it is a guess")
FOUND.still_falls = True


def parts(found: Suggestion) -> tuple[Any, ...]:
    """All that a suggestion holds."""
    return tuple(found), found.band, found.warning, found.still_falls


@settings(max_examples=50, derandomize=True)
@given(rates, rates, rates)
def test_it_is_a_tuple_of_three_rates_in_order(low: float, suggested: float, high: float) -> None:
    found = Suggestion(low, suggested, high)
    assert tuple(found) == (min(low, suggested), suggested, max(suggested, high))
    assert tuple(found) == (found.low, found.suggested, found.high)
    assert parts(found)[1:] == ((found.low, found.high), "", False)
    assert found == tuple(found)
    assert eval(repr(found)) == found


def test_its_repr_names_the_rates() -> None:
    assert repr(FOUND) == "Suggestion(low=0.01, suggested=0.1, high=0.3)"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_have_all_of_it(protocol: int) -> None:
    found = pickle.loads(pickle.dumps(FOUND, protocol))
    assert type(found) is Suggestion
    assert parts(found) == parts(FOUND)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_have_all_of_it(copied: Any) -> None:
    found = copied(FOUND)
    assert parts(found) == parts(FOUND)
    assert found.still_falls


def test_with_another_rate_it_has_no_band_of_its_own() -> None:
    found = FOUND._replace(suggested=0.5)
    assert type(found) is Suggestion
    assert parts(found) == ((0.01, 0.5, 0.5), (0.01, 0.5), "", False)


@settings(max_examples=50, derandomize=True)
@given(st.floats(1e-3, 1e3))
def test_times_multiplies_the_band_too(factor: float) -> None:
    found = FOUND.times(factor)
    assert tuple(found) == tuple(factor * rate for rate in FOUND)
    assert parts(found)[1:] == ((factor * 0.05, factor * 0.2), "it is a guess", True)
    assert bool(Suggestion(0.01, 0.1, 0.3).times(factor).shown_band) is False


@pytest.mark.parametrize(
    ("band", "warning", "wide", "certain"),
    [
        ((0.05, 0.2), "", False, True),
        ((0.025, 0.22), "", False, True),
        ((0.022, 0.2), "", True, False),
        ((0.05, 0.46), "", True, False),
        ((0.05, 0.2), "it is a guess", False, False),
        ((0.0, 0.2), "", True, False),
    ],
)
def test_a_wide_band_or_a_warning_is_uncertain(
    band: tuple[float, float], warning: str, wide: bool, certain: bool
) -> None:
    found = Suggestion(0.1, 0.1, 0.1, band, warning)
    assert (found.is_wide, found.is_certain) == (wide, certain)


@settings(max_examples=50, derandomize=True)
@given(rates, st.floats(0.0, 2.0))
def test_around_has_a_band_of_so_many_decades(rate: float, decades: float) -> None:
    found = around(rate / 100.0, rate, 100.0 * rate, decades, warning="why")
    assert found.band == pytest.approx((rate / 10.0**decades, rate * 10.0**decades))
    assert found.warning == "why"


def test_in_words() -> None:
    assert said(Suggestion(0.01, 0.1, 0.3)) == "suggested 0.1"
    assert said(FOUND) == "suggested 0.1 (80 % band 0.05 to 0.2); it is a guess"
    assert said(around(1.0, 145.2, 200.0, 0.5)) == "suggested 145 (80 % band 46 to 460)"


@pytest.mark.parametrize(
    ("rate", "digits", "expected"),
    [
        (0.1, 3, "0.1"),
        (0.00012345, 3, "0.000123"),
        (1.2345e-5, 3, "1.23e-05"),
        (3287.1, 3, "3290"),
        (3287.1, 2, "3300"),
        (384.0, 2, "380"),
        (1.2345e9, 3, "1.23e+09"),
        (10.0, 3, "10"),
    ],
)
def test_rates_are_written_without_an_exponent_where_it_is_short(
    rate: float, digits: int, expected: str
) -> None:
    assert plain(rate, digits) == expected
