"""The data of the tasks: sklearn's, synthetic with a floor of noise, and the standard library."""

from __future__ import annotations

import argparse
import asyncio
import collections
import decimal
import email
import inspect
import json
import logging
import pathlib
import string
import subprocess
import unittest
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks.range_test_models import SYMBOLS, mlp

Batch = tuple[jax.Array, jax.Array]
HELD_OUT = 0.3


class Data(NamedTuple):
    """Inputs and targets, to train on and held out."""

    train: Batch
    held_out: Batch


def halves(bunch: Any, normal_targets: bool | None = None) -> Data:
    """A data set of sklearn, its columns standardised, its targets too where asked."""
    x, y = np.asarray(bunch.data), np.asarray(bunch.target)
    x = (x - x.mean(0)) / np.maximum(x.std(0), 0.1)
    if normal_targets is not None:
        y = ((y - y.mean()) / y.std() if normal_targets else y).astype(np.float32)
    split = train_test_split(x.astype(np.float32), y, test_size=HELD_OUT, random_state=0)
    return Data(*((jnp.asarray(split[i]), jnp.asarray(split[i + 2])) for i in (0, 1)))


def split(x: Any, y: Any) -> Data:
    """The first part to train on, the rest held out."""
    train = round(len(x) * (1.0 - HELD_OUT))
    return Data((x[:train], y[:train]), (x[train:], y[train:]))


def deep_teacher(examples: int = 3000) -> Data:
    """What a random deep network says, with noise of a tenth of its deviation."""
    weights, inputs, noise = jax.random.split(jax.random.key(7), 3)
    teacher = mlp(16, 24, 24, 24, 1)
    x = jax.random.normal(inputs, (examples, 16))
    y = teacher.apply(teacher.init(weights), x)[:, 0]
    y = (y - y.mean()) / y.std()
    return split(x, y + 0.1 * jax.random.normal(noise, y.shape))


def waves(examples: int = 3000) -> Data:
    """A height over the plane made of sines."""
    place, noise = jax.random.split(jax.random.key(8))
    x = jax.random.uniform(place, (examples, 2), minval=-3.0, maxval=3.0)
    y = jnp.sin(2.0 * x[:, 0]) * jnp.cos(x[:, 1]) + 0.5 * jnp.sin(3.0 * x[:, 1] + x[:, 0])
    return split(x, y + 0.1 * jax.random.normal(noise, y.shape))


def ratings(rows: int = 60, columns: int = 50, rank: int = 3) -> Data:
    """Entries of a matrix of low rank, with noise."""
    left, right, noise, order = jax.random.split(jax.random.key(9), 4)
    matrix = jax.random.normal(left, (rows, rank)) @ jax.random.normal(right, (rank, columns))
    place = jnp.stack(jnp.meshgrid(jnp.arange(rows), jnp.arange(columns), indexing="ij"), -1)
    x = jax.random.permutation(order, place.reshape(-1, 2))
    y = matrix[x[:, 0], x[:, 1]]
    return split(x, y + 0.3 * jax.random.normal(noise, y.shape))


def stdlib_text(length: int) -> Data:
    """Pieces of the docstrings of the standard library, and the same one symbol on."""
    modules = (argparse, asyncio, collections, decimal, email, json, logging, pathlib, string)
    objects = [getattr(m, name) for m in (*modules, subprocess, unittest) for name in dir(m)]
    members = [getattr(c, name) for c in objects if inspect.isclass(c) for name in vars(c)]
    documented = dict.fromkeys(inspect.getdoc(o) or "" for o in (*modules, *objects, *members))
    text = " ".join(documented).lower()
    alphabet = "".join(s for s, _ in collections.Counter(text).most_common(SYMBOLS - 1))
    codes = np.array([alphabet.find(s) % SYMBOLS for s in text], np.int32)
    pieces = codes[: len(codes) // (length + 1) * (length + 1)].reshape(-1, length + 1)
    pieces = np.random.default_rng(0).permutation(pieces)[:3000]
    return split(jnp.asarray(pieces[:, :-1]), jnp.asarray(pieces[:, 1:]))
