"""`to_torch`: schedules as torch's own schedulers, stepped for real, and read back."""

import copy
import operator
import pickle
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import lrsched
from lrsched import Schedule
from lrsched_torch import from_torch, to_torch
from tests.torch.torch_schedulers import refusing

STEPS = 90
UNIT = 2.0**-53  # by which a rounding changes a number, relative to it
# A step of torch's recursions rounds up to four times, and the errors of all steps add up.
OF_THE_VALUE = 4 * STEPS * UNIT
# Where the ends of a line or a cosine cancel, what is lost is a part of the ends.
OF_THE_LARGEST = 8 * UNIT
# A CyclicLR subtracts the number of cycles from `t / period`, which has that many units more.
AFTER_CYCLES = STEPS * UNIT
# A CosineAnnealingLR multiplies what it lost by up to (2 T / pi)^2 from each trough on.
AFTER_A_TROUGH = 1e-10

values = st.one_of(st.floats(1e-5, 10.0), st.just(0.0))
peaks = st.floats(1e-5, 10.0)
rates = st.one_of(st.floats(0.3, 1.05), st.sampled_from([0.0, 0.1, 1.0]))
lengths = st.integers(1, 40)
shapes = st.sampled_from(["linear", "cosine"])
boundaries = st.lists(st.integers(0, 60), max_size=4).map(sorted)


def sgd(*lrs: Any) -> Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in lrs or (1.0,)]
    return torch.optim.SGD(groups, momentum=0.5)


def rounding(schedule: Schedule) -> list[float]:
    """How far torch's values may be from the schedule's, step by step."""
    values = [abs(schedule(count)) for count in range(STEPS)]
    if schedule.name == "product":
        # Relative errors add up, and each factor's is relative to its own largest value, which
        # may be far above what it contributes to the largest product.
        one, other = schedule.params.values()
        lost = zip(range(STEPS), rounding(one), rounding(other), strict=True)
        return [abs(one(n)) * of_other + abs(other(n)) * of_one for n, of_one, of_other in lost]
    if schedule.name == "scale":
        inner, factor = schedule.params.values()
        both = zip(rounding(inner), values, strict=True)
        return [abs(factor) * of_inner + UNIT * value for of_inner, value in both]
    part = OF_THE_LARGEST
    if "cyclic" in repr(schedule):
        part = AFTER_CYCLES
    if "cosine" in repr(schedule):
        part = AFTER_A_TROUGH
    return [OF_THE_VALUE * value + part * max(values) for value in values]


def check(scheduler: LRScheduler, schedule: Schedule) -> None:
    """Each group's lr, step by step."""
    seen: list[list[float]] = []
    assert scheduler.get_last_lr() == [group["lr"] for group in scheduler.optimizer.param_groups]
    for _ in range(STEPS):
        seen.append([float(group["lr"]) for group in scheduler.optimizer.param_groups])
        scheduler.optimizer.step()
        scheduler.step()
    wanted = [schedule(count) for count in range(STEPS)]
    allowed = rounding(schedule)
    for lrs in zip(*seen, strict=True):
        errors = [abs(lr - value) for lr, value in zip(lrs, wanted, strict=True)]
        assert all(map(operator.le, errors, allowed)), (wanted, lrs)


one_cycles = st.builds(
    lrsched.one_cycle,
    peaks,
    st.integers(2, 60),
    st.floats(0.0, 0.5),
    st.floats(1.0, 100.0),
    st.floats(1.0, 1e5),
    st.sampled_from(["cosine", "linear"]),
    st.booleans(),
).filter(lambda s: s.params["up_fraction"] * s.params["total_steps"] != 1)

