"""Recipes from configs of OmegaConf, of Hydra, and of YAML."""

import importlib
from typing import Any

from tests.optional import needs

needs("omegaconf")

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, ListConfig, OmegaConf

import lrsched
from lrsched import Schedule, from_config, run_fraction
from tests.formats.forms import FORMS, LIBRARY_FORMS
from tests.strategies import BY_NAME, schedules


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


@pytest.mark.parametrize("form", LIBRARY_FORMS)
@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_schedule_in_every_form(name: str, form: str) -> None:
    @settings(max_examples=4)
    @given(BY_NAME[name])
    def check(schedule: Schedule) -> None:
        found = from_config(LIBRARY_FORMS[form](schedule))
        assert found == schedule
        assert repr(found) == repr(schedule)

    check()


@settings(max_examples=50)
@given(schedules, st.sampled_from(sorted(LIBRARY_FORMS)))
def test_nested_schedules_in_every_form(schedule: Schedule, form: str) -> None:
    assert from_config(LIBRARY_FORMS[form](schedule)) == schedule


@settings(max_examples=150)
@given(schedules, st.sampled_from(["lr_", "optimizer.lr.", "é"]))
def test_a_prefix_takes_what_begins_with_it(schedule: Schedule, prefix: str) -> None:
    entries = {f"{prefix}{key}": value for key, value in FORMS["text"](schedule).items()}
    others = {"name": "adam", "batch_size": 7, "l": None, 3: 4}
    assert from_config(OmegaConf.create(entries | others), prefix) == schedule


LINE = {"name": "linear", "init_value": 1, "end_value": 0, "steps": 10}
REFUSED: list[tuple[Any, type[Exception], str]] = [
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


NEMO = """
name: run
train_dataset: ???
exp_dir: "${oc.env:NO_SUCH_VARIABLE}"
model:
  restore_from_path: ???
  train_ds:
    manifest: ${train_dataset}
  optim:
    lr: 1e-3
    sched:
      name: WarmupPolicy
      warmup_steps: 9
      max_steps: 100
trainer:
  devices: ???
"""


def test_values_that_the_rate_does_not_need_may_be_missing() -> None:
    without = OmegaConf.create({"optim": OmegaConf.create(NEMO).model.optim})
    assert from_config(OmegaConf.create(NEMO)) == from_config(without)


def test_values_that_the_rate_needs_may_not() -> None:
    config = OmegaConf.create(NEMO)
    config.model.optim.lr = "???"
    text = "from_config: model.optim.lr: the value cannot be had: Missing mandatory value: model.op"
    with pytest.raises(ValueError, match=text):
        from_config(config)
    config = OmegaConf.create(NEMO)
    config.trainer = "${no_such_key}"
    with pytest.raises(ValueError, match="from_config: trainer: the value cannot be had: Interp"):
        from_config(config)
