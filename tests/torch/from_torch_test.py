"""`from_torch`: torch's own schedulers, wherever they stand, stepped on beside the schedule."""

import contextlib
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import optax
import pytest
import torch
import transformers
from hypothesis import assume, given, reject, settings
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
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch.optim.swa_utils import SWALR

import lrsched
from lrsched import Schedule
from lrsched.plateau import reduce_on_plateau
from lrsched_torch import PlateauLR, from_torch, lambda_lr

Make = Callable[[Optimizer], LRScheduler]

STEPS = 60
# A step of torch's recursion rounds a few times; where rates are differences of terms (lines and
# cosines near their ends), what is lost is a part of the terms, not of what is left of them.
RELATIVE, OF_THE_LARGEST = 1e-12, 1e-12
# A CosineAnnealingLR multiplies what it lost by up to (2 T / pi)^2 from each trough on.
AFTER_A_TROUGH = 1e-10
LR = 0.1

rates = st.floats(-5.0, 1.0).map(lambda exponent: 10.0**exponent)
floors = st.one_of(st.just(0.0), rates)
parts = st.one_of(st.floats(1e-3, 1.0), st.just(1.0))
ends = st.one_of(st.floats(1e-9, 1.0), st.sampled_from([0.0, 1.0]))
decays = st.one_of(st.floats(0.2, 1.1), st.sampled_from([0.1, 1.0]))
lengths = st.integers(1, 40)
lengths_or_none = st.integers(0, 40)
groups = st.lists(rates, min_size=1, max_size=3)
befores = st.integers(0, 50)


def sgd(*lrs: Any) -> Optimizer:
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in lrs]
    named = [{"params": [weight], "lr": lr} for weight, lr in zip(parameters, lrs, strict=True)]
    return torch.optim.SGD(named, lr=1.0, momentum=0.5)


