"""Files that are dropped on the page."""

from __future__ import annotations

import json
import sys

import pytest

import lrsched
from lrsched.explorer.examples import EXAMPLES
from lrsched.explorer.files import open_file

DECAY = {"type": "WarmupDecayLR", "params": {"total_num_steps": "auto", "warmup_max_lr": 0.1}}
CONFIG = json.dumps({"scheduler": DECAY})


@pytest.mark.parametrize("schedule", EXAMPLES[::6], ids=lambda schedule: schedule.name)
def test_a_recipe_that_was_saved(schedule: lrsched.Schedule) -> None:
    assert open_file("a.json", schedule.to_json(), {}) == {"recipe": repr(schedule)}


def test_what_a_configuration_leaves_out_is_asked_for() -> None:
    found = open_file("ds_config.json", CONFIG, {})
    assert found["missing"] == ["total_steps"]
    assert "total_num_steps is 'auto'; give total_steps=..." in found["message"]
    given = open_file("ds_config.json", CONFIG, {"total_steps": "1e4", "batch_size": ""})
    config = json.loads(CONFIG)
    assert given == {"recipe": repr(lrsched.from_config(config, total_steps=10_000))}


def test_a_toml_file() -> None:
    assert open_file("a.toml", 'name = "constant"\nvalue = 0.5', {}) == {
        "recipe": "constant(value=0.5)"
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "a.json is no JSON"),
        ("a.json", "[" * 100_000, "a.json is no JSON: it must not be nested this deeply"),
        ("a.json", '{"a": 1, "a": 2}', "occurs twice"),
        ("a.json", "[]", "config must be a mapping"),
        ("a.json", '{"x": 1}', "a schedule must have one key"),
        ("a.json", " " * 1_000_001, "at most 1000000 characters"),
        ("a.json", '{"_target_": "os.system", "command": "true"}', "must be one of"),
        ("train.py", "import os", "reading a Python file would execute it"),
        ("picture.png", "", "a file that ends in"),
        ("a.json", CONFIG.replace('"auto"', "-5"), "total_num_steps must be"),
    ],
)
def test_other_files_are_refused(name: str, content: str, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        open_file(name, content, {})


def test_yaml_is_left_to_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ValueError, match=r"`lrsched convert a\.yaml` reads YAML"):
        open_file("a.yaml", "name: constant", {})


def test_a_length_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises((TypeError, ValueError), match="total_steps must be"):
        open_file("ds_config.json", CONFIG, {"total_steps": "many"})
