"""Range tests and sweeps in JAX on a GPU: every way to run them gives the same curve."""

from tests.gpu.devices import DEVICE, needs_jax_device

needs_jax_device()

from tests.optional import needs

needs("optax")
needs("flax")

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import lrsched
from lrsched.range_test.reading.recorder import threshold
from lrsched_jax import sweep
from tests.jax import squares
from tests.jax.nets import (
    BATCHES,
    PARAMS,
    RAMP,
    STEPS,
    STEPWISE_AND_COMPILED,
    Net,
    alone,
    initialise,
    loss_fn,
    nnx_loss,
    run,
)

RTOL, ATOL = 1e-3, 1e-5  # of losses after up to 40 updates, at rates of up to 1
IMAGES = [(x.reshape(-1, 2, 4, 1), y) for x, y in BATCHES]


@pytest.fixture(autouse=True)
def float32() -> Iterator[None]:
    """Products of matrices keep the digits of float32, of which a GPU drops more than half."""
    with jax.default_matmul_precision("highest"):
        yield


def convolution_loss(params: Any, batch: Any) -> Any:
    layout = ("NHWC", "HWIO", "NHWC")
    kernel = params["a"][:8, :12].reshape(2, 4, 1, 12)
    x = jax.lax.conv_general_dilated(batch[0], kernel, (1, 1), "SAME", dimension_numbers=layout)
    logits = jnp.tanh(x).sum((1, 2)) @ params["b"]
    labels = batch[1]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


@pytest.mark.parametrize(
    ("loss", "batches"), [(loss_fn, BATCHES), (convolution_loss, IMAGES)], ids=["dense", "conv"]
)
def test_stepwise_and_compiled_and_the_cpu_give_one_curve(loss: Any, batches: Any) -> None:
    given = jax.tree.map(jnp.array, PARAMS)
    kind = {leaf.device.platform for leaf in jax.tree.leaves(given)}
    assert kind == {DEVICE}
    stepwise, compiled = (
        run(loss, given, batches, optimizer=optax.sgd, compiled=mode) for mode in (False, True)
    )
    with jax.default_device(jax.devices("cpu")[0]):
        host = jax.tree.map(np.asarray, PARAMS)
        on_cpu = run(loss, jax.tree.map(jnp.array, host), batches, optimizer=optax.sgd)
    for other in (compiled, on_cpu):
        np.testing.assert_array_equal(other.learning_rates, stepwise.learning_rates)
        np.testing.assert_allclose(other.losses, stepwise.losses, RTOL, ATOL)
    rates = RAMP(np.arange(STEPS))
    np.testing.assert_allclose(stepwise.learning_rates, rates, rtol=8 * 2.0**-23)
    jax.tree.map(np.testing.assert_array_equal, given, PARAMS)  # and they are not used up


@STEPWISE_AND_COMPILED
def test_it_stops_where_the_losses_say(compiled: bool) -> None:
    ramp = lrsched.exponential_ramp(1e-3, 1e3, STEPS - 1)
    options: Any = {"optimizer": optax.sgd, "schedule": ramp, "compiled": compiled}
    found = run(loss_fn, PARAMS, **options)
    whole = run(loss_fn, PARAMS, **options, divergence=None)
    bound = threshold(list(whole.losses[:10]), 4.0)
    above = whole.losses > bound
    end = next(k for k in range(14, STEPS) if above[max(10, k - 5) : k].sum() >= 3)
    assert found.stopped == "diverged"
    np.testing.assert_array_equal(found.losses, whole.losses[:end])


@pytest.mark.parametrize("set_up", [squares.HIGHER, squares.LOWER, squares.REFINED])
def test_it_goes_on_in_the_same_way(set_up: Any) -> None:
    stepwise = squares.run(**set_up)
    assert stepwise.earlier is not None
    for options in ({"vmap": False}, {"vmap": True}):
        squares.check_alike(squares.run(compiled=True, **options, **set_up), stepwise, RTOL, ATOL)


def test_a_module_with_batch_statistics_and_dropout() -> None:
    found = []
    for compiled in (False, True):
        module = Net(nnx.Rngs(0))
        before = jax.tree.map(np.asarray, nnx.state(module, (nnx.Param, nnx.BatchStat)))
        test = run(nnx_loss, module, optimizer=optax.sgd, compiled=compiled)
        after = nnx.state(module, (nnx.Param, nnx.BatchStat))
        jax.tree.map(np.testing.assert_array_equal, before, after)
        found.append(test.losses)
    np.testing.assert_allclose(found[1], found[0], RTOL, ATOL)


def test_repeats_together_and_one_by_one() -> None:
    """Together is the default on a GPU."""
    options: Any = {"optimizer": optax.sgd, "repeats": 4, "compiled": True}
    together = run(loss_fn, initialise, vmap=True, **options)
    one_by_one = run(loss_fn, initialise, vmap=False, **options)
    np.testing.assert_allclose(together.losses, one_by_one.losses, RTOL, ATOL)
    by_default = run(loss_fn, initialise, **options)
    expected = one_by_one if DEVICE == "cpu" else together
    np.testing.assert_array_equal(by_default.losses, expected.losses)
    for repeat, losses in enumerate(together.losses):
        stepwise = run(loss_fn, initialise(jax.random.key(repeat)), optimizer=optax.sgd)
        np.testing.assert_allclose(losses, stepwise.losses, RTOL, ATOL)


def test_every_copy_of_a_sweep_does_what_it_would_alone() -> None:
    schedules = [
        lrsched.cosine_decay(0.1, 20),
        lrsched.warmup(lrsched.cosine_decay(0.05, 20), 5),
        lrsched.cyclic(0.001, 0.02, up_steps=4),
        lrsched.constant(0.004),
    ]
    found = sweep(loss_fn, PARAMS, BATCHES, schedules, optax.adam, 25)
    for copy, schedule in enumerate(schedules):
        losses, _ = alone(schedule, PARAMS)
        np.testing.assert_allclose(found.losses[copy], losses, RTOL, ATOL)
    assert len(set(found.losses[:, -1])) == 4