def lrs_of(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def step(scheduler: LRScheduler, times: int = 1) -> None:
    for _ in range(times):
        scheduler.optimizer.step()
        scheduler.step()


def stepped(make: Make, times: int, *lrs: float) -> LRScheduler:
    try:
        scheduler = make(sgd(*(lrs or (LR,))))
        step(scheduler, times)
    except ZeroDivisionError:  # torch's, of a LinearLR or PolynomialLR of no steps, nested
        reject()
    return scheduler


@contextlib.contextmanager
def refusing(*texts: str) -> Iterator[None]:
    """Leave out what is refused with one of these texts."""
    try:
        yield
    except ValueError as refused:
        if not any(text in str(refused) for text in texts):
            raise
        reject()


def count_of(scheduler: Any) -> int:
    """Where a scheduler stands; a chain has no count of its own."""
    while isinstance(scheduler, ChainedScheduler):
        scheduler = scheduler._schedulers[0]
    return int(scheduler.last_epoch)


def check(scheduler: LRScheduler, steps: int = STEPS, lost: float = OF_THE_LARGEST) -> Any:
    """`from_torch` now, against stepping on from here."""
    found, count = from_torch(scheduler), count_of(scheduler)
    optimizer = scheduler.optimizer
    schedules = found if isinstance(found, list) else [found] * len(optimizer.param_groups)
    curves: list[list[float]] = []
    for _ in range(steps):
        curves.append(lrs_of(optimizer))
        step(scheduler)
    for i, (schedule, seen) in enumerate(zip(schedules, zip(*curves, strict=True), strict=True)):
        largest = max(float(optimizer.param_groups[i]["initial_lr"]), *map(abs, seen))
        expected = pytest.approx(list(seen), rel=RELATIVE, abs=lost * largest)
        assert [schedule(count + n) for n in range(steps)] == expected
    return found


def factors(draw: st.DrawFn) -> Make:
    """A scheduler that multiplies what it finds."""
    steps, rate, power = draw(lengths_or_none), draw(decays), draw(st.floats(0.5, 3.0))
    first, last = draw(parts), draw(ends)
    milestones = draw(st.lists(st.integers(0, 60), max_size=4))
    known: list[Make] = [
        lambda o: StepLR(o, max(steps, 1), rate),
        lambda o: MultiStepLR(o, milestones, rate),
        lambda o: ConstantLR(o, first, steps),
        lambda o: LinearLR(o, first, last, steps),
        lambda o: ExponentialLR(o, rate),
        lambda o: PolynomialLR(o, steps, power),
    ]
    return draw(st.sampled_from(known))


def others(draw: st.DrawFn) -> Make:
    """A scheduler that does not."""
    steps, low, high = draw(lengths), draw(floors), draw(rates)
    down, mult, rate = draw(st.none() | st.integers(0, 30)), draw(st.integers(1, 3)), draw(decays)
    mode: Any = draw(st.sampled_from(["triangular", "triangular2", "exp_range"]))
    strategy: Any = draw(st.sampled_from(["cos", "linear"]))
    factor = draw(st.sampled_from([lrsched.linear(1.0, 0.1, 30), lrsched.inverse_time(2.0, 1, 9)]))
    known: list[Make] = [
        lambda o: LambdaLR(o, factor),
        lambda o: CosineAnnealingLR(o, steps, low),
        lambda o: CosineAnnealingWarmRestarts(o, steps, mult, low),
        lambda o: CyclicLR(o, low, high, steps, down, mode, rate),
        lambda o: lambda_lr(o, lrsched.warmup(lrsched.constant(high), steps)),
        lambda o: SWALR(o, high, steps, strategy),
    ]
    return draw(st.sampled_from(known))


single = st.composite(lambda draw: draw(st.sampled_from([factors, others]))(draw))()


@st.composite
def one_cycles(draw: st.DrawFn) -> Make:
    total, three = draw(st.integers(2, 120)), draw(st.booleans())
    up = draw(st.floats(0.0, 0.5 if three else 1.0))
    assume(up * total != 1.0)  # where torch divides by 0
    peak, div = draw(rates), draw(st.floats(1.0, 100.0))
    final, strategy = draw(st.floats(1.0, 1e5)), draw(st.sampled_from(["cos", "linear"]))
    return lambda o: OneCycleLR(
        o,
        peak,
        total,
        pct_start=up,
        div_factor=div,
        final_div_factor=final,
        anneal_strategy=strategy,  # type: ignore[arg-type]
        three_phase=three,
    )


# Each scheduler, from anywhere in its life


@settings(max_examples=500)
@given(lrs=groups, make=single, before=befores)
def test_goes_on_as_torch_does(lrs: list[float], make: Make, before: int) -> None:
    scheduler = make(sgd(*lrs))
    step(scheduler, before)
    check(scheduler, lost=AFTER_A_TROUGH if type(scheduler) is CosineAnnealingLR else 1e-12)


@settings(max_examples=200)
@given(make=one_cycles(), before=befores)
def test_one_cycle_up_to_its_last_update(make: Make, before: int) -> None:
    scheduler: Any = make(sgd(1.0, 0.1))
    assume(before < scheduler.total_steps)
    step(scheduler, before)
    found = from_torch(scheduler)
    for count in range(before, scheduler.total_steps):
        expected = pytest.approx(lrs_of(scheduler.optimizer)[1], rel=1e-12)
        assert isinstance(found, Schedule)
        assert found(count) == expected
        if count < scheduler.total_steps - 1:  # then torch leaves the curve, or divides by 0
            step(scheduler)


@settings(max_examples=500)
@given(lrs=groups, make=single, before=befores, edit=rates)
def test_goes_on_from_a_changed_lr(lrs: list[float], make: Make, before: int, edit: float) -> None:
    """What is in `initial_lr` no longer tells it. A part of 1e-9 counts as rounding."""
    scheduler = make(sgd(*lrs))
    step(scheduler, before)
    assume(all(abs(lr - edit) > 1e-8 * edit for lr in lrs_of(scheduler.optimizer)))
    for group in scheduler.optimizer.param_groups:
        group["lr"] = edit
    with refusing("from_torch: the lr must be"):
        found = from_torch(scheduler)
    # Just before its end, an anneal tells little of its beginning: torch and this divide by that.
    check(scheduler, lost=1e-10)
    for schedule in found if isinstance(found, list) else [found]:
        assert schedule(count_of(scheduler) - STEPS) == pytest.approx(edit, rel=1e-10)


def nested(depth: int) -> Any:
    """Sequences and chains, in which torch nests only what comes first."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Make:
        kind = draw(st.sampled_from(["single", "sequence", "chain"] if depth else ["single"]))
        if kind == "single":
            make: Make = draw(single)
            return make
        first = draw(nested(depth - 1))
        if kind == "chain":
            rest = [factors(draw) for _ in range(draw(st.integers(0, 2)))]
            before = draw(st.booleans())
            makes = [*rest, first] if before else [first, *rest]
            return lambda o: ChainedScheduler([make(o) for make in makes])
        later = draw(st.lists(single, min_size=1, max_size=3))
        cuts = st.lists(st.integers(0, 60), min_size=len(later), max_size=len(later))
        milestones = sorted(draw(cuts))
        assume(milestones[0] > 0)
        return lambda o: SequentialLR(o, [make(o) for make in [first, *later]], milestones)

    return drawn()


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # torch's own, nested
@settings(max_examples=500)
@given(lrs=groups, make=nested(2), before=befores)
def test_nested_ones_go_on_as_torch_does(lrs: list[float], make: Make, before: int) -> None:
    """Wherever there is an equal schedule, torch's own quirks in nesting included."""
    scheduler = stepped(make, before, *lrs)
    with refusing("is no product", "begins at its count 0"):
        from_torch(scheduler)
    check(scheduler, lost=1e-10)


# After a checkpoint


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # torch's own, nested
@settings(max_examples=300)
@given(lrs=groups, make=nested(1) | one_cycles(), before=befores, whole=st.booleans())
def test_goes_on_after_a_checkpoint(lrs: list[float], make: Make, before: int, whole: bool) -> None:
    """With or without the optimizer's own state: without it, torch goes on from its first lr."""
    if isinstance(scheduler := stepped(make, 0, *lrs), OneCycleLR):
        before = min(before, scheduler.total_steps - 2)
    scheduler = stepped(make, before, *lrs)
    saved = pickle.dumps((scheduler.state_dict(), scheduler.optimizer.state_dict()))
    resumed = make(sgd(*lrs))
    state, of_optimizer = pickle.loads(saved)
    resumed.load_state_dict(state)
    if whole:
        resumed.optimizer.load_state_dict(of_optimizer)
    with refusing("is no product", "begins at its count 0", "the lr must be"):
        from_torch(resumed)
    if isinstance(resumed, OneCycleLR):
        check(resumed, resumed.total_steps - before - 1)
    else:
        check(resumed, lost=1e-10)


@pytest.mark.parametrize("count", [5, 10, 20])
def test_a_resumption_that_decays_twice_goes_on_from_there(count: int) -> None:
    """pytorch#102261: the factor of a boundary is already in the lr that was loaded."""
    for make in (
        lambda o, last=-1: StepLR(o, 10, 0.1, last),
        lambda o, last=-1: MultiStepLR(o, [10, 20, 30], 0.1, last),
        lambda o, last=-1: ConstantLR(o, 0.5, 10, last),
    ):
        first = make(sgd(1.0))
        step(first, count)
        optimizer = sgd(1.0)
        optimizer.load_state_dict(first.optimizer.state_dict())
        check(make(optimizer, count - 1))


@pytest.mark.parametrize("last_epoch", [4, 9, 30, 35])
@pytest.mark.parametrize("mult", [1, 2])
def test_a_resumption_that_misses_a_cycle_goes_on_from_there(last_epoch: int, mult: int) -> None:
    """Made with a late `last_epoch`, torch's restarts have the length of the second cycle."""
    optimizer = sgd(1.0)
    optimizer.param_groups[0]["initial_lr"] = 1.0
    scheduler = CosineAnnealingWarmRestarts(optimizer, 10, mult, last_epoch=last_epoch)
    check(scheduler, 150)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_swa_counts_its_calls_not_its_steps(strategy: Any) -> None:
    optimizer = sgd(1.0)
    optimizer.param_groups[0]["initial_lr"] = 0.7
    check(SWALR(optimizer, 0.1, 20, strategy, last_epoch=8))


# What it is good for


def test_lambda_lr_and_optax_go_on_from_here() -> None:
    scheduler = SequentialLR(
        optimizer := sgd(0.1),
        [LinearLR(optimizer, 0.25, 1.0, 10), CosineAnnealingLR(optimizer, 40)],
        [10],
    )
    step(scheduler, 17)
    recipe = from_torch(scheduler)
    assert isinstance(recipe, Schedule)
    ours = lambda_lr(sgd(9.0), recipe, last_step=scheduler.last_epoch - 1)
    transformation = optax.sgd(recipe)
    state = transformation.init(jnp.zeros(()))
    for _ in range(17):
        _, state = transformation.update(jnp.ones(()), state)
    for _ in range(30):
        lr = optimizer.param_groups[0]["lr"]
        update, state = transformation.update(jnp.ones(()), state)
        assert lrs_of(ours.optimizer) == pytest.approx([lr], rel=1e-12)
        assert -float(update) == pytest.approx(lr, rel=1e-6)
        step(scheduler)
        step(ours)


fall = lrsched.exponential_decay(0.5, 0.9)


@pytest.mark.parametrize("times", [0, 7])
@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda o: StepLR(o, 5), lrsched.step_decay(LR, 0.1, 5)),
        (lambda o: MultiStepLR(o, [9, 3]), lrsched.multi_step_decay(LR, 0.1, [3, 9])),
        (lambda o: ConstantLR(o, 0.5, 5), lrsched.piecewise_constant([0.05, LR], [5])),
        (lambda o: LinearLR(o, 0.5, 0.1, 5), lrsched.linear(0.05, 0.1 * LR, 5)),
        (lambda o: ExponentialLR(o, 0.9), lrsched.exponential_decay(LR, 0.9)),
        (lambda o: PolynomialLR(o, 9, 2), lrsched.polynomial(LR, 0.0, 9, 2)),
        (lambda o: CosineAnnealingLR(o, 9), lrsched.cyclic(LR, 0.0, 9, shape="cosine")),
        (lambda o: CosineAnnealingWarmRestarts(o, 2, 3), lrsched.cosine_restarts(LR, 2, 3)),
        (lambda o: CyclicLR(o, 0.1, 0.2, 3, 8), lrsched.cyclic(0.1, 0.2, 3, 8)),
        (lambda o: OneCycleLR(o, 0.2, 30), lrsched.one_cycle(0.2, 30)),
        (lambda o: LambdaLR(o, fall), fall * LR),
        (lambda o: lambda_lr(o, fall), fall),
        (lambda o: SWALR(o, 0.05, 20), lrsched.anneal(LR, 0.05, 20, "cosine")),
        (lambda o: ChainedScheduler([ExponentialLR(o, 0.9)]), lrsched.exponential_decay(LR, 0.9)),
        (
            lambda o: ChainedScheduler([StepLR(o, 3), CosineAnnealingWarmRestarts(o, 4)]),
            lrsched.cosine_restarts(LR, 4),  # it overwrites what came before it
        ),
        (
            lambda o: SequentialLR(o, [ExponentialLR(o, 0.9), SWALR(o, 0.05, 20)], [3]),
            None,  # SWALR anneals from the lr that it meets
        ),
        (
            lambda o: SequentialLR(o, [ConstantLR(o, 0.5, 9), StepLR(o, 4)], [5]),
            lrsched.join(
                [lrsched.piecewise_constant([0.05, LR], [9]), lrsched.step_decay(LR, 0.1, 4)], [5]
            ),
        ),
        (
            lambda o: ChainedScheduler([LinearLR(o, 0.5, 1.0, 5), ExponentialLR(o, 0.9)]),
            lrsched.linear(0.05, LR, 5) * lrsched.exponential_decay(1.0, 0.9),
        ),
    ],
)
def test_the_recipe_is_the_one_that_a_person_would_write(
    make: Make, times: int, wanted: Schedule | None
) -> None:
    found = check(stepped(make, times), 22)
    assert wanted is None or found == wanted


