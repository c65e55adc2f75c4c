"""The range test of a Keras model, in one process on JAX."""

import functools
import re
from typing import Any

from tests.optional import needs

needs("jax")
needs("keras")

import jax
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import numpy as jnp

import lrsched
from lrsched_keras import range_test, run
from tests.scripts.keras_models import (
    QUIET,
    RAMP,
    STEPS,
    Model,
    X,
    Y,
    array,
    everything,
    linear,
    values,
)
from tests.scripts.keras_stops import WHYS, Rewound, one_stop

rewound = functools.cache(lambda: Rewound(everything()))


@settings(max_examples=12, derandomize=True, deadline=None)
@given(why=st.sampled_from(WHYS), at=st.integers(1, STEPS - 2))
def test_nothing_has_changed_after_any_stop(why: str, at: int) -> None:
    assert one_stop(rewound(), why, at) == ""


def test_the_losses_of_a_loss_function_in_jax() -> None:
    optax, lrsched_jax = needs("optax"), needs("lrsched_jax", "optax")
    model = linear(loss="mse")

    def loss_fn(weights: Any, batch: Any) -> Any:
        x, y = batch
        return jnp.mean((x @ weights - y) ** 2)

    batches = [(X[n : n + 24], Y[n : n + 24]) for n in range(0, 96, 24)]
    options: dict[str, Any] = {"schedule": RAMP, "steps": STEPS, **QUIET}
    weights = jnp.asarray(array(model.weights[0]))
    theirs = lrsched_jax.range_test(loss_fn, weights, batches, optax.sgd, **options)
    ours = range_test(model, X[:96], Y[:96], batch_size=24, shuffle=False, **options)
    assert ours.learning_rates.tolist() == theirs.learning_rates.tolist()
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-5)


def test_what_is_compiled_serves_the_training_after_the_test() -> None:
    traced: list[int] = []

    def loss(wanted: Any, found: Any) -> Any:
        traced.append(0)
        return (found - wanted) ** 2

    ours, theirs = (linear(keras.optimizers.Adam(0.1), loss) for _ in range(2))
    keras.utils.set_random_seed(1)
    test = range_test(ours, X[:96], Y[:96], batch_size=24, steps=9, max_steps=9, **QUIET)
    assert test.stopped == "finished"
    compiled, before = ours.train_function, len(traced)
    ours.fit(X[:96], Y[:96], batch_size=24, epochs=2, verbose=0)
    assert ours.train_function is compiled is not None
    assert len(traced) - before <= 1  # to build the loss again, as at a first fit
    keras.utils.set_random_seed(1)
    theirs.fit(X[:96], Y[:96], batch_size=24, epochs=2, verbose=0)
    assert values(ours) == values(theirs)


def test_a_set_up_is_run() -> None:
    options: dict[str, Any] = {"steps": 3, "max_steps": 3, **QUIET}
    wanted = range_test(linear(loss="mse"), X, Y, shuffle=False, **options)
    given: dict[str, Any] = {"model": linear(loss="mse"), "x": X, "y": Y, "shuffle": False}
    for found in (
        run(given, **options),
        run((linear(loss="mse"), X, Y), shuffle=False, **options),
    ):
        np.testing.assert_array_equal(found.losses, wanted.losses)
    with pytest.raises(TypeError, match="range_test: x must be at least one batch"):
        run(linear(), **QUIET)


def test_each_loss_is_logged_with_its_rate() -> None:
    logged: list[Any] = []
    options: dict[str, Any] = {"steps": 5, "max_steps": 5, **QUIET}
    test = range_test(linear(loss="mse"), X, Y, log=lambda *each: logged.append(each), **options)
    pairs = zip(test.learning_rates, test.losses, strict=True)
    assert logged == [
        ({"learning_rate": rate, "loss": loss}, n) for n, (rate, loss) in enumerate(pairs)
    ]


class WithoutLoss(Model):
    """A model whose logs have no loss."""

    def train_step(self, *arguments: Any) -> Any:
        logs, state = super().train_step(*arguments)
        return {"another": logs["loss"]}, state


