"""Each schedule against its counterpart among torch's schedulers, stepped for real."""

import math
from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)

import lrsched
from lrsched import Schedule

Make = Callable[[Optimizer], LRScheduler]
Resume = Callable[[Optimizer, int], LRScheduler]  # with torch's last_epoch
Mode = Literal["triangular", "triangular2", "exp_range"]

TOLERANCE = 1e-9  # of the largest rate involved
STEPS = 100
MAX_COUNT = 2**31 - 1

thorough = settings(max_examples=500, deadline=None)

rates = st.floats(-6.0, 1.0).map(lambda exponent: 10.0**exponent)
parts = st.one_of(st.floats(1e-6, 1.0), st.just(1.0))  # factors that torch allows at the start
floors = st.one_of(st.just(0.0), rates)
decays = st.floats(0.0, 1.0)
growths = st.floats(0.0, 1.2)
lengths = st.integers(1, 60)
modes = st.sampled_from(["triangular", "triangular2", "exp_range"])


def phases(three: bool, latest_peak: float) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "pct_start": st.floats(0.0, latest_peak),
            "three_phase": st.just(three),
            "anneal_strategy": st.sampled_from(["cos", "linear"]),
            "div_factor": st.floats(0.1, 1e3),
            "final_div_factor": st.floats(0.1, 1e6),
        }
    )


one_cycles = phases(False, 1.0) | phases(True, 0.5)


@st.composite
def stages(draw: st.DrawFn, lr: float) -> tuple[Make, Schedule]:
    """A scheduler to go into a sequence, and its counterpart."""
    steps, part, decay, floor = draw(lengths), draw(parts), draw(decays), draw(floors)
    known: list[tuple[Make, Schedule]] = [
        (
            lambda o: ConstantLR(o, part, steps),
            lrsched.piecewise_constant((part * lr, lr), [steps]),
        ),
        (lambda o: LinearLR(o, part, decay, steps), lrsched.linear(part * lr, decay * lr, steps)),
        (lambda o: ExponentialLR(o, decay), lrsched.exponential_decay(lr, decay)),
        (lambda o: StepLR(o, steps, decay), lrsched.step_decay(lr, decay, steps)),
        (
            lambda o: PolynomialLR(o, steps, power=2.0),
            lrsched.polynomial(lr, 0.0, steps, power=2.0),
        ),
        (
            lambda o: CosineAnnealingLR(o, steps, floor),
            lrsched.cyclic(lr, floor, steps, shape="cosine"),
        ),
        (
            lambda o: CosineAnnealingWarmRestarts(o, steps, 2, floor),
            lrsched.cosine_restarts(lr, steps, 2, floor),
        ),
    ]
    return draw(st.sampled_from(known))


def sgd(lr: float) -> Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def stepped(make: Make, lr: float, steps: int = STEPS) -> list[float]:
    """The lr of each update of an optimizer with a torch scheduler."""
    optimizer = sgd(lr)
    scheduler = make(optimizer)
    lrs = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps - 1):
        optimizer.step()
        scheduler.step()
        lrs.append(optimizer.param_groups[0]["lr"])
    return lrs


def resumed(make: Resume, count: int, lr: float, **group: float) -> float:
    """The lr that a torch scheduler sets when it is made for an optimizer after `count` steps."""
    optimizer = sgd(lr)
    optimizer.param_groups[0].update(group)
    make(optimizer, count - 1)
    return float(optimizer.param_groups[0]["lr"])


def close(lrs: list[float], base: float) -> object:
    """What equals values within the tolerance of the largest of `lrs` and `base`."""
    return pytest.approx(lrs, rel=0.0, abs=TOLERANCE * max(base, *map(abs, lrs)))


def check(make: Make, schedule: Schedule, lr: float, steps: int = STEPS) -> None:
    assert [schedule(count) for count in range(steps)] == close(stepped(make, lr, steps), lr)


# Parity


