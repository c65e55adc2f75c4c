"""Each schedule against the same one of fvcore, a function of the part of the run that is done.

Here `where` is `count / total`. Tolerances are parts of the largest rate, as `1 + cos` cancels.
"""

import itertools
from collections.abc import Callable

from tests.optional import needs

needs("fvcore")

import numpy as np
import pytest
from fvcore.common.param_scheduler import (
    CompositeParamScheduler,
    ConstantParamScheduler,
    CosineParamScheduler,
    ExponentialParamScheduler,
    LinearParamScheduler,
    MultiStepParamScheduler,
    ParamScheduler,
    PolynomialDecayParamScheduler,
    StepParamScheduler,
    StepWithFixedGammaParamScheduler,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule

many = settings(max_examples=150)

rates = st.floats(-8.0, 2.0).map(lambda exponent: 10.0**exponent)
floors = st.just(0.0) | rates
totals = st.integers(4, 60) | st.integers(4, 10**5)  # where + 1e-6 is no step further on
fractions = st.lists(st.floats(0.0, 1.0, exclude_max=True), max_size=12)


def check(
    schedule: Schedule, theirs: ParamScheduler, total: int, places: list[float], part: float
) -> None:
    """They agree at places of the run and around them, to a part of the largest rate."""
    near = (int(place * total) + away for place in places for away in (-1, 0, 1))
    counts = sorted({0, total - 1, *(count for count in near if 0 <= count < total)})
    ours = [schedule(count) for count in counts]
    peers = [theirs(count / total) for count in counts]
    np.testing.assert_allclose(peers, ours, rtol=0.0, atol=part * max(map(abs, ours)))


@many
@given(value=floors, total=totals, places=fractions)
def test_constant(value: float, total: int, places: list[float]) -> None:
    check(lrsched.constant(value), ConstantParamScheduler(value), total, places, part=0.0)


@many
@given(start=floors, end=floors, total=totals, places=fractions)
def test_linear(start: float, end: float, total: int, places: list[float]) -> None:
    recipe = lrsched.linear(start, end, total)
    check(recipe, LinearParamScheduler(start, end), total, places, part=5e-16)


@many
@given(start=floors, end=floors, total=totals, places=fractions)
def test_cosine(start: float, end: float, total: int, places: list[float]) -> None:
    recipe = lrsched.cosine_decay(start, total, end)
    check(recipe, CosineParamScheduler(start, end), total, places, part=1e-15)


@many
@given(start=rates, decay=st.floats(1e-6, 2.0), total=totals, places=fractions)
def test_exponential(start: float, decay: float, total: int, places: list[float]) -> None:
    """Its factor is that of the whole run."""
    recipe = lrsched.exponential_decay(start, decay, total)
    check(recipe, ExponentialParamScheduler(start, decay), total, places, part=1e-14)


@many
@given(start=rates, power=st.floats(1.0, 10.0), total=totals, places=fractions)
def test_polynomial(start: float, power: float, total: int, places: list[float]) -> None:
    recipe = lrsched.polynomial(start, 0.0, total, power)
    part = power * 5e-16
    check(recipe, PolynomialDecayParamScheduler(start, power), total, places, part)


@many
@given(values=st.lists(rates, min_size=1, max_size=6), stair=st.integers(1, 10**4), data=st.data())
def test_step(values: list[float], stair: int, data: st.DataObject) -> None:
    """Stairs of equal length."""
    total = stair * len(values)
    recipe = lrsched.piecewise_constant(values, range(stair, total, stair))
    check(recipe, StepParamScheduler(total, values), total, data.draw(fractions), part=0.0)


@many
@given(
    start=rates,
    gamma=st.floats(0.01, 2.0),
    decays=st.integers(1, 6),
    stair=st.integers(1, 10**4),
    data=st.data(),
)
def test_step_with_fixed_gamma(
    start: float, gamma: float, decays: int, stair: int, data: st.DataObject
) -> None:
    """So many decays make one stair more."""
    total = stair * (decays + 1)
    theirs = StepWithFixedGammaParamScheduler(start, decays, gamma, total)
    recipe = lrsched.step_decay(start, gamma, stair)
    check(recipe, theirs, total, data.draw(fractions), part=1e-14)


@many
@given(total=st.integers(10, 10**5), values=st.lists(rates, min_size=1, max_size=6), data=st.data())
def test_multi_step(total: int, values: list[float], data: st.DataObject) -> None:
    """The last milestone is the run's end, unless that is given by itself."""
    number = len(values) - 1
    cuts = st.sets(st.integers(1, total - 1), min_size=number, max_size=number)
    boundaries = sorted(data.draw(cuts))
    recipe = lrsched.piecewise_constant(values, boundaries)
    places = [boundary / total for boundary in boundaries]
    both = (
        MultiStepParamScheduler(values, milestones=[*boundaries, total]),
        MultiStepParamScheduler(values, num_updates=total, milestones=boundaries),
    )
    for theirs in both:
        check(recipe, theirs, total, places, part=0.0)


Piece = tuple[Callable[[int], Schedule], ParamScheduler]


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    """A schedule by its length, and its counterpart."""
    start, end = draw(rates), draw(rates)
    known: list[Piece] = [
        (lambda steps: lrsched.constant(start), ConstantParamScheduler(start)),
        (lambda steps: lrsched.linear(start, end, steps), LinearParamScheduler(start, end)),
        (lambda steps: lrsched.cosine_decay(start, steps, end), CosineParamScheduler(start, end)),
        (
            lambda steps: lrsched.exponential_decay(start, 0.1, steps),
            ExponentialParamScheduler(start, 0.1),
        ),
    ]
    return known[draw(st.integers(0, len(known) - 1))]


@many
@given(
    drawn=st.lists(st.tuples(pieces(), st.integers(2, 500), st.booleans()), min_size=1, max_size=4),
    places=fractions,
)
def test_composite(drawn: list[tuple[Piece, int, bool]], places: list[float]) -> None:
    """A rescaled piece runs once over its own length, a fixed one keeps the clock of the run."""
    lengths = [length for _, length, _ in drawn]
    total, starts = sum(lengths), [0, *itertools.accumulate(lengths)]
    ours = [
        make(length) if rescaled else lrsched.advance(make(total), start)
        for ((make, _), length, rescaled), start in zip(drawn, starts, strict=False)
    ]
    theirs = CompositeParamScheduler(
        [theirs for (_, theirs), _, _ in drawn],
        [length / total for length in lengths],
        ["rescaled" if rescaled else "fixed" for *_, rescaled in drawn],
    )
    at = [*places, *(start / total for start in starts)]
    # `where` is right to 1e-16 of the run, of which a piece may be a five-hundredth.
    check(lrsched.join(ours, starts[1:-1]), theirs, total, at, part=1e-12)


# Where fvcore surprises: each test fails when that changes.


def test_fvcore_boundaries_come_early_in_long_runs() -> None:
    """It adds 1e-6 to `where` so that boundaries are not missed: four steps of four millions."""
    total = 4 * 10**6
    theirs = StepWithFixedGammaParamScheduler(1.0, 3, 0.5, total)
    assert [theirs(count / total) for count in (10**6 - 5, 10**6 - 3)] == [1.0, 0.5]
    recipe = lrsched.step_decay(1.0, 0.5, total // 4)
    assert [recipe(count) for count in (10**6 - 1, 10**6)] == [1.0, 0.5]


def test_fvcore_has_no_value_at_the_end_of_the_run() -> None:
    with pytest.raises(IndexError):
        StepParamScheduler(4, [1.0, 0.5])(1.0)
    assert lrsched.piecewise_constant([1.0, 0.5], [2])(4) == 0.5


def test_fvcore_cosine_climbs_back_and_linear_goes_on() -> None:
    """Past the run; ours hold."""
    assert CosineParamScheduler(1.0, 0.0)(2.0) == 1.0
    assert LinearParamScheduler(1.0, 0.0)(2.0) == -1.0
    assert lrsched.cosine_decay(1.0, 10)(20) == lrsched.linear(1.0, 0.0, 10)(20) == 0.0
