"""What the JAX range test refuses, and that it says so before anything runs."""

import re
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

import lrsched
from lrsched_jax import range_test

BATCHES = [np.ones(3, np.float32)]
DEFAULTS: dict[str, Any] = {
    "loss_fn": lambda p, b: jnp.mean((p - b) ** 2),
    "params": 1.0,
    "batches": BATCHES,
}
OPTIMIZER = "optimizer must be a function from a schedule to an optax.GradientTransformation"

PARAMS = "params must be a pytree with at least one array of floating-point numbers"
LOSS = "loss_fn must be a function that returns"


def first(params: Any, batch: Any) -> Any:
    return jnp.mean(params[0] * batch)


def pair(params: Any, batch: Any) -> Any:
    return jnp.mean(params * batch), {"aux": 1.0}


REFUSALS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"steps": 0}, ValueError, "steps must be an integer >= 1 (updates), got 0"),
    ({"steps": 1.5}, TypeError, "steps must be an integer >= 1 (updates), got 1.5"),
    ({"steps": lrsched.epochs(1)}, TypeError, "steps must be an integer >= 1"),
    ({"every": 0}, ValueError, "every must be an integer >= 1 (updates), got 0"),
    ({"look_every": 0}, ValueError, "look_every must be an integer >= 1 (updates), got 0"),
    ({"probe_steps": True}, TypeError, "probe_steps must be an integer >= 1 (updates), or None, g"),
    ({"probe_steps": 0}, ValueError, "probe_steps must be an integer >= 1 (updates), or None, got"),
    ({"probe_repeats": 0}, ValueError, "probe_repeats must be an integer >= 1 (runs), got 0"),
    ({"probe_repeats": None}, TypeError, "probe_repeats must be an integer >= 1 (runs), got None"),
    ({"max_steps": 4}, ValueError, "max_steps must be at least steps (5), or None, got 4"),
    ({"max_steps": 0}, ValueError, "max_steps must be an integer >= 1 (updates), or None, got 0"),
    ({"max_steps": 9.5}, TypeError, "max_steps must be an integer >= 1 (updates), or None, got 9."),
    ({"max_steps": "9"}, TypeError, "max_steps must be an integer >= 1 (updates), or None, got '"),
    ({"refine": 1}, TypeError, "refine must be True or False, got 1"),
    ({"divergence": 1}, ValueError, "divergence must be a number > 1, or None, got 1"),
    ({"divergence": "4"}, TypeError, "divergence must be a number > 1, or None, got '4'"),
    ({"schedule": 0.1}, TypeError, "schedule must be a Schedule, got 0.1"),
    ({"optimizer": optax.sgd(0.1)}, TypeError, f"{OPTIMIZER}, such as optax.sgd itself and not"),
    ({"optimizer": "sgd"}, TypeError, f"{OPTIMIZER}, such as optax.sgd itself, got 'sgd'"),
    (
        {"optimizer": lambda s: s},
        TypeError,
        "optimizer(schedule) must be an optax.Gr",
    ),
    ({"loss_fn": None}, TypeError, "loss_fn must be a function loss_fn(params, batch), got None"),
    ({"metrics": 3}, TypeError, "metrics must be a function of the parameters, or None, got 3"),
    ({"loss_fn": lambda p, b: p * b}, ValueError, f"{LOSS} a loss with shape (), got float32[3]"),
    (
        {"loss_fn": lambda p, b: jnp.int32(1)},
        TypeError,
        f"{LOSS} a loss that is a real floating-point array, got int32[]",
    ),
    ({"loss_fn": lambda p, b: None}, TypeError, f"{LOSS} a loss that is a real floating-point"),
    (
        {"loss_fn": pair},
        TypeError,
        f"{LOSS} a loss and nothing else, got (float32[], {{'aux': 1.0}})",
    ),
    ({"has_aux": True}, TypeError, f"{LOSS} (loss, aux) and nothing else, got float32[]"),
    (
        {"loss_fn": lambda p, s, b: (jnp.mean(p * b), s), "model_state": 0.0, "has_aux": True},
        TypeError,
        f"{LOSS} (loss, new_model_state, aux) and nothing else, got (float32[], float32[])",
    ),
    (
        {"loss_fn": lambda p, s, b: (jnp.mean(p * b), [s]), "model_state": 0.0},
        ValueError,
        "model_state must be after an update what it was before",
    ),
    ({"params": {}}, ValueError, f"{PARAMS}, which are trained, got {{}}"),
    ({"params": {"n": 3}}, ValueError, f"{PARAMS}, which are trained, got {{'n': 3}}"),
    ({"params": jnp.arange(3)}, ValueError, f"{PARAMS}, which are trained, got Array([0, 1, 2]"),
    ({"params": ["a", None]}, ValueError, f"{PARAMS}, which are trained, got ['a', None]"),
    (
        {"params": {"w": 1.0, "z": np.ones(2, complex)}},
        TypeError,
        "params['z'] must be of real numbers, as its gradient is, got array([1.+0.j, 1.+0.j])",
    ),
    ({"params": [1.0, 1j]}, TypeError, "params[1] must be of real numbers, as its gradient is,"),
    (
        {"params": lambda key: (1.0, object()), "repeats": 2, "loss_fn": first},
        ValueError,
        "params must be a function that returns trees with the same held values for every key",
    ),
    ({"log": 3}, TypeError, "log must be a function log(values, step), or None, got 3"),
    ({"low": 0}, ValueError, "low must be a number > 0, or None, got 0"),
    ({"high": "1"}, TypeError, "high must be a number > 0, or None, got '1'"),
    ({"low": 1.0, "high": 0.1}, ValueError, "low must be below high (0.1), got 1.0"),
    (
        {"low": 0.1, "schedule": lrsched.constant(0.1)},
        ValueError,
        "low must be None with a schedule, which has its own rates, got 0.1",
    ),
    ({"batches": []}, ValueError, "batches must be an iterable of at least one batch, got []"),
    ({"batches": 3}, TypeError, "batches must be an iterable of batches, got 3"),
    ({"batches": {"x": 1}}, TypeError, "batches must be an iterable of batches (this is one; put"),
    ({"repeats": 0}, ValueError, "repeats must be an integer >= 1 (runs), got 0"),
    ({"repeats": 2}, ValueError, "repeats must be 1 unless params is a function of a key or batch"),
    (
        {"repeats": 2, "params": lambda key: 1.0, "batches": iter(BATCHES)},
        ValueError,
        "batches must be a function of the repeat, or an iterable that can begin anew for each",
    ),
    ({"compiled": "auto"}, TypeError, "compiled must be True or False, got 'auto'"),
    ({"vmap": True}, ValueError, "vmap must be None or False without compiled=True, got True"),
    (
        {"compiled": True, "metrics": lambda params: {}},
        ValueError,
        "compiled must be False with metrics, which are called between updates, got True",
    ),
    (
        {"params": nnx.Linear(1, 1, rngs=nnx.Rngs(0)), "model_state": {}},
        ValueError,
        "model_state must be None with an NNX module, which holds its own, got {}",
    ),
]


