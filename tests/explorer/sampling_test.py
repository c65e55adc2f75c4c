"""The values at the counts that a screen shows, and where two recipes differ."""

from __future__ import annotations

import math
from itertools import combinations

import pytest

import lrsched
from lrsched import Schedule
from lrsched.explorer import differences
from lrsched.explorer.differences import compare
from lrsched.explorer.examples import EXAMPLES
from lrsched.explorer.sampling import MAX_VALUES, draw
from lrsched.plot import last_count

WARM = "warmup(cosine_decay(0.1, 900), 100)"


@pytest.mark.parametrize("schedule", EXAMPLES, ids=lambda schedule: schedule.name)
def test_the_values_are_those_of_the_schedule(schedule: Schedule) -> None:
    drawn = draw([repr(schedule)], {}, points=200)
    counts = drawn["counts"]
    assert drawn["values"] == [[schedule(count) for count in counts]]
    assert drawn["places"] == counts == sorted(set(counts))
    assert (counts[0], counts[-1]) == (0, last_count([schedule])) == (0, drawn["last"])


@pytest.mark.parametrize(
    ("recipe", "kinks"),
    [
        ("warmup(cosine_decay(0.1, 90000), 12345)", [12345]),
        ("step_decay(0.1, 0.5, 31234)", [31233, 31234, 62467, 62468]),
        ("interpolate((0.0, 1.0, 0.0), (54321, 100000))", [54321, 100000]),
    ],
)
def test_kinks_are_found_to_the_count(recipe: str, kinks: list[int]) -> None:
    drawn = draw([recipe], {}, high=120_000, points=300)
    assert set(kinks) <= set(drawn["counts"])
    assert len(drawn["counts"]) < 2000


def test_a_view_of_few_steps_has_all_of_them() -> None:
    drawn = draw([WARM], {}, low=90, high=110, points=500)
    assert drawn["counts"] == list(range(90, 111))


def test_a_long_view_has_no_more_values_than_a_screen_shows() -> None:
    drawn = draw([WARM] * 8, {}, high=2**31 - 1, points=10**6)
    assert sum(map(len, drawn["values"])) < 2 * MAX_VALUES
    assert drawn["counts"][-1] == 2**31 - 1


def test_the_axis_is_in_a_unit() -> None:
    lengths = {"steps_per_epoch": "50", "tokens_per_step": "2048", "total_steps": "1e3"}
    epochs = draw([WARM], lengths, "epochs", 2.0, 4.0)
    assert (epochs["label"], epochs["places"][0], epochs["places"][-1]) == ("epochs", 2.0, 4.0)
    assert (epochs["counts"][0], epochs["counts"][-1]) == (100, 200)
    assert draw([WARM], lengths, "tokens")["places"][1] % 2048 == 0
    assert draw([WARM], lengths, "run", high=1.0)["counts"][-1] == 1000
    with pytest.raises(ValueError, match="an axis in examples needs batch_size"):
        draw([WARM], lengths, "examples")
    with pytest.raises(ValueError, match="axis must be one of step, run"):
        draw([WARM], lengths, "seconds")


def test_durations_are_resolved_or_drawn_over_a_nominal_run() -> None:
    recipe = "warmup(cosine_decay(0.1, run_fraction(0.9)), run_fraction(0.1))"
    nominal = draw([recipe], {})
    assert (nominal["is_nominal"], nominal["label"]) == (True, "fraction of the run")
    given = draw([recipe], {"total_steps": "2000"})
    assert (given["is_nominal"], given["label"]) == (False, "step")
    expected = lrsched.from_repr(recipe).resolve(total_steps=2000)
    assert given["values"][0] == [expected(count) for count in given["counts"]]


def test_what_has_no_curve_leaves_the_others() -> None:
    drawn = draw(["constant(", WARM, "reduce_on_plateau(0.1)"], {})
    assert [values is None for values in drawn["values"]] == [True, False, True]
    assert drawn["errors"][0].startswith("recipe: column")
    assert "follows a metric" in drawn["errors"][2]
    assert draw([], {})["values"] == []


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ({"total_steps": "0"}, "resolve: total_steps must be an integer >= 1"),
        ({"total_steps": "ten"}, "resolve: total_steps must be an integer >= 1"),
        ({"batch_size": "-1"}, "resolve: batch_size must be"),
        ({"steps_per_epoch": "inf"}, "resolve: steps_per_epoch must be"),
    ],
)
def test_a_wrong_length_is_refused(lengths: dict[str, str], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        draw([WARM], lengths)


def test_differences_are_those_of_diff() -> None:
    for a, b in [*combinations(EXAMPLES[::4], 2), (EXAMPLES[8], 1.0000001 * EXAMPLES[8])]:
        found, expected = compare(repr(a), repr(b), {}, 700), lrsched.diff(a, b, 700)
        assert found["first"] == expected.first
        for side in ("largest", "relative"):
            of_diff = {"largest": expected.largest_absolute, "relative": expected.largest_relative}
            step, amount = of_diff[side]
            assert found[side][0] == step, (a, b)
            assert math.isclose(found[side][1], amount, rel_tol=1e-12)


def test_the_first_difference_of_a_long_run_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = "piecewise_constant((1, 0.5), (123456,))", "piecewise_constant((1, 0.5), (123999,))"
    found = compare(a, b, {}, 1_000_000)
    assert found["first"] == 123456
    assert found["values"] == [0.5, 1.0]
    assert (found["compared"], found["steps"]) == (differences.MAX_STEPS, 1_000_000)
    assert compare(a, a, {}, 1_000_000)["first"] is None
    assert compare(a, b, {}, 1)["first"] is None


def test_a_difference_needs_two_curves() -> None:
    with pytest.raises(ValueError, match="follows a metric"):
        compare(WARM, "reduce_on_plateau(0.1)", {}, 10)
