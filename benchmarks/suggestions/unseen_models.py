"""The models of the unseen tasks, as pure functions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.suggestions.models import Model, Params, affine, dense, mlp


def variational(pixels: int, hidden: int, latent: int) -> Model:
    """An autoencoder of samples: the logits of the pixels, then the latent mean and log variance.

    The key of the samples is made of the batch, so the same batch has the same samples.
    """
    encoder, decoder = mlp(pixels, hidden, 2 * latent), mlp(latent, hidden, pixels)

    def init(key: jax.Array) -> Params:
        first, last = jax.random.split(key)
        return [encoder.init(first), decoder.init(last)]

    def apply(params: Params, x: jax.Array) -> jax.Array:
        mean, log_variance = jnp.split(encoder.apply(params[0], x), 2, -1)
        key = jax.random.key(jax.lax.bitcast_convert_type(x, jnp.uint32).sum())
        sample = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape)
        return jnp.concatenate([decoder.apply(params[1], sample), mean, log_variance], -1)

    return Model(init, apply)


def experts(inputs: int, hidden: int, number: int) -> Model:
    """A mixture of the best two of some networks: the output, then the chances of the networks."""

    def init(key: jax.Array) -> Params:
        gate, first, last = jax.random.split(key, 3)
        many = jax.vmap(dense, (0, None, None, None))
        return {
            "gate": dense(gate, inputs, number),
            "first": many(jax.random.split(first, number), inputs, hidden, 2**0.5),
            "last": many(jax.random.split(last, number), hidden, 1, 1.0),
        }

    def apply(params: Params, x: jax.Array) -> jax.Array:
        chances = jax.nn.softmax(affine(params["gate"], x))
        second = jnp.sort(chances, -1)[:, -2:-1]
        kept = jnp.where(chances >= second, chances, 0.0)
        inner = jax.nn.relu(jax.vmap(affine, (0, None))(params["first"], x))
        outputs = jax.vmap(affine)(params["last"], inner)[..., 0].T
        output = (kept * outputs).sum(-1) / kept.sum(-1)
        return jnp.concatenate([output[:, None], chances], -1)

    return Model(init, apply)


def flow(size: int, hidden: int, layers: int) -> Model:
    """The log density of a normalising flow of affine couplings (RealNVP), one column kept each."""
    masks = [jnp.arange(size) == layer % size for layer in range(layers)]
    inner = mlp(size, hidden, hidden, 2 * size)

    def init(key: jax.Array) -> Params:
        return [inner.init(each) for each in jax.random.split(key, layers)]

    def apply(params: Params, x: jax.Array) -> jax.Array:
        log_density = jnp.zeros(len(x))
        for layer, kept in zip(params, masks, strict=True):
            scale, shift = jnp.split(inner.apply(layer, jnp.where(kept, x, 0.0)), 2, -1)
            scale = jnp.where(kept, 0.0, jnp.tanh(scale))
            x = jnp.where(kept, x, x * jnp.exp(scale) + shift)
            log_density += scale.sum(-1)
        return log_density + jax.scipy.stats.norm.logpdf(x).sum(-1)

    return Model(init, apply)


def graph_conv(adjacency: Any, features: Any, hidden: int, classes: int) -> Model:
    """Two graph convolutions (Kipf and Welling 2017) over all nodes, read at the given ones."""
    inner = mlp(features.shape[1], hidden, classes)
    near = jnp.asarray(adjacency @ features)

    def apply(params: Params, nodes: jax.Array) -> jax.Array:
        h = jax.nn.relu(affine(params[0], near))
        logits: jax.Array = adjacency @ affine(params[1], h)
        return logits[nodes]

    return Model(inner.init, apply)


def burgers(hidden: int, viscosity: float = 0.05) -> Model:
    """The residual of Burgers' equation at places and times, of a network's solution.

    The solution is -sin(pi x) at the start and 0 at both ends whatever the network says.
    """
    network = mlp(2, hidden, hidden, 1, act=jnp.tanh)

    def apply(params: Params, points: jax.Array) -> jax.Array:
        def solution(point: jax.Array) -> jax.Array:
            place, time = point
            free = network.apply(params, point)[0]
            height: jax.Array = time * (1.0 - place**2) * free - jnp.sin(jnp.pi * place)
            return height

        def residual(point: jax.Array) -> jax.Array:
            along = jnp.array([1.0, 0.0])
            slopes, bends = jax.jvp(jax.grad(solution), (point,), (along,))
            rest: jax.Array = slopes[1] + solution(point) * slopes[0] - viscosity * bends[0]
            return rest

        residuals: jax.Array = jax.vmap(residual)(points)
        return residuals

    return Model(network.init, apply)
