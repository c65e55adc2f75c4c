"""`ControlledRate` in training, on each of Keras's backends."""

import itertools
from collections.abc import Sequence
from typing import Any

from tests.optional import needs

needs("jax")
needs("keras")

import numpy as np
import pytest

from tests.keras.everywhere import PARAMS, TRAINING, everywhere
from tests.scripts.keras_controlled import DECAY, EPOCHS, LOSSES, MOMENTUM, RECIPE, UPDATES

COMPILING = ("jax", "tensorflow")


def on(backend: str) -> Any:
    """What the script of these tests has found on a backend."""
    return everywhere()[backend]["controlled"]


def wanted(losses: Sequence[float | None], accumulated: int = 1) -> list[float]:
    """The rate of each batch; None is a loss that is not observed."""
    state, rates = RECIPE.init_state(), []
    for epoch, loss in enumerate(losses):
        batches = range(epoch * UPDATES, (epoch + 1) * UPDATES)
        rates += [RECIPE.with_state(state)(batch // accumulated) for batch in batches]
        state = state if loss is None else RECIPE.observe(state, loss)
    return rates


FALLING = [float(-epoch) for epoch in range(EPOCHS)]


def by_epochs(controller: Any) -> list[float]:
    """The value of a controller in each epoch, whose metric falls."""
    states = itertools.accumulate(FALLING[:-1], controller.update, initial=controller.init())
    return [state.value for state in states]


def test_the_plateau_is_cut_in_the_runs() -> None:
    assert by_epochs(MOMENTUM) == [0.8, 0.8, 0.8, 0.4, 0.4, 0.2]


@pytest.mark.parametrize("backend", PARAMS)
def test_a_loop_without_fit(backend: str) -> None:
    found = on(backend)["loop"]
    np.testing.assert_allclose(found, wanted(LOSSES), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("backend", TRAINING)
@pytest.mark.parametrize(("run", "batches"), [("fit", 1), ("accumulated", 2)])
def test_each_update_uses_the_rate(backend: str, run: str, batches: int) -> None:
    found = on(backend)[run]
    assert found["losses"] == sorted(found["losses"], reverse=True)
    rates = wanted(found["losses"], batches)
    np.testing.assert_allclose(found["rates"], rates, rtol=1e-7)
    np.testing.assert_allclose(found["logged"], rates[UPDATES - 1 :: UPDATES], rtol=1e-7)
    moved = 3 * sum(rates[batches - 1 :: batches])  # of three weights, whose gradient is 1
    assert found["moved"] == pytest.approx(moved, rel=1e-5)


@pytest.mark.parametrize("backend", TRAINING)
def test_fit_called_twice(backend: str) -> None:
    np.testing.assert_allclose(on(backend)["two fits"], wanted(FALLING), rtol=1e-7)


@pytest.mark.parametrize("backend", TRAINING)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_killed_run_that_goes_on(backend: str, is_first: bool) -> None:
    """A backup that is written before the callback has observed an epoch lacks its metric."""
    before, after = on(backend)["killed" if is_first else "killed, backup first"]
    observed = [loss if is_first or epoch != 2 else None for epoch, loss in enumerate(FALLING)]
    np.testing.assert_allclose(before, wanted(FALLING)[: 3 * UPDATES], rtol=1e-7)
    np.testing.assert_allclose(after, wanted(observed)[3 * UPDATES :], rtol=1e-7)


@pytest.mark.parametrize("backend", TRAINING)
def test_beside_keras_own_callback(backend: str) -> None:
    theirs, ours = on(backend)["beside Keras"]
    assert len(set(theirs)) > 3
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("backend", TRAINING)
def test_a_weight_decay_in_a_variable(backend: str) -> None:
    found = on(backend)["weight decay"]
    decays = np.repeat(by_epochs(DECAY), UPDATES)
    np.testing.assert_allclose(found["rates"], decays, rtol=1e-7)
    assert found["left"] == pytest.approx(np.prod(1 - 0.5 * decays), rel=1e-5)


@pytest.mark.parametrize("backend", TRAINING)
@pytest.mark.parametrize("run", ["momentum", "momentum, eagerly"])
def test_a_momentum(backend: str, run: str) -> None:
    found = on(backend)[run]
    if backend in COMPILING and run == "momentum":
        assert found == (
            "ControlledRate: momentum must be one that the compiled training function reads anew "
            "(run_eagerly=True in compile), got 0.9"
        )
        return
    velocity = moved = 0.0
    for momentum in np.repeat(by_epochs(MOMENTUM), UPDATES):
        velocity = momentum * velocity + 0.5
        moved += 3 * velocity
    assert found == pytest.approx(moved, rel=1e-5)
