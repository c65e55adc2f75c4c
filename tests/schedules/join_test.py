"""`join`, beside optax's join_schedules and torch's SequentialLR."""

import math
from typing import Any

import pytest

import lrsched
from tests.curves import values
from tests.optional import needs
from tests.stepping import Make, advance, lr_of, sgd, stepped


@pytest.mark.parametrize("count", [0, 5, 9])
def test_optax_join_schedules_has_nan_gradients(count: int) -> None:
    """It masks what the tail is at negative counts, NaN, but not the derivative."""
    jax = needs("jax")
    jnp = needs("jax.numpy")
    optax = needs("optax")

    @lrsched.schedule
    def inverse_root(xp: Any, count: Any, init_value: lrsched.Value) -> Any:
        return init_value / xp.sqrt(count + 1.0)

    def theirs(peak: Any) -> Any:
        tail = lambda count: peak / jnp.sqrt(count + 1.0)  # noqa: E731
        return optax.join_schedules([optax.linear_schedule(0.0, peak, 10), tail], [10])(count)

    def ours(peak: Any) -> Any:
        line = lrsched.linear(0.0, peak, 10)
        return lrsched.join([line, inverse_root(peak)], [10])(jnp.asarray(count))

    assert theirs(2.0) == pytest.approx(0.2 * count, rel=1e-6)
    assert math.isnan(jax.grad(theirs)(2.0))
    assert jax.grad(ours)(2.0) == pytest.approx(count / 10, rel=1e-6)


def test_optax_join_schedules_drops_schedules() -> None:
    """A boundary too few, and the last schedule is never used; ours refuses it."""
    optax = needs("optax")
    theirs = optax.join_schedules([optax.constant_schedule(float(k)) for k in (1, 2, 3)], [10])
    assert values(theirs, (9, 10, 10**9)) == [1.0, 2.0, 2.0]
    with pytest.raises(ValueError, match="join: schedules must be 2 schedules"):
        lrsched.join([lrsched.constant(float(k)) for k in (1, 2, 3)], [10])


def test_pytorch_second_scheduler_jumps_back_to_the_first_ones_start() -> None:
    """From 0.125 to 1.0 where it should go on."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    lambda_lr = needs("lrsched_torch").lambda_lr

    def second(make: Make) -> list[float]:
        optimizer = sgd()
        advance(optimizer, lr_scheduler.ExponentialLR(optimizer, 0.5), 3)
        return [lr_of(optimizer), *advance(optimizer, make(optimizer), 1)]

    assert second(lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 10)) == [0.125, 1.0]
    recipe = lrsched.join(
        [lrsched.exponential_decay(1.0, 0.5), lrsched.cosine_restarts(0.125, 10)], [3]
    )
    assert second(lambda o: lambda_lr(o, recipe, last_step=2)) == [0.125, 0.125]


def test_pytorch_162591_sequential_lr_does_not_resume_at_last_epoch() -> None:
    """It begins with the first scheduler's start whatever `last_epoch` is."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    lambda_lr = needs("lrsched_torch").lambda_lr

    def members(optimizer: Any) -> list[Any]:
        return [
            lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 5),
            lr_scheduler.ConstantLR(optimizer, 0.5, 100),
        ]

    optimizer = sgd()
    optimizer.param_groups[0]["initial_lr"] = 1.0
    lr_scheduler.SequentialLR(optimizer, members(optimizer), [5], last_epoch=6)
    assert lr_of(optimizer) == 0.1
    assert stepped(lambda o: lr_scheduler.SequentialLR(o, members(o), [5]), 8)[7] == 0.5
    recipe = lrsched.join([lrsched.linear(0.1, 1.0, 5), lrsched.constant(0.5)], [5])
    resumed = sgd()
    lambda_lr(resumed, recipe, last_step=6)
    assert lr_of(resumed) == 0.5


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
def test_pytorch_196243_sequential_lr_does_not_nest() -> None:
    """As the first member a sequence is one step ahead, as a later one it raises."""
    lr_scheduler = needs("torch.optim.lr_scheduler")

    def inner(optimizer: Any) -> Any:
        return lr_scheduler.SequentialLR(
            optimizer,
            [
                lr_scheduler.LinearLR(optimizer, 0.5, 1.0, 2),
                lr_scheduler.ExponentialLR(optimizer, 0.5),
            ],
            [2],
        )

    assert stepped(inner, 4) == [0.5, 0.75, 1.0, 0.5]
    assert stepped(lambda o: lr_scheduler.SequentialLR(o, [inner(o)], []), 3) == [0.5, 1.0, 0.5]
    with pytest.raises(NotImplementedError):
        stepped(
            lambda o: lr_scheduler.SequentialLR(
                o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 2), inner(o)], [2]
            ),
            3,
        )
    nested = lrsched.join([lrsched.linear(0.5, 1.0, 2), lrsched.exponential_decay(1.0, 0.5)], [2])
    assert values(nested, range(5)) == stepped(inner, 5)
    assert values(lrsched.join([nested], []), range(5)) == values(nested, range(5))
    outer = lrsched.join([lrsched.linear(0.1, 1.0, 2), nested], [2])
    assert values(outer, range(2, 7)) == values(nested, range(5))


def test_pytorch_sequential_lr_skips_unsorted_milestones() -> None:
    """The scheduler in the middle is never used; ours refuses them."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    lrs = stepped(
        lambda o: lr_scheduler.SequentialLR(
            o,
            [
                lr_scheduler.ConstantLR(o, 1.0, 1),
                lr_scheduler.ExponentialLR(o, 0.5),
                lr_scheduler.ConstantLR(o, 0.1, 100),
            ],
            [5, 2],
        ),
        8,
    )
    assert lrs == [1.0, 1.0, *[0.1] * 6]
    flat = lrsched.constant(1.0)
    with pytest.raises(ValueError, match="strictly ascending"):
        lrsched.join([flat, flat, flat], [5, 2])
