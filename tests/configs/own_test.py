"""Recipes from configs, as mappings and from argparse."""

import argparse
import re
import types
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule, epochs, from_config, run_fraction
from lrsched._core.definition import REGISTRY
from lrsched._core.kinds import OptionalPhase
from lrsched.configs.formats import FORMATS
from lrsched.formats.transformers_names import BUILDERS
from tests.formats.forms import FORMS
from tests.strategies import BY_NAME, schedules

config: Any = lrsched
DOC = from_config.__doc__ or ""


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
    with pytest.raises((TypeError, ValueError)):
        from_config(entries | others)


def test_help_names_what_is_both_ours_and_transformers() -> None:
    (names,) = re.findall(r"several have the name, as with\s(.*?), the first", DOC, re.DOTALL)
    assert re.findall(r'"(\w+)"', names) == sorted({*REGISTRY, *lrsched.__all__} & {*BUILDERS})


def test_help_lists_every_format_with_its_parts() -> None:
    table = DOC.split("parts\n\n")[1].split("\n\n")[0]
    rows = re.split(r'^ +(?="\w+"  )', table, flags=re.MULTILINE)[1:]
    named = [re.findall(r'"(\w+)"', row) for row in rows]
    assert named == [[name, *FORMATS[name].parts] for name in sorted(FORMATS)]


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
    (CYCLIC | {"up_steps": epochs(2)}, lrsched.cyclic(0, 1, epochs(2))),
    (
        {"name": "staircase", "schedule": lrsched.constant(1.0), "steps": epochs(2)},
        lrsched.staircase(lrsched.constant(1.0), epochs(2)),
    ),
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
    makes: tuple[Callable[[], Any], ...] = (
        lambda: config.constant("1"),
        lambda: config.from_dict({"lrsched": 1, "schedule": "constant", "params": {"value": "1"}}),
        lambda: from_config({"lrsched": 1, "schedule": "constant", "params": {"value": "1"}}),
        lambda: config.from_repr("constant('1')"),
    )
    for make in makes:
        with pytest.raises(TypeError, match="constant: value must be a finite number, got '1'"):
            make()


def test_none_is_passed_on_where_it_means_something() -> None:
    @lrsched.schedule
    def pausing(xp: Any, count: Any, steps: lrsched.Steps = 3, pause: OptionalPhase = 5) -> Any:
        return 0.0 * count

    found = from_config({"name": "pausing", "steps": None, "pause": None, "other": None})
    assert found == pausing(3, None) != pausing()


def test_lengths_are_resolved_by_what_the_call_gives() -> None:
    decay = {"name": "cosine_decay", "init_value": 0.1, "decay_steps": "examples(25600)"}
    open_end = lrsched.cosine_decay(0.1, lrsched.examples(25_600))
    assert from_config(decay) == open_end
    assert from_config(decay, batch_size=256, total_steps=7) == lrsched.cosine_decay(0.1, 100)
    sizes = lrsched.piecewise_constant((128, 256), (100,))
    assert from_config(decay, batch_size=sizes, total_steps=7) == open_end.resolve(batch_size=sizes)
    assert from_config(repr(open_end), batch_size=256) == lrsched.cosine_decay(0.1, 100)
    with pytest.raises(ValueError, match=r"from_config: batch_size must be a number >= 1e-18"):
        from_config(decay, batch_size=0)
