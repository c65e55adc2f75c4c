"""The figure of range tests."""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from tests.optional import needs

pyplot = needs("matplotlib.pyplot")

import numpy as np
import numpy.typing as npt
import pytest

from lrsched.range_test import NoSuggestion, Probe, RangeTest
from lrsched.range_test.result.plot import limit_losses
from tests.range_test.valleys import RATES, VALLEY, losses

Array = npt.NDArray[np.float64]


@pytest.fixture(autouse=True)
def close() -> Iterator[None]:
    yield
    pyplot.close("all")


def labels(axes: Any) -> list[str]:
    """The entries of the legend."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


def lines(axes: Any, marker: str) -> list[Any]:
    """The lines that are drawn with a marker."""
    return [line for line in axes.lines if line.get_marker() == marker]


def spans(axes: Any) -> list[tuple[float, float]]:
    """The ends of the spans of rates, in the order in which they were drawn."""
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]


def test_a_figure_shows_several_tests_with_their_suggestions() -> None:
    rows = np.stack([losses(seed) for seed in range(3)])
    repeated = RangeTest(RATES, rows, ("finished",) * 3, label="JAX")
    axes = VALLEY.with_label("torch").plot(repeated)
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == (
        "log",
        "learning rate",
        "loss",
    )
    found = labels(axes)
    assert [label.split(":")[0] for label in found] == ["torch"] * 3 + ["JAX"] * 3
    suggestion = repeated.suggest()
    assert found[3] == "JAX: smoothed loss of 3"
    assert found[4] == f"JAX: suggested {suggestion.suggested:.2g} ({suggestion.shown_band})"
    assert found[5] == f"JAX: low {suggestion.low:.2g}, high {suggestion.high:.2g}"
    top = axes.get_ylim()[1]
    assert top < np.nanmax(repeated.median)  # the divergence does not flatten the valley
    again = VALLEY.plot(ax=axes, method=None)
    assert again is axes


def test_the_spans_are_the_band_and_the_range() -> None:
    found = VALLEY.suggest()
    axes = VALLEY.plot()
    np.testing.assert_allclose(spans(axes), [found.band, (found.low, found.high)])
    (line,) = (line for line in axes.lines if line.get_linestyle() == "--")
    assert line.get_xdata()[0] == found.suggested


def test_a_rule_of_another_library_has_no_band() -> None:
    low, suggested, high = VALLEY.suggest("minimum")
    axes = VALLEY.plot(method="minimum")
    np.testing.assert_allclose(spans(axes), [(low, high)])
    assert labels(axes)[1] == f"suggested {suggested:.2g} ({low:.2g} to {high:.2g})"
    assert not VALLEY.plot(method=None).patches


def test_the_suggestion_for_a_run() -> None:
    expected = VALLEY.suggest(total_steps=2000, shape="one_cycle")
    axes = VALLEY.plot(total_steps=2000, shape="one_cycle")
    np.testing.assert_allclose(spans(axes)[0], expected.band)
    with pytest.raises(ValueError, match=r"RangeTest\.plot: shape must be"):
        VALLEY.plot(shape="round")


def test_a_test_without_a_suggestion_is_drawn() -> None:
    flat = RangeTest(RATES, np.full(200, 2.3))
    with pytest.raises(NoSuggestion):
        flat.suggest()
    assert labels(flat.plot()) == ["smoothed loss"]


def test_an_earlier_ramp_is_drawn_in_pale_dots() -> None:
    rates = np.geomspace(1e-9, 1e-6, 30)
    earlier = RangeTest(rates, np.full(30, 2.4))
    test = RangeTest(RATES[:160], losses()[:160], "diverged", earlier=earlier, label="SGD")
    axes = test.plot()
    first, second = lines(axes, ".")
    np.testing.assert_array_equal(first.get_xdata(), rates)
    np.testing.assert_array_equal(first.get_ydata(), np.full(30, 2.4))
    assert first.get_alpha() < second.get_alpha()
    assert labels(axes)[0] == "SGD: earlier rates"
    assert axes.get_xlim()[0] < 1e-9


NAN = np.nan
TRAININGS = np.array(
    [
        [[2.3, 2.0, 2.0, 2.0, 1.6, 1.4], [NAN] * 6],
        [[2.3, 2.0, 1.0, 0.5, 0.2, 0.1], [2.3, 2.0, 1.0, 0.5, 0.4, 0.3]],
        [[2.3, 3.0, 90.0, NAN, NAN, NAN], [2.3, 3.0, 50.0, 50.0, 60.0, 70.0]],
    ]
)  # of 3 rates, twice


def test_trainings_are_markers_at_the_mean_of_their_last_third() -> None:
    """Those that diverged, or ended above the figure, are crosses at the top."""
    probe = Probe(np.array([0.01, 0.1, 1.0]), TRAININGS)
    axes = RangeTest(RATES[:160], losses()[:160], "diverged", probe=probe).plot()
    (ends,), (crosses,) = lines(axes, "o"), lines(axes, "x")
    np.testing.assert_array_equal(ends.get_xdata(), [0.01, 0.1, 0.1])
    np.testing.assert_allclose(ends.get_ydata(), [1.5, 0.15, 0.35])
    np.testing.assert_array_equal(crosses.get_xdata(), [1.0, 1.0])
    np.testing.assert_array_equal(crosses.get_ydata(), [1.0, 1.0])
    assert crosses.get_transform() == axes.get_xaxis_transform()
    low, high = axes.get_ylim()
    assert low < 0.15
    assert high < 50.0
    assert labels(axes)[-2:] == ["trainings at constant rates", "trainings that diverged"]


@pytest.mark.parametrize("kept", [[0, 1], [2]])
def test_only_what_happened_is_in_the_legend(kept: list[int]) -> None:
    probe = Probe(np.array([0.01, 0.1, 1.0])[kept], TRAININGS[kept, 0])
    axes = RangeTest(RATES[:160], losses()[:160], "diverged", probe=probe).plot()
    assert (len(lines(axes, "o")), len(lines(axes, "x"))) == (int(2 not in kept), int(2 in kept))


def test_the_ends_of_trainings() -> None:
    found = Probe(np.array([0.01, 0.1, 1.0]), TRAININGS).ends
    np.testing.assert_allclose(found, [[1.5, NAN], [0.15, 0.35], [np.inf, 65.0]])
    single = Probe(np.array([0.01, 0.1, 1.0]), TRAININGS[:, 0])
    np.testing.assert_allclose(single.ends, [[1.5], [0.15], [np.inf]])
    assert (single.trainings, single.updates) == (3, 15)
    assert Probe(np.array([0.01, 0.1, 1.0]), TRAININGS).trainings == 5


def test_a_notebook_shows_an_svg() -> None:
    text = VALLEY._repr_svg_()
    assert text is not None
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert text == VALLEY._repr_svg_()  # the same picture is the same text
    assert not pyplot.get_fignums()


@pytest.mark.parametrize(
    ("low", "start", "high", "scale", "limits"),
    [
        (1.0, 3.0, 100.0, "linear", (0.9, 6.0)),  # 1.5 falls above the first loss
        (1.0, 3.0, 6.0, "linear", None),
        (-1.0, 1000.0, 1001.0, "linear", None),  # no logarithm
        (0.13, 100.0, 1e9, "log", (0.1, 780.0)),
        (0.13, 100.0, 200.0, "log", (0.1, 260.0)),
        (2.0, 2.0, 2.0, "linear", (1.0, 3.0)),
    ],
)
def test_a_figure_shows_the_losses_of_training(
    low: float, start: float, high: float, scale: str, limits: tuple[float, float] | None
) -> None:
    axes = pyplot.figure().add_subplot()
    limit_losses(axes, low, start, high)
    assert axes.get_yscale() == scale
    assert axes.get_ylim() == pytest.approx((0.0, 1.0) if limits is None else limits)


def test_the_band_is_that_of_the_repeats_that_still_run() -> None:
    rows = np.array([[1.0, 2.0, NAN, NAN], [3.0, 4.0, 5.0, NAN], [5.0, 1.0, 9.0, NAN]])
    axes = RangeTest(np.arange(1.0, 5.0), rows, ("nonfinite",) * 3).plot()
    (band,) = axes.collections
    points = {tuple(point) for point in band.get_paths()[0].vertices.tolist()}
    assert points == {(1.0, 1.0), (1.0, 5.0), (2.0, 1.0), (2.0, 4.0), (3.0, 5.0), (3.0, 9.0)}
