"""The result of a range test: kept, stored, compared, drawn, and made a schedule."""

import itertools
import json
import os
import pickle
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched.range_test import NoSuggestion, Probe, RangeTest, Recorder
from tests.optional import needs
from tests.strategies import schedules

RATES = lrsched.exponential_ramp(1e-6, 10.0, 199)(np.arange(200))
Array = npt.NDArray[np.float64]


def losses(seed: int = 0, noise: float = 0.02, best: float = 0.05) -> Array:
    """A valley: flat, down about a tenth of the best rate, up beyond it."""
    x = np.log10(RATES / best)
    curve = 2.3 - 1.8 / (1 + np.exp(-4 * (x + 0.8))) + np.exp(3 * (x - 0.7))
    return np.asarray(curve * np.exp(noise * np.random.default_rng(seed).normal(size=len(x))))


VALLEY = RangeTest(RATES[:160], losses()[:160], "diverged")


def same(first: Any, second: Any) -> bool:
    return np.array_equal(np.asarray(first), np.asarray(second), equal_nan=True)


numbers = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def range_tests(draw: Any) -> RangeTest:
    steps = draw(st.integers(0, 6))
    repeats = draw(st.none() | st.integers(1, 3))
    reasons = st.sampled_from(["finished", "diverged", "nonfinite", "exhausted"])
    shape = (steps,) if repeats is None else (repeats, steps)
    elements = st.one_of(numbers, st.just(float("nan")), st.just(float("inf")))

    def array(of: Any, *shape: int) -> Array:
        size = int(np.prod(shape))
        return np.reshape(draw(st.lists(of, min_size=size, max_size=size)), shape).astype(float)

    names = draw(st.lists(st.text(), max_size=2, unique=True))
    return RangeTest(
        array(numbers, steps),
        array(elements, *shape),
        draw(reasons) if repeats is None else tuple(draw(reasons) for _ in range(repeats)),
        draw(st.none() | schedules),
        {name: array(elements, draw(st.integers(0, 3)), 2) for name in names},
        Probe(array(st.floats(1e-30, 1e30), 3), array(elements, 3, 2))
        if draw(st.booleans())
        else None,
        draw(st.text()),
    )


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_file_holds_all_of_a_test(suffix: str, tmp_path: Path) -> None:
    @settings(max_examples=60)
    @given(range_tests())
    def check(test: RangeTest) -> None:
        path = tmp_path / f"test{suffix}"
        test.save(path)
        found = RangeTest.load(path)
        assert same(found.learning_rates, test.learning_rates)
        assert found.losses.shape == test.losses.shape
        assert same(found.losses, test.losses)
        assert (found.stopped, found.schedule, found.label) == (
            test.stopped,
            test.schedule,
            test.label,
        )
        assert list(found.metrics) == list(test.metrics)
        for name, rows in test.metrics.items():
            assert same(found.metrics[name], rows)
        assert (found.probe is None) == (test.probe is None)
        if found.probe and test.probe:
            assert same(found.probe.learning_rates, test.probe.learning_rates)
            assert same(found.probe.losses, test.probe.losses)

    check()
    assert [path.name for path in tmp_path.iterdir()] == [f"test{suffix}"]


@pytest.mark.parametrize("suffix", [".json", ".npz"])
@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_a_crash_while_saving_leaves_the_old_file(
    suffix: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"test{suffix}"
    VALLEY.save(path)
    old = path.read_bytes()

    def crash(*args: Any, **kwargs: Any) -> Any:
        raise KeyboardInterrupt

    if where == "write":
        monkeypatch.setattr(np, "savez_compressed", crash)
        monkeypatch.setattr(json, "dumps", crash)
    else:
        monkeypatch.setattr(os, where, crash)
    with pytest.raises(KeyboardInterrupt):
        VALLEY.with_label("other").save(path)
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_rights_of_any_other(tmp_path: Path) -> None:
    VALLEY.save(tmp_path / "test.json")
    (tmp_path / "plain").touch()
    modes = {oct(os.stat(path).st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b"{}",
        b'{"lrsched_range_test": 2}',
        b'{"lrsched_range_test": 1, "stopped": "finished", "schedule": null, "metrics": [], '
        b'"label": "", "learning_rates": [1, 2], "losses": [1]}',
        b'{"lrsched_range_test": 1, "stopped": "finished", "schedule": {"lrsched": 1}, '
        b'"metrics": [], "label": "", "learning_rates": [], "losses": []}',
        b"PK\x03\x04 but no archive",
        pickle.dumps({"a": 1}),
    ],
)
def test_what_is_no_range_test_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"RangeTest\.load: .* is no range test: ") as refused:
        RangeTest.load(path)
    assert "\n" not in str(refused.value)


