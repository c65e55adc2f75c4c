"""Schedules with controllers in them: every combinator takes them, and values are exact."""

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Controller, Schedule, reduce_on_plateau
from lrsched.controllers import greedy, kl_adaptive, newbob
from tests.optional import needs
from tests.strategies import BY_NAME, counts

PLATEAU = reduce_on_plateau(decay_rate=0.5, patience=0)


def after(schedule: Schedule, *metrics: float) -> Schedule:
    """The schedule after these metrics."""
    state = schedule.init_state()
    for metric in metrics:
        state = schedule.observe(state, metric)
    return schedule.with_state(state)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_product_is_schedule_times_factor_to_the_last_bit(name: str) -> None:
    @settings(max_examples=20)
    @given(BY_NAME[name], st.integers(0, 3), st.lists(counts, min_size=1, max_size=5))
    def check(schedule: Schedule, cuts: int, counts: list[int]) -> None:
        rate = after(schedule * PLATEAU, 3.0, *[3.0] * cuts)
        assert [rate(n) for n in counts] == [schedule(n) * 0.5**cuts for n in counts]
        at = np.asarray(counts)
        np.testing.assert_array_equal(rate(at), schedule(at) * 0.5**cuts)

    check()


def test_improving_metrics_leave_the_schedule_alone() -> None:
    cosine = lrsched.cosine_decay(0.1, 8)
    rate, found = cosine * reduce_on_plateau(), []
    state = rate.init_state()
    for n in range(8):
        if n % 2:
            state = rate.observe(state, 1.0 / (n + 1))
        found.append(rate.with_state(state)(n))
    assert found == [cosine(n) for n in range(8)]


