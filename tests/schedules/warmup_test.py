"""`warmup`: its first and its last step, and none at all."""

import numpy as np
import pytest

import lrsched
from tests.curves import values
from tests.optional import needs
from tests.stepping import stepped


def test_optax_warmup_of_no_steps_is_zero_for_ever() -> None:
    """A line of no steps is its initial value; a warmup of no steps is none."""
    optax = needs("optax")
    assert values(optax.warmup_constant_schedule(0.0, 1.0, 0), (0, 1, 10**6)) == [0.0] * 3
    assert values(lrsched.warmup(lrsched.constant(1.0), 0), (0, 1, 10**6)) == [1.0] * 3


def test_keras_cosine_decay_from_an_integer_zero_stays_there() -> None:
    """`initial_learning_rate=0` makes it compute in integers, to the end of the warmup and on."""
    keras = needs("keras")
    theirs = [
        keras.optimizers.schedules.CosineDecay(zero, 100, warmup_target=0.1, warmup_steps=10)
        for zero in (0, 0.0)
    ]
    counts = (0, 5, 10, 60)
    assert values(theirs[0], counts) == [0.0, 0.0, 0.0, 0.0]
    ours = values(lrsched.warmup(lrsched.cosine_decay(0.1, 100), 10, init_value=0), counts)
    assert ours == pytest.approx([0.0, 0.05, 0.1, 0.05], rel=1e-15)
    assert values(theirs[1], counts) == pytest.approx(ours, rel=1e-6)


def test_keras_cosine_decay_with_warmup_takes_no_arrays() -> None:
    """With warmup it branches on the count."""
    keras = needs("keras")
    theirs = keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=5)
    with pytest.raises(TypeError, match="must be a scalar"):
        theirs(np.arange(12))
    ours = lrsched.warmup(lrsched.cosine_decay(1.0, 10), 5)
    np.testing.assert_allclose(ours(np.arange(12)), values(ours, range(12)), rtol=1e-14)
    np.testing.assert_allclose(values(theirs, range(12)), ours(np.arange(12)), rtol=1e-6)


def test_torchtitan_1261_the_first_update_of_a_warmup_is_wasted() -> None:
    """At a rate of 0. torchtitan has since (t + 1) / (W + 1): here an `init_value`."""
    hf = needs("transformers.optimization")
    steps = 4
    assert stepped(lambda o: hf.get_constant_schedule_with_warmup(o, steps), 2)[0] == 0.0
    recipe = lrsched.warmup(lrsched.constant(1.0), steps, init_value=1 / (steps + 1))
    theirs = [min(1.0, (count + 1) / (steps + 1)) for count in range(7)]
    assert values(recipe, range(7)) == pytest.approx(theirs, rel=1e-15)
