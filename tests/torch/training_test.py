"""Schedules in torch's ways to train: averaged weights, scaled gradients, several processes."""

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.swa_utils import SWALR, AveragedModel

import lrsched
from lrsched_torch import lambda_lr
from tests.processes import outputs, start
from tests.scripts.torch_train_ranks import RECIPE, SAVED, UPDATES


class Run:
    """A weight whose gradient is always 1, and the learning rates of its updates."""

    def __init__(self) -> None:
        self.net = torch.nn.Linear(1, 1, bias=False)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=1.0)
        self.rates: list[float] = []
        self.optimizer.register_step_pre_hook(
            lambda optimizer, *_: self.rates.append(optimizer.param_groups[0]["lr"])
        )

    def update(self) -> None:
        self.optimizer.zero_grad()
        self.net(torch.ones(1, 1)).sum().backward()
        self.optimizer.step()


def lrs_of(optimizer: torch.optim.Optimizer) -> list[float]:
    return [group["lr"] for group in optimizer.param_groups]


# Averaged weights

BEGIN, EPOCHS, LOW = 6, 5, 0.02


class Averaging(Run):
    """As torch's documentation has it, with SWALR; or with one schedule."""

    def __init__(self, strategy: Any = "") -> None:
        super().__init__()
        torch.nn.init.zeros_(self.net.weight)
        if strategy:
            self.schedulers: list[Any] = [lambda_lr(self.optimizer, RECIPE)]
            self.schedulers.append(SWALR(self.optimizer, LOW, EPOCHS, strategy))
        else:
            self.schedulers = [lambda_lr(self.optimizer, one_schedule("cosine"))]
        self.average = AveragedModel(self.net)

    def averaged(self) -> torch.Tensor:
        return next(self.average.parameters()).detach()

    def train(self, first: int, last: int) -> list[float]:
        for made in range(first, last):
            self.update()
            if made >= BEGIN:
                self.average.update_parameters(self.net)
            self.schedulers[-1 if made >= BEGIN else 0].step()
        return self.rates


def one_schedule(shape: Any) -> lrsched.Schedule:
    annealed = lrsched.anneal(RECIPE(BEGIN), LOW, EPOCHS, shape)
    return lrsched.join([RECIPE, annealed], [BEGIN])


@pytest.mark.parametrize(("strategy", "shape"), [("cos", "cosine"), ("linear", "linear")])
def test_averaging_begins_at_the_rate_that_the_schedule_left(strategy: Any, shape: str) -> None:
    rates = Averaging(strategy).train(0, 16)
    schedule = one_schedule(shape)
    assert rates[: BEGIN + 1] == [RECIPE(count) for count in range(BEGIN + 1)]
    # torch reckons each rate from the one before.
    assert rates == pytest.approx([schedule(count) for count in range(16)], rel=1e-13, abs=0)
    assert rates[BEGIN + EPOCHS :] == [LOW] * (16 - BEGIN - EPOCHS)


def test_a_schedule_anneals_as_torchs_for_averaging() -> None:
    run, torchs = Averaging(), Averaging("cos")
    wanted = torchs.train(0, 16)
    assert run.train(0, 16) == pytest.approx(wanted, rel=1e-13, abs=0)
    averages = [float(each.averaged()) for each in (run, torchs)]
    assert averages[0] == pytest.approx(averages[1], rel=1e-6)
    # The weight is the sum of the rates, so its average is known.
    sums = [sum(wanted[: made + 1]) for made in range(BEGIN, 16)]
    assert averages[0] == pytest.approx(-sum(sums) / len(sums), rel=1e-6)


@pytest.mark.parametrize("last", ["optimizer", "schedulers"])
@pytest.mark.parametrize("strategy", ["", "cos"])
@pytest.mark.parametrize("saved", range(1, 16))
def test_averaging_resumes(last: str, strategy: str, saved: int) -> None:
    """The rate of torch's scheduler is not replaced by ours, whichever is loaded last."""
    whole, before, after = (Averaging(strategy) for _ in range(3))
    wanted = whole.train(0, 16)
    before.train(0, saved)
    for name in ("net", "average"):
        getattr(after, name).load_state_dict(getattr(before, name).state_dict())
    loads = [*zip(after.schedulers, before.schedulers, strict=True)]
    loads.insert(0 if last == "schedulers" else len(loads), (after.optimizer, before.optimizer))
    for loaded, saved_one in loads:
        loaded.load_state_dict(saved_one.state_dict())
    assert after.train(saved, 16) == wanted[saved:]
    assert after.averaged().equal(whole.averaged())


# Scaled gradients


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_an_update_that_the_scaler_skips_does_not_count(overflows: list[bool]) -> None:
    """The scale is lowered where it was skipped, which is how one can tell."""
    run = Run()
    scheduler = lambda_lr(run.optimizer, RECIPE)
    scaler = torch.amp.GradScaler("cpu")
    for overflow in overflows:
        run.optimizer.zero_grad()
        loss = run.net(torch.full((1, 1), float("inf") if overflow else 1.0)).sum()
        scaler.scale(loss).backward()
        scaler.step(run.optimizer)
        before = scaler.get_scale()
        scaler.update()
        if scaler.get_scale() >= before:
            scheduler.step()
    assert run.rates == [RECIPE(count) for count in range(overflows.count(False))]
    assert scheduler.last_epoch == len(run.rates)


# Param groups that are added


