"""Curves drawn."""

import sys
from html import escape
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched._core.curve import curve_of
from tests.durations import TIMED
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
    counts, _ = curve_of(schedule)
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


RUN, EPOCHS = lrsched.run_fraction, lrsched.epochs


@pytest.mark.parametrize(
    ("schedule", "label", "last", "middle"),
    [
        (lrsched.linear(1.0, 0.0, RUN(0.5)), "fraction of the run", 0.57, (0.25, 0.5)),
        (lrsched.linear(1.0, 0.0, EPOCHS(30)), "epochs", 34.2, (15, 0.5)),
        (lrsched.linear(1.0, 0.0, lrsched.examples(5e6)), "examples", 5.7e6, (2.5e6, 0.5)),
        (lrsched.linear(1.0, 0.0, lrsched.tokens(2e9)), "tokens", 2.28e9, (1e9, 0.5)),
        (lrsched.linear(1.0, 0.0, RUN(1.0) - 200), "step (total_steps=1000)", 912, (400, 0.5)),
        (lrsched.linear(1.0, 0.0, RUN(1.0) - 2000), "step (total_steps=10000)", 9109, (4000, 0.5)),
        (lrsched.fractal_chebyshev(1.0, 0.1, RUN(1.0)), "fraction of the run", 4.0, (0.0, 1.0)),
        (
            lrsched.resume(lrsched.linear(1.0, 0.0, 80), EPOCHS(2), total_steps=(80, 160)),
            "step (steps_per_epoch=5)",
            182,
            (10, 0.875),
        ),
        (
            lrsched.warmup(lrsched.linear(1.0, 0.0, RUN(1.0) - EPOCHS(1)), EPOCHS(1)),
            "step (steps_per_epoch=1000, total_steps=10000)",
            11260,
            (5500, 0.5),
        ),
    ],
)
def test_durations_in_other_units_are_drawn_over_a_nominal_run(
    schedule: Schedule, label: str, last: float, middle: tuple[float, float]
) -> None:
    pyplot = needs("matplotlib.pyplot")
    np = needs("numpy")
    axes = schedule.plot()
    assert axes.get_xlabel() == label
    (line,) = axes.get_lines()
    places, values = line.get_xdata(), line.get_ydata()
    assert places[-1] == pytest.approx(last, rel=0.02)
    assert np.interp(middle[0], places, values) == pytest.approx(middle[1], abs=0.01)
    assert f">{escape(label)}</text>" in schedule._repr_svg_()
    pyplot.close("all")
    with pytest.raises(ValueError, match=r"resolve it with schedule\.resolve"):
        schedule(3)


def test_what_fits_no_nominal_run_is_refused_and_has_no_picture() -> None:
    schedule = lrsched.linear(1.0, 0.0, EPOCHS(1) - EPOCHS(2))
    assert schedule._repr_svg_() is None
    with pytest.raises(ValueError, match=r"linear: steps must be a number >= 1 .*\(resolved from"):
        schedule.plot()


@settings(max_examples=60)
@given(schedules, st.data())
def test_any_schedule_in_another_unit_is_drawn(schedule: Schedule, data: Any) -> None:
    timed = {
        name: value
        for name, value in schedule.params.items()
        if name in TIMED[schedule.name] and type(value) in (int, float) and value >= 1
    }
    if timed:
        name = data.draw(st.sampled_from(sorted(timed)))
        schedule = schedule.replace(**{name: lrsched.epochs(timed[name])})
        assert not schedule.is_resolved
    picture = schedule._repr_svg_()
    assert picture is None or "<polyline" in picture


def test_curves_are_drawn_over_each_other() -> None:
    pyplot = needs("matplotlib.pyplot")
    ours = lrsched.cosine_decay(0.1, 100)
    values = [0.05] * 200
    axes = lrsched.plot(ours, lambda count: 0.1 / (1 + count), values, lrsched.constant(0.1))
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [
        "cosine_decay(init_value=0.1, decay_steps=100)",
        "test_curves_are_drawn_over_each_other.<locals>.<lambda>",
        "list",
        "constant(value=0.1)",
    ]
    first, second, *_ = axes.get_lines()
    assert (
        list(first.get_xdata()) == list(second.get_xdata()) == list(range(len(first.get_xdata())))
    )
    assert list(first.get_ydata()) == [ours(count) for count in first.get_xdata()]
    assert list(second.get_ydata()) == [0.1 / (1 + count) for count in first.get_xdata()]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "learning rate")
    assert lrsched.plot(ours, steps=10, labels=["ours"], ax=axes, log=True) is axes
    assert axes.get_yscale() == "log"
    assert axes.get_lines()[-1].get_label() == "ours"
    assert list(axes.get_lines()[-1].get_xdata()) == list(range(11))
    long = lrsched.plot(lambda count: count, steps=10**6).get_lines()[0]
    assert len(long.get_xdata()) == 401
    assert list(long.get_xdata()) == list(long.get_ydata())
    pyplot.close("all")


def test_recipes_in_one_figure_have_one_nominal_run() -> None:
    pyplot = needs("matplotlib.pyplot")
    short, long = (lrsched.linear(1.0, 0.0, EPOCHS(number)) for number in (30, 90))
    axes = lrsched.plot(short, long)
    assert axes.get_xlabel() == "epochs"
    assert axes.get_lines()[0].get_xdata()[-1] == pytest.approx(103, abs=1)
    assert lrsched.plot(short, lrsched.constant(1.0)).get_xlabel() == "epochs"
    mixed = lrsched.plot(short, lrsched.linear(1.0, 0.0, 500))
    assert mixed.get_xlabel() == "step (steps_per_epoch=33.3333)"
    pyplot.close("all")


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: lrsched.plot(), TypeError, r"curves must be at least one curve, got \(\)"),
        (
            lambda: lrsched.plot([0.1, 0.2]),
            ValueError,
            "steps must be given where no curve is a schedule, got None",
        ),
        (lambda: lrsched.plot([0.1], steps=5), ValueError, "curve 1 must have at least 6 values, "),
        (
            lambda: lrsched.plot(lrsched.constant(0.1), 3),
            TypeError,
            "curve 2 must be a function of the step, a torch scheduler or a sequence of",
        ),
        (
            lambda: lrsched.plot(lrsched.constant(0.1), lambda n: 1 / (n - 3)),
            ValueError,
            "curve 2 at step 3 must not raise, got ZeroDivisionError",
        ),
        (
            lambda: lrsched.plot(lrsched.constant(0.1), steps=0),
            ValueError,
            r"steps must be an integer >= 1 \(steps\), got 0",
        ),
        (
            lambda: lrsched.plot(lrsched.constant(0.1), labels="a"),
            TypeError,
            "labels must be a list of strings, got 'a'",
        ),
        (
            lambda: lrsched.plot(lrsched.constant(0.1), labels=["a", "b"]),
            ValueError,
            "labels must be a list of 1, one for each curve, got",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^plot: {message}"):
        draw()
