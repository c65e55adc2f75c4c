"""Rates in CUDA graphs and in compiled updates, by `on_device` and by `lambda_lr`."""

from tests.gpu.devices import TORCH_WARNINGS, needs_torch_device

needs_torch_device()

import pytest
import torch

from lrsched import Schedule
from lrsched_torch import lambda_lr
from tests.gpu.torch_updates import (
    LIMIT,
    SCHEDULES,
    Replayed,
    Training,
    compiled_rates,
    on_the_device,
    replayed_rates,
    worst,
)

STEPS = 60
pytestmark = TORCH_WARNINGS
EACH = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)


@EACH
def test_a_graph_of_the_step_has_the_rates_of_the_schedule(schedule: Schedule) -> None:
    assert worst(schedule, replayed_rates(schedule, STEPS)) <= LIMIT


def test_a_graph_holds_compiled_rates_too() -> None:
    schedule = SCHEDULES[1]
    assert worst(schedule, replayed_rates(schedule, STEPS, compiles=True)) <= LIMIT


@pytest.mark.parametrize("schedule", SCHEDULES[:2], ids=lambda schedule: schedule.name)
def test_an_update_is_compiled_once_for_all_its_rates(schedule: Schedule) -> None:
    rates, compilations = compiled_rates(schedule, STEPS)
    assert worst(schedule, rates) <= LIMIT
    assert compilations == 1


@EACH
def test_a_graph_uses_the_rates_that_lambda_lr_fills_in(schedule: Schedule) -> None:
    """The weights are those of a training without a graph."""
    weights, rates = [], []
    for wrap in (Replayed, lambda step: step):
        training = Training(on_the_device())
        scheduler = lambda_lr(training.optimizer, schedule)
        step = wrap(training.update)
        for count in range(STEPS):
            assert float(training.rate()) == float(torch.tensor(schedule(count)))
            step()
            scheduler.step()
        weights.append(training.model.weight.detach())
        rates.append(scheduler.get_last_lr())
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(*rates, rtol=0.0, atol=0.0)
    frozen = Training(on_the_device(schedule(0)))
    step = Replayed(frozen.update)
    for _ in range(STEPS):
        step()
    assert (frozen.model.weight - weights[0]).abs().max() > 1e-4  # the rates matter
