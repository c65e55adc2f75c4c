"""A schedule as a value: what can be done with it besides calling it."""

import copy
import pickle
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings

import lrsched
from lrsched import Schedule, linear
from tests.strategies import schedules


def halving(cycle: Any) -> Any:
    return 0.5**cycle


CLR = lrsched.cyclic(0.001, 0.01, up_steps=20, mode=halving)


@settings(max_examples=300)
@given(schedules)
def test_the_recipe_survives_every_round_trip(schedule: Schedule) -> None:
    leaves, structure = jax.tree.flatten(schedule)
    for other in (
        eval(repr(schedule), vars(lrsched)),
        pickle.loads(pickle.dumps(schedule)),
        copy.copy(schedule),
        copy.deepcopy(schedule),
        schedule.replace(),
        lrsched.from_dict(schedule.to_dict()),
        lrsched.from_json(schedule.to_json()),
        lrsched.from_json(schedule.to_json(indent=2)),
        jax.tree.unflatten(structure, leaves),
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
    with pytest.raises(ValueError, match="cyclic: up_steps must be an integer >= 1"):
        schedule.replace(up_steps=0)
    with pytest.raises(TypeError, match=r"cyclic: .*'max_lr' \(its parameters: init_value, peak_"):
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


def test_products() -> None:
    schedule = linear(1.0, 0.0, 10)
    half = lrsched.scale(schedule, 0.5)
    assert schedule * 0.5 == half == 0.5 * schedule == np.float64(0.5) * schedule
    assert jnp.float32(0.5) * schedule == half == schedule * torch.tensor(0.5)
    assert schedule * schedule == lrsched.product(schedule, schedule)
    with pytest.raises(TypeError, match="unsupported operand"):
        schedule * object()
    with pytest.raises(ValueError, match="scale: factor must be a finite number, got nan"):
        schedule * float("nan")
    huge = lrsched.constant(1e18) * lrsched.constant(1e18) * lrsched.constant(1e18)
    assert huge(0) == 1e38
    assert np.isfinite(huge(jnp.int32(0)))


def test_numbers_of_other_libraries_become_python_numbers() -> None:
    plain = linear(1.0, 0.25, 10)
    assert plain == linear(np.float32(1), np.asarray(0.25), np.int64(10))
    assert plain == linear(torch.tensor(1.0), jnp.float32(0.25), jnp.int32(10))
    assert lrsched.join([plain, plain], list(np.asarray([5]))) == lrsched.join((plain, plain), (5,))
    assert all(type(value) in (int, float) for value in plain.params.values())


def test_a_tensor_under_autograd_stays_and_gets_its_gradient() -> None:
    peak = torch.tensor(0.1, requires_grad=True)
    value = lrsched.cosine_decay(peak, 10)(torch.tensor(5))
    value.backward()
    assert value.item() == pytest.approx(0.05)
    assert peak.grad == pytest.approx(0.5)


def test_weak_references_and_static_arguments() -> None:
    schedule = linear(1.0, 0.0, 10)
    assert weakref.ref(schedule)() is schedule
    traces = 0

    def value(schedule: Schedule, count: int) -> jax.Array:
        nonlocal traces
        traces += 1
        return jnp.asarray(schedule(count))

    static = jax.jit(value, static_argnums=0)
    for _ in range(3):
        static(linear(1.0, 0.0, 10), 3)
    assert traces == 1


def test_a_function_of_the_users_pickles_but_has_no_json() -> None:
    assert pickle.loads(pickle.dumps(CLR)) == CLR
    assert repr(CLR).endswith("mode=halving)")
    with pytest.raises(TypeError, match="a recipe holds numbers, names and schedules, not <func"):
        CLR.to_json()


def test_a_schedule_of_the_users_own() -> None:
    @lrsched.schedule
    def halves(xp, count, init_value: lrsched.Value, steps: lrsched.Steps):  # type: ignore[no-untyped-def]
        """Falls by half every so many steps."""
        return init_value * 0.5 ** (count / steps)

    schedule = halves(1.0, steps=10)
    assert schedule(20) == 0.25
    assert schedule(np.asarray([20])) == 0.25
    assert jax.jit(schedule)(20) == 0.25
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
