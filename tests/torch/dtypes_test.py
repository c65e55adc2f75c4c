"""Types of learning rates in torch, under any default dtype and for lr tensors of any dtype."""

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import PlateauState, Schedule
from lrsched.controllers import reduce_on_plateau
from lrsched_torch import ControlledLR, lambda_lr, on_device, schedule_hyperparameters
from tests.plateaus import runs
from tests.strategies import BY_NAME, LAST, NAMES, counts, schedules
from tests.ulp import ulps

FLOATS = [torch.bfloat16, torch.float16, torch.float32, torch.float64]
NARROW = [torch.bfloat16, torch.float16]
floats = st.sampled_from(FLOATS)


@contextlib.contextmanager
def default(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def widest(*dtypes: torch.dtype) -> torch.dtype:
    """The type that is computed in: one of these, and at least float32."""
    return torch.float64 if torch.float64 in dtypes else torch.float32


def sgd(lr: Any) -> Any:
    weights = torch.nn.Parameter(torch.zeros(1, dtype=torch.float32))
    return torch.optim.SGD([weights], lr=lr)


# Curves


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_default_dtype_changes_no_curve(name: str, dtype: torch.dtype) -> None:
    @settings(max_examples=10)
    @given(BY_NAME[name], st.lists(counts, min_size=1, max_size=4))
    def check(schedule: Schedule, at: list[int]) -> None:
        count = torch.asarray(at)
        expected = schedule(count)
        with default(dtype):
            found = schedule(count)
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)

    check()


@settings(max_examples=50)
@given(schedules, st.integers(0, LAST), floats, floats, st.booleans())
def test_curves_have_the_widest_type_and_at_least_float32(
    schedule: Schedule, count: int, dtype: torch.dtype, of_count: torch.dtype, learned: bool
) -> None:
    if learned:
        schedule = schedule * lrsched.constant(torch.ones((), requires_grad=True))
    count %= 2**8  # exact in every type
    with default(dtype):
        found = schedule(torch.tensor(count, dtype=of_count))
    assert found.dtype == widest(dtype, of_count)
    assert found.requires_grad == learned
    expected = schedule(torch.tensor(count, dtype=found.dtype))
    assert torch.equal(found.detach(), expected.detach())


def test_hyperparameters_that_are_learned_in_bfloat16_are_computed_with_in_float32() -> None:
    rate = torch.tensor(0.9, dtype=torch.bfloat16, requires_grad=True)
    value = lrsched.exponential_decay(0.1, rate)(torch.tensor(100))
    assert value.dtype == torch.float32
    held = rate.item()
    assert value.item() == pytest.approx(0.1 * held**100, rel=1e-6)
    value.backward()
    assert rate.grad is not None
    assert rate.grad.dtype == torch.bfloat16
    assert rate.grad.item() == pytest.approx(10 * held**99, rel=2**-8)


# Schedulers


@pytest.mark.parametrize("dtype", NARROW)
def test_torchgfn_343_on_device_keeps_a_small_rate(dtype: torch.dtype) -> None:
    """`constant(2e-8)` was 0.0 under a default dtype of float16."""
    with default(dtype):
        optimizer = sgd(torch.tensor(1.0, dtype=torch.float32))
        rates = on_device(optimizer, lrsched.constant(2e-8))
        assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(2e-8, rel=1e-7)
        assert float(rates.get_last_lr()[0]) == pytest.approx(2e-8, rel=1e-7)


@pytest.mark.parametrize("dtype", NARROW)
def test_a_checkpoint_with_a_float_is_continued_in_float32(dtype: torch.dtype) -> None:
    """The lr of `lambda_lr` is a Python float, which has no dtype of its own."""
    with default(dtype):
        optimizer = sgd(torch.tensor(1.0, dtype=torch.float32))
        rates = on_device(optimizer, lrsched.constant(2e-8))
        state, saved = rates.state_dict(), optimizer.state_dict()
        saved["param_groups"][0]["lr"] = 2e-8
        optimizer.load_state_dict(saved)
        rates.load_state_dict(state)
    lr = optimizer.param_groups[0]["lr"]
    assert lr.dtype == torch.float32
    assert float(lr) == pytest.approx(2e-8, rel=1e-7)


