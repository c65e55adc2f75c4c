"""Repeats of the JAX range test."""

import sys
from typing import Any

from tests.optional import needs

needs("jax")
needs("flax")

import jax
import numpy as np
import pytest
from flax import nnx

import lrsched
from tests.jax.nets import (
    BATCHES,
    Net,
    initialise,
    loss_fn,
    nnx_loss,
    run,
)


def order(repeat: int) -> list[Any]:
    return BATCHES[repeat:]


def masked(params: Any, batch: Any, key: Any) -> Any:
    keep = jax.random.bernoulli(key, 0.8, batch[0].shape)
    return loss_fn(params, (batch[0] * keep, batch[1])), {"kept": keep.sum()}


@pytest.mark.parametrize("vmap", [False, True])
def test_every_way_to_run_repeats_gives_the_same(vmap: bool) -> None:
    settings = {"key": jax.random.key(5), "has_aux": True, "repeats": 3, "divergence": 1.1}
    settings["schedule"] = lrsched.exponential_ramp(1e-4, 6.0, 39)
    test = run(masked, initialise, order, compiled=True, vmap=vmap, **settings)
    loop = run(masked, initialise, order, compiled=False, **settings)
    assert test.losses.shape == (3, len(test.learning_rates))
    assert sorted(test.metrics) == ["kept_0", "kept_1", "kept_2"]
    assert test.stopped == loop.stopped
    assert len(set(test.stopped)) == 2
    np.testing.assert_allclose(test.losses, loop.losses, rtol=1e-4)
    for repeat, losses in enumerate(test.losses):
        rows = test.metrics[f"kept_{repeat}"]
        assert np.all(np.isfinite(losses[: len(rows)]))
        assert np.all(np.isnan(losses[len(rows) :]))
        np.testing.assert_array_equal(rows, loop.metrics[f"kept_{repeat}"])
    counts = [test.metrics[f"kept_{repeat}"][0, 1] for repeat in range(3)]
    assert len(set(counts)) > 1  # of other keys


def test_vmapped_repeats_run_as_one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Except where their batches are of unequal numbers."""
    module, alone = sys.modules["lrsched_jax._runs"], []
    original = module.run_compiled

    def noted(*arguments: Any) -> Any:
        alone.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(module, "run_compiled", noted)
    options = {"repeats": 2, "compiled": True, "vmap": True, "steps": 6}
    run(loss_fn, initialise, BATCHES, **options)
    assert not alone
    run(loss_fn, initialise, order, **options)
    assert len(alone) == 2


def test_a_repeat_has_its_own_parameters_and_batches() -> None:
    test = run(loss_fn, initialise, order, repeats=3)
    for repeat, losses in enumerate(test.losses):
        params = initialise(jax.random.key(repeat))
        np.testing.assert_array_equal(losses, run(loss_fn, params, order(repeat)).losses)


def test_repeats_of_one_module_over_other_batches() -> None:
    model = Net(nnx.Rngs(0))
    shuffled = lambda repeat: BATCHES[::-1] if repeat else BATCHES  # noqa: E731
    test = run(nnx_loss, model, shuffled, repeats=2)
    for losses, batches in zip(test.losses, (BATCHES, BATCHES[::-1]), strict=True):
        np.testing.assert_array_equal(losses, run(nnx_loss, model, batches).losses)
    made = run(nnx_loss, lambda key: Net(nnx.Rngs(key)), repeats=2, compiled=True, vmap=True)
    alone = run(nnx_loss, lambda key: Net(nnx.Rngs(key)))
    np.testing.assert_allclose(made.losses[0], alone.losses, rtol=1e-4)
