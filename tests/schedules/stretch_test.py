"""`stretch` and `from_epochs`: schedules whose steps are made longer."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule, run_fraction

steps = st.integers(1, 200)
values = st.floats(1e-6, 1.0)


# Whose formulas know only shares of durations, not single steps.
scalable = st.one_of(
    st.builds(lrsched.linear, values, values, steps),
    st.builds(lrsched.polynomial, values, values, steps, st.floats(0.5, 3.0)),
    st.builds(lrsched.exponential_decay, values, st.floats(0.1, 1.0), steps, st.booleans()),
    st.builds(lrsched.cosine_restarts, values, steps, st.integers(1, 3)),
    st.builds(lrsched.cyclic, values, values, steps, st.none() | steps),
    st.builds(
        lambda up, rate: lrsched.cyclic(0.0, 1.0, up, mode="exp_range", decay_rate=rate),
        steps,
        st.floats(0.9, 1.0),
    ),
    st.builds(lrsched.inverse_sqrt, values, steps, steps),
    st.builds(lrsched.multi_step_decay, values, st.just(0.5), st.just((3, 50))),
)


nested = (
    scalable
    | st.builds(lrsched.warmup, scalable, steps)
    | st.builds(
        lambda first, second, at: lrsched.join([first, second], [at]), scalable, scalable, steps
    )
)


@given(nested, st.integers(1, 50), st.integers(0, 500))
def test_a_stretched_schedule_has_the_same_shape(schedule: Schedule, ratio: int, at: int) -> None:
    stretched = lrsched.stretch(schedule, ratio)
    assert stretched(at * ratio) == pytest.approx(schedule(at), rel=1e-10, abs=1e-15)
    back = lrsched.stretch(stretched, 1 / ratio)
    assert back(at) == pytest.approx(schedule(at), rel=1e-10, abs=1e-15)


@given(nested, st.integers(1, 50), st.integers(0, 5000))
def test_epochs(schedule: Schedule, length: int, at: int) -> None:
    smooth = lrsched.from_epochs(schedule, length)
    stairs = lrsched.from_epochs(schedule, length, stepwise=True)
    assert stairs(at) == smooth(at // length * length)
    assert stairs(at) == pytest.approx(schedule(at // length), rel=1e-10, abs=1e-15)


ratios = st.floats(0.01, 100.0) | st.sampled_from([0.5, 0.75, 1.4, 1.5, 1 / 3, 2.0])
decay_rates = st.floats(0.01, 1.0)
rate_schedules = st.one_of(
    st.builds(lrsched.exponential_decay, values, decay_rates, st.just(1) | steps),
    st.builds(lrsched.natural_exponential_decay, values, decay_rates, st.just(1) | steps),
    st.builds(lrsched.inverse_time, values, decay_rates, st.just(1) | steps),
)


@given(rate_schedules, ratios, st.integers(0, 300))
def test_a_schedule_of_a_rate_has_the_same_curve_at_any_ratio(
    schedule: Schedule, ratio: float, at: int
) -> None:
    """Up to the rounding of the new rate, which acts at every step, and of the exponent."""
    stretched = lrsched.stretch(schedule, ratio)
    exponent = at * max(1.0, -math.log(schedule.params["decay_rate"]))
    rounding = 2e-16 * (20 + exponent + at * ratio)
    assert stretched(at * ratio) == pytest.approx(schedule(at), rel=rounding, abs=1e-300)
    within = lrsched.stretch(lrsched.delay(lrsched.scale(schedule, 0.5), 0), ratio)
    assert within(at * ratio) == pytest.approx(0.5 * schedule(at), rel=rounding, abs=1e-300)


@given(rate_schedules, st.floats(0.1, 5.0), st.integers(1, 9), st.integers(0, 300))
def test_a_rate_per_epoch_has_the_same_curve_in_steps(
    schedule: Schedule, share: float, steps_per_epoch: int, at: int
) -> None:
    """A rate for a duration that is resolved, and a rate in the cycles of `with_restarts`."""
    length = lrsched.epochs(share)
    resolved = schedule.replace(decay_steps=length).resolve(steps_per_epoch=steps_per_epoch)
    of_one_step = lrsched.stretch(schedule.replace(decay_steps=1), share * steps_per_epoch)
    assert resolved(at) == pytest.approx(of_one_step(at), rel=1e-12, abs=1e-300)
    cycles = lrsched.with_restarts(schedule, 40, 2, period_mult=share)
    assert cycles(40 + at) == pytest.approx(schedule(at / share), rel=1e-10, abs=1e-300)


@pytest.mark.parametrize(("ratio", "right"), [(1.4, 0.0488), (1.5, 0.0512), (0.75, 0.0262)])
def test_a_time_constant_of_one_step_is_not_rounded(ratio: float, right: float) -> None:
    stretched = lrsched.stretch(lrsched.exponential_decay(0.1, 0.99), ratio)
    assert round(stretched(100), 4) == right


def test_what_would_be_shorter_than_a_step_becomes_one() -> None:
    assert lrsched.stretch(lrsched.step_decay(0.1, 0.5, 1), 0.5) == lrsched.step_decay(0.1, 0.5, 1)
    assert lrsched.stretch(lrsched.linear(1, 0, 9), 0.01) == lrsched.linear(1, 0, 1)
    stairs = lrsched.exponential_decay(0.1, 0.5, 10, staircase=True)
    assert lrsched.stretch(stairs, 1.25) == stairs.replace(decay_steps=12.5)
    with pytest.raises(ValueError, match=r"a number >= 1 \(steps\) with staircase"):
        lrsched.stretch(stairs, 0.01)


@given(
    st.floats(0.1, 10.0),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 120),
    st.sampled_from(["linear", "cosine"]),
)
def test_a_stretched_curve_is_the_curve(
    ratio: float, up: int, down: int, at: int, shape: Any
) -> None:
    """Ends, boundaries and cycles move with it, to wherever they come between two steps."""
    assume(min(up, down) * ratio >= 1)
    for schedule in (
        lrsched.warmup(lrsched.cosine_decay(0.1, down), up),
        lrsched.cyclic(0.1, 1.0, up, down, shape=shape),
        lrsched.join([lrsched.constant(0.3), lrsched.linear(0.3, 0.1, down)], [up]),
        lrsched.cooldown(lrsched.constant(0.3), up, down, 0.1),
        lrsched.cosine_restarts(0.3, up, 2, 0.1),
        lrsched.interpolate((0.1, 0.7, 0.2), (up, up + down), shape),
    ):
        count = at * ratio
        found = lrsched.stretch(schedule, ratio)(count)
        near = [schedule(at + part * (at + 1)) for part in (-1e-12, 0, 1e-12)]
        assert min(near) * (1 - 1e-9) <= found <= max(near) * (1 + 1e-9)


units: Any = lrsched  # types would refuse half of what follows
LINE = units.linear(1, 0, run_fraction(0.5))
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: units.stretch(units.linear(1, 0, 9), 0),
        ValueError,
        "stretch: ratio must be a number > 0, got 0",
    ),
    (
        lambda: units.stretch(units.linear(1, 0, 9), 1e9),
        ValueError,
        "stretch: ratio must be such that steps of linear is a number <= 2147483647 (steps) "
        "(not 9000000000.0), got 1000000000.0",
    ),
    (
        lambda: units.from_epochs(units.linear(1, 0, 9), 0),
        ValueError,
        "from_epochs: steps_per_epoch must be an integer >= 1 (steps), got 0",
    ),
    (
        lambda: units.stretch(LINE, 2),
        ValueError,
        "stretch: schedule must be in steps (resolve it first, with schedule.resolve), got "
        "linear(init_value=1.0, end_value=0.0, steps=run_fraction(0.5))",
    ),
    (
        lambda: units.from_epochs(LINE, 2),
        ValueError,
        "from_epochs: schedule must be in steps (resolve it first, with schedule.resolve), got "
        "linear(init_value=1.0, end_value=0.0, steps=run_fraction(0.5))",
    ),
    (
        lambda: units.stretch(0.1, 2),
        TypeError,
        "stretch: schedule must be a schedule, got 0.1",
    ),
    (
        lambda: units.from_epochs(0.1, 2),
        TypeError,
        "from_epochs: schedule must be a schedule, got 0.1",
    ),
]


@pytest.mark.parametrize(("make", "error", "text"), REFUSED, ids=[row[2] for row in REFUSED])
def test_bad_input_is_refused_with_its_reason(
    make: Callable[[], Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        make()
    assert str(raised.value) == text