def test_groups_that_agree_share_a_schedule() -> None:
    assert from_torch(stepped(lambda o: StepLR(o, 5), 0, 0.1, 0.1)) == lrsched.step_decay(
        0.1, 0.1, 5
    )
    found = from_torch(stepped(lambda o: StepLR(o, 5), 0, 0.1, 0.2))
    assert found == [lrsched.step_decay(lr, 0.1, 5) for lr in (0.1, 0.2)]
    assert check(stepped(lambda o: lambda_lr(o, fall, keep_ratios=True), 3, 0.1, 0.4))[0] == fall
    assert check(stepped(lambda o: lambda_lr(o, [fall, 2 * fall]), 3, 0.1, 0.4))[0] == fall


def test_a_float32_tensor_rounds_more() -> None:
    scheduler = ExponentialLR(sgd(torch.tensor(0.1)), 0.9)
    step(scheduler, 30)
    found = from_torch(scheduler)
    assert found == lrsched.exponential_decay(float(torch.tensor(0.1)), 0.9)


def test_a_sequence_with_a_one_cycle_begins_as_torch_does() -> None:
    """It overwrites `initial_lr`, from which torch then begins the other."""
    optimizer = sgd(0.1)
    members = [LinearLR(optimizer, 0.5, 1.0, 5), OneCycleLR(optimizer, 1.0, 40)]
    scheduler = SequentialLR(optimizer, members, [5])
    assert lrs_of(optimizer) == [pytest.approx(0.5 / 25)]
    check(scheduler, 44)


