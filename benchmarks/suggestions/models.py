"""Small networks as pure functions, fast on XLA's CPU backend also under `scan` and `vmap`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Params = Any
SYMBOLS = 64


class Model(NamedTuple):
    """`init(key)` makes the parameters that `apply(params, inputs)` takes."""

    init: Callable[[jax.Array], Params]
    apply: Callable[[Params, jax.Array], jax.Array]


def dense(key: jax.Array, inputs: int, outputs: int, gain: float = 1.0) -> Params:
    scale = gain / inputs**0.5
    return {"w": scale * jax.random.normal(key, (inputs, outputs)), "b": jnp.zeros(outputs)}


def affine(layer: Params, x: jax.Array) -> jax.Array:
    y: jax.Array = x @ layer["w"] + layer["b"]
    return y


def mlp(*sizes: int, act: Callable[[Any], Any] = jax.nn.relu) -> Model:
    def init(key: jax.Array) -> Params:
        keys = jax.random.split(key, len(sizes) - 1)
        gain = 2**0.5 if act is jax.nn.relu else 1.0
        gains = [gain] * (len(sizes) - 2) + [1.0]
        return [dense(*args) for args in zip(keys, sizes, sizes[1:], gains, strict=False)]

    def apply(params: Params, x: jax.Array) -> jax.Array:
        for layer in params[:-1]:
            x = act(affine(layer, x))
        return affine(params[-1], x)

    return Model(init, apply)


def patches(x: jax.Array) -> jax.Array:
    """The 3 x 3 neighbourhood of each pixel: a convolution is a dense layer of these."""
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifts = [(i, j) for i in range(3) for j in range(3)]
    return jnp.concatenate([padded[:, i : i + height, j : j + width] for i, j in shifts], -1)


def normalized(layer: Params, x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    centred = x - x.mean(axes, keepdims=True)
    deviation = jnp.sqrt(jnp.square(centred).mean(axes, keepdims=True) + 1e-5)
    y: jax.Array = centred / deviation * layer["scale"] + layer["shift"]
    return y


def norm(size: int) -> Params:
    return {"scale": jnp.ones(size), "shift": jnp.zeros(size)}


def conv(channels: int, classes: int) -> Model:
    """Two convolutions with batch norm over 8 x 8 images, of the statistics of the batch."""
    wide = 2 * channels

    def init(key: jax.Array) -> Params:
        first, second, last = jax.random.split(key, 3)
        return [
            dense(first, 9, channels, 2**0.5),
            norm(channels),
            dense(second, 9 * channels, wide, 2**0.5),
            norm(wide),
            dense(last, 4 * wide, classes),
        ]

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = x.reshape(-1, 8, 8, 1)
        for layer, scale in (params[:2], params[2:4]):
            x = jax.nn.relu(normalized(scale, affine(layer, patches(x)), (0, 1, 2)))
            size, height, width, depth = x.shape
            x = x.reshape(size, height // 2, 2, width // 2, 2, depth).mean((2, 4))
        return affine(params[4], x.reshape(len(x), -1))

    return Model(init, apply)


def transformer(size: int, length: int) -> Model:
    """One block of causal attention, two heads, layer norm first."""
    heads = 2

    def init(key: jax.Array) -> Params:
        keys = jax.random.split(key, 6)
        return {
            "symbols": 0.1 * jax.random.normal(keys[0], (SYMBOLS, size)),
            "places": 0.1 * jax.random.normal(keys[1], (length, size)),
            "qkv": dense(keys[2], size, 3 * size),
            "mix": dense(keys[3], size, size, 0.5),
            "wide": dense(keys[4], size, 4 * size, 2**0.5),
            "narrow": dense(keys[5], 4 * size, size, 0.5),
            "norms": [norm(size) for _ in range(3)],
        }

    def apply(params: Params, x: jax.Array) -> jax.Array:
        h = params["symbols"][x] + params["places"]
        first, second, last = params["norms"]
        qkv = affine(params["qkv"], normalized(first, h, (-1,)))
        q, k, v = jnp.moveaxis(qkv.reshape(*x.shape, 3, heads, size // heads), 2, 0)
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / (size // heads) ** 0.5
        scores = jnp.where(jnp.tril(jnp.ones((length, length), bool)), scores, -1e9)
        seen = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v)
        h = h + affine(params["mix"], seen.reshape(h.shape))
        inner = jax.nn.relu(affine(params["wide"], normalized(second, h, (-1,))))
        h = h + affine(params["narrow"], inner)
        logits: jax.Array = normalized(last, h, (-1,)) @ params["symbols"].T
        return logits

    return Model(init, apply)


def gru(size: int) -> Model:
    """A gated recurrent unit over the symbols."""

    def init(key: jax.Array) -> Params:
        keys = jax.random.split(key, 4)
        return {
            "symbols": jax.random.normal(keys[0], (SYMBOLS, size)),
            "gates": dense(keys[1], 2 * size, 2 * size),
            "new": dense(keys[2], 2 * size, size),
            "out": dense(keys[3], size, SYMBOLS),
        }

    def apply(params: Params, x: jax.Array) -> jax.Array:
        def step(h: jax.Array, seen: jax.Array) -> tuple[jax.Array, jax.Array]:
            gates = jax.nn.sigmoid(affine(params["gates"], jnp.concatenate([seen, h], -1)))
            update, reset = jnp.split(gates, 2, -1)
            new = jnp.tanh(affine(params["new"], jnp.concatenate([seen, reset * h], -1)))
            h = (1.0 - update) * h + update * new
            return h, h

        inputs = jnp.moveaxis(params["symbols"][x], 1, 0)
        _, states = jax.lax.scan(step, jnp.zeros((len(x), size)), inputs)
        return jnp.moveaxis(affine(params["out"], states), 0, 1)

    return Model(init, apply)


def factors(rows: int, columns: int, rank: int) -> Model:
    """Matrix factorisation: the product of a row's and a column's vector."""

    def init(key: jax.Array) -> Params:
        left, right = jax.random.split(key)
        return [
            0.3 * jax.random.normal(left, (rows, rank)),
            0.3 * jax.random.normal(right, (columns, rank)),
        ]

    def apply(params: Params, x: jax.Array) -> jax.Array:
        left, right = params
        product: jax.Array = (left[x[:, 0]] * right[x[:, 1]]).sum(-1)
        return product

    return Model(init, apply)


def recurrent(inputs: int, size: int, outputs: int) -> Model:
    """A plain recurrent network over sequences of vectors, read at the end."""

    def init(key: jax.Array) -> Params:
        first, again, last = jax.random.split(key, 3)
        return {
            "in": dense(first, inputs, size),
            "again": jax.random.orthogonal(again, size),
            "out": dense(last, size, outputs),
        }

    def apply(params: Params, x: jax.Array) -> jax.Array:
        def step(h: jax.Array, seen: jax.Array) -> tuple[jax.Array, None]:
            return jnp.tanh(affine(params["in"], seen) + h @ params["again"]), None

        start = jnp.zeros((len(x), params["again"].shape[0]))
        end, _ = jax.lax.scan(step, start, jnp.moveaxis(x, 1, 0))
        return affine(params["out"], end)

    return Model(init, apply)


def lstm(size: int) -> Model:
    """Long short-term memory over the symbols; the gate that forgets begins at 1."""

    def init(key: jax.Array) -> Params:
        keys = jax.random.split(key, 3)
        gates = dense(keys[1], 2 * size, 4 * size)
        return {
            "symbols": jax.random.normal(keys[0], (SYMBOLS, size)),
            "gates": {**gates, "b": gates["b"].at[:size].set(1.0)},
            "out": dense(keys[2], size, SYMBOLS),
        }

    def apply(params: Params, x: jax.Array) -> jax.Array:
        def step(state: Any, seen: jax.Array) -> tuple[Any, jax.Array]:
            h, memory = state
            given = affine(params["gates"], jnp.concatenate([seen, h], -1))
            keep, write, read, new = jnp.split(given, 4, -1)
            memory = jax.nn.sigmoid(keep) * memory + jax.nn.sigmoid(write) * jnp.tanh(new)
            h = jax.nn.sigmoid(read) * jnp.tanh(memory)
            return (h, memory), h

        zeros = jnp.zeros((len(x), size))
        inputs = jnp.moveaxis(params["symbols"][x], 1, 0)
        _, states = jax.lax.scan(step, (zeros, zeros), inputs)
        return jnp.moveaxis(affine(params["out"], states), 0, 1)

    return Model(init, apply)


def bag_of_words(words: int, size: int, classes: int) -> Model:
    """The mean of the vectors of a text's words, and a linear layer; word 0 is no word."""

    def init(key: jax.Array) -> Params:
        first, last = jax.random.split(key)
        return [0.1 * jax.random.normal(first, (words, size)), dense(last, size, classes)]

    def apply(params: Params, x: jax.Array) -> jax.Array:
        vectors, last = params
        is_word = (x > 0)[..., None]
        mean = (vectors[x] * is_word).sum(1) / jnp.maximum(is_word.sum(1), 1)
        return affine(last, mean)

    return Model(init, apply)


def word_pairs(words: int, size: int) -> Model:
    """The product of the vectors of two words, each word having one as a centre and one around."""

    def init(key: jax.Array) -> Params:
        first, last = jax.random.split(key)
        scale = 1.0 / size**0.5
        return [scale * jax.random.normal(k, (words, size)) for k in (first, last)]

    def apply(params: Params, x: jax.Array) -> jax.Array:
        centre, around = params
        product: jax.Array = (centre[x[:, 0]] * around[x[:, 1]]).sum(-1)
        return product

    return Model(init, apply)
