"""Recipes from configs as Hydra, OmegaConf, YAML and argparse users write them."""

import argparse
import builtins
import importlib
import json
import os
import types
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, ListConfig, OmegaConf

import lrsched
from lrsched import Duration, Schedule, epochs, from_config, run_fraction
from lrsched._core.definition import REGISTRY
from lrsched._core.kinds import OptionalPhase
from lrsched._numerics.shapes import SHAPES
from lrsched.formats.lookup import find_builder
from lrsched.schedules.recipes import RECIPES
from tests.strategies import BY_NAME, schedules

config: Any = lrsched


def written(value: Any, key: str, text: bool) -> Any:
    """A schedule as nested mappings, its numbers as they are or as text."""
    if isinstance(value, Schedule):
        params = {name: written(param, key, text) for name, param in value.params.items()}
        return {key: value.name if key == "name" else f"lrsched.{value.name}"} | params
    if isinstance(value, tuple):
        return [written(item, key, text) for item in value]
    if isinstance(value, Duration) or (text and isinstance(value, (int, float))):
        return str(value) if not isinstance(value, bool) else value
    return value


def whole_as_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: whole_as_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole_as_floats(item) for item in value]
    return float(value) if type(value) is int else value


FORMS: dict[str, Callable[[Schedule], Any]] = {
    "name": lambda s: written(s, "name", text=False),
    "target": lambda s: written(s, "_target_", text=False),
    "text": lambda s: written(s, "name", text=True),
    "whole floats": lambda s: whole_as_floats(written(s, "name", text=False)),
    "whole floats as text": lambda s: json.loads(
        json.dumps(whole_as_floats(written(s, "name", text=False))), parse_float=str
    ),
    "repr": repr,
    "nested reprs": lambda s: {
        "name": s.name,
        **{k: repr(v) if isinstance(v, (Schedule, tuple)) else v for k, v in s.params.items()},
    },
    "schedules themselves": lambda s: {"name": s.name, **s.params},
    "to_dict": lambda s: s.to_dict(),
    "OmegaConf": lambda s: OmegaConf.create(written(s, "name", text=False)),
    "OmegaConf of to_dict": lambda s: OmegaConf.create(s.to_dict()),
    "YAML": lambda s: yaml.safe_load(yaml.safe_dump(written(s, "name", text=False))),
    "argparse": lambda s: argparse.Namespace(**written(s, "name", text=True)),
    "SimpleNamespace": lambda s: types.SimpleNamespace(**written(s, "name", text=False)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_schedule_in_every_form(name: str, form: str) -> None:
    @settings(max_examples=4)
    @given(BY_NAME[name])
    def check(schedule: Schedule) -> None:
        found = from_config(FORMS[form](schedule))
        assert found == schedule
        assert repr(found) == repr(schedule)

    check()


@settings(max_examples=150)
@given(schedules, st.sampled_from(sorted(FORMS)))
def test_nested_schedules_in_every_form(schedule: Schedule, form: str) -> None:
    assert from_config(FORMS[form](schedule)) == schedule


@settings(max_examples=150)
@given(schedules, st.sampled_from(["lr_", "optimizer.lr.", "é"]))
def test_a_prefix_takes_what_begins_with_it(schedule: Schedule, prefix: str) -> None:
    entries = {f"{prefix}{key}": value for key, value in FORMS["text"](schedule).items()}
    others = {"name": "adam", "batch_size": 7, "l": None, 3: 4}
    assert from_config(entries | others, prefix=prefix) == schedule
    assert from_config(OmegaConf.create(entries | others), prefix) == schedule
    with pytest.raises((TypeError, ValueError)):
        from_config(entries | others)


def test_omegaconf_interpolates() -> None:
    cfg = OmegaConf.create(
        """
        total_steps: 1e5
        peak: 3e-4
        fraction: 0.1
        boundaries: [10, 20]
        schedule:
          name: warmup
          warmup_steps: run_fraction(${fraction})
          schedule:
            name: cosine_decay
            init_value: ${peak}
            decay_steps: ${total_steps}
        stairs:
          _target_: lrsched.multi_step_decay
          init_value: ${peak}
          decay_rate: .1
          boundaries: ${boundaries}
        again: ${stairs}
        """
    )
    decay = lrsched.cosine_decay(3e-4, 100_000)
    assert from_config(cfg.schedule) == lrsched.warmup(decay, run_fraction(0.1))
    stairs = lrsched.multi_step_decay(3e-4, 0.1, (10, 20))
    assert from_config(cfg.stairs) == from_config(cfg.again) == stairs


def instantiate(node: Any) -> Any:
    """What `hydra.utils.instantiate` does: calls the targets with what OmegaConf hands over."""
    if isinstance(node, DictConfig) and "_target_" in node:
        module, _, name = node._target_.rpartition(".")
        arguments = {str(key): instantiate(node[key]) for key in node if key != "_target_"}
        return getattr(importlib.import_module(module), name)(**arguments)
    if isinstance(node, ListConfig):
        items = OmegaConf.create([], flags={"allow_objects": True})
        items.extend([instantiate(item) for item in node])
        return items
    return node


@settings(max_examples=300)
@given(schedules)
def test_the_factories_take_what_hydra_hands_over(schedule: Schedule) -> None:
    assert instantiate(OmegaConf.create(FORMS["target"](schedule))) == schedule


def test_options_of_a_command_line() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=7)
    for option in ("name", "init-value", "decay-steps", "end-value"):
        parser.add_argument(f"--lr-{option}")
    parser.add_argument("--lr-boundaries", nargs="*")
    words = ["--lr-name", "cosine_decay", "--lr-init-value", "1e-3", "--lr-decay-steps", "9e2"]
    assert from_config(parser.parse_args(words), "lr_") == lrsched.cosine_decay(1e-3, 900)
    words = ["--lr-name", "multi_step_decay", "--lr-init-value", "1"]
    words += ["--lr-boundaries", "30", "epochs(6)"]
    args = parser.parse_args(words)
    args.lr_decay_rate = ".5"
    wanted = lrsched.multi_step_decay(1, 0.5, (30, epochs(6)))
    assert from_config(args, prefix="lr_") == wanted


CYCLIC = {"name": "cyclic", "init_value": 0, "peak_value": 1}
ACCEPTED: list[tuple[Any, Schedule]] = [
    (CYCLIC | {"down_steps": None, "up_steps": None, "mode": None}, lrsched.cyclic(0, 1)),
    (CYCLIC | {"gamma": None}, lrsched.cyclic(0, 1)),
    (CYCLIC | {"down_steps": "20"}, lrsched.cyclic(0, 1, down_steps=20)),
    (CYCLIC | {"mode": "triangular2"}, lrsched.cyclic(0, 1, mode="triangular2")),
    (CYCLIC | {"up_steps": "2_000", "_target_": None}, lrsched.cyclic(0, 1)),
    (CYCLIC | {"up_steps": "run_fraction(0.5) - 3"}, lrsched.cyclic(0, 1, run_fraction(0.5) - 3)),
    (" constant( 0.1 ) ", lrsched.constant(0.1)),
    ({"name": "lrsched.constant", "value": " 1e-4 "}, lrsched.constant(1e-4)),
    (
        {"name": "exponential_warmup", "time_constant": "1e3"},
        lrsched.exponential_warmup(1000),
    ),
    (
        {"name": "join", "schedules": "[constant(1), constant(2)]", "boundaries": "[1e3]"},
        lrsched.join([lrsched.constant(1), lrsched.constant(2)], [1000]),
    ),
    (
        {"name": "scale", "schedule": "constant(1) + constant(2)", "factor": "2"},
        lrsched.scale(lrsched.constant(1) + lrsched.constant(2), 2),
    ),
    (
        {"name": "staircase", "schedule": lrsched.constant(1.0).to_dict(), "steps": 5},
        lrsched.staircase(lrsched.constant(1.0), 5),
    ),
    (
        {
            "name": "staircase",
            "schedule": types.SimpleNamespace(name="constant", value=1),
            "steps": 5,
        },
        lrsched.staircase(lrsched.constant(1.0), 5),
    ),
    # recipes
    (
        {
            "name": "warmup_stable_decay",
            "peak_value": "1e-3",
            "warmup_steps": 1e2,
            "stable_steps": "700",
            "decay_steps": "run_fraction(0.2)",
            "init_value": None,
            "shape": "1-sqrt",
        },
        lrsched.warmup_stable_decay(1e-3, 100, 700, run_fraction(0.2), shape="1-sqrt"),
    ),
    (
        {"_target_": "lrsched.noam", "model_size": "512", "warmup_steps": "4e3"},
        lrsched.noam(512, 4000),
    ),
    (
        {
            "name": "scale_for_batch_size",
            "schedule": {"name": "constant", "value": 0.1},
            "batch_size": "1024",
            "reference_batch_size": 256.0,
            "rule": "sqrt",
        },
        lrsched.scale_for_batch_size(lrsched.constant(0.1), 1024, 256, "sqrt"),
    ),
    # transformers' names
    (
        {
            "name": "cosine_with_min_lr",
            "learning_rate": "1e-3",
            "num_warmup_steps": "1e2",
            "num_training_steps": 1e3,
            "num_cycles": ".5",
            "min_lr": None,
            "min_lr_rate": "0.1",
        },
        lrsched.from_name(
            "cosine_with_min_lr",
            1e-3,
            num_warmup_steps=100,
            num_training_steps=1000,
            min_lr_rate=0.1,
        ),
    ),
    # which loses where both have the name
    (
        {"name": "linear", "init_value": 1, "end_value": 0, "steps": 10},
        lrsched.linear(1, 0, 10),
    ),
]


@pytest.mark.parametrize(("given", "wanted"), ACCEPTED, ids=[str(row[0]) for row in ACCEPTED])
def test_configs_as_one_writes_them(given: Any, wanted: Schedule) -> None:
    assert from_config(given) == wanted
    if isinstance(given, dict):
        assert from_config({f"x{key}": value for key, value in given.items()}, "x") == wanted


def test_text_is_a_number_only_in_a_config() -> None:
    for make in (
        lambda: config.constant("1"),
        lambda: config.from_dict({"lrsched": 1, "schedule": "constant", "params": {"value": "1"}}),
        lambda: from_config({"lrsched": 1, "schedule": "constant", "params": {"value": "1"}}),
        lambda: config.from_repr("constant('1')"),
    ):
        with pytest.raises(TypeError, match="constant: value must be a finite number, got '1'"):
            make()


def test_none_is_passed_on_where_it_means_something() -> None:
    @lrsched.schedule
    def pausing(xp: Any, count: Any, steps: lrsched.Steps = 3, pause: OptionalPhase = 5) -> Any:
        return 0.0 * count

    found = from_config({"name": "pausing", "steps": None, "pause": None, "other": None})
    assert found == pausing(3, None) != pausing()


def test_every_public_recipe_has_its_name() -> None:
    public = {n for n in lrsched.__all__ if getattr(lrsched, n) in RECIPES.values()}
    assert public == set(RECIPES)
    for name in RECIPES:
        maker = find_builder(name)
        assert maker.make is getattr(lrsched, name)
        for parameter, slot in maker.slots.items():
            numeric = parameter not in ("schedule", "shape", "rule")
            assert (slot.item_type in (int, float)) == numeric, (name, parameter)


KNOWN = (
    "constant_with_warmup",
    "cosine",
    "cosine_warmup_with_min_lr",
    "cosine_with_min_lr",
    "cosine_with_restarts",
    "deepseek",
    "infinite",
    "noam",
    "scale_for_batch_size",
    "slanted_triangular",
    "tri_stage",
    "untuned_linear_warmup",
    "warmup_cosine",
    "warmup_stable_decay",
    "with_restarts",
)
LINE = {"name": "linear", "init_value": 1, "end_value": 0, "steps": 10}
VALUE = (
    "a value must be a schedule, a duration, a number, a string, True, False, None, a tuple or a"
    " list, got"
)
ONE = {"name": "constant", "value": 1}
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (
        5,
        TypeError,
        "the config must be a mapping, an argparse.Namespace or a recipe as text, got 5",
    ),
    (
        [ONE],
        TypeError,
        "the config must be a mapping, an argparse.Namespace or a recipe as text, got "
        "[{'name': 'constant', 'value': 1}]",
    ),
    (
        lrsched.constant(1),
        TypeError,
        "the config must be a mapping, an argparse.Namespace or a recipe as text, got "
        "constant(value=1.0)",
    ),
    ("constant", ValueError, f"column 1: {VALUE} constant"),
    ("3", ValueError, "column 1: the recipe must be a schedule, got 3"),
    (
        "linear(1, 0, 0)",
        ValueError,
        "column 1: linear: steps must be an integer >= 1 (steps), got 0",
    ),
    ({}, ValueError, "a schedule must have one key 'name' or '_target_', got none"),
    ({"lr": 1}, ValueError, "a schedule must have one key 'name' or '_target_', got 'lr'"),
    (
        {"name": "constant", "_target_": "constant"},
        ValueError,
        "a schedule must have one key 'name' or '_target_', got 'name', '_target_'",
    ),
    ({"name": 3}, TypeError, "name must be the name of a schedule, got 3"),
    ({"name": "constant", 3: 4}, TypeError, "keys must be strings, got 3"),
    (
        {"name": "constan", "value": 1},
        ValueError,
        f"schedule must be one of {', '.join(sorted({*REGISTRY, *KNOWN}))}, got 'constan'"
        " (did you mean 'constant'?)",
    ),
    (
        {"_target_": "os.system", "command": "true"},
        ValueError,
        f"schedule must be one of {', '.join(sorted({*REGISTRY, *KNOWN}))}, got 'os.system'",
    ),
    (
        LINE | {"gamma": 0.5},
        TypeError,
        "linear: got an unexpected keyword argument 'gamma' (its parameters: init_value, end_value,"
        " steps)",
    ),
    (
        LINE | {"steps": None},
        TypeError,
        "linear: missing a required argument: 'steps' (its parameters: init_value, end_value,"
        " steps)",
    ),
    (
        LINE | {"steps": "10.5"},
        TypeError,
        "linear: steps must be an integer >= 1 (steps), got 10.5",
    ),
    (
        LINE | {"steps": "ten"},
        TypeError,
        "linear: steps must be an integer >= 1 (steps), got 'ten'",
    ),
    (LINE | {"steps": ""}, TypeError, "linear: steps must be an integer >= 1 (steps), got ''"),
    (LINE | {"steps": True}, TypeError, "linear: steps must be an integer >= 1 (steps), got True"),
    (LINE | {"steps": [5]}, TypeError, "linear: steps must be an integer >= 1 (steps), got (5,)"),
    (
        LINE | {"init_value": "nan"},
        ValueError,
        "linear: init_value must be a finite number, got nan",
    ),
    (
        LINE | {"init_value": "9" * 5000},
        ValueError,
        "linear: init_value must be a finite number, got inf",
    ),
    (
        LINE | {"init_value": "run_fraction(0.1)"},
        TypeError,
        "linear: init_value must be a finite number, got run_fraction(0.1)",
    ),
    (LINE | {"steps": "epochs(x)"}, ValueError, f"steps: column 8: {VALUE} x"),
    (
        LINE | {"steps": "5 (steps)"},
        ValueError,
        f"steps: column 1: schedule must be one of {', '.join(sorted(REGISTRY))}, got '5'",
    ),
    (
        LINE | {"steps": {"run": 0.5}},
        ValueError,
        "steps: a schedule must have one key 'name' or '_target_', got 'run'",
    ),
    (
        {"name": "staircase", "schedule": LINE | {"steps": 0}, "steps": 5},
        ValueError,
        "schedule: linear: steps must be an integer >= 1 (steps), got 0",
    ),
    (
        {"name": "staircase", "schedule": "linear", "steps": 5},
        TypeError,
        "staircase: schedule must be a schedule, got 'linear'",
    ),
    (
        {"name": "staircase", "schedule": "5", "steps": 5},
        TypeError,
        "staircase: schedule must be a schedule, got '5'",
    ),
    (
        {"name": "anneal", "init_value": 1, "end_value": 0, "steps": 5, "shape": "1"},
        ValueError,
        f"anneal: shape must be {' or '.join(map(repr, SHAPES))}, got '1'",
    ),
    (
        {
            "name": "join",
            "schedules": [
                ONE,
                {"name": "staircase", "steps": 3, "schedule": LINE | {"steps": "a()"}},
            ],
            "boundaries": [5],
        },
        ValueError,
        "schedules[1].schedule.steps: column 1: schedule must be one of "
        f"{', '.join(sorted(REGISTRY))}, got 'a'",
    ),
    (
        {"name": "join", "schedules": [ONE, {"name": "constant"}], "boundaries": [5]},
        TypeError,
        "schedules[1]: constant: missing a required argument: 'value' (its parameters: value)",
    ),
    (
        {"name": "exponential_decay", "init_value": 1, "decay_rate": 0.5, "staircase": "True"},
        TypeError,
        "exponential_decay: staircase must be True or False, got 'True'",
    ),
    (
        {"name": "noam", "model_size": "512", "steps": 4},
        TypeError,
        "noam: missing a required argument: 'warmup_steps' (its parameters: model_size,"
        " warmup_steps, factor)",
    ),
    (
        {"name": "noam", "model_size": "512", "warmup_steps": "0"},
        ValueError,
        "noam: warmup_steps must be an integer >= 1 (steps), got 0",
    ),
    (
        {"name": "cosine", "num_training_steps": 5},
        TypeError,
        "cosine: missing a required argument: 'learning_rate' (its parameters: learning_rate,"
        " num_training_steps, num_warmup_steps, num_cycles, min_lr, min_lr_rate)",
    ),
    (
        {"lrsched": 2, "schedule": "constant", "params": {"value": 1}},
        ValueError,
        'from_dict: the recipe must have "lrsched": 1 (its format), got 2',
    ),
    (
        {"name": "staircase", "steps": 5, "schedule": {"lrsched": 1, "schedule": "constant"}},
        TypeError,
        "schedule: constant: missing a required argument: 'value' (its parameters: value)",
    ),
    (
        OmegaConf.create({"name": "staircase", "schedule": {**LINE, "steps": "???"}, "steps": 5}),
        ValueError,
        "schedule.steps: the value cannot be had: Missing mandatory value: schedule.steps",
    ),
    (
        OmegaConf.create({**LINE, "steps": "${total_steps}"}),
        ValueError,
        "steps: the value cannot be had: Interpolation key 'total_steps' not found",
    ),
    (
        OmegaConf.create({"name": "multi_step_decay", "boundaries": [3, "???"]}),
        ValueError,
        "boundaries[1]: the value cannot be had: Missing mandatory value: boundaries[1]",
    ),
    (
        OmegaConf.create({"lrsched": 1, "schedule": "constant", "params": {"value": "???"}}),
        ValueError,
        "params.value: the value cannot be had: Missing mandatory value: params.value",
    ),
]