@thorough
@given(lr=rates, warmup_steps=st.integers(0, 60), steps=lengths)
def test_lambda_lr(lr: float, warmup_steps: int, steps: int) -> None:
    """The linear warmup and decay of transformers, the best known factor of a LambdaLR."""

    def factor(count: int) -> float:
        if count < warmup_steps:
            return count / warmup_steps
        return max(0.0, (warmup_steps + steps - count) / steps)

    recipe = lrsched.warmup(lrsched.linear(lr, 0.0, steps), warmup_steps)
    check(lambda optimizer: LambdaLR(optimizer, factor), recipe, lr)


@thorough
@given(lr=rates, steps=st.integers(1, MAX_COUNT), data=st.data())
def test_lambda_lr_at_late_counts(lr: float, steps: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, MAX_COUNT))
    expected = resumed(
        lambda optimizer, last: LambdaLR(optimizer, lambda t: max(0.0, 1.0 - t / steps), last),
        count,
        lr,
        initial_lr=lr,
    )
    assert [lrsched.linear(lr, 0.0, steps)(count)] == close([expected], lr)


@thorough
@given(lr=rates, inner=rates, decay=growths)
def test_lambda_lr_with_a_schedule_as_its_factor(lr: float, inner: float, decay: float) -> None:
    factor = lrsched.exponential_decay(inner, decay)
    check(lambda optimizer: LambdaLR(optimizer, factor), factor * lr, lr)


@thorough
@given(lr=rates, factor=parts, steps=lengths)
def test_constant_lr(lr: float, factor: float, steps: int) -> None:
    recipe = lrsched.piecewise_constant((factor * lr, lr), (steps,))
    check(lambda optimizer: ConstantLR(optimizer, factor, steps), recipe, lr)


@thorough
@given(lr=rates, gamma=growths, step_size=lengths)
def test_step_lr(lr: float, gamma: float, step_size: int) -> None:
    recipe = lrsched.step_decay(lr, gamma, step_size)
    check(lambda optimizer: StepLR(optimizer, step_size, gamma), recipe, lr)


@thorough
@given(lr=rates, gamma=growths, milestones=st.lists(st.integers(0, STEPS), max_size=8))
@example(lr=1.0, gamma=0.5, milestones=[0, 0, 7, 7, 7])
def test_multi_step_lr(lr: float, gamma: float, milestones: list[int]) -> None:
    recipe = lrsched.multi_step_decay(lr, gamma, sorted(milestones))
    check(lambda optimizer: MultiStepLR(optimizer, milestones, gamma), recipe, lr)


@thorough
@given(lr=rates, start=parts, end=decays, steps=lengths)
def test_linear_lr(lr: float, start: float, end: float, steps: int) -> None:
    recipe = lrsched.linear(start * lr, end * lr, steps)
    check(lambda optimizer: LinearLR(optimizer, start, end, steps), recipe, lr)


@thorough
@given(lr=rates, gamma=growths)
def test_exponential_lr(lr: float, gamma: float) -> None:
    recipe = lrsched.exponential_decay(lr, gamma)
    check(lambda optimizer: ExponentialLR(optimizer, gamma), recipe, lr)


@thorough
@given(lr=rates, steps=lengths, power=st.floats(0.05, 20.0))
def test_polynomial_lr(lr: float, steps: int, power: float) -> None:
    recipe = lrsched.polynomial(lr, 0.0, steps, power)
    check(lambda optimizer: PolynomialLR(optimizer, steps, power), recipe, lr)


@thorough
@given(lr=rates, eta_min=floors, t_max=st.integers(1, 150))
def test_cosine_annealing_lr_up_to_its_end(lr: float, eta_min: float, t_max: int) -> None:
    recipe = lrsched.cosine_decay(lr, t_max, eta_min)
    check(lambda optimizer: CosineAnnealingLR(optimizer, t_max, eta_min), recipe, lr, t_max + 1)


