"""Recipes as JSON: what is written, and what is refused on reading."""

import json
import re
from typing import Any

import pytest

import lrsched
from lrsched import Duration

CONSTANT = {"schedule": "constant", "params": {"value": 0.1}}


def test_a_recipe_is_written_in_full() -> None:
    recipe = lrsched.warmup(lrsched.piecewise_constant((1, 2), (5,)), 10)
    assert recipe.to_dict() == {
        "lrsched": 1,
        "schedule": "warmup",
        "params": {
            "schedule": {
                "schedule": "piecewise_constant",
                "params": {"values": [1.0, 2.0], "boundaries": [5]},
            },
            "warmup_steps": 10,
            "init_value": 0.0,
            "shape": "linear",
            "power": 1.0,
            "count_from": 0,
            "mode": "before",
        },
    }
    assert json.loads(recipe.to_json()) == recipe.to_dict()


def test_defaults_may_be_left_out() -> None:
    recipe = {"lrsched": 1, "schedule": "cyclic", "params": {"init_value": 0, "peak_value": 1}}
    assert lrsched.from_dict(recipe) == lrsched.cyclic(0.0, 1.0)


def steps(duration: Any) -> dict[str, Any]:
    return {
        "lrsched": 1,
        "schedule": "linear",
        "params": {"init_value": 1.0, "end_value": 0.0, "steps": {"duration": duration}},
    }


DURATIONS: list[tuple[Duration, Any]] = [
    (lrsched.run_fraction(1.0), {"run": 1.0}),
    (lrsched.epochs(5), {"epochs": 5}),
    (lrsched.tokens(2e9) + 5, [{"tokens": 2e9}, {"steps": 5}]),
    (500 - lrsched.examples(3), [{"examples": -3}, {"steps": 500}]),
    (
        lrsched.run_fraction(1.0) - lrsched.run_fraction(0.1) - lrsched.epochs(0.5),
        [{"run": 1.0}, {"run": -0.1}, {"epochs": -0.5}],
    ),
]


@pytest.mark.parametrize(("duration", "written"), DURATIONS)
def test_durations_in_other_units(duration: Duration, written: Any) -> None:
    recipe = lrsched.linear(1.0, 0.0, duration)
    assert recipe.to_dict() == steps(written)
    assert lrsched.from_dict(steps(written)) == recipe


def test_durations_as_one_may_write_them() -> None:
    for several in ([{"steps": -1}, {"run": 1}, {"steps": 4}], [{"run": 1}, {"steps": 3}]):
        assert lrsched.from_dict(steps(several)) == lrsched.linear(
            1, 0, lrsched.run_fraction(1) + 3
        )
    assert lrsched.from_dict(steps([{"run": 1}])) == lrsched.from_dict(steps({"run": 1}))


DURATION = (
    'from_dict: duration must be {"run": 0.1} or the like (of "run", "epochs", "examples", '
    '"tokens"), or a list of such and of {"steps": 5}, got '
)


NO_DURATIONS: list[tuple[Any, type[Exception], str]] = [
    (5, ValueError, DURATION + "5"),
    ({}, ValueError, DURATION + "{}"),
    ([], ValueError, DURATION + "[]"),
    ("epochs(5)", ValueError, DURATION + "'epochs(5)'"),
    ({"weeks": 1}, ValueError, DURATION + "{'weeks': 1}"),
    ({"run": 1, "epochs": 1}, ValueError, DURATION + "{'run': 1, 'epochs': 1}"),
    ([{"run": 1}, 5], ValueError, DURATION + "[{'run': 1}, 5]"),
    ([[{"run": 1}]], ValueError, DURATION + "[[{'run': 1}]]"),
    ({"steps": 5}, ValueError, DURATION + "{'steps': 5}"),
    ([{"run": 1}, {"steps": 5, "round": "up"}], ValueError, DURATION + "[{'run': 1}, {'steps': 5"),
    ({"run": "1"}, TypeError, "from_dict: run must be a finite number, got '1'"),
    ({"run": True}, TypeError, "from_dict: run must be a finite number, got True"),
    ([{"run": 1}, {"steps": None}], TypeError, "from_dict: steps must be a finite number, got"),
    (
        {"run": 1, "round": "even"},
        ValueError,
        "from_dict: round must be 'nearest' or 'up' or 'down', or None, got 'even'",
    ),
]


@pytest.mark.parametrize(("duration", "error", "text"), NO_DURATIONS)
def test_what_is_no_duration_is_refused(duration: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(text)}"):
        lrsched.from_dict(steps(duration))


def test_a_duration_stands_only_where_steps_do() -> None:
    recipe = {"lrsched": 1, "schedule": "constant", "params": {"value": {"duration": {"run": 1}}}}
    with pytest.raises(TypeError, match=r"value must be a finite number, got run_fraction\(1\)"):
        lrsched.from_dict(recipe)
    with pytest.raises(ValueError, match=r"a schedule must be .*, got {'duration': {'run': 1}}"):
        lrsched.from_dict({"lrsched": 1, "duration": {"run": 1}})


@pytest.mark.parametrize(
    ("recipe", "error", "text"),
    [
        ([], TypeError, r"from_dict: the recipe must be a mapping, got \[\]"),
        (CONSTANT, ValueError, r'must have "lrsched": 1 \(its format\), got None'),
        ({"lrsched": 2, **CONSTANT}, ValueError, r'must have "lrsched": 1 \(its format\), got 2'),
        ({"lrsched": True, **CONSTANT}, ValueError, r'"lrsched": 1 \(its format\), got True'),
        ({"lrsched": 1}, ValueError, "a schedule must be .*, got {}"),
        ({"lrsched": 1, "schedule": 3}, ValueError, "a schedule must be .*, got {'schedule': 3}"),
        ({"lrsched": 1, **CONSTANT, "version": 3}, ValueError, "a schedule must be .*'version': 3"),
        (
            {"lrsched": 1, "schedule": "os.system", "params": {"value": "true"}},
            ValueError,
            "schedule must be one of add, .*, got 'os.system'",
        ),
        (
            {"lrsched": 1, "schedule": "constant", "params": {"value": 0.1, "gamma": 1}},
            TypeError,
            r"constant: got an unexpected keyword argument 'gamma' \(its parameters: value\)",
        ),
        (
            {"lrsched": 1, "schedule": "constant"},
            TypeError,
            "constant: missing a required argument: 'value'",
        ),
        (
            {"lrsched": 1, "schedule": "constant", "params": {"value": "0.1"}},
            TypeError,
            "constant: value must be a finite number, got '0.1'",
        ),
        (
            {"lrsched": 1, "schedule": "warmup", "params": {"schedule": {}, "warmup_steps": 3}},
            ValueError,
            "a schedule must be .*, got {}",
        ),
    ],
)
def test_what_is_no_recipe_is_refused(recipe: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        lrsched.from_dict(recipe)
    with pytest.raises(error, match=text):
        lrsched.from_json(json.dumps(recipe))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "from_json: the recipe must be JSON: Expecting value"),
        ("cyclic(0, 1)", "from_json: the recipe must be JSON"),
        ("[" * 100_000, "from_json: the recipe must (not be nested this deeply|be JSON)"),
        (
            '{"lrsched": 1, "schedule": "constant", "params": {"value": NaN}}',
            "constant: value must be a finite number, got nan",
        ),
    ],
)
def test_what_is_no_json_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        lrsched.from_json(text)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^from_json: text must be a string, got 5$"):
        lrsched.from_json(5)  # type: ignore[call-overload]
