"""The result of a sweep: read, kept, stored and drawn."""

import contextlib
import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Sweep
from lrsched.range_test import NoSuggestion
from tests.optional import needs
from tests.strategies import schedules

Array = npt.NDArray[np.float64]
NAN, INF = np.nan, np.inf


def sweep(rates: Any, losses: Any, **options: Any) -> Sweep:
    """A sweep of constant schedules."""
    losses = np.asarray(losses, float)
    table = np.repeat(np.asarray(rates, float)[:, None], losses.shape[-1], axis=1)
    return Sweep(tuple(map(lrsched.constant, rates)), table, losses, **options)


def falling(ends: Any, steps: int = 20, start: float = 2.0) -> Array:
    """Losses that are at once where they end."""
    return np.array([[start, *[end] * (steps - 1)] for end in ends])


RATES = [0.01, 0.03, 0.1, 0.3, 1.0]
VALLEY = sweep(RATES, falling([1.8, 1.0, 0.5, 0.7, 3.0]), label="valley")
REPEATS = sweep([0.1, 1.0], [falling([1.0, 0.5, 0.9]), falling([3.0, 0.4, 2.0])])

finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def sweeps(draw: Any) -> Sweep:
    number, steps = draw(st.integers(1, 4)), draw(st.integers(0, 5))
    repeats = draw(st.none() | st.integers(1, 3))
    shape = (number, steps) if repeats is None else (number, repeats, steps)
    elements = st.one_of(finite, st.sampled_from([NAN, INF, -INF]))

    def array(of: Any, shape: tuple[int, ...]) -> Array:
        size = int(np.prod(shape))
        return np.reshape(draw(st.lists(of, min_size=size, max_size=size)), shape).astype(float)

    indices = list(range(number) if repeats is None else np.ndindex(number, repeats))
    return Sweep(
        tuple(draw(schedules) for _ in range(number)),
        array(finite, (number, steps)),
        array(elements, shape),
        {
            name: array(elements, shape)
            for name in draw(st.lists(st.text(), max_size=2, unique=True))
        },
        failures=draw(st.dictionaries(st.sampled_from(indices), st.text(), max_size=3)),
        label=draw(st.text()),
    )


def assert_same(found: Sweep, wanted: Sweep) -> None:
    for name in ("schedules", "failures", "label"):
        assert getattr(found, name) == getattr(wanted, name)
    assert list(found.metrics) == list(wanted.metrics)
    pairs = [(found.metrics[name], wanted.metrics[name]) for name in found.metrics]
    pairs += [(found.learning_rates, wanted.learning_rates), (found.losses, wanted.losses)]
    for x, y in pairs:
        assert x.shape == y.shape
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_file_holds_all_of_a_sweep(suffix: str, tmp_path: Path) -> None:
    @settings(max_examples=25, derandomize=True)
    @given(sweeps())
    def check(found: Sweep) -> None:
        found.save(tmp_path / f"sweep{suffix}")
        assert_same(Sweep.load(tmp_path / f"sweep{suffix}"), found)

    check()
    assert [path.name for path in tmp_path.iterdir()] == [f"sweep{suffix}"]


def test_parameters_are_not_stored_and_a_pickle_keeps_them(tmp_path: Path) -> None:
    kept = sweep(RATES, VALLEY.losses, params={"w": np.ones(5)}, model_state=3)
    kept.save(tmp_path / "sweep.npz")
    assert Sweep.load(tmp_path / "sweep.npz").params is None
    again = pickle.loads(pickle.dumps(kept))
    assert_same(again, kept)
    assert again.model_state == 3
    assert Sweep.__module__ == "lrsched.sweep"
    assert b"lrsched.sweep.result" not in pickle.dumps(kept)


