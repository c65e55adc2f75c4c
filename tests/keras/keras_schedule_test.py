"""Schedules in Keras, on each of its backends."""

import json
import re
from typing import Any

from tests.optional import needs

needs("jax")
needs("keras")

import jax
import keras
import numpy as np
import pytest

import lrsched
from lrsched_keras import KerasSchedule
from tests.keras.everywhere import PARAMS, TRAINING, everywhere
from tests.scripts.keras_backends import RECIPE


def on(backend: str) -> Any:
    """What the script of these tests has found on a backend."""
    return everywhere()[backend]["schedules"]


@pytest.mark.parametrize("backend", TRAINING)
@pytest.mark.parametrize("compiled", [True, False])
def test_each_update_uses_the_schedules_rate(backend: str, compiled: bool) -> None:
    if backend == "torch" and compiled:
        assert f"rates, jit_compile={compiled}" not in on(backend)  # see the script
        return
    found = on(backend)
    wanted = [RECIPE(count) for count in range(8)]
    np.testing.assert_allclose(found[f"rates, jit_compile={compiled}"], wanted, rtol=5e-7)
    moved = 3 * sum(wanted)  # of three weights, whose gradient is 1
    assert found[f"moved, jit_compile={compiled}"] == pytest.approx(moved, rel=1e-5)


@pytest.mark.parametrize("backend", TRAINING)
def test_a_saved_model_goes_on_where_it_was(backend: str) -> None:
    found = on(backend)
    assert found["loaded"] == f"KerasSchedule({RECIPE!r})"
    wanted = [RECIPE(count) for count in range(8, 16)]
    np.testing.assert_allclose(found["after loading"], wanted, rtol=5e-7)


@pytest.mark.parametrize("backend", PARAMS)
def test_a_curve(backend: str) -> None:
    wanted = [RECIPE(count) for count in (0, 8, 100)]
    np.testing.assert_allclose(on(backend)["curve"], wanted, rtol=5e-7)


def test_config_and_back() -> None:
    config = KerasSchedule(RECIPE).get_config()
    assert KerasSchedule.from_config(json.loads(json.dumps(config))).schedule == RECIPE
    optimizer = keras.optimizers.Adam(KerasSchedule(RECIPE))
    again = keras.optimizers.Adam.from_config(optimizer.get_config())
    assert again._learning_rate.schedule == RECIPE


def test_keras_counts_batches_where_gradients_are_accumulated() -> None:
    """As the docstring warns; `stretch` makes up for it."""
    layer = keras.Variable(np.zeros(1, np.float32))
    stretched = KerasSchedule(lrsched.stretch(lrsched.linear(1.0, 0.0, 4), 2))
    optimizer = keras.optimizers.SGD(stretched, gradient_accumulation_steps=2)
    rates = []
    for _ in range(8):
        before = float(np.asarray(layer)[0])
        optimizer.apply([np.ones(1, np.float32)], [layer])
        rates.append(before - float(np.asarray(layer)[0]))
    assert rates[::2] == [0.0] * 4
    assert int(optimizer.iterations) == 4
    np.testing.assert_allclose(rates[1::2], [0.875, 0.625, 0.375, 0.125], rtol=1e-6)


@pytest.mark.parametrize("schedule", [0.1, None, "cosine", lambda step: 0.1])
def test_what_is_no_schedule(schedule: Any) -> None:
    message = "KerasSchedule: schedule must be a schedule of plain numbers, got"
    with pytest.raises(TypeError, match=message):
        KerasSchedule(schedule)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (RECIPE * lrsched.newbob(), "one of the count alone"),
        (lrsched.newbob(), "a schedule of plain numbers"),
    ],
)
def test_what_follows_a_metric(schedule: Any, expected: str) -> None:
    hint = "(the callback ControlledRate takes one that follows a metric)"
    with pytest.raises(TypeError, match=re.escape(f"schedule must be {expected} {hint}, got ")):
        KerasSchedule(schedule)


def test_traced_and_unresolved_schedules() -> None:
    with pytest.raises(TypeError, match="KerasSchedule: schedule must be a schedule of plain"):
        jax.jit(lambda value: KerasSchedule(lrsched.constant(value))(0))(0.1)
    with pytest.raises(ValueError, match="resolve"):
        KerasSchedule(lrsched.cosine_decay(0.1, lrsched.run_fraction(1.0)))


@pytest.mark.parametrize("config", [None, {}, {"schedule": "linear"}, {"schedule": {"name": "x"}}])
def test_what_is_no_config(config: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        KerasSchedule.from_config(config)
