"""Definitions of schedules, a user's own among them."""

import numpy as np
import pytest

import lrsched
from lrsched._core.definition import kinds_of


def test_a_schedule_of_the_users_own() -> None:
    @lrsched.schedule
    def halves(xp, count, init_value: lrsched.Value, steps: lrsched.Steps):  # type: ignore[no-untyped-def]
        """Falls by half every so many steps."""
        return init_value * 0.5 ** (count / steps)

    schedule = halves(1.0, steps=10)
    assert schedule(20) == 0.25
    assert schedule(np.asarray([20])) == 0.25
    assert lrsched.from_json(schedule.to_json()) == schedule
    assert halves.__doc__ == "Falls by half every so many steps."
    with pytest.raises(ValueError, match=r"halves: steps must be an integer >= 1 \(steps\)"):
        halves(1.0, 0)


def test_definitions_that_are_refused() -> None:
    with pytest.raises(TypeError, match="lone must annotate value with a kind of hyperparameter"):

        @lrsched.schedule
        def lone(xp, count, value):  # type: ignore[no-untyped-def]
            return value

    with pytest.raises(ValueError, match=r"the name linear is taken by lrsched\.schedules\.ramp"):

        @lrsched.schedule
        def linear(xp, count, value: lrsched.Value):  # type: ignore[no-untyped-def]
            return value


def test_kinds_are_those_of_all_parameters_and_of_nothing_else() -> None:
    def body(value: lrsched.Value, *, steps: lrsched.Steps) -> None:
        local = value
        assert local

    assert list(kinds_of(body)) == ["value", "steps"]