def test_a_file_of_something_else(tmp_path: Path) -> None:
    lrsched.RangeTest(np.ones(2), np.ones(2)).save(tmp_path / "test.json")
    with pytest.raises(ValueError, match=r"^Sweep\.load: .* is no sweep: 'lrsched_sweep'"):
        Sweep.load(tmp_path / "test.json")
    VALLEY.save(tmp_path / "sweep.json")
    with pytest.raises(ValueError, match=r"^RangeTest\.load: .* is no range test: 'lrsched_rang"):
        lrsched.RangeTest.load(tmp_path / "sweep.json")
    with pytest.raises(ValueError, match=r"^Sweep\.save: path must end in \.json or \.npz, got"):
        VALLEY.save(tmp_path / "sweep.csv")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"schedules": ()}, "schedules must be a sequence of schedules, at least one, got ()"),
        ({"schedules": (0.1,) * 5}, "schedules must be a sequence of schedules, at least one, got"),
        ({"learning_rates": np.ones((4, 20))}, "learning_rates must be 5 rows of finite numbers,"),
        ({"learning_rates": np.ones(5)}, "learning_rates must be 5 rows of finite numbers, got"),
        ({"learning_rates": np.full((5, 20), NAN)}, "learning_rates must be 5 rows of finite numb"),
        ({"losses": np.ones((5, 19))}, "losses must be of (schedules, steps) or (schedules, repea"),
        ({"losses": np.ones((4, 20))}, "losses must be of (schedules, steps) or (schedules, repea"),
        ({"losses": np.ones((5, 0, 20))}, "losses must be of at least one repeat, got"),
        ({"losses": np.ones(20)}, "losses must be of (schedules, steps) or (schedules, repeats, s"),
        ({"metrics": {"a": np.ones(5)}}, "metrics['a'] must be of the shape of the losses, (5, 20"),
        ({"failures": {5: "x"}}, "an index of failures must be one of a schedule, got 5"),
        ({"failures": {(0, 0): "x"}}, "an index of failures must be one of a schedule, got (0, 0)"),
        ({"failures": {True: "x"}}, "an index of failures must be one of a schedule, got True"),
        (
            {"losses": np.ones((5, 2, 20)), "failures": {0: "x"}},
            "an index of failures must be one of a schedule and a repeat, got 0",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "schedules": VALLEY.schedules,
        "learning_rates": VALLEY.learning_rates,
        "losses": VALLEY.losses,
    }
    with pytest.raises(ValueError, match="^Sweep: " + re.escape(message)):
        Sweep(**given | changed)


def test_final_losses() -> None:
    steps = np.arange(25.0)
    rows = np.stack([steps, np.where(steps == 3, NAN, steps), np.where(steps == 24, INF, steps)])
    assert sweep([1, 2, 3], rows).final_losses().tolist() == [23.5, INF, INF]
    assert sweep([1, 2, 3], rows).final_losses(1.0).tolist() == [12.0, INF, INF]
    assert sweep([1, 2, 3], rows).final_losses(1e-9).tolist() == [24.0, INF, INF]
    gone = sweep([1, 2, 3], rows, failures={1: "lost"})
    np.testing.assert_array_equal(gone.final_losses(), [23.5, NAN, INF])
    assert REPEATS.final_losses().tolist() == [0.9, 2.0]
    some = Sweep(REPEATS.schedules, REPEATS.learning_rates, REPEATS.losses, failures={(0, 2): "x"})
    assert some.final_losses().tolist() == [0.75, 2.0]
    assert sweep([1, 2], np.ones((2, 0))).final_losses().tolist() == [INF, INF]
    for part in (0.0, 1.1, NAN):
        with pytest.raises(
            ValueError, match=r"^Sweep\.final_losses: part must be a number > 0 and"
        ):
            VALLEY.final_losses(part)


def test_the_best_schedule() -> None:
    assert VALLEY.best() == lrsched.constant(0.1)
    assert REPEATS.best() == lrsched.constant(0.1)
    with pytest.raises(NoSuggestion, match="no training has a finite final loss: add lower rates"):
        sweep([1, 2], np.full((2, 9), NAN), failures={0: "lost"}).best()


def quadratic(rates: Array, best: float) -> Array:
    """Final losses with their minimum, of 0, at the best rate."""
    return falling(np.minimum(1.0, 0.3 * np.log10(rates / best) ** 2), start=1.0)


