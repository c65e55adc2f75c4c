"""Each schedule against the same one of pytorch_optimizer, and what is wrong with those."""

from typing import Any

from tests.optional import needs

needs("torch")
needs("pytorch_optimizer")

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_optimizer.lr_scheduler import (
    CosineAnnealingWarmupRestarts,
    CosineScheduler,
    LinearScheduler,
    PolyScheduler,
    REXScheduler,
    get_chebyshev_schedule,
    get_wsd_schedule,
)
from torch.optim import Optimizer

import lrsched
from lrsched import Schedule

many = settings(max_examples=100)

rates = st.floats(-6.0, 1.0).map(lambda exponent: 10.0**exponent)
floors = st.just(0.0) | rates
warmups = st.integers(0, 30)
phases = st.integers(1, 60)


def sgd(lr: float = 1.0) -> Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def stepped(scheduler: Any, optimizer: Optimizer, steps: int) -> list[float]:
    """The rates of so many updates, with a step of the scheduler after each."""
    found = []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return found


def check(schedule: Schedule, theirs: list[float], part: float = 1e-15) -> None:
    ours = [schedule(count) for count in range(len(theirs))]
    np.testing.assert_allclose(theirs, ours, rtol=0.0, atol=part * max(map(abs, ours)))


@many
@given(peak=rates, low=floors, init=floors, up=warmups, down=phases)
def test_linear_and_cosine(peak: float, low: float, init: float, up: int, down: int) -> None:
    """Stepped before each update. `t_max` counts the warmup."""
    options: dict[str, Any] = {
        "t_max": up + down,
        "max_lr": peak,
        "min_lr": low,
        "init_lr": init,
        "warmup_steps": up,
    }
    for kind, decay in (
        (LinearScheduler, lrsched.linear(peak, low, down)),
        (CosineScheduler, lrsched.cosine_decay(peak, down, low)),
    ):
        scheduler: Any = kind(sgd(), **options)
        theirs = [float(scheduler.step()) for _ in range(up + down + 1)]
        check(lrsched.warmup(decay, up, init), theirs)


@many
@given(peak=rates, low=floors, steps=phases)
def test_rex(peak: float, low: float, steps: int) -> None:
    """At its floor before the first step, where the formula has the peak."""
    optimizer = sgd()
    scheduler = REXScheduler(optimizer, steps, max_lr=peak, min_lr=low)
    first, *theirs = stepped(scheduler, optimizer, steps + 5)
    recipe = lrsched.rex(peak, steps, low)
    assert (first, recipe(0)) == (low, peak)
    check(lrsched.advance(recipe, 1), theirs)


@many
@given(lr=rates, up=warmups, stable=st.integers(0, 30), down=phases, kind=st.data())
def test_wsd(lr: float, up: int, stable: int, down: int, kind: st.DataObject) -> None:
    shapes: dict[str, Any] = {
        "linear": "linear",
        "cosine": "cosine",
        "1-sqrt": "1-sqrt",
        "1-square": "1-square",
    }
    theirs: Any = kind.draw(st.sampled_from(sorted(shapes)))
    optimizer = sgd(lr)
    scheduler = get_wsd_schedule(optimizer, up, stable, down, cooldown_type=theirs)
    recipe = lrsched.warmup_stable_decay(lr, up, stable, down, shape=shapes[theirs])
    check(recipe, stepped(scheduler, optimizer, up + stable + down + 3))


@many
@given(lr=rates, ratio=st.floats(0.0, 1.0), up=warmups, stable=warmups, down=phases)
def test_wsd_with_a_floor(lr: float, ratio: float, up: int, stable: int, down: int) -> None:
    """In the cosine, and without a floor under the warmup."""
    optimizer = sgd(lr)
    scheduler = get_wsd_schedule(optimizer, up, stable, down, ratio, cooldown_type="cosine")
    recipe = lrsched.warmup_stable_decay(lr, up, stable, down, ratio * lr, shape="cosine")
    check(recipe, stepped(scheduler, optimizer, up + stable + down + 3))


@many
@given(peak=rates, low=floors, up=st.integers(1, 10), down=st.integers(1, 40))
def test_cosine_restarts_with_a_warmup_each(peak: float, low: float, up: int, down: int) -> None:
    optimizer = sgd()
    scheduler = CosineAnnealingWarmupRestarts(
        optimizer, up + down, max_lr=peak, min_lr=low, warmup_steps=up, gamma=1.0
    )
    cycle = lrsched.warmup(lrsched.cosine_decay(peak, down, low), up, low)
    check(lrsched.repeat(cycle, up + down), stepped(scheduler, optimizer, 120), part=2e-15)


