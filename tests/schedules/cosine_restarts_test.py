"""`cosine_restarts`: at a restart the value is the peak."""

import math
from typing import Any

import pytest

import lrsched
from tests.curves import values
from tests.optional import needs
from tests.stepping import resumed, sgd, stepped


@pytest.mark.parametrize("restart", [81910, 327670, 671088630])
def test_keras_cosine_restarts_miss_a_restart(restart: int) -> None:
    """A float32 logarithm lands below the whole number: the bottom for the top."""
    jnp = needs("jax.numpy")
    keras = needs("keras")
    cycle = restart // 10 + 1
    assert cycle & (cycle - 1) == 0  # 10 * (2**k - 1) is the k-th restart
    assert float(keras.optimizers.schedules.CosineDecayRestarts(1.0, 10)(restart)) < 1e-6
    assert float(keras.optimizers.schedules.CosineDecayRestarts(1.0, 10)(150)) == 1.0
    assert lrsched.cosine_restarts(1.0, 10, 2)(restart) == 1.0
    assert lrsched.cosine_restarts(1.0, 10, 2)(jnp.asarray(restart)) == 1.0


def test_pytorch_129565_a_chained_scheduler_overwrites_the_one_before() -> None:
    """Warm restarts put their own value over a decay chained before them."""
    lr_scheduler = needs("torch.optim.lr_scheduler")

    def chain(optimizer: Any) -> Any:
        members = [
            lr_scheduler.ExponentialLR(optimizer, 0.5),
            lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4),
        ]
        return lr_scheduler.ChainedScheduler(members)

    restarts = lrsched.cosine_restarts(1.0, 4)
    assert stepped(chain, 9) == pytest.approx(values(restarts, range(9)))
    product = lrsched.exponential_decay(1.0, 0.5) * restarts
    assert values(product, (0, 4, 8)) == [1.0, 0.5**4, 0.5**8]


@pytest.mark.parametrize(("mult", "cycle"), [(3, 5), (10, 3), (10, 6)])
def test_timm_and_fairseq_restarts_take_a_logarithm(mult: int, cycle: int) -> None:
    """`math.log(3**5, 3)` is 4.999...: their cycle is the one before, at every first length."""
    for first in range(1, 200):
        restart = first * (mult**cycle - 1) // (mult - 1)
        theirs = math.floor(math.log(1 - restart / first * (1 - mult), mult))
        assert theirs == cycle - 1
        recipe = lrsched.cosine_restarts(1.0, first, mult, peak_mult=0.5)
        assert recipe(restart) == 0.5**cycle
        assert recipe(restart - 1) <= 0.5 ** (cycle - 1)


@pytest.mark.parametrize("t_0", range(1, 12))
def test_cosine_annealing_warm_restarts_misses_a_restart(t_0: int) -> None:
    """`log(243, 3)` is 4.999... in floats, so `step(epoch)` gives the bottom for the top."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    optimizer = sgd(1.0)
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, t_0, T_mult=3, eta_min=0.1)
    scheduler.step(121.0 * t_0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
    assert lrsched.cosine_restarts(1.0, t_0, 3, 0.1)(121 * t_0) == 1.0
    assert lrsched.cosine_restarts(1.0, t_0, 3, 0.1)(121.0 * t_0) == 1.0


def test_cosine_annealing_warm_restarts_resumes_in_a_wrong_cycle() -> None:
    """Count 31 is 1 of the 40 steps after 10 and 20; torch takes it for 1 of 20 (PR 110497)."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    lr = resumed(
        lambda o, last: lr_scheduler.CosineAnnealingWarmRestarts(o, 10, T_mult=2, last_epoch=last),
        count=31,
        lr=1.0,
        initial_lr=1.0,
    )
    assert lr == pytest.approx(math.cos(math.pi / 2 / 20) ** 2)
    exact = math.cos(math.pi / 2 / 40) ** 2
    assert lrsched.cosine_restarts(1.0, 10, 2)(31) == pytest.approx(exact, rel=1e-15)