@settings(max_examples=60, derandomize=True)
@given(st.floats(-3.0, 0.0), st.integers(2, 6), st.floats(0.001, 0.3), st.randoms())
def test_the_suggestion_is_the_lowest_point(
    log_best: float, per_decade: int, within: float, draw: Any
) -> None:
    best, rates = 10.0**log_best, 10.0 ** np.arange(-5.0, 2.0, 1.0 / per_decade)
    order = list(range(len(rates)))
    draw.shuffle(order)
    found = sweep(rates[order].tolist(), quadratic(rates[order], best)).suggest(within)
    assert abs(np.log10(found.suggested / best)) < 0.5 / per_decade
    assert found.low <= found.suggested <= found.high
    width = np.sqrt(within / 0.3)  # decades, at which the fall is 1 - within
    for end, side in ((found.low, -1), (found.high, 1)):
        assert abs(np.log10(end) - (log_best + side * width)) < 1.01 / per_decade


def test_more_rates_bring_the_ends_to_where_the_fall_is_almost_made() -> None:
    rates = np.geomspace(1e-4, 1.0, 801)
    low, suggested, high = sweep(rates.tolist(), quadratic(rates, 0.01)).suggest(0.05)
    width = np.sqrt(0.05 / 0.3)
    assert np.log10([low, suggested, high]) == pytest.approx([-2 - width, -2, -2 + width], abs=3e-3)


def test_unit_and_origin_of_losses_do_not_matter() -> None:
    wanted = VALLEY.suggest()
    assert sweep(RATES, 7.0 * VALLEY.losses - 100.0).suggest() == pytest.approx(wanted)


def test_missing_trainings_change_nothing() -> None:
    rates, losses = [*RATES, 0.05], np.vstack([VALLEY.losses, np.full((1, 20), NAN)])
    assert sweep(rates, losses, failures={5: "lost"}).suggest() == VALLEY.suggest()
    assert sweep(rates, losses).suggest() != VALLEY.suggest()  # there it diverged
    twice = np.stack([VALLEY.losses, VALLEY.losses], axis=1)
    assert sweep(RATES, twice).suggest() == pytest.approx(VALLEY.suggest())
    twice[2, 1] = NAN
    assert sweep(RATES, twice, failures={(2, 1): "lost"}).suggest() == pytest.approx(
        VALLEY.suggest()
    )


def test_schedules_of_one_highest_rate_compete() -> None:
    worse = falling([1.9, 1.9, 1.5, 1.9, 1.9])
    both = sweep(RATES * 2, np.vstack([worse, VALLEY.losses]))
    assert both.suggest() == VALLEY.suggest()
    zero = sweep([0.0, *RATES], np.vstack([falling([2.0]), VALLEY.losses]))
    assert zero.suggest() == VALLEY.suggest()


@pytest.mark.parametrize(
    ("rates", "ends", "reason"),
    [
        (
            RATES[:2],
            [1.0, 0.5],
            "a suggestion needs trainings at 3 rates above 0, got 2: add rates",
        ),
        ([0.1] * 4, [1.0, 0.5, 0.2, 0.3], "a suggestion needs trainings at 3 rates above 0, got 1"),
        ([0.0, 0.0, 0.1], [1.0] * 3, "a suggestion needs trainings at 3 rates above 0, got 1: add"),
        (RATES, [2.0, 2.1, 2.2, 3.0, 4.0], "no rate that was tried got the loss below its first:"),
        (RATES, [NAN] * 5, "no rate that was tried got the loss below its first: try other"),
        (RATES, [1.0, 1.1, 1.2, 1.3, 1.4], "the loss ends lowest at the lowest rate, 0.01: add lo"),
        (RATES, [1.4, 1.3, 1.2, 1.1, 1.0], "the loss ends lowest at the highest rate, 1: add high"),
    ],
)
def test_no_suggestion(rates: list[float], ends: list[float], reason: str) -> None:
    found = sweep(rates, falling(ends))
    with pytest.raises(NoSuggestion, match="^" + re.escape(reason)):
        found.suggest()
    assert f"no suggestion: {reason[:40]}" in repr(found)


