"""Hypothesis strategies for torch's schedulers, and the comparison of a schedule with one."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.optional import is_installed, needs

needs("torch")

import pytest
import torch
from hypothesis import assume, reject
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
from torch.optim.swa_utils import SWALR

import lrsched
from lrsched_torch import from_torch, lambda_lr

CHAIN_CAN_BEGIN = is_installed("torch>=2.6")  # a sequence

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


def rates_held(scheduler: Any) -> list[float]:
    """The sizes of the learning rates that the scheduler and the param groups hold."""
    param_groups = scheduler.optimizer.param_groups
    found = [group[name] for group in param_groups for name in group if "lr" in name]
    for each in [scheduler, *getattr(scheduler, "_schedulers", [])]:
        found += [*getattr(each, "base_lrs", []), *getattr(each, "max_lrs", [])]
        found.append(getattr(each, "eta_min", 0.0))
    return [abs(float(lr)) for lr in found]


def check(scheduler: LRScheduler, steps: int = STEPS, lost: float = OF_THE_LARGEST) -> Any:
    """`from_torch` now, against stepping on from here."""
    found, count = from_torch(scheduler), count_of(scheduler)
    optimizer = scheduler.optimizer
    schedules = found if isinstance(found, list) else [found] * len(optimizer.param_groups)
    largest = max(rates_held(scheduler))
    curves: list[list[float]] = []
    for _ in range(steps):
        curves.append(lrs_of(optimizer))
        step(scheduler)
    for schedule, seen in zip(schedules, zip(*curves, strict=True), strict=True):
        expected = pytest.approx(list(seen), rel=RELATIVE, abs=lost * max(largest, *map(abs, seen)))
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


def nested(depth: int) -> Any:
    """Sequences and chains, in which torch nests only what comes first."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Make:
        kind = draw(st.sampled_from(["single", "sequence", "chain"] if depth else ["single"]))
        if kind == "single":
            make: Make = draw(single)
            return make
        first = draw(nested(depth - 1 if kind == "chain" or CHAIN_CAN_BEGIN else 0))
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
