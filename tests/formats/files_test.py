"""Recipes in files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

import lrsched
from lrsched import Schedule
from tests.strategies import schedules


@settings(max_examples=30)
@given(schedules)
def test_what_was_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, schedule: Schedule
) -> None:
    path = tmp_path_factory.mktemp("recipes") / "recipe.json"
    schedule.save(path)
    assert lrsched.load(path) == lrsched.load(str(path)) == schedule
    assert os.listdir(path.parent) == ["recipe.json"]
    assert lrsched.from_json(path.read_text()) == schedule


def test_a_recipe_with_durations_in_other_units_is_saved_as_it_is(tmp_path: Path) -> None:
    recipe = lrsched.warmup(lrsched.constant(0.1), lrsched.run_fraction(0.1, "up"))
    recipe.save(tmp_path / "recipe.json")
    assert lrsched.load(tmp_path / "recipe.json") == recipe


def test_a_file_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    lrsched.constant(0.1).save(path)
    doubling = lrsched.cyclic(0.1, 0.2, mode=lambda cycle: 2.0)
    with pytest.raises(TypeError, match="to_dict: a recipe holds numbers, names and schedules"):
        doubling.save(path)
    with pytest.raises(OSError, match="missing"):
        lrsched.constant(0.2).save(tmp_path / "missing" / "recipe.json")
    assert lrsched.load(path) == lrsched.constant(0.1)
    assert os.listdir(tmp_path) == ["recipe.json"]


def test_what_is_no_recipe_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text("{")
    with pytest.raises(
        ValueError, match=r"^load: .*recipe.json: from_json: the recipe must be JSON"
    ):
        lrsched.load(path)
    with pytest.raises(OSError, match="missing"):
        lrsched.load(tmp_path / "missing.json")
    with pytest.raises(ValueError, match=r"must be JSON: .* \(lrsched.load reads a file\)"):
        lrsched.from_json(str(path))


def test_the_package_is_the_command() -> None:
    command = [sys.executable, "-m", "lrsched", "values", "linear(1, 0, 10)", "--at", "5"]
    assert "0.5" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