def test_what_within_may_be() -> None:
    for within in (-0.1, 1.0, NAN):
        with pytest.raises(
            ValueError, match=r"^Sweep\.suggest: within must be a number >= 0 and < 1"
        ):
            VALLEY.suggest(within)
    low, suggested, high = VALLEY.suggest(0)
    assert low <= suggested <= high


def test_the_repr_is_short() -> None:
    assert (
        repr(VALLEY)
        == f"<Sweep of 5 schedules over 20 updates; suggested {VALLEY.suggest()[1]:.3g}>"
    )
    lost = Sweep(REPEATS.schedules, REPEATS.learning_rates, REPEATS.losses, failures={(1, 0): "x"})
    assert repr(lost).startswith(
        "<Sweep of 2 schedules over 20 updates, 3 repeats, 1 of them missing;"
    )


@settings(max_examples=40)
@given(sweeps())
@example(replace(VALLEY, learning_rates=VALLEY.learning_rates * 1.7976931348623157e308))
def test_any_sweep_can_be_read(found: Sweep) -> None:
    repr(found)
    ends = found.final_losses()
    assert ends.shape == (len(found.schedules),)
    with contextlib.suppress(NoSuggestion):
        low, suggested, high = found.suggest()
        assert 0 < low <= suggested <= high


ALL = {
    "a valley": VALLEY,
    "repeats": REPEATS,
    "one copy": sweep([0.1], falling([1.0])),
    "a copy that diverges": sweep(RATES, np.vstack([VALLEY.losses[:4], [2.0, 1e30, *[NAN] * 18]])),
    "all diverge": sweep(RATES[:2], [[2.0, 1e9, 1e90, NAN], [2.0, 1e300, INF, NAN]]),
    "none begins": sweep(RATES[:2], np.ones((2, 0))),
    "all are missing": sweep(RATES[:2], np.full((2, 9), NAN), failures={0: "x", 1: "y"}),
    "one is missing": sweep(RATES, np.vstack([VALLEY.losses[:4], [[NAN] * 20]]), failures={4: "x"}),
    "equal rates": sweep([0.1] * 3, falling([1.0, 0.5, 0.2])),
    "a rate of 0": sweep([0.0, 0.1, 1.0], falling([2.0, 0.5, 0.6])),
    "rates of 0": sweep([0.0, 0.0], falling([2.0, 2.0])),
    "losses of 0": sweep(RATES[:3], falling([1.0, 0.0, 0.0])),
    "equal losses": sweep(RATES[:3], np.ones((3, 9))),
    "negative losses": sweep(RATES, VALLEY.losses - 50.0),
    "wide losses": sweep(RATES, falling([1.0, 1e-2, 1e-4, 1e-5, 1e-3])),
    "other schedules": Sweep(
        (lrsched.cosine_decay(0.1, 9), lrsched.linear(0.3, 0, 9)),
        np.stack(
            [lrsched.cosine_decay(0.1, 9)(np.arange(9)), lrsched.linear(0.3, 0, 9)(np.arange(9))]
        ),
        falling([1.0, 0.5], 9),
    ),
}


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_every_sweep_has_a_figure(name: str, final: bool) -> None:
    pyplot = needs("matplotlib.pyplot")
    found = ALL[name]
    axes = found.plot(pyplot.figure().add_subplot(), final=final)
    axes.figure.draw_without_rendering()  # which warns of limits that cannot be
    low, high = axes.get_ylim()
    losses = found.final_losses() if final else found.losses
    drawn = losses[np.isfinite(losses)]
    if len(drawn):
        start = found.losses[..., 0].max()
        trained = drawn[drawn <= start]
        assert all(low <= each <= high for each in trained)  # what trains is in the figure
        assert high - low < 20 * max(
            float(np.ptp(trained)) if len(trained) else 0.0, abs(start), 0.1
        )
    else:
        assert [text.get_text() for text in axes.texts] == ["no finite losses"]
    if final:
        crosses = sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == "x")
        assert crosses == sum(not (np.isfinite(each) and each <= high) for each in losses)
    else:
        assert len(axes.get_legend().get_texts()) == len(found.schedules)
    pyplot.close("all")


