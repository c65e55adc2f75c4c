"""The tasks of `benchmarks.suggestions.quality`: small, diverse, pure functions in JAX.

A task is an initialisation, a loss of parameters and batch, its data, and an optimizer as a
function of the learning rate. Those of `TUNED` may choose constants of the rules, the others not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from benchmarks.suggestions import models
from benchmarks.suggestions.data import Data, deep_teacher, halves, ratings, stdlib_text, waves

Batch = tuple[jax.Array, jax.Array]
Optimizer = Callable[[Any], optax.GradientTransformation]


class Task(NamedTuple):
    """What to train, on what, by which optimizer; `loss(params, batch)` is a mean but for one."""

    name: str
    init: Callable[[jax.Array], Any]
    loss: Callable[[Any, Batch], jax.Array]
    data: Data
    optimizer: Optimizer
    batch_size: int = 32
    signed: bool = False  # a log likelihood: not its ratio to the best counts but the difference

    @property
    def epoch_steps(self) -> int:
        """The number of updates in a pass over the data."""
        return max(1, len(self.data.train[1]) // self.batch_size)


TUNED = (
    "digits mlp sgdm",
    "digits conv bn adam",
    "cancer hinge sgdm",
    "diabetes mlp adam",
    "deep relu sgdm",
    "autoencoder adam",
    "transformer adamw",
    "wine mlp sgd",
    "digits decay adamw",
    "transfer adam",
    "gaussian nll adam",
    "digits softmax full batch sgd",
    "waves rmsprop",
)

momentum = functools.partial(optax.sgd, momentum=0.9)


def l2(optimizer: Optimizer, strength: float) -> Optimizer:
    """Weight decay that passes through the optimizer, as torch's does."""
    return lambda rate: optax.chain(optax.add_decayed_weights(strength), optimizer(rate))


def clipped(optimizer: Optimizer) -> Optimizer:
    """Gradients of a norm of at most 1 for the optimizer."""
    return lambda rate: optax.chain(optax.clip_by_global_norm(1.0), optimizer(rate))


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    found: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    return found


def squared(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    return jnp.square(outputs.reshape(targets.shape) - targets).mean()


def summed(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """The sum over a batch of 32, as if written without a mean."""
    return 32.0 * squared(outputs, targets)


def hinge(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Exactly 0 once every margin is 1."""
    return jnp.maximum(0.0, 1.0 - outputs[:, 0] * (2.0 * labels - 1.0)).mean()


def gaussian(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """The negative log likelihood of a mean and a deviation; it goes below 0."""
    mean, log_deviation = outputs[:, 0], outputs[:, 1]
    error = (mean - targets) * jnp.exp(-log_deviation)
    return (0.5 * error**2 + log_deviation).mean()


def poisson(outputs: jax.Array, counts: jax.Array) -> jax.Array:
    """Half the deviance."""
    log_rate = outputs[:, 0]
    least = counts - jax.scipy.special.xlogy(counts, counts)
    return (jnp.exp(log_rate) - counts * log_rate - least).mean()


def task(
    name: str,
    model: models.Model,
    error: Callable[[Any, Any], jax.Array],
    data: Data,
    optimizer: Optimizer,
    batch_size: int = 32,
    signed: bool = False,
) -> Task:
    """A task whose loss is the error of a model's outputs against the targets."""

    def loss(params: Any, batch: Batch) -> jax.Array:
        return error(model.apply(params, batch[0]), batch[1])

    return Task(name, model.init, loss, data, optimizer, batch_size, signed)


def trained(model: models.Model, data: Data, steps: int = 300) -> Any:
    """The parameters of a classifier after some updates."""
    init, loss = task("before", model, cross_entropy, data, optax.adam)[1:3]
    optimizer = optax.adam(3e-3)

    def step(carry: Any, key: jax.Array) -> Any:
        params, state = carry
        rows = jax.random.randint(key, (32,), 0, len(data.train[1]))
        gradient = jax.grad(loss)(params, (data.train[0][rows], data.train[1][rows]))
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), state), None

    params = init(jax.random.key(99))
    keys = jax.random.split(jax.random.key(98), steps)
    (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), keys)
    return params