@pytest.mark.parametrize(("options", "error", "message"), REFUSALS)
def test_a_bad_argument_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match="^range_test: " + re.escape(message)):
        range_test(**{**DEFAULTS, "steps": 5, "progress": False, **options})


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "with shape"),
        ({"max_steps": 199}, "max_steps"),
        ({"probe_steps": 0}, "probe_steps"),
        ({"probe_repeats": 0}, "probe_repeats"),
    ],
)
def test_nothing_runs_before_a_refusal(
    options: dict[str, Any], message: str, compiled: bool
) -> None:
    ran: list[Any] = []

    def watched(params: Any, batch: Any) -> Any:
        jax.debug.callback(lambda: ran.append(1))
        return params * batch if message == "with shape" else jnp.mean(params * batch)

    batches = (ran.append(batch) or batch for batch in BATCHES)  # type: ignore[func-returns-value]
    given: Any = BATCHES if message == "with shape" else batches
    with pytest.raises(ValueError, match=message):
        range_test(watched, 1.0, given, compiled=compiled, progress=False, **options)
    jax.effects_barrier()  # type: ignore[no-untyped-call]
    assert not ran


def test_a_schedule_in_other_units_says_what_it_needs() -> None:
    schedule = lrsched.cosine_decay(0.1, lrsched.run_fraction(1.0))
    with pytest.raises(ValueError, match=r"cosine_decay: decay_steps is .*resolve\(total_steps="):
        range_test(**DEFAULTS, schedule=schedule)