class WithRawLoss(Model):
    """A model whose logs have what it likes, as in the guides of Keras."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.total = keras.metrics.Mean(name="total_loss")

    @property
    def metrics(self) -> list[Any]:
        return [self.total]

    def train_step(self, state: Any, data: Any) -> Any:
        trainable, others, optimizer, metrics = state
        x, y = data

        def loss_fn(trainable: Any) -> Any:
            found, _ = self.stateless_call(trainable, others, x, training=True)
            return jnp.mean((found - y) ** 2)

        loss, gradients = jax.value_and_grad(loss_fn)(trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        metrics = self.total.stateless_update_state(metrics, loss)
        logs = {"loss": self.total.stateless_result(metrics)}
        return logs, (trainable, others, optimizer, metrics)


def made(kind: Any) -> Any:
    keras.utils.set_random_seed(0)
    model = kind([keras.layers.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.5), loss="mse")
    return model


def test_a_training_step_with_metrics_of_its_own() -> None:
    options: dict[str, Any] = {"shuffle": False, "schedule": RAMP, "steps": STEPS, **QUIET}
    found = range_test(made(WithRawLoss), X, Y, batch_size=24, **options)
    wanted = range_test(made(Model), X, Y, batch_size=24, **options)
    np.testing.assert_allclose(found.losses, wanted.losses, rtol=1e-6)


def unbuilt() -> Any:
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    return model


def frozen() -> Any:
    model = linear()
    model.trainable = False
    return model


REFUSED: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "no model": (lambda: 3, {}, TypeError, "model must be a Keras model, got 3"),
    "not compiled": (
        lambda: keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)]),
        {},
        ValueError,
        "model must be compiled, with an optimizer and a loss, got <Sequential",
    ),
    "not built": (unbuilt, {}, ValueError, "model must be built (call it on a batch, or model.bu"),
    "frozen": (frozen, {}, ValueError, "model must be one with trainable variables, got <Seq"),
    "validation": (
        linear,
        {"validation_data": (X, Y)},
        TypeError,
        "validation_data must be left out: a test trains for `steps` updates, and without",
    ),
    "epochs": (linear, {"epochs": 3}, TypeError, "epochs must be left out: a test trains for `st"),
    "no data": (linear, {"x": None}, TypeError, "x must be at least one batch, in any form that"),
    "no samples": (linear, {"x": X[:0], "y": Y[:0]}, ValueError, "x must be at least one batch"),
    "no loss": (
        lambda: made(WithoutLoss),
        {},
        ValueError,
        "the model's train_step must be one that returns logs with a \"loss\", got {'another': ",
    ),
    "a number": (linear, {"schedule": 0.1}, TypeError, "schedule must be a schedule of plain num"),
    "a metric": (
        linear,
        {"schedule": lrsched.constant(0.1) * lrsched.newbob()},
        TypeError,
        "schedule must be one of the count alone, got product(",
    ),
    "below 0": (
        linear,
        {"schedule": lrsched.linear(1.0, -1.0, 9)},
        ValueError,
        "schedule must be one of rates >= 0 at every update, got -1.0",
    ),
    "low": (linear, {"low": 2.0, "high": 1.0}, ValueError, "low must be below high (1), got 2.0"),
    "steps": (linear, {"steps": 0}, ValueError, "steps must be an integer >= 1 (updates), got 0"),
    "most steps": (
        linear,
        {"max_steps": 199},
        ValueError,
        "max_steps must be at least steps (200), or None, got 199",
    ),
    "refine": (linear, {"refine": 1}, TypeError, "refine must be True or False, got 1"),
    "trainings": (linear, {"probe_steps": 0}, ValueError, "probe_steps must be an integer >= 1"),
    "repeats": (linear, {"probe_repeats": "2"}, TypeError, "probe_repeats must be an integer"),
    "log": (linear, {"log": 3}, TypeError, "log must be a function log(values, step), or None"),
    "metrics": (linear, {"metrics": 3}, TypeError, "metrics must be a function that returns nu"),
    "no numbers": (
        linear,
        {"metrics": lambda: 3},
        TypeError,
        "metrics must be a function that returns numbers by name, got 3",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_arguments(case: str) -> None:
    model, options, error, message = REFUSED[case]
    given = {"model": model(), "x": X, "y": Y, **QUIET, **options}
    with pytest.raises(error, match=re.escape(f"range_test: {message}")):
        range_test(**given)


def test_a_backend_that_does_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    model = linear()
    monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
    message = "Keras's backend must be one that trains (jax, tensorflow, torch), got 'numpy'"
    with pytest.raises(ValueError, match=re.escape(f"range_test: {message}")):
        range_test(model, X, Y)


def test_an_argument_that_is_unknown() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'stpes'"):
        range_test(linear(), X, Y, stpes=3)


def test_batches_that_turn_out_to_be_none() -> None:
    class Nothing(keras.utils.PyDataset):  # type: ignore[misc]
        num_batches = 0

    with pytest.raises(ValueError, match="range_test: x must be at least one batch"):
        range_test(linear(), Nothing(), **QUIET)
