"""`linear` and `constant`: digits and limits that other libraries' lines lose."""

import numpy as np
import pytest

import lrsched
from tests.curves import ULPS_8, error_in_float32, values
from tests.optional import needs
from tests.stepping import sgd, stepped


@pytest.mark.parametrize(("count", "lost"), [(1, 0.01), (10, 0.001)])
def test_optax_linear_warmup_cancels_in_float32(count: int, lost: float) -> None:
    """`(0 - 1) * (1 - t / T) + 1` at the start; ours has a share of its own for what is done."""
    optax = needs("optax")
    recipe = lrsched.linear(0.0, 1.0, 10**6)
    theirs = optax.linear_schedule(0.0, 1.0, 10**6)
    assert error_in_float32(theirs, recipe, count) >= lost
    assert error_in_float32(recipe, recipe, count) <= ULPS_8
    warmed = lrsched.warmup(lrsched.constant(1.0), 10**6)
    assert error_in_float32(warmed, recipe, count) <= ULPS_8


def test_optax_linear_decay_has_no_place_for_late_counts() -> None:
    """2**24 + 1 is no float32, so the last step but one has twice its rate; ours subtracts ints."""
    optax = needs("optax")
    steps = 2**24 + 2
    recipe = lrsched.linear(1.0, 0.0, steps)
    assert error_in_float32(optax.linear_schedule(1.0, 0.0, steps), recipe, steps - 1) > 0.99
    assert error_in_float32(recipe, recipe, steps - 1) <= ULPS_8


def test_optax_linear_schedule_breaks_late_on_a_long_duration() -> None:
    """A duration above int32 is taken, and the first call overflows; ours is refused at once."""
    optax = needs("optax")
    theirs = optax.linear_schedule(1.0, 0.0, 2**31)
    with pytest.raises(OverflowError):
        theirs(5)
    with pytest.raises(ValueError, match="linear: steps must be a number <= 2147483647"):
        lrsched.linear(1.0, 0.0, 2**31)


def test_optax_piecewise_interpolate_is_garbage_on_arrays() -> None:
    """A dot product over the wrong axis; ours takes arrays of any shape."""
    jnp = needs("jax.numpy")
    optax = needs("optax")
    counts = jnp.arange(12)
    theirs = optax.piecewise_interpolate_schedule("linear", 1.0, {10: 0.1})
    ours = lrsched.linear(1.0, 0.1, 10)
    assert values(theirs, range(12)) == pytest.approx(values(ours, range(12)), rel=1e-6)
    assert float(theirs(counts)[0]) == pytest.approx(5.95)
    np.testing.assert_allclose(ours(counts), values(ours, range(12)), rtol=1e-6)


def test_optax_constant_schedule_has_no_shape() -> None:
    jnp = needs("jax.numpy")
    optax = needs("optax")
    counts = jnp.arange(12)
    assert np.shape(optax.constant_schedule(0.1)(counts)) == ()
    assert lrsched.constant(0.1)(counts).shape == (12,)


def test_pytorch_linear_lr_of_no_steps_stays_at_its_start() -> None:
    lr_scheduler = needs("torch.optim.lr_scheduler")
    assert stepped(lambda o: lr_scheduler.LinearLR(o, 0.1, 1.0, total_iters=0), 4) == [0.1] * 4
    with pytest.raises(ValueError, match="linear: steps must be a number >= 1"):
        lrsched.linear(0.1, 1.0, 0)


def test_linear_lr_refuses_to_start_at_zero() -> None:
    """pytorch#86454: torch's recursion would divide by the start."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    with pytest.raises(ValueError, match="greater than 0"):
        lr_scheduler.LinearLR(sgd(1.0), start_factor=0.0)
    assert [lrsched.linear(0.0, 1.0, 4)(count) for count in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]
