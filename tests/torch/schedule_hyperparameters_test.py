"""`schedule_hyperparameters`: any number of the param groups from schedules, beside torch's own."""

import io
import json
from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR, SequentialLR, StepLR

import lrsched
from lrsched import Schedule
from lrsched_torch import lambda_lr, schedule_hyperparameters

LINE = lrsched.linear(0.3, 0.0, 10)
SAW = lrsched.cyclic(0.95, 0.85, up_steps=4, down_steps=0)
STEPS = 20
TOLERANCE = 1e-9  # of the largest value involved, as for the learning rates of torch's schedulers


def weights() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.zeros(1))]


def sgd(*groups: dict[str, Any], **options: Any) -> Optimizer:
    made = [{"params": weights(), **group} for group in groups or ({},)]
    return torch.optim.SGD(made, **{"lr": 1.0, **options})


def adam(*groups: dict[str, Any], **options: Any) -> Optimizer:
    made = [{"params": weights(), **group} for group in groups or ({},)]
    return torch.optim.Adam(made, **{"lr": 1.0, **options})


def advance(scheduler: LRScheduler, key: str, steps: int = 1) -> list[list[Any]]:
    """What the groups have for a key at each of the next updates."""
    seen = []
    for _ in range(steps):
        seen.append([group[key] for group in scheduler.optimizer.param_groups])
        scheduler.optimizer.step()
        scheduler.step()
    return seen