def test_a_pickle_inside_an_archive_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "test.npz"
    np.savez(path, facts=np.asarray([{"lrsched_range_test": 1}], dtype=object))
    with pytest.raises(ValueError, match="is no range test"):
        RangeTest.load(path)


def test_other_suffixes_and_missing_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"RangeTest\.save: path must end in \.json or \.npz"):
        VALLEY.save(tmp_path / "test.pkl")
    with pytest.raises(OSError, match="missing"):
        RangeTest.load(tmp_path / "missing.json")


def test_the_table_has_a_line_for_each_update() -> None:
    rows = np.array([[1.0, 0.5], [2.0, np.nan]])
    test = RangeTest(np.array([0.1, 0.2]), rows, ("finished", "nonfinite"))
    assert test.to_csv() == "update,learning_rate,loss_0,loss_1\n0,0.1,1.0,2.0\n1,0.2,0.5,\n"
    single = RangeTest(np.array([0.1]), np.array([0.25]))
    assert single.to_csv() == "update,learning_rate,loss\n0,0.1,0.25\n"


def test_the_median_ends_where_half_of_the_repeats_have_stopped() -> None:
    nan = np.nan
    rows = np.array([[1.0, 2.0, nan, nan], [3.0, 4.0, 5.0, nan], [5.0, 6.0, 9.0, 7.0]])
    test = RangeTest(np.arange(1.0, 5.0), rows, ("nonfinite", "nonfinite", "finished"))
    assert same(test.median, [3.0, 4.0, 9.0, nan])
    assert test.repeats == 3
    assert same(VALLEY.median, VALLEY.losses)


