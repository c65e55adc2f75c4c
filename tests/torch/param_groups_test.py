"""The learning rates of param groups: ratios, groups added and removed, checkpoints in any order.

Every scheduler follows one rule, which `Model` says again in a few lines.
"""

import io
import itertools
import warnings
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched_torch import lambda_lr, on_device, range_test, schedule_hyperparameters

CURVE = lrsched.linear(0.3, 0.01, 25)
OTHER = lrsched.cosine_decay(0.7, 30, 0.02)


def weight() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.zeros(1))


def group(lr: float, tensor: bool = False) -> dict[str, Any]:
    rate = torch.tensor(lr, dtype=torch.float64) if tensor else lr
    return {"params": [weight()], "lr": rate}


def sgd(*lrs: float, tensor: bool = False) -> torch.optim.Optimizer:
    return torch.optim.SGD([group(lr, tensor) for lr in lrs])


def by_hyperparameters(
    optimizer: torch.optim.Optimizer, schedule: Any, *args: Any, **kw: Any
) -> Any:
    if args:
        kw["last_step"] = args[0]
    return schedule_hyperparameters(optimizer, lr=schedule, **kw)


MAKERS: dict[str, Any] = {
    "lambda_lr": lambda_lr,
    "schedule_hyperparameters": by_hyperparameters,
    "on_device": on_device,
}
every_scheduler = pytest.mark.parametrize("name", MAKERS)


def rates_of(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(each["lr"]) for each in optimizer.param_groups]


def step(scheduler: Any) -> None:
    scheduler.optimizer.step()
    scheduler.step()


