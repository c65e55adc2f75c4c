"""Seven tasks that are scored once: no constant was chosen, and no rule looked at, on them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from benchmarks.suggestions import unseen_models as models
from benchmarks.suggestions.models import mlp
from benchmarks.suggestions.tasks import Task, clipped, cross_entropy, l2, squared, task
from benchmarks.suggestions.unseen_data import (
    collocation_points,
    communities,
    diagnoses_and_smoothness,
    pixels,
    roll,
    switching_rules,
    triplets,
)

MARGIN = 1.0  # of squared distances


def negative_bound(outputs: jax.Array, images: jax.Array) -> jax.Array:
    """The negative evidence lower bound of an image, its pixels being chances."""
    logits, latent = jnp.split(outputs, [images.shape[1]], -1)
    mean, log_variance = jnp.split(latent, 2, -1)
    pixels = optax.sigmoid_binary_cross_entropy(logits, images).sum(-1)
    prior = 0.5 * (jnp.exp(log_variance) + mean**2 - 1.0 - log_variance).sum(-1)
    found: jax.Array = (pixels + prior).mean()
    return found


def balanced(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """A squared error, and a penalty where few experts take most examples."""
    chances = outputs[:, 1:]
    number = chances.shape[1]
    taken = jax.nn.one_hot(chances.argmax(-1), number).mean(0)
    return squared(outputs[:, 0], targets) + 0.01 * number * (taken * chances.mean(0)).sum()


def negative_log_density(outputs: jax.Array, places: jax.Array) -> jax.Array:
    return -outputs.mean()


def triplet(outputs: jax.Array, identities: jax.Array) -> jax.Array:
    """By how much the other identity is too near, with a margin, and a penalty of long vectors."""
    anchor, same, other = jnp.moveaxis(outputs, 1, 0)
    near, far = (jnp.square(anchor - each).sum(-1) for each in (same, other))
    penalty = 0.02 * jnp.square(outputs).sum((-1, -2))
    found: jax.Array = (jnp.maximum(0.0, near - far + MARGIN) + penalty).mean()
    return found


def diagnosis_and_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """The plain sum of two losses, of which the second is much the larger."""
    diagnosis = optax.sigmoid_binary_cross_entropy(outputs[:, 0], targets[:, 0]).mean()
    found: jax.Array = diagnosis + squared(outputs[:, 1], targets[:, 1])
    return found


def unseen_tasks() -> list[Task]:
    """The tasks."""
    graph, adjacency, features = communities()
    return [
        task(
            "pixels variational adam",
            models.variational(64, 48, 8),
            negative_bound,
            pixels(),
            optax.adam,
            64,
        ),
        task(
            "rules experts adafactor",
            models.experts(10, 32, 4),
            balanced,
            switching_rules(),
            optax.adafactor,
            256,
        ),
        task(
            "roll flow adabelief",
            models.flow(3, 24, 6),
            negative_log_density,
            roll(),
            optax.adabelief,
            128,
            signed=True,
        ),
        task(
            "burgers residual adam",
            models.burgers(32),
            squared,
            collocation_points(),
            optax.adam,
            100,
        ),
        task(
            "communities graph full batch adam",
            models.graph_conv(adjacency, features, 16, 4),
            cross_entropy,
            graph,
            l2(optax.adam, 5e-4),
            len(graph.train[1]),
        ),
        task("triplets sgd", mlp(20, 48, 48, 16), triplet, triplets(), optax.sgd, 40),
        task(
            "unequal losses clipped adamw",
            mlp(27, 32, 2),
            diagnosis_and_error,
            diagnoses_and_smoothness(),
            clipped(optax.adamw),
            8,
        ),
    ]
