"""The result of a range test: kept, stored, compared, drawn, and made a schedule."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched.range_test import NoSuggestion, Probe, RangeTest
from lrsched.range_test.reading.probe import read_probe
from tests.optional import needs
from tests.range_test.valleys import RATES, VALLEY, losses
from tests.strategies import schedules

Array = npt.NDArray[np.float64]


def same(first: Any, second: Any) -> bool:
    return np.array_equal(np.asarray(first), np.asarray(second), equal_nan=True)


numbers = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def range_tests(draw: Any, depth: int = 2) -> RangeTest:
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
        ratios=draw(st.none() | st.tuples(numbers, numbers)),
        earlier=draw(st.none() | range_tests(depth - 1)) if depth else None,
    )


def assert_same(found: RangeTest, test: RangeTest) -> None:
    assert same(found.learning_rates, test.learning_rates)
    assert found.losses.shape == test.losses.shape
    assert same(found.losses, test.losses)
    for name in ("stopped", "schedule", "label", "quantity", "ratios"):
        assert getattr(found, name) == getattr(test, name)
    assert list(found.metrics) == list(test.metrics)
    for name, rows in test.metrics.items():
        assert same(found.metrics[name], rows)
    assert (found.probe is None) == (test.probe is None)
    if found.probe and test.probe:
        assert same(found.probe.learning_rates, test.probe.learning_rates)
        assert same(found.probe.losses, test.probe.losses)
    assert (found.earlier is None) == (test.earlier is None)
    if found.earlier and test.earlier:
        assert_same(found.earlier, test.earlier)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_file_holds_all_of_a_test(suffix: str, tmp_path: Path) -> None:
    @settings(max_examples=60, derandomize=True)
    @given(range_tests())
    def check(test: RangeTest) -> None:
        path = tmp_path / f"test{suffix}"
        test.save(path)
        found = RangeTest.load(path)
        assert_same(found, test)

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


WRITTEN_BEFORE = """
{"lrsched_range_test": 1, "stopped": "nonfinite", "schedule": null, "label": "before",
"metrics": ["a"], "learning_rates": [0.1, 0.2], "losses": [2.0, "nan"], "metric_0": [[0, 1.5]],
"probe_learning_rates": [0.1], "probe_losses": [[[1.0, 0.5]]]}"""


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_file_that_was_written_before_is_read(suffix: str, tmp_path: Path) -> None:
    """It says nothing of a quantity, of ratios or of an earlier test."""
    path, written = tmp_path / f"test{suffix}", json.loads(WRITTEN_BEFORE)
    if suffix == ".json":
        path.write_text(WRITTEN_BEFORE, encoding="utf-8")
    else:
        names = [name for name in written if "losses" in name or "rates" in name or "c_" in name]
        arrays: dict[str, Any] = {name: np.asarray(written.pop(name), np.float64) for name in names}
        facts: Any = np.frombuffer(json.dumps(written).encode(), np.uint8)
        np.savez_compressed(path, facts=facts, **arrays)
    expected = RangeTest(
        np.array([0.1, 0.2]),
        np.array([2.0, np.nan]),
        "nonfinite",
        metrics={"a": np.array([[0.0, 1.5]])},
        probe=Probe(np.array([0.1]), np.array([[[1.0, 0.5]]])),
        label="before",
    )
    assert_same(RangeTest.load(path), expected)


def test_a_pickle_holds_the_earlier_test() -> None:
    test = RangeTest(RATES[:160], losses()[:160], earlier=VALLEY)
    assert_same(pickle.loads(pickle.dumps(test)), test)


def test_what_is_no_earlier_test_is_refused() -> None:
    expected = r"RangeTest: earlier must be a RangeTest, or None, got 'x'"
    with pytest.raises(TypeError, match=expected):
        RangeTest(RATES, losses(), earlier="x")  # type: ignore[arg-type]


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
    assert (test.repeats, VALLEY.repeats) == (3, 1)
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


@pytest.mark.parametrize(
    ("rates", "found"),
    [
        ([0.0, 0.1], [[1.0, 0.5]] * 2),
        ([0.1, np.inf], [[1.0, 0.5]] * 2),
        ([0.1], [[1.0, 0.5]] * 2),
        ([[0.1, 0.2]], [[1.0, 0.5]]),
        ([0.1, 0.2], [1.0, 0.5]),
        ([0.1, 0.2], [[[[1.0]]]] * 2),
        ([0.1, 0.2], [[], []]),
    ],
)
def test_a_probe_that_cannot_be_read_is_refused(rates: Any, found: Any) -> None:
    with pytest.raises(ValueError, match="RangeTest: probe must be rates above 0, and losses for"):
        RangeTest(np.ones(1), np.ones(1), probe=Probe(np.array(rates), np.array(found)))


def test_the_schedules_that_follow() -> None:
    low, suggested, high = VALLEY.suggest()
    assert low < suggested < high
    cyclic = VALLEY.cyclic(steps_per_epoch=50)
    assert cyclic == lrsched.cyclic(low, high, up_steps=200)
    peak = 1.6 * suggested  # a decay to 0 bears a higher peak, whatever its length
    assert VALLEY.one_cycle(1000) == lrsched.one_cycle(peak, 1000)
    assert VALLEY.warmup_cosine(1000) == lrsched.warmup_cosine(peak, 1000, 50)
    assert VALLEY.warmup_cosine(1000, 10)(10) == peak
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


def test_a_test_without_updates_has_a_repr() -> None:
    for found, stopped in ((np.ones(0), "exhausted"), (np.ones((2, 0)), ("exhausted",) * 2)):
        assert "of 0 updates" in repr(RangeTest(np.ones(0), found, stopped))  # type: ignore[arg-type]


def test_the_repr_says_what_is_suggested() -> None:
    low, high = VALLEY.suggest().band
    expected = f"suggested {VALLEY.suggest().suggested:.3g} (80 % band {low:.2g} to {high:.2g})>"
    assert repr(VALLEY) == f"<RangeTest of 160 updates from 1e-06 to 0.392, diverged; {expected}"


def test_the_first_losses_set_the_level() -> None:
    """The first 10, or a twentieth, of the median of repeats."""
    assert VALLEY.first_losses == VALLEY.losses[:10].tolist()
    rows = np.stack([losses(seed) for seed in range(3)])
    test = RangeTest(RATES, rows, ("finished",) * 3)
    assert test.first_losses == np.median(rows, axis=0)[:10].tolist()
    rates = np.geomspace(1e-6, 1.0, 400)
    assert len(RangeTest(rates, np.ones(400)).first_losses) == 20


def test_half_of_the_losses_set_the_level_where_they_do_not_fall() -> None:
    """So the noise of one loss matters less; where they fall early, those before are left."""
    rates = np.geomspace(1e-7, 10.0, 400)
    assert len(RangeTest(rates, np.ones(400)).untrained_losses) == 200
    falling = np.concatenate([np.ones(10), np.linspace(1.0, 0.0, 390)])
    assert 10 <= len(RangeTest(rates, falling).untrained_losses) < 100
    assert RangeTest(rates[:5], np.full(5, np.nan)).untrained_losses == []


def test_the_level_is_that_of_the_lowest_rates() -> None:
    """A further ramp upwards begins where training begins at once; one downwards does not."""
    low, high = np.geomspace(1e-7, 1.0, 100), np.geomspace(0.1, 100.0, 100)
    first, second = np.ones(100), np.full(100, 2.0)
    upward = RangeTest(high, second, earlier=RangeTest(low, first))
    downward = RangeTest(low, first, earlier=RangeTest(high, second))
    for test in (upward, downward):
        assert set(test.first_losses) == set(test.untrained_losses) == {1.0}
    assert RangeTest(RATES[:2], np.array([1.0, np.nan])).first_losses == [1.0]


def test_the_trainings_of_a_probe_are_read_first() -> None:
    rates = np.array([0.01, 0.1, 1.0])
    rows = np.tile(np.linspace(2.3, 1.0, 30), (3, 1, 1))
    rows[1] = np.linspace(2.3, 0.2, 30)
    test = RangeTest(RATES[:160], losses()[:160], "diverged", probe=Probe(rates, rows))
    expected = read_probe(rates, rows, VALLEY.suggest(), VALLEY.first_losses)
    assert test.suggest() == expected != VALLEY.suggest()
    assert test.suggest().band == expected.band
    assert test.suggest("steepest") == VALLEY.suggest("steepest")
    useless = RangeTest(
        RATES[:160], losses()[:160], "diverged", probe=Probe(rates, np.full((3, 1, 30), 9.0))
    )
    assert useless.suggest() == VALLEY.suggest()
