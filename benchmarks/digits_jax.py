"""sklearn's digits, two networks on them, and the bare training that a user would write in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

from benchmarks.suggestions.models import affine, dense, mlp

BATCH = 64
GPU = jax.default_backend() == "gpu"
NO_GPU = "a GPU, where JAX sees one"


ready: Callable[[Any], Any] = jax.block_until_ready
forget: Callable[[], None] = jax.clear_caches  # all that was traced and compiled


def check_alike(ours: Any, theirs: Any, rtol: float, atol: float = 0.0) -> None:
    """Two programs find the same losses, but for rounding.

    Of products of matrices a GPU keeps ten bits, by default, and not the same in both.
    """
    rtol, atol = (0.1, 0.02) if GPU else (rtol, atol)
    np.testing.assert_allclose(ours, theirs, rtol, atol)


class Net(NamedTuple):
    """`init(key)` makes the parameters of `loss(params, batch)`."""

    name: str
    init: Callable[[Any], Any]
    loss: Callable[[Any, Any], Any]


def batches() -> list[tuple[Any, Any]]:
    """Those of one epoch, in NumPy."""
    bunch = load_digits()
    x, y = bunch.data.astype(np.float32) / 16, bunch.target.astype(np.int32)
    order = np.random.default_rng(0).permutation(len(x))
    chosen = order[: len(x) // BATCH * BATCH].reshape(-1, BATCH)
    return [(x[rows], y[rows]) for rows in chosen]


def dense_net(width: int = 32) -> Net:
    model = mlp(64, width, 10)
    return Net("dense net", model.init, lambda params, batch: _loss(model.apply, params, batch))


def convnet(channels: int = 4) -> Net:
    """Two convolutions, as XLA's own operation."""

    def init(key: Any) -> Any:
        first, second, last = jax.random.split(key, 3)
        return {
            "first": jax.random.normal(first, (3, 3, 1, channels)) * (2 / 9) ** 0.5,
            "second": jax.random.normal(second, (3, 3, channels, 2 * channels))
            * (2 / (9 * channels)) ** 0.5,
            "last": dense(last, 8 * channels, 10),
        }

    def apply(params: Any, x: Any) -> Any:
        x = x.reshape(-1, 8, 8, 1)
        for kernel in (params["first"], params["second"]):
            layout = ("NHWC", "HWIO", "NHWC")
            x = jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=layout)
            x = jax.nn.relu(x)
        return affine(params["last"], x.reshape(len(x), -1))

    return Net("convnet", init, lambda params, batch: _loss(apply, params, batch))


def wide(net: Net) -> Net:
    """The net as one for which rates are a hundred times too high."""
    return Net(f"wide {net.name}", net.init, lambda *given: 0.01 * net.loss(*given))


def _loss(apply: Callable[..., Any], params: Any, batch: Any) -> Any:
    inputs, labels = batch
    logits = apply(params, inputs)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def update(loss: Callable[..., Any], params: Any, rate: Any, batch: Any) -> tuple[Any, Any]:
    """One step of gradient descent by a rate: the parameters after it, and the loss before."""
    value, gradient = jax.value_and_grad(loss)(params, batch)
    updates, _ = optax.sgd(rate).update(gradient, optax.sgd(rate).init(params))
    return optax.apply_updates(params, updates), value


class Bare:
    """Training without lrsched, compiled once for any rates: a loop of steps, and a scan."""

    def __init__(self, net: Net) -> None:
        self.step = jax.jit(lambda *state: update(net.loss, *state), donate_argnums=0)
        self.scan = jax.jit(lambda *given: self._scan(net, *given))

    @staticmethod
    def _scan(net: Net, params: Any, rates: Any, stack: Any) -> Any:
        number = len(stack[0])

        def step(params: Any, turn: Any) -> tuple[Any, Any]:
            rate, index = turn
            return update(net.loss, params, rate, jax.tree.map(lambda x: x[index], stack))

        return jax.lax.scan(step, params, (rates, jnp.arange(len(rates)) % number))[1]

    def run_stepwise(self, params: Any, rates: Any, batches: Any, reading: bool = False) -> Any:
        """The losses of the updates, each read as soon as it is asked for if `reading`."""
        params, losses = jax.tree.map(jnp.copy, params), []
        for count, rate in enumerate(rates):
            params, loss = self.step(params, rate, batches[count % len(batches)])
            losses.append(float(loss) if reading else loss)
        return losses if reading else np.asarray(jax.device_get(losses))

    def in_a_scan(self, params: Any, rates: Any, batches: Any) -> Any:
        """The losses of the updates, after stacking the batches."""
        stack = tuple(np.stack(side) for side in zip(*batches, strict=True))
        return np.asarray(self.scan(params, rates, stack))
