"""Further tasks that choose constants: small data sets, and optimizers whose updates are signs."""

from __future__ import annotations

import jax.numpy as jnp
import optax
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from benchmarks.suggestions import models
from benchmarks.suggestions.data import deep_teacher, first, halves, ratings, waves
from benchmarks.suggestions.tasks import Task, cross_entropy, momentum, squared, summed, task


def small_tasks() -> list[Task]:
    """The tasks."""
    digits, wine, cancer, iris = (
        halves(load()) for load in (load_digits, load_wine, load_breast_cancer, load_iris)
    )
    diabetes = halves(load_diabetes(), normal_targets=True)
    mlp = models.mlp
    return [
        task("wine mlp lion", mlp(13, 24, 3), cross_entropy, wine, optax.lion, 16),
        task("cancer mlp rmsprop", mlp(30, 24, 2), cross_entropy, cancer, optax.rmsprop),
        task("diabetes mlp lion", mlp(10, 32, 1), squared, diabetes, optax.lion),
        task("iris mlp adamw", mlp(4, 16, 3), cross_entropy, iris, optax.adamw, 16),
        task("few digits adam", mlp(64, 48, 10), cross_entropy, first(digits, 200), optax.adam),
        task("few digits sgdm", mlp(64, 48, 10), cross_entropy, first(digits, 200), momentum),
        task("waves lion", mlp(2, 48, 48, 1, act=jnp.sin), squared, waves(), optax.lion),
        task("few factors adam", models.factors(60, 50, 4), summed, ratings(), optax.adam),
        task(
            "few deep relu adam",
            mlp(16, *[24] * 4, 1),
            squared,
            first(deep_teacher(), 300),
            optax.adam,
        ),
    ]
