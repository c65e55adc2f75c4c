"""`lrsched json` and `lrsched convert`."""

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("click")
needs("plotext")

import pytest

import lrsched
from tests.cli.invoke import run

RECIPE = "warmup(cosine_decay(0.1, 900), warmup_steps=100)"
WARMUP = lrsched.from_repr(RECIPE)
DEEPSPEED: dict[str, Any] = {
    "optimizer": {"type": "AdamW", "params": {"lr": 1e-3}},
    "scheduler": {
        "type": "WarmupDecayLR",
        "params": {"warmup_num_steps": 100, "warmup_type": "linear", "total_num_steps": "auto"},
    },
}
TOML = """
[optimizer]
lr = 8e-4

[lr_scheduler]
warmup_steps = 200
decay_ratio = 0.8

[training]
steps = 10000
"""
OWN = """
name: warmup
warmup_steps: 1e2
schedule:
  name: cosine_decay
  init_value: 1e-1
  decay_steps: 900
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "recipe", [WARMUP, lrsched.reduce_on_plateau(0.1), lrsched.linear(1, 0, lrsched.epochs(3))]
)
def test_json_is_printed_or_written(recipe: Any, folder: Path) -> None:
    text = repr(recipe)
    result = run("json", text)
    assert (result.exit_code, result.stderr) == (0, "")
    assert lrsched.from_json(result.stdout) == recipe
    written = run("json", text, "-o", "recipe.json")
    assert (written.exit_code, written.stdout, written.stderr) == (0, "", "wrote recipe.json\n")
    assert os.listdir(folder) == ["recipe.json"]
    assert lrsched.load("recipe.json") == recipe
    assert (folder / "recipe.json").read_text() == result.stdout
    assert run("json", "recipe.json").stdout == result.stdout
    assert lrsched.from_json(run("json", text, "--steps-per-epoch", "10").stdout) == (
        recipe.resolve(steps_per_epoch=10) if isinstance(recipe, lrsched.Schedule) else recipe
    )


def test_a_file_that_cannot_be_written_is_said(folder: Path) -> None:
    result = run("json", RECIPE, "-o", "missing/recipe.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such file or directory" in result.stderr


def test_a_configuration_is_converted(folder: Path) -> None:
    (folder / "ds.json").write_text(json.dumps(DEEPSPEED))
    expected = lrsched.from_config(DEEPSPEED, total_steps=1000)
    result = run("convert", "ds.json", "--total-steps", "1000")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{expected!r}\n", "")
    assert lrsched.from_repr(result.stdout) == expected
    as_json = run("convert", "ds.json", "--total-steps", "1000", "--json")
    assert lrsched.from_json(as_json.stdout) == expected
    written = run("convert", "ds.json", "--total-steps", "1000", "-o", "recipe.json")
    assert (written.stdout, written.stderr) == ("", "wrote recipe.json\n")
    assert lrsched.load("recipe.json") == expected


def test_each_kind_of_file_is_read(folder: Path) -> None:
    needs("yaml")
    (folder / "own.yaml").write_text(OWN)
    (folder / "own.YML").write_text(OWN)
    (folder / "own.json").write_text(WARMUP.to_json())
    lrsched.reduce_on_plateau(0.1).save("plateau.json")
    for name in ("own.yaml", "own.YML", "own.json"):
        assert run("convert", name).stdout == f"{WARMUP!r}\n"
    assert run("convert", "plateau.json").stdout == "reduce_on_plateau(init_value=0.1)\n"


def test_toml(folder: Path) -> None:
    (folder / "train.toml").write_text(TOML)
    result = run("convert", "train.toml")
    assert result.exit_code == 0, result.stderr
    assert lrsched.from_repr(result.stdout) == lrsched.from_config(tomllib.loads(TOML))


def test_a_part_a_prefix_and_a_format(folder: Path) -> None:
    one_cycle = {
        "scheduler": {
            "type": "OneCycle",
            "params": {
                "cycle_min_lr": 0.01,
                "cycle_max_lr": 0.1,
                "cycle_first_step_size": 50,
                "cycle_min_mom": 0.8,
                "cycle_max_mom": 0.9,
            },
        }
    }
    (folder / "ds.json").write_text(json.dumps(one_cycle))
    momentum = run("convert", "ds.json", "--part", "momentum", "--format", "deepspeed")
    assert momentum.stdout == f"{lrsched.from_config(one_cycle, part='momentum')!r}\n"
    (folder / "options.json").write_text('{"lr_name": "constant", "lr_value": 0.5, "seed": 3}')
    assert run("convert", "options.json", "--prefix", "lr_").stdout == "constant(value=0.5)\n"


def test_durations_that_are_left_stay(folder: Path) -> None:
    line = {"name": "linear", "init_value": 1, "end_value": 0, "steps": "epochs(3)"}
    (folder / "a.json").write_text(json.dumps(line))
    assert run("convert", "a.json").stdout.endswith("steps=epochs(3))\n")
    assert run("convert", "a.json", "--steps-per-epoch", "10").stdout.endswith("steps=30)\n")


@pytest.mark.parametrize(
    ("name", "text", "arguments", "message"),
    [
        ("ds.json", json.dumps(DEEPSPEED), [], "total_num_steps is 'auto'; give --total-steps"),
        (
            "a.json",
            '{"name": "linea", "steps": 3}',
            [],
            "from_config: did you mean 'linear'? schedule must be one of ",
        ),
        (
            "a.json",
            '{"name": "constant", "value": 1}',
            ["--format", "deepsped"],
            "from_config: did you mean 'deepspeed'? format must be one of ",
        ),
        (
            "train.py",
            "import os; os.mkdir('executed')",
            [],
            "convert: FILE must be a file with data, .json, .toml, .yaml, .yml (reading a Python "
            "file would execute it, and no configuration is executed), got 'train.py'",
        ),
        ("a.txt", "{}", [], "convert: FILE must be a file that ends in .json, .toml, .yaml, .yml,"),
        ("a.json", '{"a": 1,}', [], "convert: a.json is no JSON: "),
        ("a.json", '{"name": "a", "name": "b"}', [], "a.json is no JSON: the key 'name' occurs tw"),
        ("a.toml", "a = ", [], "convert: a.toml is no TOML: "),
    ],
)
def test_errors_are_one_line_and_name_options(
    name: str, text: str, arguments: list[str], message: str, folder: Path
) -> None:
    (folder / name).write_text(text)
    result = run("convert", name, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert os.listdir(folder) == [name]


def test_a_missing_file() -> None:
    result = run("convert", "missing.json")
    assert result.exit_code == 2
    assert result.stderr.startswith("lrsched: [Errno 2] No such file or directory: 'missing.json'")


@pytest.mark.parametrize(
    "text",
    ["!!python/object/apply:os.mkdir ['executed']", "a: [1", "a: !unknown 1"],
)
def test_yaml_that_is_more_than_data_is_refused(text: str, folder: Path) -> None:
    needs("yaml")
    (folder / "a.yaml").write_text(text)
    result = run("convert", "a.yaml")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("lrsched: convert: a.yaml is no YAML: ")
    assert os.listdir(folder) == ["a.yaml"]


def test_without_pyyaml_its_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    (folder / "a.yaml").write_text(OWN)
    result = run("convert", "a.yaml")
    assert result.exit_code == 2
    assert result.stderr == "lrsched: convert: yaml is needed; pip install 'lrsched[yaml]'\n"