@thorough
@given(lr=rates, eta_min=floors, t_max=st.integers(1, 300))
def test_cosine_annealing_lr_beyond_its_end(lr: float, eta_min: float, t_max: int) -> None:
    """torch's recursion loses digits after T_max, the more the longer it is."""
    recipe = lrsched.cyclic(lr, eta_min, t_max, shape="cosine")
    steps = max(STEPS, 2 * t_max + 2)
    check(lambda optimizer: CosineAnnealingLR(optimizer, t_max, eta_min), recipe, lr, steps)


@thorough
@given(lr=rates, eta_min=floors, t_0=st.integers(1, 30), t_mult=st.integers(1, 4))
def test_cosine_annealing_warm_restarts(lr: float, eta_min: float, t_0: int, t_mult: int) -> None:
    recipe = lrsched.cosine_restarts(lr, t_0, t_mult, eta_min)
    check(lambda o: CosineAnnealingWarmRestarts(o, t_0, t_mult, eta_min), recipe, lr, 150)


@thorough
@given(
    base=rates,
    peak=rates,
    up=lengths,
    down=st.none() | st.integers(0, 60),
    mode=modes,
    gamma=growths,
)
def test_cyclic_lr(
    base: float, peak: float, up: int, down: int | None, mode: Mode, gamma: float
) -> None:
    rate = gamma if mode == "exp_range" else 1.0
    recipe = lrsched.cyclic(base, peak, up, down, mode, rate)
    check(lambda o: CyclicLR(o, base, peak, up, down, mode, rate), recipe, max(base, peak), 150)


@thorough
@given(
    base=rates,
    peak=rates,
    up=st.integers(1, 10),
    down=st.integers(0, 10),
    scale=st.sampled_from([lambda c: 1 / c, lambda c: 0.9**c, lambda c: c % 2, math.log]),
)
def test_cyclic_lr_with_a_function_of_the_cycle(
    base: float, peak: float, up: int, down: int, scale: Callable[[float], float]
) -> None:
    """torch counts the cycles from 1."""
    recipe = lrsched.cyclic(base, peak, up, down, mode=lambda cycle: scale(cycle + 1))
    check(
        lambda o: CyclicLR(o, base, peak, up, down, scale_fn=scale, scale_mode="cycle"),
        recipe,
        max(base, peak),
    )


@thorough
@given(
    base=rates,
    peak=rates,
    up=st.integers(500, 5000),
    down=st.integers(500, 5000),
    mode=modes,
    gamma=st.floats(-8.0, -3.0).map(lambda exponent: 1.0 - 10.0**exponent),
    count=st.integers(1, 10**6),
)
def test_cyclic_lr_at_late_counts(
    base: float, peak: float, up: int, down: int, mode: Mode, gamma: float, count: int
) -> None:
    rate = gamma if mode == "exp_range" else 1.0
    expected = resumed(
        lambda optimizer, last: CyclicLR(
            optimizer, base, peak, up, down, mode, rate, cycle_momentum=False, last_epoch=last
        ),
        count,
        lr=base,
        initial_lr=base,
    )
    recipe = lrsched.cyclic(base, peak, up, down, mode, rate)
    assert [recipe(count)] == close([expected], max(base, peak))


def one_cycle(peak: float, total_steps: int, options: dict[str, Any]) -> Schedule:
    """The counterpart of a OneCycleLR."""
    assume(options["pct_start"] * total_steps != 1.0)  # where torch divides by zero
    return lrsched.one_cycle(
        peak,
        total_steps,
        up_fraction=options["pct_start"],
        div_factor=options["div_factor"],
        final_div_factor=options["final_div_factor"],
        anneal="linear" if options["anneal_strategy"] == "linear" else "cosine",
        three_phase=options["three_phase"],
    )


@thorough
@given(peak=rates, total_steps=st.integers(2, 150), options=one_cycles)
def test_one_cycle_lr(peak: float, total_steps: int, options: dict[str, Any]) -> None:
    recipe = one_cycle(peak, total_steps, options)
    check(lambda o: OneCycleLR(o, peak, total_steps, **options), recipe, peak, total_steps)


