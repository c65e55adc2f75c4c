"""The JSON Schema of recipes accepts what `from_dict` does, and refuses what it refuses."""

import json
from typing import Any

from tests.optional import needs

needs("jsonschema")

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Duration, Schedule
from tests.durations import TIMED, UNITS, in_units
from tests.formats.serialize_test import CONSTANT, DURATIONS, NO_DURATIONS, steps
from tests.strategies import BY_NAME, schedules

SCHEMA = jsonschema.Draft202012Validator(lrsched.json_schema())


@settings(max_examples=200)
@given(schedules)
def test_the_schema_accepts_every_recipe(schedule: Schedule) -> None:
    SCHEMA.validate(json.loads(schedule.to_json()))


@pytest.mark.parametrize(
    "recipe",
    [
        CONSTANT,
        {"lrsched": 1},
        {"lrsched": 2, **CONSTANT},
        {"lrsched": 1, **CONSTANT, "more": 1},
        {"lrsched": 1, "schedule": "constan", "params": {"value": 0.1}},
        {"lrsched": 1, "schedule": "constant", "params": {"value": "0.1"}},
        {"lrsched": 1, "schedule": "constant", "params": {"value": 0.1, "gamma": 1}},
        {"lrsched": 1, "schedule": "constant", "params": {}},
        {"lrsched": 1, "schedule": "step_decay", "params": {"init_value": 1, "decay_rate": 1}},
        {"lrsched": 1, "schedule": "warmup", "params": {"schedule": {}, "warmup_steps": 3}},
        {"lrsched": 1, "schedule": "warmup", "params": {"schedule": CONSTANT, "warmup_steps": -1}},
    ],
)
def test_the_schema_refuses_what_is_no_recipe(recipe: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(lrsched.json_schema())
    assert not SCHEMA.is_valid(recipe)
    with pytest.raises((TypeError, ValueError)):
        lrsched.from_dict(recipe)


@pytest.mark.parametrize("name", [name for name in BY_NAME if TIMED[name]])
def test_every_schedule_takes_durations_in_other_units(name: str) -> None:
    @settings(max_examples=60)
    @given(BY_NAME[name], st.sampled_from(TIMED[name]), st.sampled_from(UNITS))
    def check(schedule: Schedule, parameter: str, unit: Any) -> None:
        number = schedule.params[parameter]
        if number not in (None, ()):
            timed = schedule.replace(**{parameter: in_units(number, unit[0])})
            SCHEMA.validate(json.loads(timed.to_json()))

    check()


@pytest.mark.parametrize(("duration", "written"), DURATIONS)
def test_durations_in_other_units(duration: Duration, written: Any) -> None:
    SCHEMA.validate(steps(written))


@pytest.mark.parametrize("duration", [row[0] for row in NO_DURATIONS])
def test_what_is_no_duration_is_refused(duration: Any) -> None:
    if not (isinstance(duration, list) and {"steps": 0.5} in duration):  # of this it says nothing
        assert not SCHEMA.is_valid(steps(duration))


def test_a_duration_stands_only_where_steps_do() -> None:
    recipe = {"lrsched": 1, "schedule": "constant", "params": {"value": {"duration": {"run": 1}}}}
    assert not SCHEMA.is_valid(recipe)


def test_controllers_fit_the_schema() -> None:
    plateau = lrsched.reduce_on_plateau(0.1).to_dict()
    SCHEMA.validate(plateau)
    assert not SCHEMA.is_valid({**plateau, "schedule": "linear"})
    assert not SCHEMA.is_valid({**plateau, "params": plateau["params"] | {"mode": "auto"}})
    assert not SCHEMA.is_valid({"lrsched": 1, "controller": "kl_adaptive", "params": {}})
    rate = (lrsched.constant(0.1) * lrsched.reduce_on_plateau()).to_dict()
    SCHEMA.validate(rate)
    rate["params"]["second"]["params"]["mode"] = "auto"
    assert not SCHEMA.is_valid(rate)
    inside = {"schedule": plateau, "warmup_steps": 5}
    assert not SCHEMA.is_valid({"lrsched": 1, "schedule": "warmup", "params": inside})
