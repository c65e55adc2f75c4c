"""`cyclic`, beside torch's CyclicLR."""

import math
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from tests.optional import needs
from tests.oracles import exact
from tests.stepping import Make, advance, check, close, lr_of, resumed, sgd


def test_a_function_of_the_cycle_gets_numbers() -> None:
    def halved_twice(cycle: Any) -> float:
        assert isinstance(cycle, int)
        return 1.0 if cycle < 1 else 0.5 if cycle == 1 else 0.25

    schedule = lrsched.cyclic(0.0, 1.0, 1, mode=halved_twice)
    assert [schedule(count) for count in range(7)] == [0.0, 1.0, 0.0, 0.5, 0.0, 0.25, 0.0]


Mode = Literal["triangular", "triangular2", "exp_range"]
thorough = settings(max_examples=500, deadline=None)
rates = st.floats(-6.0, 1.0).map(lambda exponent: 10.0**exponent)
growths = st.floats(0.0, 1.2)
lengths = st.integers(1, 60)
modes = st.sampled_from(["triangular", "triangular2", "exp_range"])


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
    lr_scheduler = needs("torch.optim.lr_scheduler")
    rate = gamma if mode == "exp_range" else 1.0
    recipe = lrsched.cyclic(base, peak, up, down, mode, rate)
    check(
        lambda o: lr_scheduler.CyclicLR(o, base, peak, up, down, mode, rate),
        recipe,
        max(base, peak),
        150,
    )


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
    lr_scheduler = needs("torch.optim.lr_scheduler")
    recipe = lrsched.cyclic(base, peak, up, down, mode=lambda cycle: scale(cycle + 1))
    check(
        lambda o: lr_scheduler.CyclicLR(
            o, base, peak, up, down, scale_fn=scale, scale_mode="cycle"
        ),
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
    lr_scheduler = needs("torch.optim.lr_scheduler")
    rate = gamma if mode == "exp_range" else 1.0
    expected = resumed(
        lambda optimizer, last: lr_scheduler.CyclicLR(
            optimizer, base, peak, up, down, mode, rate, cycle_momentum=False, last_epoch=last
        ),
        count,
        lr=base,
        initial_lr=base,
    )
    recipe = lrsched.cyclic(base, peak, up, down, mode, rate)
    assert [recipe(count)] == close([expected], max(base, peak))


def test_cyclic_lr_overflows_after_1024_cycles() -> None:
    """pytorch#52989: `2.0**1024` is no float; a peak halved as often is at the bottom."""
    lr_scheduler = needs("torch.optim.lr_scheduler")

    def make(optimizer: Any, last_epoch: int) -> Any:
        return lr_scheduler.CyclicLR(
            optimizer, 0.1, 1.0, 1, mode="triangular2", cycle_momentum=False, last_epoch=last_epoch
        )

    assert resumed(make, 2047, lr=0.1, initial_lr=0.1) == 0.1
    with pytest.raises(OverflowError):
        resumed(make, 2049, lr=0.1, initial_lr=0.1)
    assert lrsched.cyclic(0.1, 1.0, 1, mode="triangular2")(2049) == 0.1


def test_pytorch_21965_cyclic_lr_starts_from_another_schedulers_rate() -> None:
    """`initial_lr` of an earlier scheduler stands for `base_lr`."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    lambda_lr = needs("lrsched_torch").lambda_lr

    def second(make: Make) -> list[float]:
        optimizer = sgd(0.5)
        lr_scheduler.StepLR(optimizer, 10)
        return advance(optimizer, make(optimizer), 3)

    assert second(lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, 5, cycle_momentum=False))[0] == 0.5
    recipe = lrsched.cyclic(0.1, 1.0, 5)
    assert second(lambda o: lambda_lr(o, recipe)) == pytest.approx([0.1, 0.28, 0.46], rel=1e-15)


@pytest.mark.parametrize("count", [10**8 + 1, 2 * 10**9 + 1])
def test_pytorch_cyclic_lr_cancels_at_late_counts(count: int) -> None:
    """A fraction of the cycle is left of `t / P - floor(t / P)`; ours divides in integers."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    optimizer = sgd()
    optimizer.param_groups[0]["initial_lr"] = 0.0
    lr_scheduler.CyclicLR(optimizer, 0.0, 1.0, 1000, cycle_momentum=False, last_epoch=count - 1)
    recipe = lrsched.cyclic(0.0, 1.0, 1000)
    wanted = float(exact(recipe, count))
    assert abs(lr_of(optimizer) - wanted) > 1e-9 * wanted
    assert recipe(count) == pytest.approx(wanted, rel=1e-15)
