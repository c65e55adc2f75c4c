"""A recipe as a form, and the changes that the form makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched.explorer.change import change, replaced
from lrsched.explorer.examples import EXAMPLES
from lrsched.explorer.parameters import describe
from lrsched.explorer.reading import read_recipe
from lrsched.formats.parse import read
from tests.explorer.hostile import HOSTILE
from tests.strategies import schedules

PLATEAU = "maximum(warmup(reduce_on_plateau(0.1, patience=3), 100), 0.01)"
IN_UNITS = "warmup(cosine_decay(0.1, run_fraction(0.9) - 10), epochs(2, round='up'))"


def rebuilt(description: dict[str, Any]) -> str:
    """The text that the fields of a form write."""
    parameters = (f"{each['name']}={written(each)}" for each in description["parameters"])
    return f"{description['name']}({', '.join(parameters)})"


def written(parameter: dict[str, Any]) -> str:
    if "schedule" in parameter:
        return rebuilt(parameter["schedule"])
    if "items" in parameter:
        return f"[{', '.join(map(written, parameter['items']))}]"
    return str(parameter["value"])


def leaves(description: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Every field of a form, with its path."""
    for each in description["parameters"]:
        yield from below((each["name"],), each)


def below(
    path: tuple[str | int, ...], parameter: dict[str, Any]
) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    if "schedule" in parameter:
        for inner, found in leaves(parameter["schedule"]):
            yield (*path, *inner), found
    elif "items" in parameter:
        for place, item in enumerate(parameter["items"]):
            yield from below((*path, place), item)
    else:
        yield path, parameter


@settings(max_examples=60, deadline=None)
@given(schedules)
def test_the_fields_write_the_recipe(schedule: Schedule) -> None:
    description = describe(repr(schedule))
    assert description["recipe"] == repr(schedule)
    assert read_recipe(rebuilt(description)) == schedule


@pytest.mark.parametrize("text", [PLATEAU, IN_UNITS, *map(repr, EXAMPLES)])
def test_every_recipe_is_described(text: str) -> None:
    description = describe(text)
    assert read_recipe(rebuilt(description)) == read_recipe(text)
    for _, found in leaves(description):
        assert found["expected"]
        slider = found["slider"]
        if slider is not None:
            assert slider["low"] <= slider["number"] <= slider["high"] or slider["number"] == 0
            assert slider["low"] < slider["high"]
            assert math.isfinite(slider["high"] - slider["low"])
            assert slider["before"] + repr(slider["number"]) + slider["after"] == found["value"]


def test_a_description_says_what_a_number_is() -> None:
    text = "warmup(exponential_decay(0.1, 0.5, 200), 100, shape='cosine')"
    found = {path[-1]: each for path, each in leaves(describe(text))}
    assert [found[name]["unit"] for name in ("decay_rate", "decay_steps")] == ["ratio", "steps"]
    assert found["warmup_steps"]["type"] == "integer"
    assert found["warmup_steps"]["slider"]["whole"]
    assert found["shape"]["type"] == "choice"
    assert "'1-sqrt'" in found["shape"]["options"]
    assert found["staircase"]["type"] == "flag"
    assert describe("noise(constant(0.1), 0.1)")["parameters"][-1]["type"] == "none"
    assert describe("cosine_decay(0.1, run_fraction(0.5))")["parameters"][1]["slider"]["high"] == 1


@settings(max_examples=100, deadline=None)
@given(schedules, st.data())
def test_a_change_is_that_of_replace(schedule: Schedule, data: Any) -> None:
    fields = [(path, each) for path, each in leaves(describe(repr(schedule)))]
    path, field = data.draw(st.sampled_from(fields))
    value = data.draw(st.sampled_from([*new_values(field), "0", "-1", "0.5", "7", "'x'"]))
    expected = outcome(lambda: replaced(schedule, path, read("value", value)))
    assert outcome(lambda: read_recipe(change(repr(schedule), path, value))) == expected
    if len(path) == 1:
        of_replace = outcome(lambda: schedule.replace(**{str(path[0]): read("value", value)}))
        assert expected == of_replace


def outcome(make: Callable[[], Any]) -> Any:
    """What is made, or the text of what is refused."""
    try:
        return make()
    except (TypeError, ValueError) as refused:
        return str(refused)


def new_values(field: dict[str, Any]) -> list[str]:
    slider = field["slider"]
    if slider is None:
        return list(field.get("options", ["True"]))
    ends = (slider["low"], slider["high"])
    return [f"{slider['before']}{end}{slider['after']}" for end in ends]


WARM = "warmup( cosine_decay(0.1,900),100 )"
MILESTONES = "multi_step_decay(1, 0.5, (3, {}))"
JOINED = "join([constant(1), constant({})], [5])"


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        (WARM, "warmup_steps", "50", "warmup( cosine_decay(0.1,900),50 )"),
        (WARM, "schedule/end_value", "0", "warmup( cosine_decay(0.1,900, end_value=0),100 )"),
        ("constant(value=0.1)", "value", "0.2", "constant(value=0.2)"),
        ("cosine_decay(0.1, 900,)", "end_value", "1", "cosine_decay(0.1, 900, end_value=1)"),
        ("0.5 * constant(0.1)", "factor", "0.25", "0.25 * constant(0.1)"),
        ("constant(0.1) * 0.5", "schedule/value", "0.2", "constant(0.2) * 0.5"),
        ("constant(1) + constant(2)", "second/value", "8", "constant(1) + constant(8)"),
        (MILESTONES.format(6), "boundaries/1", "9", MILESTONES.format(9)),
        (JOINED.format(2), "schedules/1/value", "3", JOINED.format(3)),
        ("delay(\n  constant(1), 2)", "steps", "3", "delay(\n  constant(1), 3)"),
        ("constant(1) / 2", "factor", "0.25", "scale(schedule=constant(value=1.0), factor=0.25)"),
        ("lrsched.constant(0.1)", "value", "0.2", "lrsched.constant(0.2)"),
        ("  constant(0.1)", "value", "0.2", "constant(0.2)"),
    ],
)
def test_a_change_keeps_the_text(text: str, path: str, value: str, expected: str) -> None:
    steps = [int(step) if step.isdecimal() else step for step in path.split("/")]
    assert change(text, steps, value) == expected


def test_a_refused_value_has_the_message_of_the_library() -> None:
    with pytest.raises(ValueError, match="decay_steps must be a number >= 1") as told:
        change("warmup(cosine_decay(0.1, 900), 100)", ("schedule", "decay_steps"), "0")
    with pytest.raises(ValueError, match="cosine_decay") as own:
        lrsched.cosine_decay(0.1, 900).replace(decay_steps=0)
    assert str(told.value) == str(own.value)


@pytest.mark.parametrize(
    "path", [(0,), ("schedule", 0), ("warmup_steps", "x"), ("nothing",), ("nothing", 1)]
)
def test_a_path_that_leads_nowhere_is_refused(path: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"path|unexpected keyword"):
        change("warmup(constant(0.1), 100)", path, "1")


@pytest.mark.parametrize("text", [*HOSTILE, "\ud800"], ids=lambda text: repr(text[:12]))
def test_hostile_texts_are_refused(text: str) -> None:
    with pytest.raises((TypeError, ValueError)) as error:
        describe(text)
    assert len(str(error.value)) < 2500
    with pytest.raises((TypeError, ValueError)):
        change("scale(constant(0.1), 1)", ("schedule",), text)


def test_a_recipe_of_64_levels_is_read() -> None:
    text = "scale(" * 60 + "constant(1)" + ", 1)" * 60
    assert describe(text)["name"] == "scale"