EXPRESSIONS: dict[str, tuple[Any, list[float]]] = {
    "warmup": (lrsched.warmup(reduce_on_plateau(0.4), 4), [0.0, 0.1, 0.4, 0.4]),
    "floor": (lrsched.maximum(lrsched.linear(1.0, 0.0, 10) * PLATEAU, 0.3), [1.0, 0.9, 0.6, 0.3]),
    "ceiling": (lrsched.minimum(PLATEAU, 0.3), [0.3, 0.3, 0.3, 0.3]),
    "scale": (2 * PLATEAU, [2.0, 2.0, 2.0, 2.0]),
    "divide": (PLATEAU / 4, [0.25, 0.25, 0.25, 0.25]),
    "sum": (PLATEAU + 1, [2.0, 2.0, 2.0, 2.0]),
    "difference": (3 - PLATEAU, [2.0, 2.0, 2.0, 2.0]),
    "negative": (-PLATEAU, [-1.0, -1.0, -1.0, -1.0]),
    "of two": (PLATEAU * newbob(0.5), [0.5, 0.5, 0.5, 0.5]),
    "join": (lrsched.join([lrsched.linear(0.0, 0.4, 4), PLATEAU], [4]), [0.0, 0.1, 1.0, 1.0]),
    "cooldown": (lrsched.cooldown(PLATEAU, 4, 5), [1.0, 1.0, 1.0, 0.0]),
    "numpy": (np.float64(2.0) * PLATEAU, [2.0, 2.0, 2.0, 2.0]),
    "recipe": (lrsched.scale_for_batch_size(PLATEAU, 64, 256), [0.25, 0.25, 0.25, 0.25]),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_it_stands_wherever_a_schedule_can(name: str) -> None:
    schedule, values = EXPRESSIONS[name]
    assert type(schedule) is Schedule
    assert [schedule.with_state(schedule.init_state())(n) for n in (0, 1, 4, 10)] == values
    for other in (
        eval(repr(schedule), vars(lrsched)),
        pickle.loads(pickle.dumps(schedule)),
        copy.deepcopy(schedule),
        lrsched.from_repr(repr(schedule)),
        lrsched.from_json(schedule.to_json()),
        lrsched.from_config(schedule.to_dict()),
    ):
        assert other == schedule
        assert hash(other) == hash(schedule)
        assert repr(other) == repr(schedule)
        assert other.controllers == schedule.controllers


def test_the_operators_are_read_from_text() -> None:
    text = "2 * reduce_on_plateau(0.1) * linear(1, 0, 10) / 4 + newbob() - 1"
    plateau = reduce_on_plateau(0.1)
    expected = 2 * plateau * lrsched.linear(1, 0, 10) / 4 + newbob() - 1
    assert lrsched.from_repr(text) == expected
    assert expected.controllers == (plateau, newbob())


def test_durations_beside_a_controller_are_resolved() -> None:
    rate = lrsched.cosine_decay(0.1, lrsched.run_fraction(1.0)) * PLATEAU
    assert rate.resolve(total_steps=50) == lrsched.cosine_decay(0.1, 50) * PLATEAU


def test_arrays_of_states_give_arrays_of_values() -> None:
    rate = lrsched.linear(1.0, 0.0, 10) * PLATEAU
    state = rate.observe(rate.init_state(np.zeros(3)), np.asarray([1.0, 2.0, 3.0]))
    state = rate.observe(state, np.asarray([0.5, 2.0, 9.0]))
    assert rate.with_state(state)(np.asarray(5)).tolist() == [0.5, 0.25, 0.25]


def test_jax_traces_the_recipe_the_state_and_the_count() -> None:
    jax = needs("jax")
    jnp = jax.numpy
    rate = lrsched.warmup(lrsched.cosine_decay(0.1, 8), 3) * PLATEAU

    def run(rate: Schedule, metrics: Any) -> Any:
        def update(carry: Any, metric: Any) -> Any:
            count, state = carry
            state = rate.observe(state, metric)
            return (count + 1, state), rate.with_state(state)(count)

        return jax.lax.scan(update, (0, rate.init_state(jnp.zeros(()))), metrics)[1]

    metrics = [3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 0.5, 0.5]
    state, expected = rate.init_state(), []
    for n, metric in enumerate(metrics):
        state = rate.observe(state, metric)
        expected.append(rate.with_state(state)(n))
    np.testing.assert_allclose(jax.jit(run)(rate, jnp.asarray(metrics)), expected, rtol=2e-7)


@pytest.mark.parametrize(
    ("attempt", "text"),
    [
        (lambda rate: rate(3), "product: reduce_on_plateau follows a metric: use lrsched_torch."),
        (lambda rate: rate(np.asarray(3)), "product: reduce_on_plateau follows a metric: use lrs"),
        (
            lambda rate: lrsched.diff(rate, 0.1, 5),
            "product: reduce_on_plateau follows a metric: use lrsched_t",
        ),
        (lambda rate: rate.plot(5), "product: reduce_on_plateau follows a metric: use lrsched_t"),
        (
            lambda rate: rate.with_state(()),
            "product: state must be a tuple of 1, one for each controller, of init_state() or obse",
        ),
        (
            lambda rate: rate.observe(PLATEAU.init(), 1.0),
            "product: state must be a tuple of 1, one for each controller, of init_state() or obse",
        ),
    ],
)
def test_without_its_state_it_has_no_value(attempt: Any, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)) as refused:
        attempt(lrsched.constant(0.1) * PLATEAU)
    assert str(refused.value).startswith(text)


def test_a_notebook_shows_the_text() -> None:
    assert (lrsched.constant(0.1) * PLATEAU)._repr_svg_() is None


def test_a_schedule_without_controllers_is_itself() -> None:
    line = lrsched.linear(1.0, 0.0, 10)
    assert line.controllers == line.init_state() == line.observe((), 3.0) == ()
    assert line.with_state(()) is line


@pytest.mark.parametrize("controller", [PLATEAU, newbob(), kl_adaptive(0.1), greedy()])
def test_values_are_finite_whatever_is_observed(controller: Controller) -> None:
    rate = lrsched.exponential_decay(0.1, 0.5) * controller
    state = rate.init_state()
    for metric in (np.nan, np.inf, -np.inf, 0.0, 1e308, -1e308, 5e-324):
        state = rate.observe(state, metric)
        assert np.isfinite(rate.with_state(state)(10**6))