FOUND = sweep(
    [0.1, 0.01, 10.0],
    np.stack([np.linspace(2, 1, 20), np.linspace(2, 1.5, 20), np.full(20, NAN)]),
)


def test_the_figure_has_a_line_for_each_copy() -> None:
    pyplot = needs("matplotlib.pyplot")
    axes = FOUND.plot()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["0.01", "0.1", "10 (diverged)"]
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), FOUND.losses[0])
    assert len({line.get_color() for line in axes.lines}) == 3
    mine = pyplot.figure().add_subplot()
    assert axes.get_ylim()[1] < 4
    high = replace(FOUND, losses=np.where(np.isnan(FOUND.losses), 1e9, FOUND.losses))
    assert high.plot().get_ylim()[1] < 5  # a copy that diverges does not flatten the others
    many = Sweep((lrsched.cosine_decay(0.1, 9),) * 30, np.ones((30, 5)), np.ones((30, 5)))
    assert many.plot(mine) is mine
    assert len(mine.lines) == 30
    assert len(mine.get_legend().get_texts()) <= 12
    pyplot.close("all")


def test_the_figure_of_final_losses() -> None:
    pyplot = needs("matplotlib.pyplot")
    axes = FOUND.plot(final=True)
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "learning rate"
    kept, lost, suggested = axes.lines
    np.testing.assert_allclose(kept.get_xdata(), [0.01, 0.1])
    np.testing.assert_allclose(kept.get_ydata(), FOUND.losses[[1, 0], -2:].mean(axis=1))
    assert lost.get_xdata().tolist() == [10.0]
    assert suggested.get_xdata() == [FOUND.suggest().suggested] * 2
    assert axes.get_yscale() == "linear"
    wide = replace(FOUND, losses=FOUND.losses ** [[1], [20], [1]])
    assert wide.plot(final=True).get_yscale() == "log"
    pyplot.close("all")


def test_the_figure_of_final_losses_shows_the_suggestion() -> None:
    pyplot = needs("matplotlib.pyplot")
    labels = VALLEY.plot(final=True).get_legend_handles_labels()[1]
    low, suggested, high = VALLEY.suggest()
    assert f"suggested {suggested:.2g} ({low:.2g} to {high:.2g})" in labels
    one = ALL["one copy"].plot(final=True).get_legend_handles_labels()[1]
    assert one[-1].startswith("no suggestion: a suggestion needs trainings at 3 rates")
    pyplot.close("all")


def test_the_legend_says_what_became_of_a_copy() -> None:
    pyplot = needs("matplotlib.pyplot")
    both = sweep(RATES[:3], [[2.0, 1.0], [2.0, NAN], [NAN, NAN]], failures={2: "lost"})
    texts = [text.get_text() for text in both.plot().get_legend().get_texts()]
    assert texts == ["0.01", "0.03 (diverged)", "0.1 (missing)"]
    pyplot.close("all")


def test_a_notebook_shows_an_svg() -> None:
    pyplot = needs("matplotlib.pyplot")
    text = VALLEY._repr_svg_()
    assert text is not None
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert text == VALLEY._repr_svg_()
    assert not pyplot.get_fignums()


def test_a_schedule_follows_from_a_sweep() -> None:
    """As from a range test, with the options of the schedule."""
    peak = VALLEY.suggest().suggested
    assert VALLEY.warmup_cosine(100, end_value=1e-5) == lrsched.warmup_cosine(
        peak, 100, 5, end_value=1e-5
    )
    assert VALLEY.one_cycle(100) == lrsched.one_cycle(peak, 100)
    with pytest.raises(ValueError, match=r"Sweep.warmup_cosine: total_steps must be an integer"):
        VALLEY.warmup_cosine(0)