factors = st.one_of(
    st.builds(lrsched.linear, peaks, values, lengths),
    st.builds(lrsched.exponential_decay, values, rates, lengths, st.booleans()),
    st.builds(lrsched.step_decay, values, rates, lengths),
    st.builds(lrsched.multi_step_decay, values, rates, boundaries),
    st.builds(lrsched.polynomial, values, st.just(0.0), lengths, st.floats(0.5, 4.0)),
    st.builds(
        lambda v, n: lrsched.piecewise_constant(sorted(v), [n]), st.tuples(peaks, peaks), lengths
    ),
)
singles = st.one_of(
    factors,
    st.builds(lrsched.constant, values),
    st.builds(lrsched.linear, values, values, lengths),
    st.builds(lrsched.cosine_decay, values, lengths, values),
    st.builds(lrsched.cosine_restarts, values, lengths, st.integers(1, 3), values),
    st.builds(lrsched.cyclic, values, values, lengths, st.none() | st.integers(0, 30)),
    st.builds(lrsched.cyclic, values, values, lengths, mode=st.just("triangular2")),
    st.builds(
        lrsched.cyclic,
        *(values, values, lengths),
        mode=st.just("exp_range"),
        decay_rate=st.floats(0.8, 1.05),
    ),
    st.builds(lrsched.cyclic, values, values, lengths, shape=st.just("cosine")),
    st.builds(lrsched.exponential_ramp, peaks, peaks, lengths),
    st.builds(lrsched.anneal, values, values, lengths, shapes),
    st.builds(lambda v: lrsched.piecewise_constant(v, (7, 20)), st.tuples(values, values, values)),
)


def made_of(inner: st.SearchStrategy[Schedule]) -> st.SearchStrategy[Schedule]:
    begins = st.integers(0, 50)
    return st.one_of(
        st.builds(lrsched.warmup, inner, st.integers(0, 30), values, shapes),
        st.builds(
            lambda inner, steps, value: lrsched.warmup(inner, steps, value, count_from=1),
            *(inner, st.integers(0, 30), values),
        ),
        st.builds(
            lambda schedules, steps: lrsched.join(schedules, steps[: len(schedules) - 1]),
            st.lists(inner, min_size=1, max_size=3),
            st.lists(st.integers(1, 60), min_size=2, max_size=2, unique=True).map(sorted),
        ),
        st.builds(lrsched.scale, inner, st.floats(0.01, 3.0)),
        st.builds(lrsched.delay, inner, begins),
        st.builds(lrsched.then_scale, inner, begins, inner),
        st.builds(lrsched.cooldown, inner, begins, lengths, values, shapes),
    )


schedules = st.one_of(
    one_cycles,
    st.recursive(singles, made_of, max_leaves=4),
    st.builds(lrsched.product, factors, factors),
    st.builds(lambda a, b, c: a * b * c * 0.5, factors, factors, factors),
    st.builds(lambda a, b, c, n: lrsched.join([a * b, c], [n]), factors, factors, singles, lengths),
    st.builds(lambda inner, value: inner * lrsched.constant(value), singles, values),
)


@settings(max_examples=500)
@given(schedule=schedules)
# The first factor falls to a part of 5e-6: 1 - (1 - 5e-6) has lost as many of its digits.
@example(lrsched.linear(2.140625, 1e-05, 1) * lrsched.linear(1e-05, 1.0, 1))
def test_stepping_gives_the_values(schedule: Schedule) -> None:
    with refusing("needs torch 2.6"):
        scheduler = to_torch(schedule, sgd(0.3, 7.0))
    check(scheduler, schedule)