@pytest.mark.parametrize(("given", "error", "text"), REFUSED, ids=[row[2][:90] for row in REFUSED])
def test_bad_configs_are_refused_with_their_reason(
    given: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        from_config(given)
    assert str(raised.value) == f"from_config: {text}"
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize(
    ("given", "prefix", "text"),
    [
        (ONE, 3, "prefix must be a string, got 3"),
        (
            "constant(1)",
            "lr_",
            "prefix must be left out where the config is a recipe as text, got 'lr_'",
        ),
        (ONE, "lr_", "a schedule must have one key 'lr_name' or 'lr__target_', got none"),
        (
            {"lr_name": "constant", "lr_value": "a()"},
            "lr_",
            f"lr_value: column 1: schedule must be one of {', '.join(sorted(REGISTRY))}, got 'a'",
        ),
        (
            {"lr_name": "constant", "lr_values": 1},
            "lr_",
            "constant: missing a required argument: 'value' (its parameters: value)",
        ),
        ({"lr_name": []}, "lr_", "lr_name must be the name of a schedule, got []"),
    ],
)
def test_bad_prefixes(given: Any, prefix: Any, text: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        from_config(given, prefix)
    assert str(raised.value) == f"from_config: {text}"


def test_a_config_that_holds_itself() -> None:
    endless: dict[str, Any] = {"name": "staircase", "steps": 5}
    endless["schedule"] = endless
    with pytest.raises(ValueError, match="from_config: the config must not be nested this deeply"):
        from_config(endless)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')",
        "constant(__import__('os').system('x'))",
        "eval('1')",
        "[x()]",
    ],
)
def test_nothing_is_evaluated(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: Any) -> None:
        raise AssertionError("evaluated")

    monkeypatch.setattr(os, "system", forbidden)
    monkeypatch.setattr(builtins, "eval", forbidden)
    monkeypatch.setattr(importlib, "import_module", forbidden)
    for form in (text, {"name": text}, {"_target_": text}, ONE | {"value": text}):
        with pytest.raises(ValueError, match=r"^from_config: "):
            from_config(form)


_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
_words = st.sampled_from(
    ["linear", "staircase", "join", "noam", "cosine", "run_fraction(0.1)", "1e3", "(", "["]
)
_keys = st.sampled_from(["name", "_target_", "steps", "schedule", "schedules", "lrsched", "params"])
_configs = st.recursive(
    _leaves | _words,
    lambda inner: st.dictionaries(_keys, inner) | st.lists(inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=500)
@given(_configs | st.dictionaries(_keys | st.text(max_size=2), _leaves | _words | _configs))
def test_any_config_is_read_or_refused(given: Any) -> None:
    try:
        schedule = from_config(given)
    except (TypeError, ValueError) as refused:
        assert str(refused).startswith("from_config: ")  # noqa: PT017  # most of them are refused
    else:
        assert isinstance(schedule, Schedule)