@pytest.mark.parametrize(
    ("rates", "found", "message"),
    [
        ([0.1, 0.2], [1.0], "RangeTest: losses must be 2 numbers, or rows of as many, got [1.0]"),
        ([0.1], [[[1.0]]], "RangeTest: losses must be 1 numbers, or rows of as many, got"),
        ([[0.1]], [1.0], "RangeTest: learning_rates must be a sequence of finite numbers, got"),
        ([np.nan], [1.0], "RangeTest: learning_rates must be a sequence of finite numbers, got"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(rates: Any, found: Any, message: str) -> None:
    with pytest.raises(ValueError, match="RangeTest") as refused:
        RangeTest(rates, found)
    assert str(refused.value).startswith(message)


def test_the_schedules_that_follow() -> None:
    low, suggested, high = VALLEY.suggest()
    assert low < suggested < high
    cyclic = VALLEY.cyclic(steps_per_epoch=50)
    assert cyclic == lrsched.cyclic(low, high, up_steps=200)
    assert VALLEY.one_cycle(1000) == lrsched.one_cycle(suggested, 1000)
    assert VALLEY.warmup_cosine(1000) == lrsched.warmup_cosine(suggested, 1000, 50)
    assert VALLEY.warmup_cosine(1000, 10)(10) == suggested
    with pytest.raises(ValueError, match=r"RangeTest\.cyclic: steps_per_epoch must be an integer"):
        VALLEY.cyclic(0)


def test_a_test_without_a_suggestion_says_why_everywhere() -> None:
    flat = RangeTest(RATES, np.full(200, 2.3))
    for ask in (flat.suggest, lambda: flat.cyclic(5), lambda: flat.one_cycle(5)):
        with pytest.raises(NoSuggestion):
            ask()
    assert "no suggestion: " in repr(flat)
    assert "suggested: none (" in flat.compare(VALLEY)
    pyplot = needs("matplotlib.pyplot")
    assert flat.plot() is not None
    pyplot.close("all")


def test_repeats_have_a_spread() -> None:
    rows = np.stack([losses(seed) for seed in range(5)])
    test = RangeTest(RATES, rows, ("finished",) * 5)
    single = [np.log10(RangeTest(RATES, row).suggest().suggested) for row in rows]
    assert test.spread() == pytest.approx(np.std(single, ddof=1))
    with pytest.raises(NoSuggestion, match="two repeats"):
        VALLEY.spread()


def test_a_comparison_says_where_two_tests_are_apart() -> None:
    changed = VALLEY.losses.copy()
    changed[40] *= 1.5
    report = VALLEY.compare(RangeTest(VALLEY.learning_rates[:150], changed[:150])).splitlines()
    assert report[:3] == [
        "updates: 160 and 150",
        "stopped: diverged and finished",
        "learning rates: the same",
    ]
    assert report[3].startswith("losses: at most 0.33 relative apart, at update 40: ")
    assert report[4].startswith("suggested: ")
    assert VALLEY.compare(VALLEY).splitlines()[3] == "losses: the same"


def test_a_figure_shows_several_tests_with_their_suggestions() -> None:
    pyplot = needs("matplotlib.pyplot")
    rows = np.stack([losses(seed) for seed in range(3)])
    repeated = RangeTest(RATES, rows, ("finished",) * 3, label="JAX")
    axes = VALLEY.with_label("torch").plot(repeated)
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == (
        "log",
        "learning rate",
        "loss",
    )
    labels = axes.get_legend_handles_labels()[1]
    assert [label.split(":")[0] for label in labels] == ["torch", "torch", "JAX", "JAX"]
    assert f"suggested {repeated.suggest().suggested:.2g}" in labels[3]
    top = axes.get_ylim()[1]
    assert top < np.nanmax(repeated.median)  # the divergence does not flatten the valley
    again = VALLEY.plot(ax=axes, method=None)
    assert again is axes
    pyplot.close("all")


def test_a_notebook_shows_an_svg() -> None:
    pyplot = needs("matplotlib.pyplot")
    text = VALLEY._repr_svg_()
    assert text is not None
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert text == VALLEY._repr_svg_()  # the same picture is the same text
    assert not pyplot.get_fignums()


@given(st.lists(st.floats(0.1, 50.0) | st.just(float("nan")), min_size=1, max_size=30))
def test_the_recorder_stops_by_its_rule(found: list[float]) -> None:
    recorder = Recorder(divergence=4.0)
    taken = []
    for loss in found:
        going = recorder.record(loss)
        taken.append(loss)
        if not going:
            break
    finite = [loss for loss in taken if np.isfinite(loss)]
    assert recorder.losses == finite
    above = [loss > 4 * finite[0] for loss in finite] if finite else []
    pairs = [first and second for first, second in itertools.pairwise(above)]
    if recorder.stopped == "nonfinite":
        assert np.isnan(taken[-1])
        assert not any(pairs)
    elif recorder.stopped == "diverged":
        assert pairs[-1]
        assert not any(pairs[:-1])
    else:
        assert taken == found
        assert not any(pairs)


def test_divergence_can_be_left_out_and_needs_a_positive_first_loss() -> None:
    for recorder, values in (
        (Recorder(None), [1.0, 1e9, 1e9]),
        (Recorder(), [-1.0, 1e9, 1e9]),
        (Recorder(), [0.0, 1.0, 1.0]),
        (Recorder(), [1.0, 5.0, 1.0, 5.0, 1.0]),
    ):
        assert all(map(recorder.record, values))
        assert recorder.stopped == "finished"
