"""`polynomial`: where other libraries' polynomials end elsewhere."""

from typing import Any

import pytest

import lrsched
from tests.curves import values
from tests.optional import needs
from tests.stepping import advance, sgd


@pytest.mark.parametrize(("power", "left"), [(1.0, 2.0**-24), (0.5, 2.0**-12)])
def test_optax_polynomial_misses_its_end_under_jit(power: float, left: float) -> None:
    """`1 - 41 / 41` is above 0 too, and so is the rate, for ever."""
    jax = needs("jax")
    optax = needs("optax")
    theirs = optax.polynomial_schedule(1.0, 0.0, power, 41)
    assert values(theirs, (41, 10**6)) == [0.0, 0.0]
    assert all(left / 2 <= value <= left for value in values(jax.jit(theirs), (41, 10**6)))
    ours = lrsched.polynomial(1.0, 0.0, 41, power)
    assert values(jax.jit(ours), (41, 10**6)) == [0.0, 0.0]
    assert values(jax.jit(lrsched.linear(1.0, 0.0, 41)), (41, 10**6)) == [0.0, 0.0]


def test_transformers_polynomial_ends_elsewhere_in_other_groups() -> None:
    """`lr_end` is divided by the default lr and multiplied by the group's."""
    hf = needs("transformers.optimization")
    lambda_lr = needs("lrsched_torch").lambda_lr
    optimizer = sgd(1.0, 0.1)
    theirs: Any = hf.get_polynomial_decay_schedule_with_warmup(optimizer, 0, 10, lr_end=0.01)
    advance(optimizer, theirs, 12)
    assert theirs.get_last_lr() == pytest.approx([0.01, 0.001])
    recipes = [lrsched.polynomial(lr, 0.01, 10, power=1.0) for lr in (1.0, 0.1)]
    ours = lambda_lr(optimizer, recipes)
    advance(optimizer, ours, 12)
    assert ours.get_last_lr() == [0.01, 0.01]