@settings(max_examples=60)
@given(schedules, st.integers(-1, 10**6), floats, floats, st.booleans())
def test_on_device_computes_in_the_type_of_the_lr(
    schedule: Schedule, last_step: int, dtype: torch.dtype, of_lr: torch.dtype, ratios: bool
) -> None:
    """A bfloat16 or float16 tensor holds the rounded rate, which nothing can change."""
    with default(dtype):
        lr = torch.tensor(1.0, dtype=of_lr)
        rates = on_device(sgd(lr), schedule, last_step, keep_ratios=ratios)
        rates.step()
    exact = schedule(last_step + 2)
    assert lr.dtype == of_lr
    if of_lr == torch.float64:
        assert float(lr) == pytest.approx(exact, rel=1e-13, abs=1e-290)
    elif of_lr == torch.float32:
        assert ulps(float(lr), exact) <= 8
    else:
        nearest = [torch.tensor(exact * x, dtype=torch.float64) for x in (1 - 1e-6, 1, 1 + 1e-6)]
        assert lr in [x.to(of_lr) for x in nearest]


@settings(max_examples=30)
@given(schedules, st.integers(-1, 10**6), floats, floats)
def test_schedulers_set_the_rate_in_the_type_of_the_lr(
    schedule: Schedule, last_step: int, dtype: torch.dtype, of_lr: torch.dtype
) -> None:
    """Rounded once, from the Python float."""
    value = schedule(last_step + 1)
    assume(abs(value) <= torch.finfo(of_lr).max)
    exact = torch.tensor(value, dtype=torch.float64).to(of_lr)
    with default(dtype):
        for make in (
            lambda optimizer: lambda_lr(optimizer, schedule, last_step),
            lambda optimizer: schedule_hyperparameters(optimizer, last_step=last_step, lr=schedule),
        ):
            optimizer = sgd(torch.tensor(1.0, dtype=of_lr))
            optimizer.param_groups[0]["initial_lr"] = 1.0
            make(optimizer)
            lr = optimizer.param_groups[0]["lr"]
            assert lr.dtype == of_lr
            assert lr == exact


@given(floats, floats)
def test_plateau_lr_sets_the_rate_in_the_type_of_the_lr(
    dtype: torch.dtype, of_lr: torch.dtype
) -> None:
    with default(dtype):
        optimizer = sgd(torch.tensor(1.0, dtype=of_lr))
        scheduler = ControlledLR(optimizer, reduce_on_plateau(0.3, 0.1, patience=0))
        for metric in (1.0, 0.999, 0.998, 0.998):
            scheduler.step(torch.tensor(metric, dtype=torch.float64))
    lr = optimizer.param_groups[0]["lr"]
    assert lr.dtype == of_lr
    assert lr == torch.tensor(0.03, dtype=torch.float64).to(of_lr)


# Metrics


@pytest.mark.parametrize("dtype", NARROW)
def test_a_metric_that_always_improves_is_never_cut_under_a_narrow_default(
    dtype: torch.dtype,
) -> None:
    """The plateau compared in the default dtype, in which these metrics are equal."""
    plateau = reduce_on_plateau(0.1, patience=0, threshold=0.0)
    with default(dtype):
        state = plateau.init()
        for step in range(20):
            state = plateau.update(state, torch.tensor(1 - 1e-4 * step, dtype=torch.float32))
    assert float(state.value) == pytest.approx(0.1, rel=1e-7)


@settings(max_examples=100)
@given(runs, floats, floats)
def test_a_plateau_decides_in_the_widest_type(
    run: Any, dtype: torch.dtype, of_metric: torch.dtype
) -> None:
    plateau, metrics = run
    compared = widest(dtype, of_metric)
    observed = [torch.tensor(metric, dtype=of_metric) for metric in metrics]
    with default(dtype):
        state = plateau.init(*observed[:1])
    expected = plateau.init(torch.zeros((), dtype=compared))
    for metric in observed:
        with default(dtype):
            state = plateau.update(state, metric)
        expected = plateau.update(expected, metric.to(compared))
        assert state.value.dtype == state.best.dtype == compared
        assert_same(state, expected)


def assert_same(state: PlateauState, expected: PlateauState) -> None:
    for found, wanted in zip(state, expected, strict=True):
        assert torch.equal(found, wanted)