@thorough
@given(
    peak=rates,
    counts=st.tuples(st.integers(1, MAX_COUNT), st.integers(1, MAX_COUNT)),
    options=one_cycles,
)
def test_one_cycle_lr_at_late_counts(
    peak: float, counts: tuple[int, int], options: dict[str, Any]
) -> None:
    count, total_steps = min(counts), max(counts)
    assume(count < total_steps)
    recipe = one_cycle(peak, total_steps, options)
    initial = peak / options["div_factor"]
    expected = resumed(
        lambda optimizer, last: OneCycleLR(
            optimizer, peak, total_steps, cycle_momentum=False, last_epoch=last, **options
        ),
        count,
        lr=initial,
        initial_lr=initial,
        max_lr=peak,
        min_lr=initial / options["final_div_factor"],
    )
    assert [recipe(count)] == close([expected], max(peak, initial))


@pytest.mark.parametrize("members", [2, 3])
@thorough
@given(lr=rates, data=st.data())
def test_sequential_lr(members: int, lr: float, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(stages(lr), min_size=members, max_size=members))
    cuts = st.sets(st.integers(1, STEPS), min_size=members - 1, max_size=members - 1)
    milestones = sorted(data.draw(cuts))
    check(
        lambda o: SequentialLR(o, [make(o) for make, _ in chosen], milestones),
        lrsched.join([schedule for _, schedule in chosen], milestones),
        lr,
    )


# Where torch goes wrong or surprises. Each test shows what torch 2.13 does and fails when that
# changes.


@pytest.mark.parametrize(
    ("anneal", "beyond"), [("cos", 0.0495193679865), ("linear", -0.1428525714)]
)
def test_one_cycle_lr_extrapolates_at_total_steps(
    anneal: Literal["cos", "linear"], beyond: float
) -> None:
    """pytorch#91765: the step after the last update leaves the curve; ours holds its end."""
    lrs = stepped(lambda o: OneCycleLR(o, 1.0, 10, anneal_strategy=anneal), 1.0, steps=11)
    assert lrs[9:] == pytest.approx([4e-6, beyond])
    recipe = lrsched.one_cycle(1.0, 10, anneal="cosine" if anneal == "cos" else "linear")
    assert [recipe(count) for count in (9, 10, 11)] == [4e-6, 4e-6, 4e-6]


@pytest.mark.parametrize(("total_steps", "fraction"), [(10, 0.1), (2, 0.5)])
def test_one_cycle_lr_cannot_start_at_its_peak(total_steps: int, fraction: float) -> None:
    """pytorch#180187: a way up of no steps divides by zero; ours is at the peak at count 0."""
    with pytest.raises(ZeroDivisionError):
        OneCycleLR(sgd(1.0), 1.0, total_steps, pct_start=fraction)
    assert lrsched.one_cycle(1.0, total_steps, fraction)(0) == 1.0