def finetuned(model: models.Model, before: Data) -> models.Model:
    """A model whose initial parameters were trained, and whose last layer is new."""
    params = trained(model, before)
    return models.Model(lambda key: [*params[:-1], model.init(key)[-1]], model.apply)


@functools.cache
def tasks() -> dict[str, Task]:  # long because it is a table, an entry for each task
    """All tasks by name."""
    digits, wine, cancer = (halves(f()) for f in (load_digits, load_wine, load_breast_cancer))
    diabetes = halves(load_diabetes(), normal_targets=True)
    raw_diabetes = halves(load_diabetes(), normal_targets=False)
    images = Data(*((x, x) for x, _ in digits))
    text, deep = stdlib_text(24), deep_teacher()
    small, large = (
        Data(*((x[y // 5 == part], y[y // 5 == part]) for x, y in digits)) for part in (0, 1)
    )
    counts = Data(*((x, jnp.floor(jnp.exp(0.6 * y + 1.0))) for x, y in diabetes))
    mlp, conv = models.mlp, models.conv
    transfer = finetuned(mlp(64, 48, 48, 10), small)
    several = [
        task("digits mlp sgdm", mlp(64, 48, 10), cross_entropy, digits, momentum),
        task("digits conv bn adam", conv(8, 10), cross_entropy, digits, optax.adam),
        task("cancer hinge sgdm", mlp(30, 16, 1), hinge, cancer, momentum),
        task("diabetes mlp adam", mlp(10, 32, 32, 1), squared, diabetes, optax.adam),
        task("deep relu sgdm", mlp(16, *[24] * 6, 1), squared, deep, momentum),
        task("autoencoder adam", mlp(64, 32, 8, 32, 64), squared, images, optax.adam),
        task(
            "transformer adamw",
            models.transformer(24, 24),
            cross_entropy,
            text,
            functools.partial(optax.adamw, weight_decay=0.1),
            8,
        ),
        task("wine mlp sgd", mlp(13, 24, 3), cross_entropy, wine, optax.sgd, 16),
        task(
            "digits decay adamw",
            mlp(64, 48, 10),
            cross_entropy,
            digits,
            functools.partial(optax.adamw, weight_decay=1.0),
        ),
        task("transfer adam", transfer, cross_entropy, large, optax.adam),
        task("gaussian nll adam", mlp(16, 32, 32, 2), gaussian, deep, optax.adam, 32, True),
        task(
            "digits softmax full batch sgd",
            mlp(64, 10),
            cross_entropy,
            digits,
            optax.sgd,
            len(digits.train[1]),
        ),
        task("waves rmsprop", mlp(2, 48, 48, 1, act=jnp.sin), squared, waves(), optax.rmsprop),
        task(
            "digits mlp adam",
            mlp(64, 32, 32, 10, act=jnp.tanh),
            cross_entropy,
            digits,
            optax.adam,
        ),
        task("digits conv bn sgdm", conv(8, 10), cross_entropy, digits, momentum),
        task("cancer logistic sgd", mlp(30, 2), cross_entropy, cancer, optax.sgd),
        task("cancer mlp sgdm", mlp(30, 32, 2), cross_entropy, cancer, momentum),
        task("diabetes linear sgd", mlp(10, 1), squared, raw_diabetes, optax.sgd),
        task("deep relu adam", mlp(16, *[24] * 6, 1), squared, deep, optax.adam),
        task("autoencoder sgdm", mlp(64, 32, 8, 32, 64), squared, images, momentum),
        task("gru adam", models.gru(32), cross_entropy, text, optax.adam, 16),
        task(
            "digits odd hinge adamw tiny batch",
            mlp(64, 24, 1),
            lambda outputs, labels: hinge(outputs, labels % 2),
            digits,
            optax.adamw,
            4,
        ),
        task("digits decay sgdm", mlp(64, 48, 10), cross_entropy, digits, l2(momentum, 0.03)),
        task("transfer sgdm", transfer, cross_entropy, large, momentum),
        task("poisson sgd", mlp(10, 16, 1), poisson, counts, optax.sgd),
        task("factors sgdm", models.factors(60, 50, 4), summed, ratings(), momentum),
    ]
    return {one.name: one for one in several}