def test_an_initial_lr_of_before_stays_for_a_step() -> None:
    """CyclicLR's first lr is that of the scheduler before it (pytorch#21965)."""
    optimizer = sgd(0.5)
    ExponentialLR(optimizer, 0.9)
    scheduler = CyclicLR(optimizer, 0.1, 0.2, 5)
    assert lrs_of(optimizer) == [0.5]
    check(scheduler)


@pytest.mark.parametrize("times", [0, 4, 12])
@pytest.mark.parametrize(
    "make",
    [
        lambda o: CyclicLR(o, 0.1, 0.2, 5, mode="triangular2"),
        lambda o: OneCycleLR(o, 0.2, 40),
        lambda o: OneCycleLR(o, 0.2, 40, three_phase=True, anneal_strategy="linear"),
    ],
)
def test_the_momentum_that_is_cycled(make: Make, times: int) -> None:
    weights = [torch.nn.Parameter(torch.zeros(1))]
    both: list[tuple[Optimizer, Any, Callable[[dict[str, Any]], float]]] = [
        (torch.optim.SGD(weights, lr=0.1, momentum=0.5), "momentum", lambda g: g["momentum"]),
        (torch.optim.Adam(weights, lr=0.1), "betas", lambda g: g["betas"][0]),
    ]
    for optimizer, key, value in both:
        scheduler = make(optimizer)
        step(scheduler, times)
        found = from_torch(scheduler, key=key)
        assert isinstance(found, Schedule)
        for count in range(times, 39):
            assert found(count) == pytest.approx(value(optimizer.param_groups[0]), rel=1e-12)
            step(scheduler)


