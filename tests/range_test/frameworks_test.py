"""The same network, weights and batches in JAX and in torch: the same curve, the same reading."""

import functools
import inspect
import itertools
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")
needs("torch")
needs("sklearn")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from sklearn.datasets import load_digits

import lrsched
import lrsched_jax
import lrsched_torch
from lrsched.range_test import RangeTest
from lrsched.range_test.running.rates import default_ramp

RAMP = lrsched.exponential_ramp(1e-5, 10.0, 199)
SIZES = (64, 48, 10)


def batches() -> list[tuple[Any, Any]]:
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))[:1792].reshape(-1, 64)
    return [((images[rows] / 16).astype(np.float32), labels[rows]) for rows in order]


def weights() -> list[tuple[Any, Any]]:
    generator = np.random.default_rng(1)
    shapes = itertools.pairwise(SIZES)
    return [
        (
            generator.normal(size=shape, scale=shape[0] ** -0.5).astype(np.float32),
            np.zeros(shape[1], np.float32),
        )
        for shape in shapes
    ]


def jax_loss(params: Any, batch: Any) -> jax.Array:
    (first, shift), (second, last) = params
    logits = jax.nn.relu(batch[0] @ first + shift) @ second + last
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch[1])
    return jnp.mean(losses)


def in_jax(optimizer: Any) -> RangeTest:
    params = jax.tree.map(jnp.asarray, weights())
    return lrsched_jax.range_test(jax_loss, params, batches(), optimizer, RAMP, progress=False)


def in_torch(optimizer: Any) -> RangeTest:
    model = torch.nn.Sequential(
        torch.nn.Linear(*SIZES[:2]), torch.nn.ReLU(), torch.nn.Linear(*SIZES[1:])
    )
    with torch.no_grad():
        for layer, (kernel, shift) in zip((model[0], model[2]), weights(), strict=True):
            layer.weight.copy_(torch.from_numpy(kernel.T))  # type: ignore[operator]
            layer.bias.copy_(torch.from_numpy(shift))  # type: ignore[operator]
    loader = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in batches()]
    return lrsched_torch.range_test_model(
        model,
        torch.nn.functional.cross_entropy,
        optimizer(model.parameters()),
        loader,
        RAMP,
        progress=False,
    )


OPTIMIZERS = {
    "sgd": (functools.partial(optax.sgd, momentum=0.9), {"momentum": 0.9}, torch.optim.SGD),
    "adamw": (
        functools.partial(optax.adamw, weight_decay=1e-2),
        {"weight_decay": 1e-2},
        torch.optim.AdamW,
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_frameworks_agree(name: str) -> None:
    ours, options, theirs = OPTIMIZERS[name]
    first = in_jax(ours)
    second = in_torch(lambda parameters: theirs(parameters, lr=1.0, **options))
    shared = min(len(first.losses), len(second.losses))
    np.testing.assert_allclose(
        first.learning_rates[:shared], second.learning_rates[:shared], rtol=2e-7
    )
    low, suggested, high = first.suggest()
    valley = first.learning_rates[:shared] < high  # beyond, training is chaotic
    np.testing.assert_allclose(
        first.losses[:shared][valley], second.losses[:shared][valley], rtol=2e-3
    )
    np.testing.assert_allclose(second.suggest()[:2], (low, suggested), rtol=0.02)
    np.testing.assert_allclose(second.suggest().high, high, rtol=0.1)  # at the edge of that
    assert first.losses.min() < 0.3 < 2.0 < first.losses[0]  # it has trained


def test_the_defaults_are_those_of_every_framework() -> None:
    defaults: dict[str, Any] = {
        "steps": 200,
        "every": 10,
        "look_every": 10,
        "divergence": 4.0,
        "repeats": 1,
        "refine": False,
        "max_steps": None,
        "probe_steps": None,
        "probe_repeats": 2,
        "progress": True,
    }
    for function in (
        lrsched_jax.range_test,
        lrsched_jax.sweep,
        lrsched_torch.range_test,
        lrsched_torch.range_test_model,
        lrsched_torch.sweep,
    ):
        found = inspect.signature(function).parameters
        expected = {name: value for name, value in defaults.items() if name in found}
        assert {name: found[name].default for name in expected} == expected
    assert default_ramp(200) == lrsched.exponential_ramp(1e-7, 10.0, 199)
    assert default_ramp(1) == lrsched.exponential_ramp(1e-7, 10.0, 1)
