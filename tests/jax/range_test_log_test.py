"""What the JAX range test logs, its ends, and how the command line and sweeps call it."""

import inspect
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")
needs("flax")

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrsched
from lrsched_jax import range_test
from lrsched_jax._range_test import run as run_set_up
from tests.jax import squares
from tests.jax.nets import BATCHES, PARAMS, STEPWISE_AND_COMPILED, initialise, loss_fn, run

Logged = list[tuple[dict[str, float], int]]


def rows(test: Any, losses: Any, **others: Any) -> Logged:
    pairs = zip(test.learning_rates.tolist(), losses.tolist(), strict=True)
    return [
        ({"learning_rate": rate, "loss": loss} | others, update)
        for update, (rate, loss) in enumerate(pairs)
        if np.isfinite(loss)
    ]


@STEPWISE_AND_COMPILED
def test_the_log_has_what_is_recorded(compiled: bool) -> None:
    logged: Logged = []

    def log(values: Any, step: int) -> None:
        assert all(type(value) is float for value in values.values())
        logged.append((dict(values), step))

    test = run(loss_fn, PARAMS, compiled=compiled, log=log)
    assert logged == rows(test, test.losses)
    assert len(logged) == 40


@STEPWISE_AND_COMPILED
@pytest.mark.parametrize("last", [9.0, np.nan])
def test_what_follows_the_stop_is_not_logged(compiled: bool, last: float) -> None:
    logged: Logged = []
    losses = np.array([*[1] * 10, 2, 9, 9, last, 3, 3], np.float32)
    test = run(
        *(lambda level, batch: batch + 0 * level, jnp.zeros(()), losses),
        compiled=compiled,
        log=lambda *row: logged.append(row),
        look_every=4,
    )
    assert test.stopped == ("diverged" if last == 9.0 else "nonfinite")
    assert logged == rows(test, test.losses)
    assert len(logged) == (14 if last == 9.0 else 13)


@pytest.mark.parametrize("options", [{}, {"compiled": True}, {"compiled": True, "vmap": True}])
def test_repeats_are_logged_in_order_with_their_number(options: dict[str, Any]) -> None:
    logged: Logged = []
    log = lambda *row: logged.append(row)  # noqa: E731
    test = run(loss_fn, initialise, repeats=2, divergence=1.1, log=log, steps=20, **options)
    wanted = [row for r, losses in enumerate(test.losses) for row in rows(test, losses, repeat=r)]
    assert logged == wanted
    assert {row[0]["repeat"] for row in logged} == {0, 1}


@STEPWISE_AND_COMPILED
def test_only_the_first_rates_are_logged(compiled: bool) -> None:
    logged: Logged = []
    test = squares.run(**squares.HIGHER, compiled=compiled, log=lambda *row: logged.append(row))
    assert test.probe is not None
    assert test.earlier is not None
    assert logged == rows(test.earlier, test.earlier.losses)
    assert len(logged) == 100


@STEPWISE_AND_COMPILED
def test_an_error_in_the_log_comes_through(compiled: bool) -> None:
    def log(values: Any, step: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(loss_fn, PARAMS, compiled=compiled, log=log)


def test_the_ends_may_be_given() -> None:
    test = run(loss_fn, PARAMS, schedule=None, low=1e-3, high=0.1, max_steps=40)
    assert test.schedule == lrsched.exponential_ramp(1e-3, 0.1, 39)
    assert run(loss_fn, PARAMS, schedule=None, steps=3, high=1e-3).learning_rates[-1] == (
        np.float32(1e-3)
    )


GIVEN = (loss_fn, PARAMS, BATCHES)
NAMED = dict(zip(inspect.signature(range_test).parameters, GIVEN, strict=False))


@pytest.mark.parametrize("given", [GIVEN, NAMED, NAMED | {"framework": "jax"}])
def test_a_set_up_gives_the_arguments(given: Any) -> None:
    test = run_set_up(given, steps=4, high=0.1, progress=False)
    wanted = range_test(*GIVEN, steps=4, high=0.1, progress=False)
    np.testing.assert_array_equal(test.losses, wanted.losses)


def test_a_set_up_may_give_options_too() -> None:
    ramp = lrsched.constant(0.1)
    for given in (NAMED | {"steps": 3, "schedule": ramp}, (*GIVEN, optax.sgd, ramp, 3)):
        test = run_set_up(given, steps=9, progress=False)
        assert (len(test.losses), test.schedule) == (3, ramp)
    with pytest.raises(TypeError, match="too many positional"):
        run_set_up((*GIVEN, optax.sgd, ramp, 3, 1e-7))
    with pytest.raises(TypeError, match="missing 2 required positional arguments"):
        run_set_up(loss_fn)
