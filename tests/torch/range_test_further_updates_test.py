"""The updates of further ramps and trainings: groups, scalers, closures, hooks, skipped batches."""

from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from lrsched_torch import range_test
from tests.torch.range_test_task import REFINED, UP, Groups, Valley, gone_on, scaled, trainings


@pytest.mark.parametrize(
    ("lrs", "options", "ratios"),
    [
        ((1.0, 0.25), {}, (1.0, 0.25)),
        ((0.25, 1.0), {}, (0.25, 1.0)),
        ((1.0, 0.25), {"reference_group": 1}, (4.0, 1.0)),
        ((1.0, 0.25), {"keep_ratios": False}, (1.0, 1.0)),
        ((torch.tensor(1.0), 0.25), {}, (1.0, 0.25)),
        ((1.0, torch.tensor(0.25)), {"reference_group": 1}, (4.0, 1.0)),
    ],
)
def test_the_groups_keep_their_ratios_in_every_part(lrs: Any, options: Any, ratios: Any) -> None:
    task = Groups(*lrs)
    found, earlier, probe = gone_on(task, **options)
    assert found.ratios == earlier.ratios == ratios
    reference = ratios.index(1.0)
    tensors = [isinstance(lr, torch.Tensor) for lr in lrs]
    for used in task.used:
        wanted = [used[reference] * ratio for ratio in ratios]
        assert used == pytest.approx(wanted, rel=1e-7 if any(tensors) else 1e-15)
    assert {used[reference] for used in task.used} == {
        *earlier.learning_rates,
        *found.learning_rates,
        *probe.learning_rates,
    }  # to the last bit, also where the rate is a tensor of float32
    assert [float(group["lr"]) for group in task.optimizer.param_groups] == [float(x) for x in lrs]


def test_the_hook_before_an_update_in_every_part() -> None:
    task, calls = Valley(), []

    def clip() -> None:
        calls.append(float(clip_grad_norm_(task.weights, 5.0)))

    found, earlier, probe = gone_on(task, before_update=clip)
    assert len(calls) == len(task.used)
    assert max(calls) > 5.0
    assert len(calls) >= len(found.losses) + len(earlier.losses) + probe.updates


def test_a_step_may_skip_a_batch_in_every_part() -> None:
    """The trainings are those on the batches that are left."""
    task, other = Valley(), Valley()

    def step(batch: torch.Tensor) -> torch.Tensor | None:
        return None if batch is task.batches[2] else task.step(batch)

    del other.batches[2]
    options: Any = {"probe_repeats": 1}
    (found, earlier, probe), wanted = gone_on(task, step=step, **options), gone_on(other, **options)
    for made, expected in ((found, wanted[0]), (earlier, wanted[1]), (probe, wanted[2])):
        assert made.learning_rates.tolist() == expected.learning_rates.tolist()
        np.testing.assert_array_equal(made.losses, expected.losses)


@pytest.mark.parametrize("where", ["further ramp", "training", "every training"])
def test_updates_that_a_scaler_skips_in_a_later_part(where: str) -> None:
    """They are repeated on other batches, and the scale is that of the start for each part."""
    whole, _, _ = gone_on(Valley())
    first = UP["steps"] + (5 if where == "further ramp" else len(whole.losses) + 5)
    task = Valley()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    infinite = range(first, 10**6 if where == "every training" else first + 2)
    scales: list[float] = []
    plain = scaled(task, scaler, infinite)

    def step(batch: torch.Tensor) -> torch.Tensor:
        scales.append(scaler.get_scale())
        loss: torch.Tensor = plain(batch)
        return loss

    found = task.run(None, **REFINED, step=step, scaler=scaler)
    assert scaler.get_scale() == 4.0
    assert found.earlier is not None
    if where == "every training":
        assert set(scales[:first]) == {4.0}
        assert found.probe is not None
        assert {len(losses) for *_, losses in trainings(found.probe)} == {5}
        return
    assert found.probe is not None
    assert len(task.seen) == len(task.used) + 2
    assert scales[first : first + 3] == [4.0, 2.0, 1.0]
    assert set(scales[first + 60 :]) == {4.0}


def test_closures_in_every_part() -> None:
    """As of L-BFGS, whose first steps are as long as the rate."""
    weight = nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = torch.optim.LBFGS([weight], max_iter=2)

    def loss_of(weight: torch.Tensor) -> torch.Tensor:
        return ((weight**2).sum() + 1.0).log()

    def step(batch: Any) -> torch.Tensor:
        loss = loss_of(weight)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    found = range_test(step, optimizer, [0], None, high=1e-3, refine=True, progress=False)
    assert found.earlier is not None
    assert found.probe is not None
    assert weight.tolist() == [3.0, -2.0]
    assert not optimizer.state
    for rate, _, losses in trainings(found.probe):
        twin = nn.Parameter(torch.tensor([3.0, -2.0]))
        other = torch.optim.LBFGS([twin], lr=rate, max_iter=2)

        def closure() -> Any:
            other.zero_grad()  # noqa: B023
            loss = loss_of(twin)  # noqa: B023
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        assert losses == [other.step(closure).item() for _ in losses]  # type: ignore[no-untyped-call]
