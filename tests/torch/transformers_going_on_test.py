"""Range tests of a Trainer that go on: as one of a training step does, and leaving no trace."""

import tempfile
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("torch")
needs("transformers")

import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from torch.utils.data import IterableDataset, SequentialSampler
from transformers import Trainer

from lrsched.range_test import RangeTest
from lrsched_torch.transformers import range_test
from tests.torch.bowl import BATCH, CASES, Bowl, Targets, check_goes_on, check_same, sgd
from tests.torch.training_run import Planned
from tests.torch.transformers_range_test_test import KINDS
from tests.torch.transformers_trainer import World, state_of, training_arguments


@pytest.fixture(autouse=True)
def no_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `train` collects garbage, which takes half a second where much is imported."""
    monkeypatch.setattr("accelerate.utils.memory.gc.collect", lambda: 0)


class Ordered(Trainer):
    """Takes the examples in their order."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        rows: Any = self.train_dataset
        return SequentialSampler(rows)


def trainer_of(folder: Path, data: Any, updates: list[float], **given: Any) -> Any:
    bowl, options = Bowl(), {"max_grad_norm": 0.0, **given}
    arguments = training_arguments(folder, per_device_train_batch_size=BATCH, **options)
    return Ordered(bowl, arguments, train_dataset=data, optimizers=(sgd(bowl, updates), None))


def check(case: str, folder: Path, scaler: Any = None, **given: Any) -> None:
    """Check a case with these arguments of a training, which adds the losses of batches."""
    wanted: Any = {"accumulate": given.get("gradient_accumulation_steps", 1)}
    wanted |= {"clipped": given.get("max_grad_norm", 0.0)}
    updates: list[float] = []

    def run(batches: Any, **options: Any) -> RangeTest:
        trainer = trainer_of(folder, batches.dataset, updates, **given)
        trainer.accelerator.scaler = scaler
        before = state_of(trainer)
        found = range_test(trainer, **options)
        assert state_of(trainer) == before
        return found

    check_goes_on(case, run, updates, 0.0 if wanted["accumulate"] == 1 else 2.0**-23, **wanted)


@pytest.mark.parametrize("case", CASES)
def test_it_goes_on_as_a_test_of_a_step(case: str, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("case", ["higher rates", "refined"])
def test_it_goes_on_with_accumulated_batches_and_clipping(case: str, tmp_path: Path) -> None:
    check(case, tmp_path, gradient_accumulation_steps=2, max_grad_norm=0.5)


def test_a_scaler_does_not_mind_batches_that_are_passed_over(tmp_path: Path) -> None:
    """It needs gradients whenever the optimizer is stepped."""
    check("refined", tmp_path, torch.amp.GradScaler("cpu", init_scale=8.0))


class Stream(IterableDataset[dict[str, torch.Tensor]]):
    """Examples in their order, until so many were drawn."""

    def __init__(self, noise: float, left: int) -> None:
        self.targets = Targets(noise)
        self.drawn, self.left = 0, left

    def __iter__(self) -> Any:
        while self.drawn < self.left:
            self.drawn += 1
            yield self.targets[(self.drawn - 1) % len(self.targets)]


def test_it_goes_on_no_further_where_the_data_ends(tmp_path: Path) -> None:
    needs("transformers", "transformers>=5")  # older ones have an error of their own
    options = {**CASES["trainings"][0]}
    noise, few = options.pop("noise"), {"accelerator_config": {"dispatch_batches": False}}
    tests: list[RangeTest] = []
    for updates in (1000, 60):
        trainer = trainer_of(tmp_path, Stream(noise, updates * BATCH), [], **few)
        tests.append(range_test(trainer, progress=False, **options))
    assert tests[0].probe is not None
    assert tests[1].probe is None
    assert tests[0].losses.tolist() == tests[1].losses.tolist()


# A ramp of 20 updates, and trainings of 5, of one or two batches each.
REFINED: dict[str, Any] = {"schedule": None, "steps": 20, "low": 1e-3, "high": 10.0}
REFINED |= {"refine": True, "probe_steps": 5, "max_steps": 60}


@settings(max_examples=7, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    kind=st.sampled_from(sorted(KINDS)),
    fate=st.sampled_from(["finished", Planned, KeyboardInterrupt]),
    place=st.sampled_from(["loss", "collator", "data", "optimizer"]),
    at=st.integers(42, 55),
)
@example("plain", "finished", "", 0)
@example("accumulated", Planned, "optimizer", 30)
def test_nothing_is_left_of_trainings(kind: str, fate: Any, place: str, at: int) -> None:
    """Also where something in the middle of one raises."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), **KINDS[kind])
        before = state_of(world.trainer)
        if isinstance(fate, type):
            at = at * BATCH if place == "data" else at
            with pytest.raises(fate, match="planned"):
                world.test(fate, place, at, **REFINED)
            assert world.plan.calls["optimizer"] > 20
        else:
            found = world.test(fate, place, at, **REFINED)
            assert found.probe is not None
            again = world.test(fate, place, at, **REFINED)
            check_same(again, found)
        assert state_of(world.trainer) == before
