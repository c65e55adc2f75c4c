"""Each schedule against its counterpart among torch's schedulers, stepped for real.

Those against CyclicLR and OneCycleLR stand in `tests/schedules/`.
"""

from tests.optional import needs

needs("torch")

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)

import lrsched
from lrsched import Schedule
from tests.stepping import STEPS, Make, check, close, resumed

MAX_COUNT = 2**31 - 1
thorough = settings(max_examples=500, deadline=None)
rates = st.floats(-6.0, 1.0).map(lambda exponent: 10.0**exponent)
parts = st.one_of(st.floats(1e-6, 1.0), st.just(1.0))  # factors that torch allows at the start
floors = st.one_of(st.just(0.0), rates)
decays = st.floats(0.0, 1.0)
growths = st.floats(0.0, 1.2)
lengths = st.integers(1, 60)


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
