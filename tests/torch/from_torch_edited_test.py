"""`from_torch` of schedulers that were edited: by `step(epoch)`, by another state, by hand.

The schedule is what the scheduler itself goes on to give, or the call refuses.
"""

import copy
import math
import warnings
from collections.abc import Callable
from typing import Any

from tests.optional import is_installed, needs

needs("torch")

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import (
    CosineAnnealingWarmRestarts,
    CyclicLR,
    OneCycleLR,
)

import lrsched
from lrsched_torch import from_torch
from tests.torch.torch_schedulers import (
    count_of,
    groups,
    lrs_of,
    nested,
    one_cycles,
    rates_held,
    sgd,
    single,
)

torch_warns = pytest.mark.filterwarnings("ignore::UserWarning")  # of how it is called
Edit = Callable[[Any], object]

NUMBERS = st.one_of(
    st.integers(0, 60),
    st.floats(0.0, 2.0),
    st.floats(0.0, 60.0),
    st.sampled_from([0, 1, 0.1, 0.5, 1.0, -1, 2.5, 7.0]),
)
ATTRIBUTES = {
    *("T_max", "T_0", "T_i", "T_cur", "T_mult", "eta_min", "gamma", "step_size", "milestones"),
    *("total_iters", "factor", "start_factor", "end_factor", "power", "max_lrs", "base_lrs"),
    *("total_size", "step_ratio", "mode", "scale_mode", "total_steps", "last_epoch", "swa_lrs"),
    *("anneal_epochs", "_anneal_func_type", "_anneal_strategy", "_schedule_phases", "_step_count"),
}


@st.composite
def steps_to_epochs(draw: st.DrawFn) -> Edit:
    epoch = draw(st.integers(0, 80) | st.floats(0.0, 80.0))
    after = draw(st.integers(0, 3))

    def edit(scheduler: Any) -> None:
        scheduler.step(epoch)
        for _ in range(after):
            scheduler.step()

    return edit


# Before torch 2.10, a tensor that a scheduler fills may be its initial lr too.
TENSOR_SHAPES: list[tuple[int, ...]] = [(), (1,)] if is_installed("torch>=2.10") else []


@st.composite
def attributes(draw: st.DrawFn) -> Edit:
    place, number, name = draw(st.integers(0, 30)), draw(NUMBERS), draw(st.integers(0, 2))

    def edit(scheduler: Any) -> None:
        while members := getattr(scheduler, "_schedulers", None):
            scheduler = members[place % len(members)]
        known = sorted(ATTRIBUTES & vars(scheduler).keys())
        attribute = known[place % len(known)]
        old = getattr(scheduler, attribute)
        if isinstance(old, str):
            names = ["linear", "cos"] if "anneal" in attribute else ["triangular2", "exp_range"]
            setattr(scheduler, attribute, [*names, "cycle"][name])
        elif isinstance(old, list) and old and isinstance(old[0], dict):
            old[0]["end_step"] = number
        elif isinstance(old, list):
            setattr(scheduler, attribute, [number] * len(old))
        elif isinstance(old, dict):
            setattr(scheduler, attribute, type(old)({int(number): 1}))
        else:
            setattr(scheduler, attribute, number)

    return edit


@st.composite
def group_entries(draw: st.DrawFn) -> Edit:
    name = draw(st.sampled_from(["lr", "initial_lr", "max_lr", "min_lr"]))
    number = draw(NUMBERS if name == "lr" else NUMBERS | st.none())

    def edit(scheduler: Any) -> None:
        for group in scheduler.optimizer.param_groups:
            if name in group and number is None:
                del group[name]
            elif name in group:
                group[name] = number

    return edit


def other_states(make: Any) -> Any:
    """The state of another configuration, of the same class, stepped by another number."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Edit:
        other, before = draw(make), draw(st.integers(0, 30))

        def edit(scheduler: Any) -> None:
            source = other(sgd(*lrs_of(scheduler.optimizer)))
            for _ in range(before):
                source.step()
            if type(source) is type(scheduler):
                scheduler.load_state_dict(copy.deepcopy(source.state_dict()))

        return edit

    return drawn()


def rates_ahead(scheduler: Any, steps: int) -> list[list[float]]:
    """The learning rates of the next steps, as far as torch itself goes."""
    found = []
    for _ in range(steps):
        found.append(lrs_of(scheduler.optimizer))
        try:
            scheduler.step()
        except (ArithmeticError, LookupError, TypeError, ValueError):
            break
    return found


def assert_right_or_refused(scheduler: Any) -> None:
    steps = 40
    if isinstance(scheduler, OneCycleLR):  # then torch leaves the curve, and raises
        steps = max(1, math.ceil(scheduler.total_steps - scheduler.last_epoch))
    try:
        found = from_torch(scheduler)
    except (TypeError, ValueError):
        return
    param_groups = scheduler.optimizer.param_groups
    schedules: Any = found if isinstance(found, list) else [found] * len(param_groups)
    # Where rates are differences, what is lost is a part of the terms.
    rates_kept = [lr for group in param_groups for lr in (group["lr"], group.get("initial_lr"))]
    in_float32 = any(isinstance(lr, torch.Tensor) for lr in rates_kept)
    lost, held = (2e-5 if in_float32 else 1e-9), rates_held(scheduler)
    largest, smallest = max(held), min((rate for rate in held if rate), default=0.0)
    count = count_of(scheduler)
    for step, rates in enumerate(rates_ahead(scheduler, min(steps, 40))):
        for schedule, rate in zip(schedules, rates, strict=True):
            expected = pytest.approx(rate, rel=2 * lost, abs=lost * max(largest, abs(rate)))
            grown = rate > 1e9 * smallest  # at a factor of 2**64 the schedule stops
            assert grown or schedule(count + step) == expected, (scheduler, step)


def advance(scheduler: Any) -> None:
    scheduler.step()


def edited(make: Any, *edits: Any) -> Any:
    """A scheduler in the middle of its run, edited once or twice."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Any:
        lrs: list[Any] = draw(groups)
        if (shape := draw(st.sampled_from([None, None, *TENSOR_SHAPES]))) is not None:
            lrs = [torch.full(shape, lr) for lr in lrs]
        scheduler: Any = draw(make)(sgd(*lrs))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of its deprecated argument
            before = draw(st.integers(0, 20))
            for edit in [*[advance] * before, *draw(st.lists(st.one_of(*edits), max_size=2))]:
                try:
                    edit(scheduler)
                except (ArithmeticError, LookupError, TypeError, ValueError):
                    break  # torch does not go on either
        return scheduler

    return drawn()