@settings(max_examples=60)
@given(schedule=schedules, steps=st.integers(0, STEPS // 2))
def test_an_advanced_schedule_has_made_its_steps(schedule: Schedule, steps: int) -> None:
    optimizer = sgd(0.3, 7.0)
    with refusing("needs torch 2.6"):
        scheduler = to_torch(lrsched.advance(schedule, steps), optimizer)
    stepped = to_torch(schedule, sgd(0.3, 7.0))
    for _ in range(steps):
        stepped.optimizer.step()
        stepped.step()
    for _ in range(STEPS // 2):
        assert optimizer.param_groups[0]["lr"] == stepped.optimizer.param_groups[0]["lr"]
        for each in (scheduler, stepped):
            each.optimizer.step()
            each.step()


@settings(max_examples=300)
@given(schedule=schedules, before=st.integers(0, 60))
def test_there_and_back(schedule: Schedule, before: int) -> None:
    """As a function, from the beginning and from within."""
    with refusing("needs torch 2.6"):
        scheduler = to_torch(schedule, sgd(0.3, 7.0))
    for _ in range(before):
        scheduler.optimizer.step()
        scheduler.step()
    back = from_torch(scheduler)
    assert isinstance(back, Schedule)
    counts = range(before, before + STEPS)
    wanted = [schedule(count) for count in counts]
    expected = pytest.approx(wanted, rel=1e-8, abs=1e-9 * max(map(abs, wanted)))
    assert [back(count) for count in counts] == expected


def test_a_tensor_is_filled_in_place() -> None:
    needs("torch", "torch>=2.10")  # before it, torch's SequentialLR replaces the tensor
    tensor = torch.tensor(1.0, dtype=torch.float64)
    schedule = lrsched.warmup(lrsched.cosine_decay(0.1, 30), 10)
    scheduler = to_torch(schedule, sgd(tensor, 1.0))
    assert scheduler.optimizer.param_groups[0]["lr"] is tensor
    check(scheduler, schedule)
    assert scheduler.optimizer.param_groups[0]["lr"] is tensor


@pytest.mark.parametrize(
    "schedule",
    [
        lrsched.warmup(lrsched.step_decay(0.1, 0.5, 7), 5, 0.2, mode="times"),
        lrsched.warmup(lrsched.linear(0.1, 0.0, 40), 8, 0.01, count_from=1, mode="times"),
        lrsched.warmup(lrsched.linear(0.1, 0.02, 40), 1, 0.5, count_from=1, mode="times"),
        lrsched.cyclic(0.1, 0.2, 4.5, 2.75),
        lrsched.exponential_decay(0.1, 0.5, 7.5),
    ],
)
def test_warmups_that_multiply_and_lengths_that_are_not_whole(schedule: Schedule) -> None:
    check(to_torch(schedule, sgd(0.3, 7.0)), schedule)


def test_an_earlier_scheduler_has_no_say() -> None:
    """Torch's schedulers keep the `initial_lr` that the first one found."""
    optimizer = sgd(0.7)
    torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    schedule = lrsched.cyclic(0.1, 0.3, 5)
    check(to_torch(schedule, optimizer), schedule)


RECIPE = lrsched.join(
    [lrsched.linear(0.0, 0.1, 5), lrsched.cosine_decay(0.2, 10, 0.02), lrsched.constant(0.01)],
    [5, 20],
)


def by_hand(optimizer: Optimizer) -> LRScheduler:
    """The same classes, made without lrsched (and with other numbers)."""
    torch_lr = torch.optim.lr_scheduler
    return torch_lr.SequentialLR(
        optimizer,
        [
            torch_lr.CyclicLR(optimizer, 0.5, 1.0, cycle_momentum=False),
            torch_lr.CosineAnnealingLR(optimizer, 3),
            torch_lr.ConstantLR(optimizer),
            torch_lr.ConstantLR(optimizer),
        ],
        [1, 2, 3],
    )


@pytest.mark.parametrize("at", [0, 3, 12, 17, 30])
def test_a_checkpoint_needs_no_lrsched(at: int) -> None:
    scheduler = to_torch(RECIPE, sgd(0.3))
    for _ in range(at):
        scheduler.optimizer.step()
        scheduler.step()
    saved = pickle.dumps((scheduler.state_dict(), scheduler.optimizer.state_dict()))
    assert b"lrsched" not in saved
    assert b"lrsched" not in pickle.dumps(copy.deepcopy(scheduler))
    resumed = by_hand(sgd(7.0))
    state, of_optimizer = pickle.loads(saved)
    resumed.load_state_dict(state)
    resumed.optimizer.load_state_dict(of_optimizer)
    check(resumed, lrsched.advance(RECIPE, at))


ONE = lrsched.constant(1.0)
CYCLE = lrsched.one_cycle(1.0, 20)
FALL = lrsched.exponential_decay(1.0, 0.9)


@pytest.mark.parametrize(
    ("schedule", "error", "text"),
    [
        (
            0.1,
            TypeError,
            "to_torch: schedule must be a schedule of plain numbers "
            "(lrsched.constant(0.1) is one), got 0.1",
        ),
        (lambda n: 0.1, TypeError, "to_torch: schedule must be a schedule of plain numbers"),
        (lrsched.constant(torch.tensor(0.1, requires_grad=True)), TypeError, "of plain numbers"),
        (lrsched.cosine_decay(0.1, lrsched.run_fraction(1.0)), ValueError, "resolve it with"),
        (
            lrsched.rex(0.1, 10),
            ValueError,
            "to_torch: schedule must be one that torch has (torch has no such scheduler as rex; "
            "lambda_lr(optimizer, schedule) takes any), got rex(init_value=0.1, steps=10)",
        ),
        (lrsched.polynomial(1.0, 0.1, 10, 2), ValueError, "a PolynomialLR ends at 0, once"),
        (lrsched.polynomial(1.0, 0.0, 10, 2, True), ValueError, "a PolynomialLR ends at 0, once"),
        (lrsched.cosine_restarts(1.0, 10, peak_mult=0.5), ValueError, "restarts are all as high"),
        (lrsched.cyclic(0.1, 1.0, 5, mode=abs), ValueError, "a function in a CyclicLR"),
        (lrsched.cyclic(0.1, 1.0, 5, 6, shape="cosine"), ValueError, "equal halves"),
        (lrsched.cyclic(0.1, 1.0, 5, mode="triangular2", shape="cosine"), ValueError, "halves"),
        (lrsched.one_cycle(1.0, 10, 0.1), ValueError, "divides by 0"),
        (lrsched.advance(ONE, 10**7), ValueError, "advanced by 1000000 steps at most"),
        (lrsched.join([ONE, CYCLE], [5]), ValueError, "only at the beginning"),
        (lrsched.join([ONE, FALL * FALL], [5]), ValueError, "only at the beginning"),
        (FALL * lrsched.cosine_decay(1.0, 10), ValueError, "scales the rate it finds"),
        (lrsched.anneal(1.0, 0.1, 10), ValueError, "has the shape '1-sqrt'"),
        (lrsched.warmup(FALL, 5, shape="1-square"), ValueError, "has the shape '1-square'"),
        (FALL + FALL, ValueError, "no such scheduler as add"),
        (lrsched.warmup(lrsched.advance(FALL, 3), 5), ValueError, "no such scheduler as advance"),
        (lrsched.warmup(FALL, 5, mode="over"), ValueError, "no such scheduler as advance"),
        (lrsched.warmup(FALL, 5, mode="into"), ValueError, "no such scheduler as advance"),
        (lrsched.warmup(FALL, 5, power=2), ValueError, "no scheduler of torch rises with a power"),
        (lrsched.warmup(ONE, 5, shape="cosine", count_from=1), ValueError, "the shape 'cosine'"),
        (lrsched.advance(ONE, 2.5), ValueError, "torch's counts whole steps"),
        *(
            (schedule, ValueError, "torch's counts whole steps")
            for schedule in (
                lrsched.linear(0.1, 0.01, 10.5),
                lrsched.linear(0.0, 0.1, 10.5),
                lrsched.polynomial(0.1, 0.0, 10.5, 2),
                lrsched.cosine_decay(0.1, 10.5),
                lrsched.step_decay(0.1, 0.5, 10.5),
                lrsched.exponential_decay(0.1, 0.5, 10.5, staircase=True),
                lrsched.exponential_ramp(0.1, 0.5, 10.5),
                lrsched.multi_step_decay(0.1, 0.5, (3, 7.5)),
                lrsched.piecewise_constant((0.05, 0.1), (7.5,)),
                lrsched.cosine_restarts(0.1, 10.5),
                lrsched.cosine_restarts(0.1, 10, 1.5),
                lrsched.join([ONE, ONE], [7.5]),
                lrsched.warmup(ONE, 5.5),
                lrsched.delay(FALL, 5.5),
            )
        ),
    ],
)
def test_what_torch_has_not_is_refused(schedule: Any, error: Any, text: str) -> None:
    """And nothing is changed."""
    optimizer = sgd(0.3, 7.0)
    before = copy.deepcopy(optimizer.state_dict())
    step = optimizer.step
    with pytest.raises(error) as refused:
        to_torch(schedule, optimizer)
    assert text in str(refused.value)
    assert optimizer.state_dict() == before
    assert optimizer.step == step


def test_an_optimizer_is_needed() -> None:
    with pytest.raises(TypeError, match="to_torch: optimizer must be a torch optimizer, got None"):
        to_torch(ONE, None)  # type: ignore[arg-type]