def reloaded(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def about(rates: list[float]) -> Any:
    return pytest.approx(rates, rel=1e-6)  # `on_device` computes in float32


class Model:
    """What the rates must be: each group's ratio to the schedule is fixed once."""

    def __init__(self, lrs: list[float], reference: int | None) -> None:
        base = max(lrs) if reference is None else lrs[reference]
        self.ratios: list[float | None] = [lr / base for lr in lrs]
        self.rates = [ratio * CURVE(0) for ratio in self.ratios if ratio is not None]
        self.step = 0

    def add(self, lr: float) -> None:
        self.ratios.append(None)
        self.rates.append(lr)

    def remove(self, index: int) -> None:
        del self.ratios[index], self.rates[index]

    def advance(self) -> None:
        self.fix()
        self.step += 1
        self.rates = self.at(CURVE)

    def fix(self) -> None:
        value = CURVE(self.step)
        pairs = zip(self.ratios, self.rates, strict=True)
        self.ratios = [rate / value if ratio is None else ratio for ratio, rate in pairs]

    def at(self, schedule: Schedule) -> list[float]:
        return [ratio * schedule(self.step) for ratio in self.ratios if ratio is not None]


rates = st.floats(1e-6, 10.0)
some_rates = st.lists(rates, min_size=1, max_size=4)
actions = st.lists(
    st.one_of(
        st.just(("step", 0.0)),
        st.tuples(st.just("add"), rates),
        st.tuples(st.just("remove"), st.integers(0, 5)),
    ),
    max_size=14,
)


def run(name: str, lrs: list[float], reference: int | None, does: Any) -> tuple[Any, Model]:
    """A scheduler after these actions, compared with the model after each."""
    tensor = name == "on_device"
    optimizer = sgd(*lrs, tensor=tensor)
    scheduler = MAKERS[name](optimizer, CURVE, reference_group=reference)
    model = Model(lrs, reference)
    assert rates_of(optimizer) == about(model.rates)
    for action, argument in does:
        if action == "step":
            step(scheduler)
            model.advance()
        elif action == "add":
            optimizer.add_param_group(group(argument, tensor))
            model.add(argument)
        elif model.ratios.count(None) + 1 < len(model.ratios):  # one with a ratio remains
            known = [index for index, ratio in enumerate(model.ratios) if ratio is not None]
            index = known[argument % len(known)]
            del optimizer.param_groups[index]
            model.remove(index)
        assert rates_of(optimizer) == about(model.rates)
    return scheduler, model


@every_scheduler
@settings(max_examples=60, deadline=None)
@given(lrs=some_rates, reference=st.none() | st.integers(0, 3), does=actions)
def test_groups_that_come_and_go_keep_their_ratios(
    name: str, lrs: list[float], reference: int | None, does: Any
) -> None:
    run(name, lrs, None if reference is None else reference % len(lrs), does)


ORDERS = [
    ["make", "optimizer", "scheduler"],
    ["make", "scheduler", "optimizer"],
    ["optimizer", "make", "scheduler"],
    ["optimizer", "make with last_step"],
    ["make with last_step", "optimizer"],
    ["make", "scheduler", "optimizer", "scheduler"],
    ["make", "scheduler"],
]


@every_scheduler
@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
@settings(max_examples=15, deadline=None)
@given(lrs=some_rates, reference=st.none() | st.integers(0, 3), does=actions, data=st.data())
def test_a_checkpoint_restores_the_ratios_in_any_order(
    name: str, order: list[str], lrs: list[float], reference: int | None, does: Any, data: Any
) -> None:
    """The code has other rates and another schedule: the latter counts, at the ratios of before."""
    before, model = run(name, lrs, None if reference is None else reference % len(lrs), does)
    step(before)  # groups that were added have their ratios
    model.advance()
    optimizer_state = reloaded(before.optimizer.state_dict())
    state = reloaded(before.state_dict())
    count = len(model.ratios)
    others = data.draw(st.lists(rates, min_size=count, max_size=count))
    optimizer = sgd(*others, tensor=name == "on_device")
    scheduler: Any = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for event in order:
            if event == "make":
                scheduler = MAKERS[name](optimizer, OTHER)
            elif event == "make with last_step":
                scheduler = MAKERS[name](optimizer, OTHER, model.step - 1)
            elif event == "optimizer":
                optimizer.load_state_dict(optimizer_state)
            else:
                scheduler.load_state_dict(state)
    assert rates_of(optimizer) == about(model.at(OTHER))
    step(scheduler)
    model.step += 1
    assert rates_of(optimizer) == about(model.at(OTHER))


@every_scheduler
def test_the_same_ratio_has_the_same_bits(name: str) -> None:
    """Groups of one rate have the schedule's value itself."""
    tensor = name == "on_device"
    scheduler = MAKERS[name](sgd(0.1, 0.1, 0.1, tensor=tensor), CURVE)
    for count in range(30):
        first, *others = rates_of(scheduler.optimizer)
        assert others == [first, first]
        if not tensor:
            assert first == CURVE(count)
        step(scheduler)


# Reports, with the values that were expected


@every_scheduler
def test_a_group_that_is_added_keeps_its_lr_on_a_flat_curve(name: str) -> None:
    """Lightning#8720, lightning-flash#1321."""
    tensor = name == "on_device"
    scheduler = MAKERS[name](sgd(1.0, tensor=tensor), lrsched.constant(0.03))
    step(scheduler)
    scheduler.optimizer.add_param_group(group(0.003, tensor))
    step(scheduler)
    assert rates_of(scheduler.optimizer) == about([0.03, 0.003])


@every_scheduler
def test_the_largest_rate_has_the_peak_wherever_its_group_stands(name: str) -> None:
    for lrs in itertools.permutations([1e-4, 1e-3, 3e-4]):
        optimizer = sgd(*lrs, tensor=name == "on_device")
        MAKERS[name](optimizer, lrsched.constant(1e-3))
        assert rates_of(optimizer) == about([*lrs])


@every_scheduler
def test_another_reference_is_a_choice(name: str) -> None:
    optimizer = sgd(1e-4, 1e-3, tensor=name == "on_device")
    MAKERS[name](optimizer, lrsched.constant(0.5), reference_group=0)
    assert rates_of(optimizer) == about([0.5, 5.0])


@every_scheduler
def test_a_second_scheduler_finds_the_ratios_of_the_first(name: str) -> None:
    optimizer = sgd(1e-4, 1e-3, tensor=name == "on_device")
    for _ in range(4):
        step(MAKERS[name](optimizer, CURVE))
    assert rates_of(optimizer) == about([0.1 * CURVE(1), CURVE(1)])
    MAKERS[name](optimizer, CURVE, reference_group=0)
    assert rates_of(optimizer) == about([CURVE(0), 10 * CURVE(0)])


@every_scheduler
def test_without_ratios_every_group_has_the_value(name: str) -> None:
    optimizer = sgd(1e-4, 1e-3, 0.0, tensor=name == "on_device")
    scheduler = MAKERS[name](optimizer, CURVE, keep_ratios=False)
    optimizer.add_param_group(group(7.0, name == "on_device"))
    step(scheduler)
    assert rates_of(optimizer) == about([CURVE(1)] * 4)
    del optimizer.param_groups[0]
    step(scheduler)
    assert rates_of(optimizer) == about([CURVE(2)] * 3)


@every_scheduler
def test_the_test_and_the_training_have_the_same_ratios(name: str) -> None:
    """What a range test measured is what the schedule that follows from it trains with."""
    used: list[list[float]] = []
    ramp = lrsched.constant(0.01)
    for lrs, reference in (([1e-4, 1e-3], None), ([1e-3, 1e-4], 1), ([0.2, 0.2], 0)):
        optimizer = sgd(*lrs, tensor=name == "on_device")
        weights = torch.nn.ParameterList([each["params"][0] for each in optimizer.param_groups])

        def loss(_: Any, optimizer: Any = optimizer, weights: Any = weights) -> torch.Tensor:
            used.append(rates_of(optimizer))
            value = torch.stack([(each - 1) ** 2 for each in weights]).sum()
            value.backward()  # type: ignore[no-untyped-call]  # torch's
            return value

        options: dict[str, Any] = {"reference_group": reference}
        found = range_test(
            loss, optimizer, [0], ramp, 3, modules=weights, progress=False, **options
        )
        assert list(found.learning_rates) == about([0.01] * 3)
        MAKERS[name](optimizer, ramp, **options)
        assert used[-1] == about(rates_of(optimizer))


@pytest.mark.parametrize("name", ["lambda_lr", "schedule_hyperparameters"])
def test_a_group_without_an_lr_joins_at_the_initial_rates(name: str) -> None:
    """torch gives it the lr that the optimizer was made with."""
    optimizer = torch.optim.SGD([weight()], lr=1.0)
    scheduler = MAKERS[name](optimizer, CURVE)
    step(scheduler)
    optimizer.add_param_group({"params": [weight()]})
    step(scheduler)
    assert rates_of(optimizer) == [CURVE(2)] * 2


def test_a_group_that_shares_the_tensor_of_another_joins_at_its_ratio() -> None:
    optimizer = torch.optim.SGD([weight()], lr=torch.tensor(1.0))
    for make in (lambda_lr, on_device):
        scheduler: Any = make(optimizer, CURVE)
        step(scheduler)
        optimizer.add_param_group({"params": [weight()]})
        step(scheduler)
        assert rates_of(optimizer) == about([CURVE(2)] * len(optimizer.param_groups))


@every_scheduler
def test_while_the_value_is_0_a_group_relates_to_the_initial_rates(name: str) -> None:
    tensor = name == "on_device"
    optimizer = sgd(0.1, 0.5, tensor=tensor)
    scheduler = MAKERS[name](optimizer, lrsched.linear(0.0, 1.0, 10))
    optimizer.add_param_group(group(0.05, tensor))
    step(scheduler)
    assert rates_of(optimizer) == about([0.02, 0.1, 0.01])


@every_scheduler
def test_rates_of_0_are_no_ratios(name: str) -> None:
    tensor = name == "on_device"
    optimizer = sgd(0.0, 0.0, tensor=tensor)
    scheduler = MAKERS[name](optimizer, CURVE)
    assert rates_of(optimizer) == about([CURVE(0)] * 2)
    frozen = sgd(0.0, 0.1, tensor=tensor)
    MAKERS[name](frozen, CURVE)
    assert rates_of(frozen) == about([0.0, CURVE(0)])
    del scheduler


# Warnings, and refusals that change nothing


@pytest.mark.parametrize("first", ["optimizer", "scheduler"])
@every_scheduler
def test_other_ratios_in_the_checkpoint_are_named(name: str, first: str) -> None:
    tensor = name == "on_device"
    before = MAKERS[name](sgd(0.1, 0.4, tensor=tensor), CURVE)
    scheduler = MAKERS[name](sgd(0.2, 0.4, tensor=tensor), CURVE)
    loads = [(scheduler, before), (scheduler.optimizer, before.optimizer)]
    text = "whose param groups were made with 0.1, 0.4; the code makes them with 0.2, 0.4"
    first_load, second_load = loads if first == "scheduler" else loads[::-1]
    with pytest.warns(UserWarning, match=text) as warned:
        first_load[0].load_state_dict(first_load[1].state_dict())
    assert [each.filename for each in warned] == [__file__]
    second_load[0].load_state_dict(second_load[1].state_dict())  # warns of nothing


@every_scheduler
def test_the_warning_of_another_recipe_says_both_rates(name: str) -> None:
    tensor = name == "on_device"
    before = MAKERS[name](sgd(1.0, tensor=tensor), lrsched.constant(0.5))
    step(before)
    scheduler = MAKERS[name](sgd(1.0, tensor=tensor), lrsched.constant(0.25))
    with pytest.warns(UserWarning, match=r"\(the lr was 0.5 and is 0.25 now\)"):
        scheduler.load_state_dict(before.state_dict())


@every_scheduler
def test_ratios_that_are_no_longer_kept_are_named(name: str) -> None:
    tensor = name == "on_device"
    before = MAKERS[name](sgd(0.1, 0.4, tensor=tensor), lrsched.constant(0.5))
    scheduler = MAKERS[name](sgd(0.1, 0.4, tensor=tensor), lrsched.constant(0.5), keep_ratios=False)
    with pytest.warns(UserWarning, match=r"\(the lr was 0.125, 0.5 and is 0.5, 0.5 now\)"):
        scheduler.load_state_dict(before.state_dict())


@every_scheduler
@pytest.mark.parametrize(
    ("lrs", "options", "message"),
    [
        ([0.1, 0.2], {"reference_group": 2}, "reference_group must be below 2, the number of"),
        ([0.1, 0.2], {"reference_group": -1}, "reference_group must be an integer >= 0"),
        ([0.1, 0.2], {"reference_group": 0.0}, "reference_group must be an integer >= 0"),
        ([0.1, 0.2], {"reference_group": True}, "reference_group must be an integer >= 0"),
        ([0.1, 0.2], {"keep_ratios": 1}, "keep_ratios must be True or False, got 1"),
        (
            [0.1, 0.2],
            {"reference_group": 0, "keep_ratios": False},
            "reference_group must be None unless one schedule with keep_ratios sets the lr",
        ),
        ([0.0, 0.2], {"reference_group": 0}, "the lr of param group 0 must be above 0"),
        ([0.1, float("nan")], {}, "the lr of param group 1 must be a number >= 0"),
        ([float("inf"), 0.1], {}, "the lr of param group 0 must be a number >= 0"),
    ],
)
def test_refused_ratios_change_nothing(
    name: str, lrs: list[float], options: dict[str, Any], message: str
) -> None:
    optimizer = sgd(*lrs, tensor=name == "on_device")
    before = [dict(each) for each in optimizer.param_groups]
    with pytest.raises((TypeError, ValueError), match=f"{name}: {message}"):
        MAKERS[name](optimizer, CURVE, **options)
    assert repr(optimizer.param_groups) == repr(before)


@every_scheduler
def test_a_list_is_for_the_groups_that_there_were(name: str) -> None:
    """Also a list of one: it is no schedule for all groups."""
    tensor = name == "on_device"
    optimizer = sgd(0.1, tensor=tensor)
    scheduler = MAKERS[name](optimizer, [CURVE])
    optimizer.add_param_group(group(0.2, tensor))
    before, rates_before = scheduler.state_dict(), rates_of(optimizer)
    parameter = "lr" if name == "schedule_hyperparameters" else "schedule"
    optimizer.step()
    for change in (scheduler.step, lambda: scheduler.load_state_dict(before)):
        with pytest.raises(ValueError, match=f"{name}: {parameter} must be a list of 2, one for"):
            change()
        assert (scheduler.state_dict(), rates_of(optimizer)) == (before, rates_before)
    del optimizer.param_groups[0]
    step(scheduler)
    del optimizer.param_groups[0]
    with pytest.raises(ValueError, match=f"{name}: {parameter} must be a list of 0, one for each"):
        scheduler.step()


@every_scheduler
def test_a_group_without_a_ratio_is_refused(name: str) -> None:
    tensor = name == "on_device"
    optimizer = sgd(0.0, tensor=tensor)
    scheduler = MAKERS[name](optimizer, lrsched.constant(0.0))
    optimizer.add_param_group(group(0.1, tensor))
    before = scheduler.state_dict()
    wanted = f"{name}: the ratio of param group 1 must be given under the key 'lr_ratio'"
    optimizer.step()
    with pytest.raises(ValueError, match=wanted):
        scheduler.step()
    assert (scheduler.state_dict(), rates_of(optimizer)) == (before, about([0.0, 0.1]))
    optimizer.param_groups[1]["lr_ratio"] = 0.5
    step(scheduler)


@pytest.mark.parametrize("epoch", [2.5, 2.0, "2", True, torch.tensor(2.0), -1, 2**31])
@pytest.mark.parametrize("name", ["lambda_lr", "schedule_hyperparameters"])
def test_a_step_to_no_whole_number_is_refused(name: str, epoch: Any) -> None:
    """pytorch#69841: it was written to the checkpoint, which then could not be loaded."""
    scheduler = MAKERS[name](sgd(0.1, 0.2), CURVE)
    step(scheduler)
    before = scheduler.state_dict()
    scheduler.optimizer.step()
    with pytest.raises((TypeError, ValueError), match="step: epoch must be an integer"):
        scheduler.step(epoch)
    assert scheduler.state_dict() == before


@pytest.mark.parametrize("ratios", [0.5, ["0.5"], [float("nan")], [-1.0], [True], {"a": 1.0}])
@every_scheduler
def test_ratios_in_a_checkpoint_that_are_none_are_refused(name: str, ratios: Any) -> None:
    scheduler = MAKERS[name](sgd(0.1, tensor=name == "on_device"), CURVE)
    before = scheduler.state_dict()
    with pytest.raises(ValueError, match="load_state_dict: lr_ratios must be a list of numbers"):
        scheduler.load_state_dict({**before, "lr_ratios": ratios})
    assert scheduler.state_dict() == before


@every_scheduler
def test_a_checkpoint_from_before_a_group_was_added_leaves_its_ratio(name: str) -> None:
    tensor = name == "on_device"
    optimizer = sgd(0.1, 0.05, tensor=tensor)
    scheduler = MAKERS[name](optimizer, CURVE)
    state = reloaded(scheduler.state_dict())
    optimizer.add_param_group(group(CURVE(0) / 4, tensor))
    scheduler.load_state_dict(state)
    assert rates_of(optimizer) == about([CURVE(0), CURVE(0) / 2, CURVE(0) / 4])
    step(scheduler)
    assert rates_of(optimizer) == about([CURVE(1), CURVE(1) / 2, CURVE(1) / 4])


@every_scheduler
def test_a_group_in_the_place_of_another_has_its_own_ratio(name: str) -> None:
    tensor = name == "on_device"
    optimizer = sgd(0.1, 0.05, tensor=tensor)
    scheduler = MAKERS[name](optimizer, CURVE)
    del optimizer.param_groups[1]
    optimizer.add_param_group(group(CURVE(0) / 4, tensor))
    step(scheduler)
    assert rates_of(optimizer) == about([CURVE(1), CURVE(1) / 4])


@every_scheduler
def test_a_group_beside_groups_of_ratio_0_is_refused(name: str) -> None:
    tensor = name == "on_device"
    optimizer = sgd(0.1, tensor=tensor)
    optimizer.param_groups[0]["lr_ratio"] = 0.0
    optimizer.add_param_group(group(0.3, tensor))
    with pytest.raises(ValueError, match="no other group has a rate to compare with"):
        MAKERS[name](optimizer, CURVE)
    assert rates_of(optimizer) == [0.1, 0.3]