@torch_warns
@settings(max_examples=600)
@given(
    edited(nested(1), attributes(), group_entries(), other_states(nested(1)))
    | edited(single, steps_to_epochs(), attributes(), group_entries(), other_states(single))
    | edited(
        one_cycles(), steps_to_epochs(), attributes(), group_entries(), other_states(one_cycles())
    )
)
def test_what_was_edited_is_converted_as_it_goes_on_or_refused(scheduler: Any) -> None:
    assert_right_or_refused(scheduler)


@torch_warns
def test_the_state_of_another_one_cycle_is_taken_as_torch_takes_it() -> None:
    """The state has the steps, the param groups have the rates."""
    source = OneCycleLR(sgd(0.1), 2.0, 50, pct_start=0.2, anneal_strategy="linear")
    for _ in range(7):
        source.step()
    scheduler = OneCycleLR(sgd(0.1), 1.0, 100)
    scheduler.load_state_dict(source.state_dict())
    assert_right_or_refused(copy.deepcopy(scheduler))
    scheduler.step()
    found: Any = from_torch(scheduler)
    assert (found.params["total_steps"], found.params["anneal"]) == (50, "linear")
    assert found.params["peak_value"] == 1.0
    assert_right_or_refused(scheduler)


@torch_warns
def test_a_one_cycle_of_an_older_torch_has_its_function() -> None:
    """Until torch 2.1 a state had the function, which torch uses where the name is missing."""
    for strategy in ("linear", "cos"):
        scheduler: Any = OneCycleLR(sgd(0.1), 1.0, 40, anneal_strategy=strategy)
        expected = from_torch(scheduler)
        names = {"linear": "_annealing_linear", "cos": "_annealing_cos"}
        scheduler.anneal_func = getattr(OneCycleLR, names[strategy])
        del scheduler._anneal_func_type
        assert from_torch(scheduler) == expected
        assert_right_or_refused(scheduler)


def test_phases_of_another_length_are_refused() -> None:
    scheduler: Any = OneCycleLR(sgd(0.1), 1.0, 40)
    scheduler.total_steps = 60
    with pytest.raises(ValueError, match=r"the ends of the phases must be .* as total_steps and"):
        from_torch(scheduler)


def test_a_cycle_between_two_steps_is_refused_by_name() -> None:
    scheduler = CosineAnnealingWarmRestarts(sgd(0.1), 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler.step(12.5)
    with pytest.raises(TypeError, match=r"T_cur must be an integer >= 0 \(steps\), got 2.5"):
        from_torch(scheduler)


@torch_warns
def test_the_length_of_the_cycle_is_the_one_that_torch_goes_on_with() -> None:
    """Not the one that it was made with; that one would never be found."""
    scheduler: Any = CosineAnnealingWarmRestarts(sgd(0.1), 10)
    scheduler.T_i = 7
    assert_right_or_refused(scheduler)
    assert from_torch(scheduler) == lrsched.cosine_restarts(0.1, 7)


@torch_warns
def test_a_gamma_that_torch_does_not_look_at_again_has_no_effect() -> None:
    scheduler: Any = CyclicLR(sgd(0.1), 0.1, 1.0, 5, mode="exp_range", gamma=0.9)
    scheduler.gamma = 0.5
    found: Any = from_torch(scheduler)
    assert found.params["decay_rate"] == 0.9
    assert_right_or_refused(scheduler)


def test_what_torch_itself_lacks_is_refused_by_name() -> None:
    scheduler: Any = OneCycleLR(sgd(0.1), 1.0, 40)
    del scheduler.optimizer.param_groups[0]["max_lr"]
    with pytest.raises(ValueError, match=r"scheduler must be whole; .* \(KeyError\('max_lr'\)\)"):
        from_torch(scheduler)


def test_restarts_further_in_their_cycle_than_their_steps_go_on_from_there() -> None:
    scheduler = CosineAnnealingWarmRestarts(sgd(1.0), 3)
    scheduler.T_cur = 1
    found: Any = from_torch(scheduler)
    assert [found(count) for count in range(4)] == pytest.approx([1, 0.25, 1, 0.75])
    assert_right_or_refused(scheduler)
