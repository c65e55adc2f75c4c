"""Definitions of schedules, a user's own among them."""

from typing import Any

import numpy as np
import pytest

import lrsched
from lrsched._core.definition import REGISTRY
from lrsched._core.synonyms import SYNONYMS

lr: Any = lrsched  # types would refuse what follows


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
    with pytest.raises(ValueError, match=r"halves: steps must be a number >= 1 \(steps\)"):
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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lr.cosine_decay(lr=0.1, decay_steps=5), "'lr'; did you mean 'init_value'?"),
        (lambda: lr.cosine_decay(0.1, T_max=10), "'T_max'; did you mean 'decay_steps'?"),
        (lambda: lr.step_decay(0.1, gamma=0.5, step_size=3), "'gamma'; did you mean 'decay_rate'?"),
        (lambda: lr.cyclic(0.1, 1.0, upsteps=5), "'upsteps'; did you mean 'up_steps'?"),
        (lambda: lr.warmup_cosine(max_lr=0.1), "'max_lr'; did you mean 'peak_value'?"),
        (lambda: lr.linear(1, 0, eta=5), "'eta' (its parameters: init_value, end_value, steps)"),
    ],
)
def test_an_unknown_name_is_refused_before_one_is_missed(make: Any, message: str) -> None:
    """With the parameter that it stands for in other libraries, or nearly spells."""
    with pytest.raises(TypeError) as refused:
        make()
    assert f"got an unexpected keyword argument {message}" in str(refused.value)


def test_every_synonym_stands_for_a_parameter() -> None:
    parameters = {name for each in REGISTRY.values() for name in each.parameters}
    for name, meant in SYNONYMS.items():
        assert set(meant) <= parameters, name
