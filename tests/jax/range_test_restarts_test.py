"""A JAX range test that goes on begins anew with all that it was given, and changes none of it."""

from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")
needs("flax")

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from tests.jax import nets
from tests.jax.nets import Net, nnx_loss
from tests.jax.squares import (
    BATCHES,
    HIGHER,
    PARAMS,
    REFINED,
    STEPWISE_AND_COMPILED,
    check_parts,
    loss_fn,
    ramps,
    run,
)


def noisy(weight: Any, state: Any, batch: Any, key: Any) -> Any:
    """A loss that depends on the number of updates before and on the key."""
    x = batch[0] * jax.random.bernoulli(key, 0.95, batch[0].shape)
    return (1 + state / 100) * loss_fn(weight, (x, batch[1])), state + 1, {"state": state}


@STEPWISE_AND_COMPILED
def test_states_and_keys_begin_anew(compiled: bool) -> None:
    state = jnp.zeros(())
    options: dict[str, Any] = {"loss_fn": noisy, "has_aux": True, "model_state": state}
    options["key"] = jax.random.key(3)
    test = run(compiled=compiled, **options, **REFINED)
    alone = lambda its, **more: run(batches=its, divergence=None, **options, **more)  # noqa: E731
    check_parts(test, alone, rtol=1e-4 * compiled)
    for ramp in ramps(test):
        assert ramp.metrics["state"].tolist() == [[n, n] for n in range(len(ramp.losses))]
    assert state == 0.0


@STEPWISE_AND_COMPILED
def test_a_module_begins_anew_with_its_statistics_and_random_state(compiled: bool) -> None:
    model = Net(nnx.Rngs(0))
    before = [np.array(leaf) for leaf in jax.tree.leaves(nnx.state(model, nnx.BatchStat))]
    options: dict[str, Any] = {"loss_fn": nnx_loss, "params": model, "optimizer": optax.adam}
    refined = REFINED | {"low": 1e-4, "max_steps": 100}
    test = run(nets.BATCHES, compiled=compiled, **options, **refined)
    alone = lambda its, **more: run(batches=its, divergence=None, **options, **more)  # noqa: E731
    check_parts(test, alone, nets.BATCHES, rtol=1e-4 * compiled)
    after = [np.array(leaf) for leaf in jax.tree.leaves(nnx.state(model, nnx.BatchStat))]
    jax.tree.map(np.testing.assert_array_equal, after, before)


@STEPWISE_AND_COMPILED
def test_nothing_that_is_passed_in_changes(compiled: bool) -> None:
    weight = jnp.array(PARAMS)
    batches = [tuple(part.copy() for part in batch) for batch in BATCHES]
    test = run(batches, weight, compiled=compiled, **HIGHER)
    assert test.probe is not None
    np.testing.assert_array_equal(weight, PARAMS)
    jax.tree.map(np.testing.assert_array_equal, batches, BATCHES)