@pytest.mark.parametrize("t_0", range(1, 12))
def test_cosine_annealing_warm_restarts_misses_a_restart(t_0: int) -> None:
    """`log(243, 3)` is 4.999... in floats, so `step(epoch)` gives the bottom for the top."""
    optimizer = sgd(1.0)
    scheduler = CosineAnnealingWarmRestarts(optimizer, t_0, T_mult=3, eta_min=0.1)
    scheduler.step(121.0 * t_0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
    assert lrsched.cosine_restarts(1.0, t_0, 3, 0.1)(121 * t_0) == 1.0
    assert lrsched.cosine_restarts(1.0, t_0, 3, 0.1)(121.0 * t_0) == 1.0


def test_cosine_annealing_warm_restarts_resumes_in_a_wrong_cycle() -> None:
    """Count 31 is 1 of the 40 steps after 10 and 20; torch takes it for 1 of 20 (PR 110497)."""
    lr = resumed(
        lambda o, last: CosineAnnealingWarmRestarts(o, 10, T_mult=2, last_epoch=last),
        count=31,
        lr=1.0,
        initial_lr=1.0,
    )
    assert lr == pytest.approx(math.cos(math.pi / 2 / 20) ** 2)
    exact = math.cos(math.pi / 2 / 40) ** 2
    assert lrsched.cosine_restarts(1.0, 10, 2)(31) == pytest.approx(exact, rel=1e-15)


@pytest.mark.parametrize(
    ("make", "schedule", "wrong"),
    [
        (lambda o, last: StepLR(o, 10, 0.1, last), lrsched.step_decay(1.0, 0.1, 10), 0.01),
        (
            lambda o, last: MultiStepLR(o, [10], 0.1, last),
            lrsched.multi_step_decay(1.0, 0.1, [10]),
            0.01,
        ),
        (
            lambda o, last: ConstantLR(o, 0.5, 10, last),
            lrsched.piecewise_constant([0.5, 1.0], [10]),
            2.0,
        ),
    ],
)
def test_resuming_at_a_boundary_acts_twice(make: Resume, schedule: Schedule, wrong: float) -> None:
    """pytorch#102261, not mended in these: the factor is already in the lr that was loaded."""
    assert resumed(make, 10, lr=schedule(10), initial_lr=1.0) == pytest.approx(wrong)
    assert schedule(10) == stepped(lambda o: make(o, -1), 1.0, steps=11)[10]


def test_linear_lr_refuses_to_start_at_zero() -> None:
    """pytorch#86454: torch's recursion would divide by the start."""
    with pytest.raises(ValueError, match="greater than 0"):
        LinearLR(sgd(1.0), start_factor=0.0)
    assert [lrsched.linear(0.0, 1.0, 4)(count) for count in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_constant_lr_cannot_come_back_from_zero() -> None:
    """pytorch PR 195853: torch divides by the factor that it applied."""
    with pytest.raises(ZeroDivisionError):
        stepped(lambda o: ConstantLR(o, factor=0.0, total_iters=2), 1.0, steps=3)
    assert [lrsched.piecewise_constant([0.0, 1.0], [2])(count) for count in (1, 2)] == [0.0, 1.0]


def test_cosine_annealing_lr_climbs_back() -> None:
    """pytorch#40971: after T_max torch is back at the top in as many steps; a decay stays down."""
    lrs = stepped(lambda o: CosineAnnealingLR(o, 10), 1.0, steps=21)
    assert [lrs[10], lrs[15], lrs[20]] == pytest.approx([0.0, 0.5, 1.0])
    assert [lrsched.cosine_decay(1.0, 10)(count) for count in (10, 15, 20)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("eta_min", "at_4"), [(0.0, 0.6545084972), (0.1, 0.6997049523)])
def test_chained_scheduler_is_no_product(eta_min: float, at_4: float) -> None:
    """Each member works on what it finds (pytorch#129565), a product only where the floor is 0."""
    lrs = stepped(
        lambda o: ChainedScheduler([LinearLR(o, 0.1, 1.0, 4), CosineAnnealingLR(o, 10, eta_min)]),
        1.0,
        steps=5,
    )
    assert lrs[4] == pytest.approx(at_4)
    product = lrsched.linear(0.1, 1.0, 4) * lrsched.cosine_decay(1.0, 10, eta_min)
    exact = eta_min + (1.0 - eta_min) * math.cos(math.pi / 2 * 0.4) ** 2
    assert product(4) == pytest.approx(exact, rel=1e-15)
    assert (lrs[4] == pytest.approx(exact)) is (eta_min == 0.0)


def test_cyclic_lr_overflows_after_1024_cycles() -> None:
    """pytorch#52989: `2.0**1024` is no float; a peak halved as often is at the bottom."""

    def make(optimizer: Optimizer, last_epoch: int) -> LRScheduler:
        return CyclicLR(
            optimizer, 0.1, 1.0, 1, mode="triangular2", cycle_momentum=False, last_epoch=last_epoch
        )

    assert resumed(make, 2047, lr=0.1, initial_lr=0.1) == 0.1
    with pytest.raises(OverflowError):
        resumed(make, 2049, lr=0.1, initial_lr=0.1)
    assert lrsched.cyclic(0.1, 1.0, 1, mode="triangular2")(2049) == 0.1
