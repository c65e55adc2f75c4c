"""Curves drawn."""

import sys
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

import lrsched
from lrsched import Schedule
from tests.optional import needs
from tests.strategies import schedules


def test_plot_draws_the_values() -> None:
    pyplot = needs("matplotlib.pyplot")
    schedule = lrsched.linear(1.0, 0.0, 10)
    axes = schedule.plot(20)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "learning rate")
    (line,) = axes.get_lines()
    assert list(line.get_xdata()) == list(range(21))
    assert list(line.get_ydata()) == [schedule(count) for count in range(21)]
    other = lrsched.constant(0.5).plot(20, ax=axes, color="red", label="flat")
    assert other is axes
    assert axes.get_lines()[1].get_label() == "flat"
    pyplot.close("all")


def test_plot_refuses_bad_steps() -> None:
    with pytest.raises(ValueError, match=r"plot: steps must be an integer >= 1 \(steps\), got 0"):
        lrsched.constant(0.5).plot(0)


def test_plot_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"matplotlib is needed; pip install 'lrsched\[plot\]'"):
        lrsched.constant(0.5).plot(10)


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        (lrsched.linear(1.0, 0.0, 100), 114),  # ends: a little beyond it
        (lrsched.cyclic(0.1, 1.0, up_steps=100), 400),  # does not end: four times its durations
        (lrsched.constant(0.1), 100),
    ],
)
def test_a_curve_goes_as_far_as_shows_the_shape(schedule: Schedule, last: int) -> None:
    counts, _ = schedule._curve()
    assert counts[-1] == pytest.approx(last, abs=1)


@settings(max_examples=100)
@given(schedules)
def test_svg_is_a_picture_of_any_schedule(schedule: Schedule) -> None:
    root = ElementTree.fromstring(schedule._repr_svg_())
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title").text == repr(schedule)  # type: ignore[union-attr]
    line = root.find(f"{space}polyline")
    assert line is not None
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
