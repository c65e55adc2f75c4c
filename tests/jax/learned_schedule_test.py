"""The example that learns a schedule: its gradient, and that learning helps."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")
needs("sklearn")

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.backends import jax_x64

EXAMPLE = Path(__file__).parents[2] / "examples" / "learned_schedule.py"


def imported() -> Any:
    spec = importlib.util.spec_from_file_location("learned_schedule", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_gradient_through_the_training_is_that_of_finite_differences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    example = imported()
    monkeypatch.setattr(example, "STEPS", 30)
    with jax_x64():
        train, held_out, _ = example.digits()

        @jax.jit
        def held_out_loss(logarithms: jax.Array) -> jax.Array:
            named = dict(zip(example.POOR, logarithms, strict=True))
            params = example.trained(example.recipe(named), train)
            loss: jax.Array = example.loss_fn(params, held_out)
            return loss

        at = jnp.log(jnp.asarray([0.1, 0.05]))
        gradient = jax.grad(held_out_loss)(at)
        steps = 1e-4 * jnp.eye(2)
        differences = [held_out_loss(at + step) - held_out_loss(at - step) for step in steps]
        np.testing.assert_allclose(gradient, np.asarray(differences) / 2e-4, rtol=1e-5)
        assert np.abs(gradient).min() > 1e-3


def test_learning_finds_what_a_search_over_constant_rates_finds() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, check=True
    )
    rows = [line.rsplit(maxsplit=4) for line in done.stdout.splitlines()[1:]]
    constant, first, *_, last = ([float(number) for number in row[1:]] for row in rows)
    assert first[:2] == [0.01, 0.01]
    for part in (2, 3):  # the held-out digits, and those that nobody saw
        assert last[part] < first[part] / 4
        assert last[part] < 1.2 * constant[part]
