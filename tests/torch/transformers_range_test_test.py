"""Range tests of a Trainer of transformers: what they record, and that they leave nothing."""

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("torch")
needs("transformers")

import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from torch.utils.data import IterableDataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

import lrsched
from lrsched_torch import range_test as range_test_of_step
from lrsched_torch.transformers import range_test
from tests.processes import outputs, start
from tests.torch.training_run import Planned
from tests.torch.transformers_trainer import (
    EXAMPLES,
    FATES,
    PLACES,
    RAMP,
    STEPS,
    Data,
    Net,
    Plan,
    World,
    image,
    state_of,
    training_arguments,
)


@pytest.fixture(autouse=True)
def no_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `train` collects garbage, which takes half a second where much is imported."""
    monkeypatch.setattr("accelerate.utils.memory.gc.collect", lambda: 0)


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulated": {"gradient_accumulation_steps": 2, "prior": True},
    "optimizer": {"optimizer": "given", "neftune_noise_alpha": None, "max_grad_norm": 0.0},
    "scheduler": {"optimizer": "with a scheduler", "prior": True, "bf16": True},
    "eager": {"eval_on_start": True, "save_strategy": "steps", "eval_strategy": "steps"}
    | {"save_steps": 2, "load_best_model_at_end": True, "auto_find_batch_size": True},
}


@functools.cache
def undisturbed(kind: str) -> Any:
    """What a training ends with that has no range test before it."""
    with tempfile.TemporaryDirectory() as folder:
        return World(Path(folder), **KINDS[kind]).train()


@settings(max_examples=40, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    kind=st.sampled_from(sorted(KINDS)),
    fate=st.sampled_from(FATES),
    place=st.sampled_from(PLACES),
    at=st.integers(0, 6),
)
@example("scheduler", "finished", "loss", 0)
@example("eager", "diverged", "loss", 2)
@example("plain", KeyboardInterrupt, "loss", 3)
@example("accumulated", Planned, "optimizer", 3)
def test_training_goes_on_as_if_there_had_been_no_test(
    kind: str, fate: Any, place: str, at: int
) -> None:
    wanted = undisturbed(kind)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), **KINDS[kind])
        files, calls = sorted(Path(folder).rglob("*")), world.watcher.calls
        before = state_of(world.trainer)
        if isinstance(fate, type):
            with pytest.raises(fate, match="planned"):
                world.test(fate, place, at)
        else:
            found = world.test(fate, place, at)
            assert found.stopped == (fate if place == "loss" else "finished")
            assert len(found.metrics["one"]) == -(-len(found.losses) // 2)
        assert sum(world.plan.calls.values())
        assert state_of(world.trainer) == before
        assert world.watcher.calls == calls
        assert sorted(Path(folder).rglob("*")) == files
        assert world.train() == wanted
