"""The data of the unseen tasks: sets of scikit-learn, and formulas."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    make_swiss_roll,
)

from benchmarks.suggestions.data import Array, Data, halves, shuffled, split


def pixels() -> Data:
    """The digits in shades from 0 to 1, as inputs and as targets."""
    images = np.asarray(load_digits().data, np.float32) / 16.0
    return shuffled(images, images, len(images))


def roll(examples: int = 4000) -> Data:
    """Points of a rolled plane in space, with noise, and their places along the roll."""
    x, place = make_swiss_roll(examples, noise=0.5, random_state=12)
    x = (x - x.mean(0)) / x.std(0)
    return split(jnp.asarray(x, jnp.float32), jnp.asarray(place, jnp.float32))


def switching_rules(examples: int = 40_000, features: int = 10, rules: int = 4) -> Data:
    """One of four linear rules, which two of the features choose by their signs."""
    generator = np.random.default_rng(13)
    x = generator.normal(size=(examples, features))
    weights = generator.normal(size=(rules, features)) / features**0.5
    rule = 2 * (x[:, 0] > 0.0) + (x[:, 1] > 0.0)
    y = (x * weights[rule]).sum(1) + 0.1 * generator.normal(size=examples)
    return split(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32))


def communities(nodes: int = 400, number: int = 4, features: int = 32) -> tuple[Data, Array, Array]:
    """Nodes and their communities; the normalised adjacency matrix; and the nodes' features.

    Two nodes have an edge with a chance of 0.05 inside a community, and of 0.02 across. The
    features say a little of the community. The matrix has each node joined to itself, and is
    divided by the roots of both degrees (Kipf and Welling 2017).
    """
    generator = np.random.default_rng(15)
    labels = generator.permutation(np.arange(nodes) % number)
    chance = np.where(labels[:, None] == labels, 0.05, 0.02)
    upper = np.triu(generator.random((nodes, nodes)) < chance, 1)
    joined = upper + upper.T + np.eye(nodes)
    root = np.sqrt(joined.sum(1))
    centres = 0.4 * generator.normal(size=(number, features))
    seen = centres[labels] + generator.normal(size=(nodes, features))
    data = split(jnp.arange(nodes), jnp.asarray(labels, jnp.int32))
    adjacency = joined / root / root[:, None]
    return data, adjacency.astype(np.float32), seen.astype(np.float32)


def triplets(examples: int = 9000, identities: int = 40, features: int = 20) -> Data:
    """Three observations each, the first two of one identity and the third of another."""
    generator = np.random.default_rng(16)
    centres = generator.normal(size=(identities, 6))
    mixing = generator.normal(size=(6, features)) / 6**0.5
    same = generator.integers(0, identities, examples)
    other = (same + generator.integers(1, identities, examples)) % identities
    shown = np.stack([same, same, other], 1)
    hidden = centres[shown] + 0.3 * generator.normal(size=(examples, 3, 6))
    x = np.tanh(hidden @ mixing) + 0.2 * generator.normal(size=(examples, 3, features))
    return split(jnp.asarray(x, jnp.float32), jnp.asarray(same, jnp.int32))


def diagnoses_and_smoothness() -> Data:
    """Whether a tumour is benign, and how smooth it is in a unit that is a tenth of the deviation.

    The inputs are the columns that say nothing else of the smoothness.
    """
    bunch = load_breast_cancer()
    data = halves(bunch)
    smooth = np.flatnonzero(["smooth" in name for name in bunch.feature_names])
    others = np.setdiff1d(np.arange(len(bunch.feature_names)), smooth)
    unit = 0.1 * data.train[0][:, smooth[0]].std()
    return Data(*((x[:, others], jnp.stack([y, x[:, smooth[0]] / unit], 1)) for x, y in data))


def collocation_points(examples: int = 1500) -> Data:
    """Places from -1 to 1 and times from 0 to 1, and what a residual should be there: 0."""
    x = np.random.default_rng(17).uniform((-1.0, 0.0), (1.0, 1.0), (examples, 2))
    return split(jnp.asarray(x, jnp.float32), jnp.zeros(examples))
