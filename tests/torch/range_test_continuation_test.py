"""Range tests in torch that go on: their further ramps, and their trainings at constant rates."""

import itertools
import math
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from tests.torch.range_test_task import RAMP, STEPS, UP, Groups, Task, Valley, gone_on, trainings


def step_of(task: Task, each: int) -> Any:
    """A step for updates of so many batches."""

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = task.loss(batch)
        (loss / each).backward()  # type: ignore[no-untyped-call]
        return loss

    return step


def alone(schedule: Any, steps: int, skipped: int = 0, each: int = 1) -> list[float]:
    """The losses of a test that goes on nowhere, on the batches after the first updates'."""
    task = Valley()
    start = skipped * each % len(task.batches)
    batches = task.batches[start:] + task.batches[:start]
    options: Any = {"step": step_of(task, each), "accumulate": each, "divergence": None}
    losses: list[float] = task.run(schedule, steps, batches=batches, **options).losses.tolist()
    return losses


@pytest.mark.parametrize("each", [1, 3])
def test_each_part_is_a_test_from_the_same_state(each: int) -> None:
    task = Valley()
    found, earlier, probe = gone_on(
        task, probe_repeats=3, step=step_of(task, each), accumulate=each
    )
    for ramp in (earlier, found):
        assert ramp.losses.tolist() == alone(ramp.schedule, len(ramp.losses), 0, each)
    for rate, repeat, losses in trainings(probe):
        expected = alone(lrsched.constant(rate), 15, 15 * repeat, each)
        assert losses == expected[: len(losses)]
    assert {len(losses) for *_, losses in trainings(probe)} > {15}  # some end before the others
    assert found.learning_rates[-1] > earlier.learning_rates[-1] == 0.01
    assert (found.label, earlier.stopped) == ("torch", "finished")
    assert sorted({repeat for _, repeat, _ in trainings(probe)}) == [0, 1, 2]
    used = [rate for (rate,) in task.used]
    ramps = [*earlier.learning_rates, *found.learning_rates]
    assert used[: len(ramps)] == ramps
    tried = [rate for rate, _, losses in trainings(probe) for _ in losses]
    assert sorted(used[len(ramps) :]) == sorted(tried)


def test_a_ramp_whose_loss_only_rises_is_followed_by_lower_rates() -> None:
    task = Valley()
    found = task.run(None, 60, low=0.5, high=50.0, divergence=None, max_steps=400)
    assert found.earlier is not None
    assert found.earlier.learning_rates[0] == 0.5 > found.learning_rates[0]
    assert found.suggest().suggested < 0.5


def test_it_goes_on_where_and_only_where_the_suggestion_is_uncertain() -> None:
    went: set[bool] = set()
    for high, steps in itertools.product((0.01, 1.0, 10.0), (50, 100, 200)):
        task = Valley()
        read = task.run(None, steps, high=high, max_steps=steps).suggest()
        task.seen.clear()
        found = task.run(None, steps, high=high)
        more = len(task.seen) > steps
        assert more == bool(read.warning or read.is_wide)
        assert (found.earlier is not None) == (more and read.still_falls)
        assert len(task.seen) <= 3 * steps
        went.add(more)
    assert went == {True, False}


@pytest.mark.parametrize(
    "options",
    [
        {**UP, "max_steps": 60},
        {**UP, "max_steps": 60, "refine": True},
        {"schedule": RAMP, "steps": STEPS},
        {"schedule": [RAMP, RAMP], "steps": STEPS},
        {"schedule": [RAMP, RAMP], "steps": STEPS, "max_steps": STEPS},
    ],
)
def test_it_does_not_go_on(options: dict[str, Any]) -> None:
    task = Groups(1.0, 1.0)
    found = task.run(options.pop("schedule", None), **options)
    assert found.earlier is None
    assert found.probe is None
    assert len(task.seen) == len(found.losses) == options["steps"]


@pytest.mark.parametrize("refine", [False, True])
def test_the_length_of_trainings(refine: bool) -> None:
    """In multiples of the updates that are left, or as it is asked for; at least three of them."""
    ramp = lrsched.exponential_ramp(1e-7, 0.01, 59)
    for more, asked, length in (
        (200, None, 66 if refine else 50),
        (900, None, 100 if refine else 150),
        (200, 20, 20),
        (60, 40, 20),
    ):
        found = Valley().run(ramp, 60, max_steps=60 + more, refine=refine, probe_steps=asked)
        assert found.probe is not None
        assert found.probe.losses.shape[1:] == (2 if refine else 1, length)


def test_a_schedule_of_ones_own_has_trainings_and_no_further_ramp() -> None:
    for more in ({"max_steps": 200}, {"refine": True}):
        task = Valley()
        found = task.run(lrsched.exponential_ramp(1e-7, 0.01, 59), 60, **more)
        assert found.earlier is None
        assert found.probe is not None


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    steps=st.integers(20, 80),
    more=st.integers(0, 200),
    refine=st.booleans(),
    probe_steps=st.none() | st.integers(1, 60),
    high=st.sampled_from([1e-3, 1e-2, 0.3]),
)
def test_never_more_updates_than_max_steps(
    steps: int, more: int, refine: bool, probe_steps: int | None, high: float
) -> None:
    task = Valley()
    task.run(
        *(None, steps),
        high=high,
        max_steps=steps + more,
        refine=refine,
        probe_steps=probe_steps,
    )
    assert steps <= len(task.used) <= steps + more


def test_metrics_are_those_of_each_ramp() -> None:
    task = Valley()
    calls: list[int] = []

    def metrics() -> dict[str, Any]:
        calls.append(len(task.seen))
        return {"norm": task.weights[0].norm()}

    found, earlier, _ = gone_on(task, metrics=metrics, every=7)
    for ramp in (earlier, found):
        rows = ramp.metrics["norm"]
        assert rows[:, 0].tolist() == list(range(0, len(ramp.losses), 7))
        assert rows[0, 1] == pytest.approx(math.sqrt(2.0))  # at the start
        assert len(set(rows[:, 1])) > len(rows) // 2
    assert earlier.metrics["norm"][1, 1] > found.metrics["norm"][1, 1]  # from a higher rate on
    assert max(calls) < len(earlier.losses) + len(found.losses)  # there are none in trainings


def test_the_log_has_the_first_ramp_only() -> None:
    rows: list[Any] = []
    _, earlier, _ = gone_on(Valley(), log=lambda values, step: rows.append((step, values)))
    assert [step for step, _ in rows] == list(range(len(earlier.losses)))
    assert [x["learning_rate"] for _, x in rows] == earlier.learning_rates.tolist()
    assert [x["loss"] for _, x in rows] == earlier.losses.tolist()


def test_few_losses_are_followed_by_nothing() -> None:
    task = Task()
    assert task.run(RAMP, 3, refine=True).probe is None
    assert len(task.seen) == 3