# transformers


hugging: Any = transformers.optimization
HF: dict[str, Callable[[Any, int, int], LRScheduler]] = {
    "constant": lambda o, w, n: hugging.get_constant_schedule(o),
    "with warmup": lambda o, w, n: hugging.get_constant_schedule_with_warmup(o, w),
    "linear": hugging.get_linear_schedule_with_warmup,
    "cosine": hugging.get_cosine_schedule_with_warmup,
    "waves": lambda o, w, n: hugging.get_cosine_schedule_with_warmup(o, w, n, num_cycles=1.5),
    "restarts": lambda o, w, n: hugging.get_cosine_with_hard_restarts_schedule_with_warmup(
        o, w, n, 3
    ),
    "polynomial": lambda o, w, n: hugging.get_polynomial_decay_schedule_with_warmup(
        o, w, n, 1e-6, 2.0
    ),
    "inverse sqrt": lambda o, w, n: hugging.get_inverse_sqrt_schedule(o, w, 7),
    "min lr": lambda o, w, n: hugging.get_cosine_with_min_lr_schedule_with_warmup(
        o, w, n, min_lr_rate=0.1
    ),
    "from 1": lambda o, w, n: hugging.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
        o, w, n, min_lr_rate=0.1
    ),
    "stable": lambda o, w, n: hugging.get_wsd_schedule(o, w, n, num_stable_steps=5),
}


@pytest.mark.parametrize("name", HF)
@settings(max_examples=30)
@given(warmup=st.integers(0, 9), after=st.integers(1, 9), lrs=groups, before=befores)
def test_transformers_past_their_ends_too(
    name: str, warmup: int, after: int, lrs: list[float], before: int
) -> None:
    optimizer = sgd(*lrs)
    optimizer.defaults["lr"] = lrs[0]
    scheduler = HF[name](optimizer, warmup, warmup + 3 * after)
    step(scheduler, before)
    with refusing("whose restarts are not missed"):
        from_torch(scheduler)
    check(scheduler)


# Refusals


class Mine(StepLR):
    def get_lr(self) -> list[Any]:
        return [1.0]


class Logged(StepLR):
    def log(self) -> str:
        return "stepping"


class Other(LRScheduler):
    def get_lr(self) -> list[Any]:
        return [1.0] * len(self.optimizer.param_groups)


def grown(optimizer: Optimizer) -> LRScheduler:
    scheduler = StepLR(optimizer, 5)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    return scheduler


def at_its_trough(optimizer: Optimizer) -> LRScheduler:
    scheduler = CosineAnnealingLR(optimizer, 5)
    step(scheduler, 5)
    optimizer.param_groups[0]["lr"] = 0.2
    return scheduler


