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
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from benchmarks.suggestions.models import SYMBOLS, mlp

Array = npt.NDArray[Any]
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


def first(data: Data, examples: int) -> Data:
    """The same data with only the first examples to train on."""
    return Data((data.train[0][:examples], data.train[1][:examples]), data.held_out)


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
    pieces = symbols_of(" ".join(documented), length + 1, SYMBOLS)[:3000]
    return split(jnp.asarray(pieces[:, :-1]), jnp.asarray(pieces[:, 1:]))


def symbols_of(text: str, length: int, number: int) -> Array:
    """Pieces of a text in random order, its symbols as numbers; the last number is any rare one."""
    text = text.lower()
    alphabet = "".join(s for s, _ in collections.Counter(text).most_common(number - 1))
    codes = np.array([alphabet.find(s) % number for s in text], np.int32)
    pieces = codes[: len(codes) // length * length].reshape(-1, length)
    return np.random.default_rng(0).permutation(pieces)


def documented_text() -> list[list[str]]:
    """The words of the docstrings of each module of the standard library's that are used."""
    modules = (argparse, asyncio, collections, decimal, email, logging, pathlib, unittest)
    found = []
    for module in modules:
        members = [getattr(module, name) for name in dir(module)]
        inner = [getattr(c, name) for c in members if inspect.isclass(c) for name in vars(c)]
        texts = dict.fromkeys(inspect.getdoc(each) or "" for each in (module, *members, *inner))
        found.append(" ".join(texts).lower().split())
    return found


def coded(texts: list[list[str]], number: int) -> list[Array]:
    """The words as numbers, the most common first; 0 is any other."""
    counts = collections.Counter(word for text in texts for word in text)
    codes = {word: code for code, (word, _) in enumerate(counts.most_common(number - 1), 1)}
    return [np.array([codes.get(word, 0) for word in text], np.int32) for text in texts]


def shuffled(x: Array, y: Array, examples: int) -> Data:
    order = np.random.default_rng(0).permutation(len(x))[:examples]
    return split(jnp.asarray(x[order]), jnp.asarray(y[order]))


def sources(words: int, length: int = 12) -> Data:
    """Pieces of docstrings, and which module they are from."""
    pieces = [text[: len(text) // length * length] for text in coded(documented_text(), words)]
    x = np.concatenate([piece.reshape(-1, length) for piece in pieces])
    y = np.concatenate([np.full(len(piece) // length, n) for n, piece in enumerate(pieces)])
    return shuffled(x, y, 3000)


def neighbours(words: int) -> Data:
    """Pairs of words, half of them neighbours in a text, half drawn apart."""
    text = np.concatenate(coded(documented_text(), words))
    text = text[text > 0]
    generator = np.random.default_rng(1)
    near = np.stack([text[:-1], text[1:]], 1)
    far = np.stack([text, generator.permutation(text)], 1)[: len(near)]
    labels = np.repeat([1.0, 0.0], len(near)).astype(np.float32)
    return shuffled(np.concatenate([near, far]), labels, 8000)


def rare_features(examples: int = 3000, number: int = 400) -> Data:
    """A linear rule of features that are mostly 0, some in every tenth example, some in few."""
    generator = np.random.default_rng(2)
    often = np.geomspace(0.1, 0.002, number)
    x = (generator.random((examples, number)) < often) * generator.exponential(
        size=(examples, number)
    )
    rule = generator.normal(size=number) / often**0.25
    chance = 1.0 / (1.0 + np.exp(-(x @ rule)))
    y = (generator.random(examples) < chance).astype(np.int32)
    return split(jnp.asarray(x, jnp.float32), jnp.asarray(y))


def scaled_columns(data: Data, least: float, most: float) -> Data:
    """The same inputs with the units of their columns spread from the least to the most."""
    scales = jnp.geomspace(least, most, data.train[0].shape[1])
    return Data(*((x * scales, y) for x, y in data))


def two_views(data: Data) -> Data:
    """Each image twice, moved by up to a pixel and with noise."""
    generator = np.random.default_rng(3)

    def view(images: Any) -> Array:
        square = np.asarray(images).reshape(-1, 8, 8)
        moves = generator.integers(-1, 2, (len(square), 2))
        moved = [np.roll(one, move, (0, 1)) for one, move in zip(square, moves, strict=True)]
        noise = 0.3 * generator.normal(size=square.shape)
        return np.asarray(np.stack(moved) + noise, np.float32).reshape(-1, 64)

    return Data(*((jnp.asarray(np.stack([view(x), view(x)], 1)), y) for x, y in data))


def echoes(examples: int = 3000, length: int = 12) -> Data:
    """Noise in which two places are marked, and the difference of the numbers there."""
    generator = np.random.default_rng(4)
    numbers = generator.normal(size=(examples, length))
    places = np.sort(np.argsort(generator.random((examples, length)), axis=1)[:, :2], axis=1)
    marks = np.zeros((examples, length))
    np.put_along_axis(marks, places, [[1.0, -1.0]], axis=1)
    y = (numbers * marks).sum(1)
    x = np.stack([numbers, marks], -1)
    return split(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32))


def logged_actions(data: Data, actions: int) -> Data:
    """Actions that were chosen at random, and the reward: whether each was the label, and noise."""
    generator = np.random.default_rng(5)

    def logged(labels: Any) -> jax.Array:
        chosen = generator.integers(0, actions, len(labels))
        reward = (chosen == np.asarray(labels)) + 0.3 * generator.normal(size=len(labels))
        return jnp.asarray(np.stack([chosen, reward], 1), jnp.float32)

    return Data(*((x, logged(y)) for x, y in data))


def returns(examples: int = 3000) -> Data:
    """States, and the return from there: a smooth value under much noise, some of it far out."""
    generator = np.random.default_rng(6)
    x = generator.normal(size=(examples, 8))
    value = 3.0 * np.tanh(x[:, 0] + 0.5 * x[:, 1] * x[:, 2]) + x[:, 3]
    y = value + 2.0 * generator.standard_t(3, size=examples)
    return split(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32))