@many
@given(
    peak=rates,
    low=floors,
    up=st.integers(1, 10),
    down=st.integers(1, 20),
    mult=st.integers(1, 3),
    gamma=st.floats(0.1, 1.0),
)
def test_cosine_restarts_of_other_lengths_and_peaks(
    peak: float, low: float, up: int, down: int, mult: int, gamma: float
) -> None:
    """The warmups keep their length and their foot."""
    optimizer = sgd()
    scheduler = CosineAnnealingWarmupRestarts(optimizer, up + down, mult, peak, low, up, gamma)
    decay = lrsched.cosine_decay(peak, down, low)
    recipe = lrsched.with_restarts(decay, down, 4, mult, gamma, up, low)
    steps = sum(up + down * mult**cycle for cycle in range(4))
    check(recipe, stepped(scheduler, optimizer, steps), part=1e-14)


@pytest.mark.parametrize("epochs", [2, 5, 64, 65, 100])
def test_fractal_chebyshev(epochs: int) -> None:
    """As many step sizes as the next power of 2; the first of them at three steps."""
    optimizer = sgd(0.1)
    theirs = stepped(get_chebyshev_schedule(optimizer, epochs), optimizer, epochs)
    steps = 2 ** (epochs - 1).bit_length()
    recipe = lrsched.delay(lrsched.fractal_chebyshev(20 * 0.1, 0.1, steps), 2)
    check(recipe, theirs, part=1e-14)


# Where pytorch_optimizer 4.1 goes wrong: each test fails when that changes.


def test_stepped_after_the_update_everything_is_one_step_late() -> None:
    """torch's schedulers have their first rate when they are made; these have `min_lr` there."""
    optimizer = sgd()
    scheduler = CosineScheduler(optimizer, t_max=10, max_lr=1.0, min_lr=0.1)
    theirs = stepped(scheduler, optimizer, 5)
    recipe = lrsched.cosine_decay(1.0, 10, 0.1)
    assert theirs == pytest.approx([0.1, *(recipe(count) for count in range(4))])


def test_linear_scheduler_goes_below_zero_and_cosine_climbs_back() -> None:
    linear: Any = LinearScheduler(sgd(), t_max=10, max_lr=1.0)
    cosine: Any = CosineScheduler(sgd(), t_max=10, max_lr=1.0)
    assert [linear.step() for _ in range(16)][15] == pytest.approx(-0.5)
    assert [cosine.step() for _ in range(21)][20] == pytest.approx(1.0)
    assert lrsched.linear(1.0, 0.0, 10)(15) == lrsched.cosine_decay(1.0, 10)(20) == 0.0


def test_poly_scheduler_grows_without_bound() -> None:
    """It takes a power of the steps, not of the part of the run that is left."""
    scheduler: Any = PolyScheduler(sgd(), poly_order=0.5, t_max=10, max_lr=1.0)
    theirs = [scheduler.step() for _ in range(101)]
    assert [theirs[4], theirs[100]] == [2.0, 10.0]
    recipe = lrsched.polynomial(1.0, 0.0, 10, power=0.5)
    assert [recipe(4), recipe(100)] == pytest.approx([0.6**0.5, 0.0])


@pytest.mark.parametrize("kind", ["linear", "1-sqrt", "1-square"])
def test_wsd_jumps_up_to_its_floor(kind: Any) -> None:
    """Only the cosine knows of `min_lr_ratio` before the end."""
    optimizer = sgd()
    scheduler = get_wsd_schedule(optimizer, 0, 2, 100, 0.5, cooldown_type=kind)
    theirs = stepped(scheduler, optimizer, 103)
    assert theirs[101] < 0.1
    assert theirs[102] == 0.5
    recipe = lrsched.warmup_stable_decay(1.0, 0, 2, 100, 0.5)
    assert recipe(101) == pytest.approx(0.505)
    assert recipe(102) == 0.5


def test_cosine_restarts_without_a_warmup_begin_at_the_floor() -> None:
    """The first cycle only; and `gamma` is 0.9 by default."""
    optimizer = sgd()
    scheduler = CosineAnnealingWarmupRestarts(optimizer, 4, max_lr=1.0, min_lr=0.1)
    theirs = stepped(scheduler, optimizer, 9)
    assert [theirs[0], theirs[4], theirs[8]] == pytest.approx([0.1, 0.9, 0.81])
    recipe = lrsched.cosine_restarts(1.0, 4, end_value=0.1, peak_mult=0.9)
    assert [recipe(count) for count in range(1, 9)] == pytest.approx(theirs[1:])
    assert recipe(0) == 1.0
