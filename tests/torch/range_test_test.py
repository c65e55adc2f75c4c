"""Range tests in torch: which rates are used and recorded, and when they stop."""

import itertools
from collections.abc import Iterator
from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

import lrsched
from tests.torch.range_test_task import RAMP, STEPS, Task, end


@pytest.mark.parametrize(
    "schedule",
    [
        RAMP,
        lrsched.linear(0.0, 0.3, 19),
        lrsched.cyclic(0.01, 0.2, 5),
        lrsched.exponential_ramp(1e-2, 1.0, 19) * lrsched.warmup_cosine(0.2, 20, 4),
    ],
    ids=repr,
)
def test_the_rates_recorded_are_those_used(schedule: Any) -> None:
    task = Task()
    found = task.run(schedule)
    assert [[rate] for rate in found.learning_rates] == task.used
    assert found.learning_rates.tolist() == [schedule(count) for count in range(STEPS)]
    assert (found.stopped, found.schedule, found.label) == ("finished", schedule, "torch")


@pytest.mark.parametrize("steps", [1, 2, 50])
def test_by_default_both_ends_of_the_ramp_are_used(steps: int) -> None:
    task = Task()
    found = task.run(None, steps, max_steps=steps, divergence=None)
    ends = [1e-7, 10.0] if steps > 1 else [1e-7]
    assert found.learning_rates[[0, -1][: len(ends)]].tolist() == pytest.approx(ends, rel=1e-12)


def test_a_tensor_is_filled_in_place_and_recorded_as_it_is() -> None:
    tensor = torch.tensor(0.5)
    task = Task(tensor)
    found = task.run()
    assert [[rate] for rate in found.learning_rates] == task.used
    assert found.learning_rates.tolist() == [torch.tensor(RAMP(n)).item() for n in range(STEPS)]
    assert task.optimizer.param_groups[0]["lr"] is tensor
    assert tensor.item() == 0.5


def test_the_groups_keep_their_ratios() -> None:
    task = Task(0.4, 0.1, 0.8, 0.0)
    found = task.run()
    assert task.used == [[x * 0.5, x * 0.125, x, 0.0] for x in found.learning_rates]
    assert [group["lr"] for group in task.optimizer.param_groups] == [0.4, 0.1, 0.8, 0.0]


def test_the_groups_have_the_ratios_that_they_were_made_with() -> None:
    """A warmup may be at 0 for all of them."""
    task = Task(0.4, 0.1)
    torch.optim.lr_scheduler.LinearLR(task.optimizer, 1e-9)
    for group in task.optimizer.param_groups:
        group["lr"] = 0.0
    found = task.run()
    assert task.used == [[x, x * 0.25] for x in found.learning_rates]


def test_all_groups_the_same_and_each_its_own() -> None:
    task = Task(0.4, 0.1)
    found = task.run(keep_ratios=False)
    assert task.used == [[x, x] for x in found.learning_rates]
    task = Task(0.4, 0.0)
    other = lrsched.linear(1e-2, 0.0, STEPS)
    found = task.run([RAMP, other])
    assert task.used == [[RAMP(n), other(n)] for n in range(STEPS)]
    assert found.schedule == RAMP


def test_it_stops_at_divergence() -> None:
    ramp = lrsched.exponential_ramp(1e-3, 100.0, 49)
    losses = Task().run(ramp, 50, divergence=None).losses.tolist()
    for divergence in (4.0, 1e6):
        found = Task().run(ramp, 50, divergence=divergence)
        assert found.stopped == "diverged"
        assert found.losses.tolist() == losses[: end(losses, divergence)]
        assert len(found.learning_rates) == len(found.losses) < 50
    for never in (None, float("inf")):
        assert len(Task().run(ramp, 43, divergence=never).losses) == 43


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_it_stops_at_the_first_loss_that_is_not_finite(bad: float) -> None:
    task = Task()
    found = task.run(step=lambda batch: task.step(batch) + (bad if len(task.seen) == 6 else 0))
    assert (found.stopped, len(found.losses), len(task.seen)) == ("nonfinite", 5, 6)
    assert np.isfinite(found.losses).all()


def test_what_can_be_begun_anew_is_and_what_cannot_ends_the_test() -> None:
    task = Task(batches=7)
    assert task.run().stopped == "finished"
    assert all(map(torch.equal, task.seen, itertools.cycle(task.batches)))
    for one_shot in (iter(task.batches), (batch for batch in task.batches), zip(task.batches)):
        task.seen.clear()
        step = task.step if not isinstance(one_shot, zip) else lambda b: task.step(b[0])
        found = task.run(step=step, batches=one_shot)
        assert (found.stopped, len(found.losses), len(task.seen)) == ("exhausted", 7, 7)
    found = task.run(batches=iter(task.batches), accumulate=3)
    assert (found.stopped, len(found.losses)) == ("exhausted", 2)


def test_an_iterator_that_begins_anew_when_it_is_asked() -> None:
    task = Task()

    class Loader:
        def __iter__(self) -> Iterator[torch.Tensor]:
            self.left: list[torch.Tensor] = list(task.batches)
            return self

        def __next__(self) -> torch.Tensor:
            if not self.left:
                raise StopIteration
            return self.left.pop(0)

    assert task.run(batches=Loader()).stopped == "finished"
    assert all(map(torch.equal, task.seen, itertools.cycle(task.batches)))


def test_batches_without_a_length() -> None:
    class Stream(IterableDataset[torch.Tensor]):
        def __iter__(self) -> Iterator[torch.Tensor]:
            return iter(task.batches)

    task = Task()
    loader: Any = DataLoader(Stream(), batch_size=None)
    assert task.run(batches=loader).stopped == "finished"


@pytest.mark.parametrize("nothing", [[], iter(()), DataLoader([])])  # type: ignore[arg-type]
def test_no_batch_at_all(nothing: Any) -> None:
    with pytest.raises(ValueError, match="range_test: batches must be an iterable of at least one"):
        Task().run(batches=nothing)
