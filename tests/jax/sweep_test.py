"""Sweeps: every copy does what it would alone."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")
needs("flax")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched_jax import range_test, sweep
from tests.jax.nets import BATCHES, PARAMS, Net, alone, dropouts, initialise, loss_fn, nnx_loss, run
from tests.processes import outputs, start

STEPS = 25
SCHEDULES: list[Any] = [
    lrsched.cosine_decay(0.1, 20),
    lrsched.cosine_decay(0.03, 9),
    lrsched.warmup(lrsched.cosine_decay(0.05, 20), 5),
    lrsched.cyclic(0.001, 0.02, up_steps=4),
    0.004,
]


def test_every_copy_does_what_it_would_alone() -> None:
    given = jax.tree.map(jnp.array, PARAMS)
    found = sweep(loss_fn, given, BATCHES, SCHEDULES, optax.adam, STEPS, keep_params=True)
    assert found.schedules == (*SCHEDULES[:-1], lrsched.constant(0.004))
    assert found.learning_rates.shape == found.losses.shape == (5, STEPS)
    for copy, schedule in enumerate(found.schedules):
        losses, params = alone(schedule, PARAMS)
        np.testing.assert_allclose(found.losses[copy], losses, rtol=1e-5)
        for name, leaf in params.items():
            np.testing.assert_allclose(found.params[name][copy], leaf, rtol=1e-4, atol=1e-6)
        rates = np.float32(schedule(np.arange(STEPS)))
        np.testing.assert_array_equal(found.learning_rates[copy], rates)
    assert len(set(found.losses[:, -1])) == 5
    jax.tree.map(np.testing.assert_array_equal, given, PARAMS)  # and they are not used up


RATES = st.floats(0.0, 0.4)
DRAWN = st.one_of(
    RATES,
    st.builds(lrsched.cosine_decay, RATES, st.integers(1, 20)),
    st.builds(lrsched.cyclic, RATES, RATES, up_steps=st.integers(1, 9)),
    st.builds(lrsched.linear, RATES, RATES, st.integers(1, 20)),
)


def far(weight: Any, batch: Any) -> Any:
    return jnp.mean((weight - batch) ** 2)


@given(st.lists(DRAWN, min_size=3, max_size=3))
@settings(max_examples=25)
def test_any_schedules(schedules: list[Any]) -> None:
    batches = np.linspace(1, 2, 20, dtype=np.float32)
    found = sweep(far, 0.0, batches, schedules, steps=20)
    for schedule, losses in zip(found.schedules, found.losses, strict=True):
        weight, wanted = 0.0, []
        for batch, rate in zip(batches, schedule(np.arange(20)), strict=True):
            wanted.append((weight - batch) ** 2)
            weight -= rate * 2 * (weight - batch)
        np.testing.assert_allclose(losses, wanted, rtol=1e-5, atol=1e-6)


def test_copies_may_begin_apart() -> None:
    rates = [0.01, 0.01, 0.03]
    found = sweep(loss_fn, initialise, BATCHES, rates, optax.adam, STEPS, keep_params=True)
    for copy, rate in enumerate(rates):
        losses, params = alone(rate, initialise(jax.random.key(copy)))
        np.testing.assert_allclose(found.losses[copy], losses, rtol=1e-5)
        np.testing.assert_allclose(found.params["a"][copy], params["a"], rtol=1e-4, atol=1e-6)


def range_tests(loss_fn: Any, params: Any, **options: Any) -> list[Any]:
    """The same by range tests, one after the other."""
    usual = {"divergence": None, "steps": STEPS, "compiled": False}
    return [run(loss_fn, params, schedule=s, **usual, **options) for s in SCHEDULES[:3]]


def test_an_nnx_module_with_its_state() -> None:
    model = Net(nnx.Rngs(0))
    found = sweep(nnx_loss, model, BATCHES, SCHEDULES[:3], optax.adam, STEPS, keep_params=True)
    for losses, test in zip(found.losses, range_tests(nnx_loss, model), strict=True):
        np.testing.assert_allclose(losses, test.losses, rtol=1e-4)
    (kernel,) = jax.tree.leaves(found.params["first"]["kernel"])
    assert kernel.shape == (3, 8, 12)
    updates = dropouts(found.model_state) - dropouts(nnx.state(model))
    assert updates.tolist() == [STEPS] * 3
    made = sweep(nnx_loss, lambda key: Net(nnx.Rngs(key)), BATCHES, [0.01] * 2, steps=5)
    assert made.losses[0, 0] != made.losses[1, 0]


class StateWithStatistics(TrainState):  # type: ignore[no-untyped-call]
    batch_stats: Any


def noisy(params: Any, seen: Any, batch: Any, key: Any) -> Any:
    keep = jax.random.bernoulli(key, 0.8, batch[0].shape)
    loss = loss_fn(params, (batch[0] * keep, batch[1]))
    return loss, seen + keep.sum(), {"kept": keep.sum(), "seen": seen, "keep": keep}


def test_state_keys_and_metrics() -> None:
    state = StateWithStatistics.create(  # type: ignore[no-untyped-call]
        apply_fn=None, params=PARAMS, tx=optax.sgd(0.1), batch_stats=jnp.float32(0)
    )
    key = jax.random.key(3)
    tests = range_tests(noisy, state, has_aux=True, key=key)
    options: dict[str, Any] = {"has_aux": True, "key": jax.random.fold_in(key, 0)}
    found = sweep(noisy, state, BATCHES, SCHEDULES[:3], optax.adam, STEPS, **options)
    assert sorted(found.metrics) == ["kept", "seen"]
    for copy, test in enumerate(tests):
        np.testing.assert_allclose(found.losses[copy], test.losses, rtol=1e-5)
        for name, rows in found.metrics.items():
            np.testing.assert_array_equal(rows[copy], test.metrics[name][:, 1])
    options["model_state"] = jnp.float32(0)
    apart = sweep(noisy, PARAMS, BATCHES, SCHEDULES[:3], optax.adam, STEPS, **options)
    np.testing.assert_array_equal(apart.losses, found.losses)


def test_a_copy_that_is_lost_disturbs_no_other() -> None:
    rates = [0.01, 1e18, 0.02]
    found = sweep(far, 1.0, [np.float32(3.0)], rates, steps=12, keep_params=True)
    healthy = sweep(far, 1.0, [np.float32(3.0)], [0.01, 0.03, 0.02], steps=12, keep_params=True)
    lost = ~np.isfinite(found.losses[1])
    assert lost[3:].all()
    assert not lost[0]
    np.testing.assert_array_equal(found.losses[[0, 2]], healthy.losses[[0, 2]])
    np.testing.assert_array_equal(np.array(found.params)[[0, 2]], np.array(healthy.params)[[0, 2]])
    assert np.isnan(found.params[1])


def test_one_program_serves_every_sweep_of_as_many_copies() -> None:
    traces, compilations = 0, 0

    def counted(weight: Any, batch: Any) -> Any:
        nonlocal traces
        traces += 1
        return far(weight, batch)

    def count(event: str, duration_secs: float, **_: str | int) -> None:
        nonlocal compilations
        compilations += "backend_compile" in event

    jax.monitoring.register_event_duration_secs_listener(count)
    sweep(counted, 0.0, [np.float32(1)], [0.1] * 2, steps=9)
    first = traces, compilations
    sweep(counted, 1.0, [np.float32(2)], [0.3, lrsched.cosine_decay(0.1, 3)], steps=9)
    assert (traces, compilations) == first
    sweep(counted, 1.0, [np.float32(2)], np.linspace(0, 1, 50), steps=9)
    assert traces == first[0]  # whatever the number of copies
    assert compilations > first[1]


def test_batches_may_run_out() -> None:
    def loader() -> Iterator[Any]:
        yield from BATCHES

    found = sweep(loss_fn, PARAMS, loader(), SCHEDULES, optax.adam, STEPS)
    whole = sweep(loss_fn, PARAMS, BATCHES, SCHEDULES, optax.adam, STEPS)
    assert found.losses.shape == found.learning_rates.shape == (5, len(BATCHES))
    np.testing.assert_array_equal(found.losses, whole.losses[:, : len(BATCHES)])
    assert found.params is None
    assert found.model_state is None


def test_copies_over_eight_devices() -> None:
    (out,) = outputs(start("jax_sweep_mesh.py"))
    for name, found in json.loads(out).items():
        assert len(found["params"][0]) == found["copies"]
        np.testing.assert_allclose(found["params"][1], found["params"][0], rtol=1e-4)
        np.testing.assert_allclose(found["mesh"], found["one device"], rtol=1e-5, err_msg=name)
        assert found["devices"] == 8
        assert found["collectives"] == []
        assert found["copies on each"] == [-(-found["copies"] // 8)] * 8


DEFAULTS: dict[str, Any] = {
    "loss_fn": far,
    "params": 1.0,
    "batches": [np.float32(1)],
    "schedules": [0.1],
}
REFUSALS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"schedules": 0.1}, TypeError, "schedules must be a sequence of schedules or learning rates"),
    ({"schedules": lrsched.constant(1)}, TypeError, "schedules must be a sequence of schedules or"),
    ({"schedules": {"a": 0.1}}, TypeError, "schedules must be a sequence of schedules or learning"),
    ({"schedules": []}, ValueError, "schedules must be a sequence of schedules or learning rates,"),
    (
        {"schedules": [0.1, float("nan")]},
        ValueError,
        "schedules[1] must be a Schedule or a finite number, got nan",
    ),
    (
        {"schedules": ["0.1"]},
        TypeError,
        "schedules[0] must be a Schedule or a finite number, got '0.1'",
    ),
    ({"schedules": [lambda n: n]}, TypeError, "schedules[0] must be a Schedule or a finite number"),
    ({"steps": 0}, ValueError, "steps must be an integer >= 1 (updates), got 0"),
    ({"optimizer": optax.sgd(0.1)}, TypeError, "optimizer must be a function from a schedule to"),
    ({"optimizer": lambda s: s}, TypeError, "optimizer(schedule) must be an optax.Gradient"),
    ({"loss_fn": 3}, TypeError, "loss_fn must be a function loss_fn(params, batch), got 3"),
    ({"loss_fn": lambda p, b: p * jnp.ones(2)}, ValueError, "loss_fn must be a function that ret"),
    ({"params": {"n": 3}}, ValueError, "params must be a pytree with at least one array of floati"),
    (
        {"params": lambda key: (1.0, object()), "schedules": [0.1, 0.2]},
        ValueError,
        "params must be a function that returns trees with the same held values for every key",
    ),
    ({"batches": []}, ValueError, "batches must be an iterable of at least one batch, got []"),
    ({"batches": {"x": 1}}, TypeError, "batches must be an iterable of batches (this is one; put"),
    ({"mesh": 8}, TypeError, "mesh must be a jax.sharding.Mesh, or None, got 8"),
    ({"mesh": jax.make_mesh((1, 1), ("a", "b"))}, ValueError, "mesh must be one of a single axis"),
    (
        {"loss_fn": lambda p, s, b: (p * b, [s]), "model_state": 0.0},
        ValueError,
        "model_state must be after an update what it was before",
    ),
]


@pytest.mark.parametrize(("options", "error", "message"), REFUSALS)
def test_refusals(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match="^sweep: " + re.escape(message)):
        sweep(**{**DEFAULTS, **options})


def test_a_sweep_makes_as_many_updates_as_a_range_test_by_default() -> None:
    defaults = [inspect.signature(each).parameters["steps"].default for each in (sweep, range_test)]
    assert defaults == [200, 200]