def added(run: Run, lr: float) -> torch.nn.Parameter:
    weight = torch.nn.Parameter(torch.zeros(1))
    run.optimizer.add_param_group({"params": [weight], "lr": lr})
    return weight


@pytest.mark.parametrize("keep_ratios", [False, True])
@pytest.mark.parametrize("count", range(4))
def test_a_group_that_is_added_takes_part_from_the_next_step_on(
    count: int, keep_ratios: bool
) -> None:
    run = Run()  # at an lr of 1
    scheduler = lambda_lr(run.optimizer, RECIPE, keep_ratios=keep_ratios)
    for _ in range(count):
        run.update()
        scheduler.step()
    added(run, 0.25)
    assert lrs_of(run.optimizer) == [RECIPE(count), 0.25]
    ratio = 0.25 / (RECIPE(count) or 1.0) if keep_ratios else 1.0
    for made in range(count + 1, count + 9):
        run.update()
        scheduler.step()
        wanted = [RECIPE(made), ratio * RECIPE(made)]
        assert lrs_of(run.optimizer) == scheduler.get_last_lr() == wanted

    again = Run()
    added(again, 0.25)
    resumed = lambda_lr(again.optimizer, RECIPE, keep_ratios=keep_ratios)
    resumed.load_state_dict(scheduler.state_dict())
    assert lrs_of(again.optimizer) == lrs_of(run.optimizer)


@pytest.mark.parametrize("keep_ratios", [False, True])
def test_a_group_that_is_added_takes_part_on_loading(keep_ratios: bool) -> None:
    run = Run()
    state = lambda_lr(run.optimizer, RECIPE, 4, keep_ratios).state_dict()
    run = Run()
    scheduler = lambda_lr(run.optimizer, RECIPE, keep_ratios=keep_ratios)
    added(run, 0.25)
    scheduler.load_state_dict(state)
    ratio = 0.25 / (RECIPE(0) or 1.0) if keep_ratios else 1.0
    assert lrs_of(run.optimizer) == [RECIPE(5), ratio * RECIPE(5)]


def test_a_list_of_schedules_has_none_for_a_group_that_is_added() -> None:
    run = Run()
    added(run, 0.5)
    scheduler = lambda_lr(run.optimizer, [RECIPE, 0.5 * RECIPE])
    run.update()
    scheduler.step()
    added(run, 0.25)
    before = lrs_of(run.optimizer), scheduler.state_dict()
    message = r"lambda_lr: schedule must be a list of 3, one for each param group, got \[warmup"
    with pytest.raises(ValueError, match=message):
        scheduler.step()
    assert (lrs_of(run.optimizer), scheduler.state_dict()) == before
    with pytest.raises(ValueError, match=message):
        scheduler.load_state_dict({**before[1], "last_epoch": 7})
    assert (lrs_of(run.optimizer), scheduler.state_dict()) == before
    longer = [*scheduler.schedules, lrsched.constant(0.125)]
    scheduler = lambda_lr(run.optimizer, longer, last_step=scheduler.last_epoch)
    assert lrs_of(run.optimizer) == [RECIPE(2), 0.5 * RECIPE(2), 0.125]


# Several schedulers


def test_of_two_schedulers_the_last_one_stepped_counts() -> None:
    run = Run()
    factor = lrsched.exponential_decay(1.0, 0.5)
    schedulers = [lambda_lr(run.optimizer, each) for each in (RECIPE, factor)]
    for _ in range(8):
        run.update()
        for scheduler in schedulers:
            scheduler.step()
    assert run.rates == [factor(count) for count in range(8)]

    run = Run()
    scheduler = lambda_lr(run.optimizer, RECIPE * factor)
    for _ in range(8):
        run.update()
        scheduler.step()
    assert run.rates == [RECIPE(count) * factor(count) for count in range(8)]


def test_torchs_scheduler_can_cycle_the_momentum_beside_it() -> None:
    """The one that sets the lr is stepped last."""
    net = torch.nn.Linear(1, 1)
    runs = []
    for ours in (True, False):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        cycle = torch.optim.lr_scheduler.CyclicLR(optimizer, 0.01, 0.1, 4)
        schedulers = [cycle, lambda_lr(optimizer, RECIPE)] if ours else [cycle]
        seen = []
        for _ in range(12):
            seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
            optimizer.step()
            for scheduler in schedulers:
                scheduler.step()
        runs.append(seen)
    assert [momentum for _, momentum in runs[0]] == [momentum for _, momentum in runs[1]]
    assert len({momentum for _, momentum in runs[0]}) == 5
    assert [lr for lr, _ in runs[0]] == [RECIPE(count) for count in range(12)]


# Several processes


@pytest.fixture(scope="module")
def ranks() -> list[Any]:
    """What each process found, by case."""
    needs("torch", "torch>=2.6")  # for FSDP2 on a CPU
    with tempfile.TemporaryDirectory() as folder:
        outputs(*(start("torch_train_ranks.py", folder, rank) for rank in range(2)))
        return [json.loads((Path(folder) / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("kind", ["Redundant", "Sharded"])
@pytest.mark.parametrize("rank", range(2))
def test_each_process_uses_the_schedules_rate(ranks: list[Any], kind: str, rank: int) -> None:
    found = ranks[rank][kind]
    assert found["whole"]["rates"] == [RECIPE(count) for count in range(UPDATES)]
    assert found["resumed"]["rates"] == [RECIPE(count) for count in range(SAVED, UPDATES)]
    assert found["resumed"]["parameters"] == found["whole"]["parameters"]  # to the last bit