def reloaded(state: Any) -> Any:
    """What a checkpoint gives back where nothing but plain data is allowed in it."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# The values


def test_every_key_is_its_schedule_to_the_last_bit() -> None:
    optimizer = sgd({}, {"momentum": 0.5})
    half = 0.5 * LINE
    scheduler = schedule_hyperparameters(optimizer, lr=LINE, momentum=SAW, weight_decay=half)
    assert isinstance(scheduler, LRScheduler)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            found = [group["lr"], group["momentum"], group["weight_decay"]]
            assert found == [LINE(step), SAW(step), half(step)]
            assert {type(value) for value in found} == {float}
        assert scheduler.get_last_lr() == [LINE(step)] * 2
        advance(scheduler, "lr")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((SAW, None), lambda step: (SAW(step), 0.999)),
        ((None, SAW), lambda step: (0.9, SAW(step))),
        ((SAW, LINE), lambda step: (SAW(step), LINE(step))),
    ],
)
def test_a_tuple_goes_element_by_element(given: Any, expected: Callable[[int], Any]) -> None:
    scheduler = schedule_hyperparameters(adam({}, {}), betas=given)
    seen = advance(scheduler, "betas", STEPS)
    assert seen == [[expected(step)] * 2 for step in range(STEPS)]


def test_a_list_has_an_entry_for_each_group() -> None:
    optimizer = adam({"weight_decay": 0.1}, {"weight_decay": 0.0})
    scheduler = schedule_hyperparameters(
        optimizer, lr=[LINE, SAW], weight_decay=[LINE, None], betas=[None, (SAW, None)]
    )
    for step in range(STEPS):
        first, second = optimizer.param_groups
        assert (first["lr"], first["weight_decay"], first["betas"]) == (
            LINE(step),
            LINE(step),
            (0.9, 0.999),
        )
        assert (second["lr"], second["weight_decay"], second["betas"]) == (
            SAW(step),
            0.0,
            (SAW(step), 0.999),
        )
        advance(scheduler, "lr")


def muon_and_adamw() -> Optimizer:
    """An optimizer of groups with other keys, as of Muon beside AdamW."""
    groups = [
        {"params": weights(), "lr": 0.02, "momentum": 0.95, "weight_decay": 0.1},
        {"params": weights(), "lr": 3e-4, "betas": (0.9, 0.95), "eps": 1e-10, "weight_decay": 0.1},
    ]
    return Optimizer(groups, {})


def test_groups_without_a_key_are_left_alone() -> None:
    optimizer = muon_and_adamw()
    scheduler = schedule_hyperparameters(optimizer, lr=LINE, momentum=SAW, betas=(SAW, None))
    muon, adamw = optimizer.param_groups
    for step in range(STEPS):
        assert (muon["lr"], muon["momentum"]) == (LINE(step), SAW(step))
        assert (adamw["lr"], adamw["betas"]) == (LINE(step) * (3e-4 / 0.02), (SAW(step), 0.95))
        assert "betas" not in muon
        assert "momentum" not in adamw
        step_of(scheduler)


def step_of(scheduler: LRScheduler) -> None:
    scheduler.optimizer._opt_called = True  # type: ignore[attr-defined]  # it has no step
    scheduler.step()


def test_a_list_names_the_groups_that_have_the_key() -> None:
    optimizer = muon_and_adamw()
    scheduler = schedule_hyperparameters(
        optimizer, momentum=[SAW, None], betas=[None, (None, LINE)], weight_decay=[None, LINE]
    )
    step_of(scheduler)
    muon, adamw = optimizer.param_groups
    assert (muon["momentum"], muon["weight_decay"], muon["lr"]) == (SAW(1), 0.1, 0.02)
    assert (adamw["betas"], adamw["weight_decay"]) == ((0.9, LINE(1)), LINE(1))
    with pytest.raises(ValueError, match="momentum must be None for param group 1, which has no"):
        schedule_hyperparameters(optimizer, momentum=[SAW, SAW])


decays = st.sampled_from([0.0, 0.05, 0.1])


@settings(max_examples=100, deadline=None)
@given(
    made_with=st.lists(decays, min_size=1, max_size=4),
    added=st.lists(st.tuples(st.integers(0, 4), decays), max_size=2),
    saved=st.integers(0, 6),
    low=st.sampled_from([0.0, 0.5]),
)
def test_groups_that_were_made_without_weight_decay_keep_none(
    made_with: list[float], added: list[tuple[int, float]], saved: int, low: float
) -> None:
    """Unless no group was made with one, or a list asks for it. A checkpoint changes nothing."""
    decay = lrsched.linear(1.0, low, 5)
    made_with, kept = [*made_with], [each == 0.0 and any(made_with) for each in made_with]
    optimizer = adam(*({"weight_decay": each} for each in made_with))
    scheduler = schedule_hyperparameters(optimizer, weight_decay=decay)
    for step in range(8):
        wanted = [0.0 if each else decay(step) for each in kept]
        assert [group["weight_decay"] for group in optimizer.param_groups] == wanted
        if step == saved:
            states = reloaded(optimizer.state_dict()), reloaded(scheduler.state_dict())
            optimizer = adam(*({"weight_decay": each} for each in made_with))
            optimizer.load_state_dict(states[0])
            scheduler = schedule_hyperparameters(optimizer, weight_decay=decay)
            scheduler.load_state_dict(states[1])
        optimizer.step()
        for when, each in added:
            if when == step:
                optimizer.add_param_group({"params": weights(), "weight_decay": each})
                made_with.append(each)
        kept += [each == 0.0 and any(made_with) for each in made_with[len(kept) :]]
        scheduler.step()


def test_a_list_asks_for_weight_decay_where_there_was_none() -> None:
    optimizer = adam({"weight_decay": 0.1}, {"weight_decay": 0.0})
    schedule_hyperparameters(optimizer, weight_decay=[LINE, LINE])
    assert [group["weight_decay"] for group in optimizer.param_groups] == [LINE(0)] * 2


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_tensors_of_one_number_are_numbers(shape: tuple[int, ...]) -> None:
    tensor = torch.full(shape, 0.5)
    optimizer = adam({"lr": tensor})
    scheduler = schedule_hyperparameters(optimizer, lr=LINE)
    step_of(scheduler)
    assert optimizer.param_groups[0]["lr"] is tensor
    assert tensor.shape == shape
    assert tensor.item() == pytest.approx(LINE(1), rel=1e-7)


def test_a_key_of_the_users_own_is_driven_too() -> None:
    scheduler = schedule_hyperparameters(sgd({"temperature": 1}), temperature=LINE)
    assert advance(scheduler, "temperature", STEPS) == [[LINE(step)] for step in range(STEPS)]


def test_a_rate_without_a_schedule_stays_what_it_is() -> None:
    tensor = torch.tensor(0.5)
    scheduler = schedule_hyperparameters(sgd({"lr": 0.1}, {"lr": tensor}), momentum=SAW)
    for _ in range(STEPS):
        first, second = advance(scheduler, "lr")[0]
        assert first == 0.1
        assert second is tensor
        assert tensor == 0.5
        assert scheduler.get_last_lr() == [0.1, tensor]


def test_another_scheduler_may_drive_the_rate() -> None:
    optimizer = sgd()
    theirs = StepLR(optimizer, 3, gamma=0.5)
    ours = schedule_hyperparameters(optimizer, momentum=SAW)
    for step in range(STEPS):
        assert optimizer.param_groups[0]["lr"] == 0.5 ** (step // 3)
        assert optimizer.param_groups[0]["momentum"] == SAW(step)
        theirs_first = [theirs, ours] if step % 2 else [ours, theirs]
        optimizer.step()
        for scheduler in theirs_first:
            scheduler.step()


def test_keep_ratios_is_for_the_rate_alone() -> None:
    optimizer = sgd({"lr": 0.3, "momentum": 0.9}, {"lr": 0.1, "momentum": 0.3})
    scheduler = schedule_hyperparameters(optimizer, lr=LINE, momentum=SAW, keep_ratios=True)
    for step in range(STEPS):
        first, second = optimizer.param_groups
        assert first["lr"] == LINE(step)
        assert second["lr"] == pytest.approx(LINE(step) / 3, rel=1e-15)
        assert first["momentum"] == second["momentum"] == SAW(step)
        advance(scheduler, "lr")


def test_tensors_are_filled_in_place() -> None:
    lr, beta, decay = torch.tensor(1.0), torch.tensor(0.9), torch.tensor(0.5)
    optimizer = adam(lr=lr, betas=(beta, torch.tensor(0.999)), capturable=True)
    optimizer.param_groups[0]["weight_decay"] = decay
    scheduler = schedule_hyperparameters(optimizer, lr=LINE, betas=(SAW, None), weight_decay=LINE)
    scheduler.load_state_dict(scheduler.state_dict())
    for step in range(STEPS):
        group = optimizer.param_groups[0]
        assert group["lr"] is lr
        assert group["betas"][0] is beta
        assert group["weight_decay"] is decay
        assert [*map(float, (lr, beta, decay))] == pytest.approx(
            [LINE(step), SAW(step), LINE(step)], rel=2**-23
        )
        assert group["betas"][1] == torch.tensor(0.999)
        optimizer.step()
        scheduler.step()


def test_groups_that_share_a_tensor_are_parted() -> None:
    """An optimizer puts its default into every group: one tensor, which would hold the last."""
    optimizer = adam({}, {}, lr=torch.tensor(1.0), betas=(torch.tensor(0.9), torch.tensor(0.9)))
    schedule_hyperparameters(optimizer, lr=[LINE, SAW], betas=[(LINE, None), (SAW, LINE)])
    first, second = optimizer.param_groups
    assert (first["lr"], second["lr"]) == (torch.tensor(0.3), torch.tensor(0.95))
    assert [*map(float, (*first["betas"], *second["betas"]))] == pytest.approx(
        [0.3, 0.9, 0.95, 0.3], rel=1e-7
    )


def test_each_schedule_is_evaluated_once_a_step() -> None:
    calls = []

    def scale(cycle: float) -> float:
        calls.append(cycle)
        return 1.0

    counting = lrsched.cyclic(0.0, 1.0, up_steps=1, mode=scale)
    scheduler = schedule_hyperparameters(
        adam({}, {}, {}), lr=LINE, weight_decay=LINE, betas=(counting, None)
    )
    advance(scheduler, "lr", 6)
    assert calls == [0, 0, 1, 1, 2, 2, 3]


# The momentum of torch's schedulers, which runs against the rate

Both = Callable[[Optimizer], LRScheduler]
thorough = settings(max_examples=150, deadline=None)
rates = st.floats(-6.0, 1.0).map(lambda exponent: 10.0**exponent)
momenta = st.floats(0.01, 0.999)
lengths = st.integers(1, 60)
modes = st.sampled_from(["triangular", "triangular2", "exp_range"])


def momentum_of(optimizer: Optimizer) -> float:
    group = optimizer.param_groups[0]
    return float(group["betas"][0] if "betas" in group else group["momentum"])


def stepped(make: Both, optimizer: Optimizer, steps: int) -> list[tuple[float, float]]:
    """The rate and the momentum of each update."""
    scheduler = make(optimizer)
    found = []
    for _ in range(steps):
        found.append((float(optimizer.param_groups[0]["lr"]), momentum_of(optimizer)))
        optimizer.step()
        if len(found) < steps:
            scheduler.step()
    return found


def check(theirs: Both, lr: Schedule, momentum: Schedule, largest: float, steps: int) -> None:
    ours: list[tuple[Any, Both]] = [
        (sgd, lambda o: schedule_hyperparameters(o, lr=lr, momentum=momentum)),
        (adam, lambda o: schedule_hyperparameters(o, lr=lr, betas=(momentum, None))),
    ]
    for make, scheduler in ours:
        wanted, got = stepped(theirs, make(), steps), stepped(scheduler, make(), steps)
        for index, scale in enumerate((largest, 1.0)):
            assert [pair[index] for pair in got] == pytest.approx(
                [pair[index] for pair in wanted], rel=0.0, abs=TOLERANCE * scale
            )


@thorough
@given(
    base=rates,
    peak=rates,
    low=momenta,
    high=momenta,
    up=lengths,
    down=st.none() | st.integers(0, 60),
    mode=modes,
    gamma=st.floats(0.0, 1.0),
)
def test_cyclic_lr(
    base: float,
    peak: float,
    low: float,
    high: float,
    up: int,
    down: int | None,
    mode: Any,
    gamma: float,
) -> None:
    rate = gamma if mode == "exp_range" else 1.0
    check(
        lambda optimizer: CyclicLR(
            optimizer, base, peak, up, down, mode, rate, base_momentum=low, max_momentum=high
        ),
        lrsched.cyclic(base, peak, up, down, mode, rate),
        lrsched.cyclic(high, low, up, down, mode, rate),
        largest=max(base, peak),
        steps=130,
    )


@thorough
@given(
    peak=rates,
    low=momenta,
    high=momenta,
    steps=st.integers(2, 100),
    fraction=st.floats(0.0, 0.5).filter(lambda x: x == 0 or x > 1e-3),
    anneal=st.sampled_from(["cos", "linear"]),
    three_phase=st.booleans(),
)
def test_one_cycle_lr(
    peak: float,
    low: float,
    high: float,
    steps: int,
    fraction: float,
    anneal: Any,
    three_phase: bool,
) -> None:
    if fraction * steps == 1.0:  # where torch divides by zero
        fraction /= 2
    shape: Any = "cosine" if anneal == "cos" else "linear"
    check(
        lambda optimizer: OneCycleLR(
            optimizer,
            peak,
            steps,
            pct_start=fraction,
            anneal_strategy=anneal,
            base_momentum=low,
            max_momentum=high,
            three_phase=three_phase,
        ),
        lrsched.one_cycle(peak, steps, fraction, anneal=shape, three_phase=three_phase),
        lrsched.one_cycle(low, steps, fraction, low / high, 1.0, shape, three_phase),
        largest=peak,
        steps=steps,
    )


def test_a_group_that_is_added_takes_part_from_the_next_step_on() -> None:
    optimizer = sgd({"lr": 0.5})
    scheduler = schedule_hyperparameters(optimizer, lr=LINE, momentum=SAW, keep_ratios=True)
    optimizer.add_param_group({"params": weights(), "lr": 0.25})
    optimizer.step()
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == [LINE(1), 0.25 / LINE(0) * LINE(1)]
    assert [group["momentum"] for group in optimizer.param_groups] == [SAW(1), SAW(1)]


def test_a_list_has_no_entry_for_a_group_that_is_added() -> None:
    optimizer = sgd({}, {})
    scheduler = schedule_hyperparameters(optimizer, lr=LINE, momentum=[SAW, None])
    optimizer.add_param_group({"params": weights(), "lr": 0.25})
    before = [dict(group) for group in optimizer.param_groups], scheduler.state_dict()
    wanted = r"schedule_hyperparameters: momentum must be a list of 3, one for each param group"
    optimizer.step()
    with pytest.raises(ValueError, match=wanted):
        scheduler.step()
    assert ([dict(group) for group in optimizer.param_groups], scheduler.state_dict()) == before


# Checkpoints


def driven(optimizer: Optimizer | None = None, **options: Any) -> Any:
    return schedule_hyperparameters(
        optimizer or adam({}, {}),
        lr=LINE,
        betas=(SAW, None),
        weight_decay=[LINE, None],
        **options,
    )


def seen(scheduler: LRScheduler) -> list[Any]:
    """All that the groups have at the next updates."""
    found = []
    for _ in range(STEPS):
        groups = scheduler.optimizer.param_groups
        found.append([(g["lr"], g["betas"], g["weight_decay"]) for g in groups])
        advance(scheduler, "lr")
    return found


def test_a_checkpoint_is_plain_data() -> None:
    scheduler = driven()
    advance(scheduler, "lr", 3)
    state = scheduler.state_dict()
    assert reloaded(state) == json.loads(json.dumps(state)) == state
    assert state["last_epoch"] == 3
    assert state["recipe"] == [
        f"betas=({SAW!r}, None)",
        f"lr={LINE!r}",
        f"weight_decay=[{LINE!r}, None]",
    ]


@pytest.mark.parametrize("step", [0, 1, 4, 11])
def test_resuming_gives_the_same_sequence(step: int) -> None:
    before = driven()
    advance(before, "lr", step)
    state = reloaded(before.state_dict())
    optimizer = adam({}, {})
    optimizer.load_state_dict(reloaded(before.optimizer.state_dict()))
    loaded = driven()
    loaded.load_state_dict(state)
    expected = seen(before)
    assert seen(loaded) == expected
    assert seen(driven(optimizer, last_step=step - 1)) == expected


def test_the_order_of_the_keys_is_no_other_recipe() -> None:
    state = schedule_hyperparameters(sgd(), lr=LINE, momentum=SAW).state_dict()
    schedule_hyperparameters(sgd(), momentum=SAW, lr=LINE).load_state_dict(state)  # no warning


def test_another_recipe_in_the_checkpoint_warns_and_is_not_taken() -> None:
    before = schedule_hyperparameters(sgd(), momentum=LINE)
    advance(before, "lr", 3)
    scheduler = schedule_hyperparameters(sgd(), momentum=SAW)
    with pytest.warns(UserWarning, match="the schedule in the code is kept") as warned:
        scheduler.load_state_dict(reloaded(before.state_dict()))
    assert f"momentum={LINE!r}" in str(warned[0].message)
    assert f"momentum={SAW!r}" in str(warned[0].message)
    assert warned[0].filename == __file__
    assert advance(scheduler, "momentum", STEPS) == [[SAW(n)] for n in range(3, 3 + STEPS)]


@pytest.mark.parametrize("other", [lambda o: StepLR(o, 2), lambda o: lambda_lr(o, LINE)])
def test_the_state_of_another_scheduler_gives_its_step(other: Both) -> None:
    before = other(sgd())
    advance(before, "lr", 5)
    scheduler = schedule_hyperparameters(sgd(), momentum=SAW)
    with pytest.warns(UserWarning, match="the checkpoint was written with"):
        scheduler.load_state_dict(reloaded(before.state_dict()))
    assert advance(scheduler, "momentum", STEPS) == [[SAW(n)] for n in range(5, 5 + STEPS)]


def test_a_state_without_a_step_is_refused() -> None:
    scheduler = driven()
    groups = [dict(group) for group in scheduler.optimizer.param_groups]
    with pytest.raises(TypeError, match=r"load_state_dict: last_epoch must be an integer"):
        scheduler.load_state_dict({"last_epoch": 3.0})
    assert scheduler.optimizer.param_groups == groups


def test_sequential_lr_joins_them() -> None:
    optimizer = sgd()
    pieces = [LINE, SAW]
    scheduler = SequentialLR(
        optimizer,
        [schedule_hyperparameters(optimizer, lr=each, momentum=each) for each in pieces],
        [7],
    )
    joined = lrsched.join(pieces, [7])
    for step in range(STEPS):
        group = optimizer.param_groups[0]
        assert group["lr"] == group["momentum"] == joined(step)
        advance(scheduler, "lr")


# Refusals

TRACED = lrsched.linear(torch.tensor(1.0, requires_grad=True), 0.0, 10)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, r"schedules must be given for at least one key .*, got \{\}"),
        ({"lr": None}, ValueError, "schedules must be given for at least one key"),
        ({"betas": (None, None)}, ValueError, "schedules must be given for at least one key"),
        (
            {"momentum": LINE},
            ValueError,
            r"key must be one of the numbers in the param groups \(lr, of_one_group, betas, eps, "
            r"weight_decay\), got 'momentum'",
        ),
        *(
            ({key: LINE}, ValueError, f"key must be one of .* got '{key}'")
            for key in ("params", "amsgrad", "foreach", "initial_lr", "lr_ratio")
        ),
        ({"lr": 0.1}, TypeError, "lr must be schedules of plain numbers, or None, got 0.1"),
        ({"lr": TRACED}, TypeError, "lr must be schedules of plain numbers"),
        ({"lr": [LINE, 0.1]}, TypeError, "lr must be schedules of plain numbers"),
        ({"betas": (LINE, 0.1)}, TypeError, "betas must be schedules of plain numbers"),
        ({"lr": (LINE,)}, TypeError, "lr must be a schedule, not a tuple"),
        ({"betas": LINE}, TypeError, "betas must be a tuple, as in the param groups"),
        ({"betas": (LINE,)}, ValueError, "betas must be a tuple of 2, as in the param groups"),
        ({"betas": [(LINE, None), (LINE,) * 3]}, ValueError, "betas must be a tuple of 2"),
        ({"betas": [None, LINE]}, TypeError, "betas must be a tuple, as in the param groups"),
        ({"lr": []}, ValueError, r"lr must be a list of 2, one for each param group, got \[\]"),
        ({"lr": [LINE]}, ValueError, "lr must be a list of 2, one for each param group"),
        ({"lr": lrsched.linear(1, 0, lrsched.run_fraction(1.0))}, ValueError, "resolve it with"),
        (
            {"betas": (lrsched.linear(1, 0, lrsched.run_fraction(1.0)), None)},
            ValueError,
            "resolve it",
        ),
        ({"lr": LINE, "last_step": -2}, ValueError, "last_step must be an integer >= -1"),
        ({"lr": LINE, "last_step": None}, TypeError, "last_step must be an integer >= -1"),
        ({"lr": LINE, "reference_group": 0}, ValueError, "lr of param group 0 must be above 0"),
        (
            {"lr": [LINE] * 2, "reference_group": 0},
            ValueError,
            "reference_group must be None unless",
        ),
        ({"eps": LINE, "reference_group": 1}, ValueError, "reference_group must be None unless"),
        (
            {"of_one_group": [None, LINE]},
            ValueError,
            "of_one_group must be None for param group 1, which has no such number",
        ),
    ],
)
def test_a_refusal_leaves_the_optimizer_as_it_was(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    optimizer = adam({"lr": 0.0, "of_one_group": 1.0}, {"lr": 0.1})
    groups = [dict(group) for group in optimizer.param_groups]
    step = optimizer.step
    with pytest.raises(error, match=message):
        schedule_hyperparameters(optimizer, **arguments)
    assert optimizer.param_groups == groups
    assert optimizer.step == step


def test_what_is_no_optimizer_is_refused() -> None:
    wanted = "schedule_hyperparameters: optimizer must be a torch optimizer, got None"
    with pytest.raises(TypeError, match=wanted):
        schedule_hyperparameters(None, lr=LINE)  # type: ignore[arg-type]


def test_a_group_that_does_not_fit_is_refused_behind_one_without_the_key() -> None:
    optimizer = adam({"lr": 0.1}, {"lr": 0.1, "pair": (0.1, 0.2)})
    with pytest.raises(TypeError, match="pair must be a tuple, as in the param groups"):
        schedule_hyperparameters(optimizer, pair=LINE)
