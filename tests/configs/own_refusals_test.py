"""Configs that hold no recipe, and what is said about them."""

import builtins
import importlib
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule, from_config
from lrsched._numerics.shapes import SHAPES
from lrsched.configs.formats import FORMATS
from lrsched.formats.names import known_names

OTHERS = ", or be a configuration of " + ", ".join(
    sorted((each.title for each in FORMATS.values()), key=str.lower)
)
RECIPES, BUILDERS = "<the names of recipes>", "<these and those of transformers>"


def with_names(text: str) -> str:
    """The text with the names that are known now: other tests add some."""
    recipes, builders = known_names(), {*known_names(), *KNOWN}
    text = text.replace(RECIPES, ", ".join(sorted(recipes)))
    return text.replace(BUILDERS, ", ".join(sorted(builders)))


KNOWN = (
    "constant_with_warmup",
    "cosine",
    "cosine_warmup_with_min_lr",
    "cosine_with_min_lr",
    "cosine_with_restarts",
    "deepseek",
    "eden",
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
        "the config must be a mapping, an argparse.Namespace, a dataclass or a recipe as text, "
        "got 5",
    ),
    (
        [ONE],
        TypeError,
        "the config must be a mapping, an argparse.Namespace, a dataclass or a recipe as text, got "
        "[{'name': 'constant', 'value': 1}]",
    ),
    (
        lrsched.constant(1),
        TypeError,
        "the config must be a mapping, an argparse.Namespace, a dataclass or a recipe as text, got "
        "constant(value=1.0)",
    ),
    ("constant", ValueError, f"column 1: {VALUE} constant"),
    ("3", ValueError, "column 1: the recipe must be a schedule, got 3"),
    (
        "linear(1, 0, 0)",
        ValueError,
        "column 1: linear: steps must be a number >= 1 (steps), got 0",
    ),
    (
        "runs/config.yaml",
        ValueError,
        "the config must be what the file holds (the command `lrsched convert` reads files), got "
        "'runs/config.yaml'",
    ),
    ({}, ValueError, f"a schedule must have one key 'name' or '_target_'{OTHERS}, got none"),
    (
        {"lr": 1},
        ValueError,
        f"a schedule must have one key 'name' or '_target_'{OTHERS}, got 'lr'",
    ),
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
        f"did you mean 'constant'? schedule must be one of {BUILDERS}, got 'constan'",
    ),
    (
        {"_target_": "os.system", "command": "true"},
        ValueError,
        f"schedule must be one of {BUILDERS}, got 'os.system'",
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
        LINE | {"steps": "0.5"},
        ValueError,
        "linear: steps must be a number >= 1 (steps); a share of the run is run_fraction(0.5), "
        "got 0.5",
    ),
    (
        LINE | {"steps": "ten"},
        TypeError,
        "linear: steps must be a number >= 1 (steps), got 'ten'",
    ),
    (LINE | {"steps": ""}, TypeError, "linear: steps must be a number >= 1 (steps), got ''"),
    (LINE | {"steps": True}, TypeError, "linear: steps must be a number >= 1 (steps), got True"),
    (LINE | {"steps": [5]}, TypeError, "linear: steps must be a number >= 1 (steps), got (5,)"),
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
        f"steps: column 1: schedule must be one of {RECIPES}, got '5'",
    ),
    (
        LINE | {"steps": {"run": 0.5}},
        ValueError,
        "steps: a schedule must have one key 'name' or '_target_', got 'run'",
    ),
    (
        {"name": "staircase", "schedule": LINE | {"steps": 0}, "steps": 5},
        ValueError,
        "schedule: linear: steps must be a number >= 1 (steps), got 0",
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
        f"schedules[1].schedule.steps: column 1: schedule must be one of {RECIPES}, got 'a'",
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
]


@pytest.mark.parametrize(("given", "error", "text"), REFUSED, ids=[row[2][:90] for row in REFUSED])
def test_bad_configs_are_refused_with_their_reason(
    given: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        from_config(given)
    assert str(raised.value) == f"from_config: {with_names(text)}"
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
        (ONE, "lr_", f"a schedule must have one key 'lr_name' or 'lr__target_'{OTHERS}, got none"),
        (
            {"lr_name": "constant", "lr_value": "a()"},
            "lr_",
            f"lr_value: column 1: schedule must be one of {RECIPES}, got 'a'",
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
    assert str(raised.value) == f"from_config: {with_names(text)}"


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
