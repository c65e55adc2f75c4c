"""`stretch` and `from_epochs`: schedules whose steps are made longer."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
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


units: Any = lrsched  # types would refuse half of what follows
LINE = units.linear(1, 0, run_fraction(0.5))
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: units.stretch(units.linear(1, 0, 9), 0),
        ValueError,
        "stretch: ratio must be a number > 0, got 0",
    ),
    (
        lambda: units.stretch(units.linear(1, 0, 9), 0.01),
        ValueError,
        "linear: steps must be an integer >= 1 (steps), got 0",
    ),
    (
        lambda: units.stretch(units.linear(1, 0, 9), 1e9),
        ValueError,
        "linear: steps must be an integer <= 2147483647 (steps), got 9000000000",
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
