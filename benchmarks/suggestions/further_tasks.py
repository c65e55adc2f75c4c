"""Twelve tasks unlike those of `tasks`, written before any rule was tuned on the others.

They were first scored at the end: recurrent, with large embeddings, sparse, with updates of signs,
with badly scaled features, contrastive, and with targets as in reinforcement learning.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from benchmarks.suggestions import models
from benchmarks.suggestions.data import (
    echoes,
    halves,
    logged_actions,
    neighbours,
    rare_features,
    returns,
    scaled_columns,
    sources,
    stdlib_text,
    two_views,
    waves,
)
from benchmarks.suggestions.tasks import Task, clipped, cross_entropy, momentum, squared, task

WORDS = 1000


def signs_of_momentum(rate: Any) -> optax.GradientTransformation:
    return optax.chain(optax.trace(0.9), optax.scale_by_sign(), optax.scale_by_learning_rate(rate))


def logistic(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    found: jax.Array = optax.sigmoid_binary_cross_entropy(outputs, labels).mean()
    return found


def huber(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    found: jax.Array = optax.huber_loss(outputs[:, 0], targets).mean()
    return found


def contrast(model: models.Model) -> Any:
    """Each first view must find its second one among those of 32 images."""

    def loss(params: Any, batch: Any) -> jax.Array:
        views = batch[0][: len(batch[0]) // 32 * 32]
        seen = model.apply(params, views).reshape(-1, 32, 2, 32)
        first, second = jnp.moveaxis(seen / jnp.linalg.norm(seen, axis=-1, keepdims=True), 2, 0)
        likeness = jnp.einsum("gik,gjk->gij", first, second) / 0.2
        return cross_entropy(likeness, jnp.broadcast_to(jnp.arange(32), likeness.shape[:2]))

    return loss


def policy_loss(outputs: jax.Array, logged: jax.Array) -> jax.Array:
    """Minus the reward that the policy would have got, and a little entropy."""
    chances = jax.nn.log_softmax(outputs)
    actions, reward = logged[:, 0].astype(int), logged[:, 1]
    chosen = jnp.take_along_axis(chances, actions[:, None], 1)[:, 0]
    entropy = -(jnp.exp(chances) * chances).sum(1)
    number = outputs.shape[1]
    return -(number * jnp.exp(chosen) * reward).mean() - 0.01 * entropy.mean()


def further_tasks() -> list[Task]:
    """The tasks."""
    digits, wine, cancer = (halves(f()) for f in (load_digits, load_wine, load_breast_cancer))
    mlp = models.mlp
    pair = mlp(64, 64, 32)
    return [
        task(
            "echoes rnn clipped sgdm",
            models.recurrent(2, 32, 1),
            squared,
            echoes(),
            clipped(momentum),
        ),
        task("text lstm adamw", models.lstm(32), cross_entropy, stdlib_text(24), optax.adamw, 16),
        task(
            "sources words adagrad",
            models.bag_of_words(WORDS, 32, 8),
            cross_entropy,
            sources(WORDS),
            optax.adagrad,
        ),
        task(
            "neighbours words adam",
            models.word_pairs(WORDS, 24),
            logistic,
            neighbours(WORDS),
            optax.adam,
            64,
        ),
        task("rare features sgd", mlp(400, 2), cross_entropy, rare_features(), optax.sgd),
        task("digits mlp lion", mlp(64, 48, 10), cross_entropy, digits, optax.lion),
        task("waves signs of momentum", mlp(2, 48, 48, 1), squared, waves(), signs_of_momentum),
        task(
            "scaled cancer sgdm",
            mlp(30, 16, 2),
            cross_entropy,
            scaled_columns(cancer, 0.01, 10.0),
            momentum,
        ),
        task(
            "scaled wine rmsprop",
            mlp(13, 24, 3),
            cross_entropy,
            scaled_columns(wine, 0.01, 10.0),
            optax.rmsprop,
            16,
        ),
        Task("contrast adam", pair.init, contrast(pair), two_views(digits), optax.adam),
        task(
            "logged policy adam",
            mlp(64, 32, 5),
            policy_loss,
            logged_actions(halves(load_digits(n_class=5)), 5),
            optax.adam,
            signed=True,
        ),
        task("returns huber rmsprop", mlp(8, 48, 48, 1), huber, returns(), optax.rmsprop),
    ]
