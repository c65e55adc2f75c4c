"""Each warmup against the same one of pytorch_warmup, a factor that counts from 1."""

from typing import Any

from tests.optional import needs

needs("torch")
needs("pytorch_warmup")

import numpy as np
import pytest
import pytorch_warmup
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler

import lrsched
from lrsched import Schedule

many = settings(max_examples=100)

rates = st.floats(-6.0, 1.0).map(lambda exponent: 10.0**exponent)
periods = st.integers(2, 80)
beta2s = st.floats(0.3, 0.9999)


def adam(lr: float, beta2: float = 0.999) -> Optimizer:
    return torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=lr, betas=(0.9, beta2))


def stepped(
    optimizer: Optimizer, warmup: Any, scheduler: LRScheduler | None = None, steps: int = 120
) -> list[float]:
    """The rates of so many updates."""
    found = []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        with warmup.dampening():
            if scheduler is not None:
                scheduler.step()
    return found


def check(schedule: Schedule, theirs: list[float], rel: float) -> None:
    np.testing.assert_allclose(theirs, [schedule(n) for n in range(len(theirs))], rtol=rel)


@many
@given(lr=rates, period=periods)
def test_linear(lr: float, period: int) -> None:
    """The first update has one part of the period already."""
    optimizer = adam(lr)
    recipe = lrsched.warmup(lrsched.constant(lr), period - 1, lr / period)
    check(recipe, stepped(optimizer, pytorch_warmup.LinearWarmup(optimizer, period)), rel=1e-14)


@many
@given(lr=rates, period=st.integers(1, 500))
def test_exponential(lr: float, period: int) -> None:
    """1 - exp(-x) there, which cancels where x is small: 1e-16 of 1 / 500 at worst."""
    optimizer = adam(lr)
    theirs = stepped(optimizer, pytorch_warmup.ExponentialWarmup(optimizer, period))
    check(lr * lrsched.exponential_warmup(period), theirs, rel=1e-13)


@many
@given(lr=rates, period=periods, gamma=st.floats(0.9, 1.0))
def test_a_warmup_over_a_schedule_is_a_product(lr: float, period: int, gamma: float) -> None:
    decay = lrsched.exponential_decay(lr, gamma)
    optimizer = adam(lr)
    scheduler = ExponentialLR(optimizer, gamma)
    linear = pytorch_warmup.LinearWarmup(optimizer, period)
    ramp = lrsched.linear(1 / period, 1.0, period - 1)
    check(ramp * decay, stepped(optimizer, linear, scheduler), rel=1e-13)
    optimizer = adam(lr)
    scheduler = ExponentialLR(optimizer, gamma)
    exponential = pytorch_warmup.ExponentialWarmup(optimizer, period)
    factor = lrsched.exponential_warmup(period)
    check(factor * decay, stepped(optimizer, exponential, scheduler), rel=1e-13)


@many
@given(lr=rates, beta2=beta2s)
def test_untuned_linear(lr: float, beta2: float) -> None:
    """2 / (1 - beta_2) steps, cut to whole ones."""
    period = int(2 / (1 - beta2))
    optimizer = adam(lr, beta2)
    theirs = stepped(optimizer, pytorch_warmup.UntunedLinearWarmup(optimizer))
    recipe = lrsched.warmup(lrsched.constant(lr), period - 1, lr / period)
    check(recipe, theirs, rel=1e-13)


@many
@given(lr=rates, beta2=beta2s)
def test_untuned_exponential(lr: float, beta2: float) -> None:
    period = int(1 / (1 - beta2))
    optimizer = adam(lr, beta2)
    theirs = stepped(optimizer, pytorch_warmup.UntunedExponentialWarmup(optimizer))
    check(lr * lrsched.exponential_warmup(period), theirs, rel=1e-11)


@many
@given(lr=rates, beta2=st.floats(0.9, 0.9999))
def test_radam(lr: float, beta2: float) -> None:
    """Its rho is a difference of 2 / (1 - beta_2) and what is nearly as much."""
    optimizer = adam(lr, beta2)
    theirs = stepped(optimizer, pytorch_warmup.RAdamWarmup(optimizer))
    check(lr * lrsched.radam_warmup(beta2), theirs, rel=1e-7)


@pytest.mark.parametrize(("beta2", "linear", "exponential"), [(0.999, 1999, 999), (0.99, 199, 99)])
def test_untuned_periods_are_one_short(beta2: float, linear: int, exponential: int) -> None:
    """1 - 0.999 is above 0.001, so `int` cuts 1999.99... down; ours takes the real number."""
    optimizer = adam(1.0, beta2)
    untuned = pytorch_warmup.UntunedLinearWarmup(optimizer)
    assert untuned.warmup_params == [{"warmup_period": linear}]
    untuned = pytorch_warmup.UntunedExponentialWarmup(adam(1.0, beta2))
    assert untuned.warmup_params == [{"warmup_period": exponential}]
    exact = lrsched.exponential_warmup(1 / (1 - beta2))
    assert exact(exponential) == pytest.approx(1 - np.exp(-1.0), rel=1e-12)
