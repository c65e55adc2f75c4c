"""A schedule as a value: an immutable, named record."""

import copy
import pickle
import weakref
from typing import Any

import pytest
from hypothesis import given, settings

import lrsched
from lrsched import Schedule, linear
from tests.optional import needs
from tests.strategies import schedules


def halving(cycle: Any) -> Any:
    return 0.5**cycle


CLR = lrsched.cyclic(0.001, 0.01, up_steps=20, mode=halving)


@settings(max_examples=300)
@given(schedules)
def test_the_recipe_survives_every_round_trip(schedule: Schedule) -> None:
    for other in (
        eval(repr(schedule), vars(lrsched)),
        pickle.loads(pickle.dumps(schedule)),
        copy.copy(schedule),
        copy.deepcopy(schedule),
        schedule.replace(),
        lrsched.from_dict(schedule.to_dict()),
        lrsched.from_json(schedule.to_json()),
        lrsched.from_json(schedule.to_json(indent=2)),
    ):
        assert other == schedule
        assert hash(other) == hash(schedule)
        assert repr(other) == repr(schedule)
        assert other(7) == schedule(7)


@given(schedules, schedules)
def test_equal_means_the_same_recipe(first: Schedule, second: Schedule) -> None:
    assert (first == second) == (first.to_dict() == second.to_dict())
    assert first != first.to_dict()


def test_repr_leaves_defaults_out() -> None:
    assert repr(linear(1, 0, 10)) == "linear(init_value=1.0, end_value=0.0, steps=10)"
    assert repr(lrsched.cosine_decay(0.1, 5, 0.0)) == "cosine_decay(init_value=0.1, decay_steps=5)"
    nested = repr(lrsched.warmup(lrsched.constant(0.1), 5))
    assert nested == "warmup(schedule=constant(value=0.1), warmup_steps=5)"


def test_params_and_replace() -> None:
    schedule = lrsched.cyclic(0.001, 0.01)
    assert schedule.params["up_steps"] == 2000
    assert schedule.replace(peak_value=0.1).params == schedule.params | {"peak_value": 0.1}
    assert schedule.params["peak_value"] == 0.01
    with pytest.raises(ValueError, match="cyclic: up_steps must be a number >= 1"):
        schedule.replace(up_steps=0)
    with pytest.raises(TypeError, match=r"cyclic: .*'max_lr'; did you mean 'peak_value'\?"):
        schedule.replace(max_lr=1.0)


def test_schedules_do_not_change() -> None:
    schedule = linear(1.0, 0.0, 10)
    with pytest.raises(AttributeError, match=r"does not change; use \.replace\(steps"):
        schedule.steps = 5
    with pytest.raises(AttributeError, match="does not change"):
        del schedule._values
    schedule.params["steps"] = 5
    assert schedule == linear(1.0, 0.0, 10)
    assert vars(schedule) == {}


def test_weak_references() -> None:
    schedule = linear(1.0, 0.0, 10)
    assert weakref.ref(schedule)() is schedule


def test_a_function_of_the_users_pickles_but_has_no_json() -> None:
    assert pickle.loads(pickle.dumps(CLR)) == CLR
    assert repr(CLR).endswith("mode=halving)")
    with pytest.raises(TypeError, match="a recipe holds numbers, names and schedules, not <func"):
        CLR.to_json()


def test_arrays_of_different_shapes_are_different_hyperparameters() -> None:
    """Those of several schedules stacked into one, as for `jax.vmap`."""
    np = needs("numpy")
    constant = lrsched.constant(1.0)
    one, stacked, longer = (Schedule(constant._definition, (np.ones(n),)) for n in ((), 1, 3))
    assert stacked == Schedule(constant._definition, (np.ones(1),))
    assert one != stacked
    assert stacked != longer
