"""Each schedule against the same one of transformers: factors of a torch LambdaLR.

Their warmup starts at 0, and their `num_training_steps` count the warmup.
"""

from collections.abc import Callable

from tests.optional import needs

needs("torch")
needs("transformers")

import numpy as np
import transformers.optimization as hf
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import lrsched
from lrsched import Schedule
from tests.peers.compare import phases, rates, some
from tests.stepping import stepped


def check_stepped(
    schedule: Schedule,
    make: Callable[[Optimizer], LRScheduler],
    lr: float,
    steps: int,
    part: float = 5e-16,
) -> None:
    """The lr of each update equals ours to a part of the optimizer's."""
    theirs = stepped(make, steps, lr)
    ours = [schedule(count) for count in range(steps)]
    np.testing.assert_allclose(theirs, ours, rtol=0.0, atol=part * lr)


warmups = st.integers(0, 30)


@some
@given(lr=rates, warmup=warmups)
def test_transformers_constant_with_warmup(lr: float, warmup: int) -> None:
    check_stepped(
        lrsched.warmup(lrsched.constant(lr), warmup),
        lambda o: hf.get_constant_schedule_with_warmup(o, warmup),
        lr,
        steps=warmup + 3,
    )


@some
@given(lr=rates, warmup=warmups, decay=phases)
def test_transformers_linear_with_warmup(lr: float, warmup: int, decay: int) -> None:
    check_stepped(
        lrsched.warmup(lrsched.linear(lr, 0.0, decay), warmup),
        lambda o: hf.get_linear_schedule_with_warmup(  # type: ignore[no-untyped-call]
            o, warmup, warmup + decay
        ),
        lr,
        steps=warmup + decay + 3,
    )


@some
@given(lr=rates, warmup=warmups, decay=phases)
def test_transformers_cosine_with_warmup(lr: float, warmup: int, decay: int) -> None:
    """Up to its end, after which it climbs back."""
    check_stepped(
        lrsched.warmup(lrsched.cosine_decay(lr, decay), warmup),
        lambda o: hf.get_cosine_schedule_with_warmup(o, warmup, warmup + decay),
        lr,
        steps=warmup + decay + 1,
    )


@some
@given(lr=rates, warmup=warmups, half=st.integers(1, 20), halves=st.integers(1, 5))
def test_transformers_cosine_with_warmup_in_waves(
    lr: float, warmup: int, half: int, halves: int
) -> None:
    """`num_cycles` are whole waves, the default a half; at every count it is a cosine cycle."""
    total = warmup + half * halves
    check_stepped(
        lrsched.warmup(lrsched.cyclic(lr, 0.0, half, shape="cosine"), warmup),
        lambda o: hf.get_cosine_schedule_with_warmup(o, warmup, total, num_cycles=halves / 2),
        lr,
        steps=total + 2 * half + 2,
        part=1e-15 * (halves + 2),  # the angle grows with the count
    )


@some
@given(lr=rates, warmup=warmups, length=st.integers(1, 20), cycles=st.integers(1, 6))
def test_transformers_cosine_with_hard_restarts(
    lr: float, warmup: int, length: int, cycles: int
) -> None:
    """Equal cycles, then zero."""
    decay = length * cycles
    restarts = lrsched.cosine_restarts(lr, length)
    check_stepped(
        lrsched.warmup(lrsched.join([restarts, lrsched.constant(0.0)], [decay]), warmup),
        lambda o: hf.get_cosine_with_hard_restarts_schedule_with_warmup(
            o, warmup, warmup + decay, cycles
        ),
        lr,
        steps=warmup + decay + 3,
        part=1e-15 * (cycles + 1),
    )


@some
@given(
    lr=rates,
    ratio=st.floats(0.0, 0.99),
    warmup=warmups,
    decay=phases,
    power=st.floats(1.0, 10.0),
)
def test_transformers_polynomial_with_warmup(
    lr: float, ratio: float, warmup: int, decay: int, power: float
) -> None:
    def make(optimizer: Optimizer) -> LRScheduler:
        scheduler: LRScheduler = hf.get_polynomial_decay_schedule_with_warmup(  # type: ignore[no-untyped-call]
            optimizer, warmup, warmup + decay, lr_end=ratio * lr, power=power
        )
        return scheduler

    recipe = lrsched.warmup(lrsched.polynomial(lr, ratio * lr, decay, power), warmup)
    check_stepped(recipe, make, lr, steps=warmup + decay + 3, part=power * 5e-16)