def test_a_subclass_with_other_methods_is_known() -> None:
    assert from_torch(Logged(sgd(0.1), 5)) == lrsched.step_decay(0.1, 0.1, 5)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda o: None, TypeError, "from_torch: scheduler must be a torch scheduler, got None"),
        (ReduceLROnPlateau, TypeError, "one that follows a metric is PlateauLR(optimizer, "),
        (lambda o: PlateauLR(o, reduce_on_plateau(0.1)), TypeError, "follows a metric"),
        (lambda o: LambdaLR(o, lambda n: 1.0), TypeError, "no other function has a closed form"),
        (lambda o: MultiplicativeLR(o, lambda n: 0.9), TypeError, "than MultiplicativeLR"),
        (
            lambda o: CyclicLR(o, 0.1, 1.0, scale_fn=lambda n: 1.0),
            TypeError,
            "from_torch: scale_fn must be None (a function has no closed form), got <function",
        ),
        (
            lambda o: CosineAnnealingLR(o, 7.5),  # type: ignore[arg-type]
            TypeError,
            "from_torch: T_max must be an integer >= 1 (steps), got 7.5",
        ),
        (lambda o: CyclicLR(o, 0.1, 1.0, 2.5, 1.5), TypeError, "step_size_up must be"),  # type: ignore[arg-type]
        (lambda o: MultiStepLR(o, [2.5]), TypeError, "milestones must be"),  # type: ignore[list-item]
        (lambda o: StepLR(o, -3), ValueError, "step_size must be an integer >= 1"),
        (lambda o: StepLR(o, 3, -0.1), ValueError, "decay_rate must be a number >= 0, got -0.1"),
        (lambda o: Mine(o, 5), TypeError, "must be a StepLR that does not override get_lr, got <"),
        (Other, TypeError, "from_torch: scheduler must be one of torch's own schedulers, got <"),
        (grown, ValueError, "param_groups must be the 1 that the scheduler was made for, got 2"),
        (at_its_trough, ValueError, "the lr must be 0.0, the scheduler's own at its lowest, got"),
        (
            lambda o: SequentialLR(o, [StepLR(o, 3), StepLR(o, 3)], [4])._schedulers[1],
            ValueError,
            "last_epoch must be an integer >= 0 (steps), got -1",
        ),
        (
            lambda o: SequentialLR(o, [StepLR(o, 3)] * 3, [8, 4]),
            ValueError,
            "milestones must be ascending (torch skips what is not), got [8, 4]",
        ),
        (
            lambda o: SequentialLR(o, [StepLR(o, 3), ChainedScheduler([StepLR(o, 3)])], [4]),
            ValueError,
            "schedulers must be no ChainedScheduler but the first (torch cannot begin it later)",
        ),
        (
            lambda o: SequentialLR(o, [StepLR(o, 3), LinearLR(o, total_iters=0)], [4]),
            ValueError,
            "schedulers must be a LinearLR that begins at its count 0",
        ),
        (
            lambda o: ChainedScheduler([CosineAnnealingLR(o, 5, 0.01), StepLR(o, 3)]),
            ValueError,
            "a ChainedScheduler's members must be factors, or one scheduler at work",
        ),
        (
            lambda o: ChainedScheduler([CyclicLR(o, 0.1, 0.2), ExponentialLR(o, 0.9)]),
            ValueError,
            "this is no product",
        ),
        (
            lambda o: hugging.get_linear_schedule_with_warmup(o, 10, 10),
            ValueError,
            "from_torch: num_training_steps must be above num_warmup_steps (10), got 10",
        ),
        (
            lambda o: hugging.get_wsd_schedule(o, 1, 5, num_stable_steps=5, num_cycles=1.5),
            ValueError,
            "num_cycles must be 0.5",
        ),
    ],
)
def test_what_cannot_be_known_is_refused(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as refused:
        from_torch(make(sgd(0.1)))
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("make", "key", "text"),
    [
        (lambda o: StepLR(o, 3), "momentum", "key must be 'lr' for what cycles no momentum"),
        (lambda o: CyclicLR(o, 0.1, 0.2, cycle_momentum=False), "momentum", "no momentum"),
        (lambda o: CyclicLR(o, 0.1, 0.2), "betas", "key must be 'momentum', got 'betas'"),
        (lambda o: CyclicLR(o, 0.1, 0.2), "mass", "key must be 'lr', 'momentum' or 'betas'"),
    ],
)
def test_a_momentum_that_is_not_cycled_is_refused(make: Any, key: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        from_torch(make(sgd(0.1)), key=key)
