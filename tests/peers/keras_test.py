"""Each schedule against the same one of Keras on JAX, whose cosine and floor are float32."""

import itertools

from tests.optional import needs

needs("jax")
needs("keras")

import jax
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from tests.peers.compare import (
    LAST,
    check,
    counts_around,
    decays,
    durations,
    floors,
    one_by_one,
    phases,
    rates,
    some,
)

keras_schedules = keras.optimizers.schedules

pytestmark = pytest.mark.usefixtures("float64_in_jax")


@some
@given(init=rates, rate=decays, steps=phases, staircase=st.booleans(), data=st.data())
def test_keras_exponential_decay(
    init: float, rate: float, steps: int, staircase: bool, data: st.DataObject
) -> None:
    check(
        lrsched.exponential_decay(init, rate, steps, staircase),
        one_by_one(keras_schedules.ExponentialDecay(np.float64(init), steps, rate, staircase)),
        data.draw(counts_around(steps, 9 * steps)),
        rel=1e-14,
    )


@some
@given(
    init=rates,
    rate=st.just(0.0) | st.floats(1e-6, 10.0),
    steps=phases,
    staircase=st.booleans(),
    data=st.data(),
)
def test_keras_inverse_time_decay(
    init: float, rate: float, steps: int, staircase: bool, data: st.DataObject
) -> None:
    theirs = keras_schedules.InverseTimeDecay(np.float64(init), steps, np.float64(rate), staircase)
    check(
        lrsched.inverse_time(init, rate, steps, staircase),
        one_by_one(theirs),
        data.draw(counts_around(steps, 9 * steps)),
        rel=1e-15,
    )


@some
@given(drawn=st.sets(st.integers(0, LAST - 1), min_size=1, max_size=4), data=st.data())
def test_keras_piecewise_constant_decay(drawn: set[int], data: st.DataObject) -> None:
    """It begins the next value one step after the boundary."""
    boundaries = sorted(drawn)
    number = len(boundaries) + 1
    values = data.draw(st.lists(floors, min_size=number, max_size=number))
    check(
        lrsched.piecewise_constant(values, [boundary + 1 for boundary in boundaries]),
        keras_schedules.PiecewiseConstantDecay(boundaries, [np.float64(x) for x in values]),
        data.draw(counts_around(1, *boundaries)),
        rel=0.0,
    )


@some
@given(init=floors, end=floors, steps=durations, power=st.floats(1.0, 10.0), data=st.data())
def test_keras_polynomial_decay(
    init: float, end: float, steps: int, power: float, data: st.DataObject
) -> None:
    check(
        lrsched.polynomial(init, end, steps, power),
        keras_schedules.PolynomialDecay(np.float64(init), steps, end, power),
        data.draw(counts_around(steps)),
        of=(power * 1e-15, max(init, end)),
    )


@some
@given(init=floors, end=floors, steps=phases, power=st.floats(1.0, 10.0), data=st.data())
def test_keras_polynomial_decay_in_cycles(
    init: float, end: float, steps: int, power: float, data: st.DataObject
) -> None:
    """The end moves on by whole multiples of its distance, each time that it is passed."""
    theirs = keras_schedules.PolynomialDecay(np.float64(init), steps, end, power, cycle=True)
    check(
        lrsched.polynomial(init, end, steps, power, cycle=True),
        one_by_one(theirs),
        data.draw(counts_around(steps, 2 * steps, 5 * steps)),
        of=(power * 1e-15, max(init, end)),
    )


@some
@given(init=rates, alpha=st.floats(0.0, 2.0), steps=durations, data=st.data())
def test_keras_cosine_decay(init: float, alpha: float, steps: int, data: st.DataObject) -> None:
    """`alpha` is a ratio, `end_value` a value."""
    check(
        lrsched.cosine_decay(init, steps, alpha * init),
        keras_schedules.CosineDecay(np.float64(init), steps, alpha),
        data.draw(counts_around(steps)),
        of=(3e-7, init * max(1.0, alpha)),
    )


@settings(max_examples=25)
@given(
    init=floors,
    peak=rates,
    alpha=st.floats(0.0, 2.0),
    warmup=phases,
    steps=phases,
    data=st.data(),
)
def test_keras_cosine_decay_with_warmup(
    init: float, peak: float, alpha: float, warmup: int, steps: int, data: st.DataObject
) -> None:
    """`decay_steps` do not count the warmup, and `alpha` is a ratio to its target."""
    theirs = keras_schedules.CosineDecay(
        np.float64(init), steps, alpha, warmup_target=peak, warmup_steps=warmup
    )
    check(
        lrsched.warmup(lrsched.cosine_decay(peak, steps, alpha * peak), warmup, init),
        jax.vmap(theirs),
        data.draw(counts_around(warmup, warmup + steps)),
        of=(3e-7, max(init, peak * max(1.0, alpha))),
    )


@settings(max_examples=25)
@given(
    init=rates,
    alpha=st.floats(0.0, 2.0),
    first=st.integers(1, 100),
    mult=st.integers(1, 4),
    data=st.data(),
)
def test_keras_cosine_decay_restarts(
    init: float, alpha: float, first: int, mult: int, data: st.DataObject
) -> None:
    """`alpha` is a ratio. At the restarts themselves its logarithm may fall short."""
    starts = list(itertools.accumulate([first * mult**cycle for cycle in range(6)]))
    counts = [n for n in data.draw(counts_around(*starts)) if n not in starts]
    check(
        lrsched.cosine_restarts(init, first, mult, alpha * init),
        jax.vmap(keras_schedules.CosineDecayRestarts(np.float64(init), first, mult, alpha=alpha)),
        counts,
        of=(3e-7, init * max(1.0, alpha)),
    )


@settings(max_examples=25)
@given(
    init=rates,
    shrink=st.floats(0.1, 1.5),
    first=st.integers(1, 100),
    mult=st.integers(1, 4),
    data=st.data(),
)
def test_keras_cosine_decay_restarts_with_other_peaks(
    init: float, shrink: float, first: int, mult: int, data: st.DataObject
) -> None:
    """To zero, where `m_mul` is `peak_mult`; Keras would add a floor to each cosine."""
    starts = list(itertools.accumulate([first * mult**cycle for cycle in range(6)]))
    counts = [n for n in data.draw(counts_around(*starts)) if n not in starts]
    check(
        lrsched.cosine_restarts(init, first, mult, peak_mult=shrink),
        jax.vmap(keras_schedules.CosineDecayRestarts(np.float64(init), first, mult, shrink)),
        counts,
        of=(3e-7, init * max(1.0, shrink) ** 13),
    )


def test_keras_schedules_are_unequal_to_their_copies() -> None:
    theirs = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    assert keras.optimizers.schedules.ExponentialDecay.from_config(theirs.get_config()) != theirs
    ours = lrsched.exponential_decay(0.1, 0.5, 10)
    assert lrsched.from_dict(ours.to_dict()) == ours
