"""Trains many copies of a task at once, each at its own rates, on its own batches.

One compiled program serves every run of a task: it makes updates from one number to another, for as
many lanes as there are, and is called again and again. On a GPU all lanes take as long as one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from benchmarks.suggestions.tasks import Task

Array = npt.NDArray[Any]

SAMPLE = 600  # training examples on which the training loss is computed
CHUNK = 25  # lanes whose losses over whole data sets are computed at once


class Lanes(NamedTuple):
    """What each lane is: the seed of its initial parameters, its rates, and its row of batches."""

    seeds: Array
    rates: Array  # of (lanes, updates)
    orders: Array  # the seed of the batches of each lane


@functools.cache
def batches(examples: int, size: int, steps: int, seed: int) -> Array:
    """The rows of each update's batch: every epoch is a new permutation."""
    generator = np.random.default_rng(seed)
    epochs = -(-steps * size // (examples // size * size))
    rows = [generator.permutation(examples)[: examples // size * size] for _ in range(epochs)]
    return np.concatenate(rows).reshape(-1, size)[:steps].astype(np.uint16)


class Trainer:
    """Trains `width` lanes of a task, for at most `steps` updates, of at most `orders` orders."""

    def __init__(self, task: Task, width: int, steps: int, orders: int) -> None:
        self.task, self.width, self.steps, self.orders = task, width, steps, orders
        self._begin = jax.jit(jax.vmap(self._initial))
        self._advance = jax.jit(self._updates, donate_argnums=(0, 1))
        self._losses = jax.jit(
            lambda params, data: jax.lax.map(
                lambda one: task.loss(one, data), params, batch_size=min(CHUNK, width)
            )
        )

    def _initial(self, seed: Any) -> Any:
        params = self.task.init(jax.random.key(seed))
        return params, self.task.optimizer(0.0).init(params)

    def _updates(
        self, carry: Any, losses: Any, rates: Any, table: Any, places: Any, start: Any, end: Any
    ) -> Any:
        def update(carry: Any, rate: Any, rows: Any) -> Any:
            params, state = carry
            batch = tuple(part[rows] for part in self.task.data.train)
            loss, gradient = jax.value_and_grad(self.task.loss)(params, batch)
            updates, state = self.task.optimizer(rate).update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), loss

        def step(count: Any, loop: Any) -> Any:
            carry, losses = loop
            rows = table[places, count].astype(jnp.int32)
            carry, loss = jax.vmap(update)(carry, rates[:, count], rows)
            return carry, losses.at[:, count].set(loss)

        return jax.lax.fori_loop(start, end, step, (carry, losses))

    def run(self, lanes: Lanes, ends: Sequence[int]) -> tuple[Array, Array, Array]:
        """The raw losses, and those held out and in training before and after so many updates.

        They are of (lanes, updates), and of (lanes, 1 + ends) twice. There may be fewer lanes than
        the width, and fewer updates than `steps`.
        """
        number, length = lanes.rates.shape
        fill = self.width - number
        rates = np.zeros((self.width, self.steps), np.float32)
        rates[:number, :length] = lanes.rates
        orders = sorted(set(lanes.orders.tolist()))
        examples, size = len(self.task.data.train[1]), self.task.batch_size
        table = np.zeros((self.orders, self.steps, size), np.uint16)
        for place, order in enumerate(orders):
            table[place] = batches(examples, size, self.steps, order)
        places = np.array([orders.index(order) for order in lanes.orders.tolist()] + [0] * fill)
        carry = self._begin(jnp.asarray([*lanes.seeds.tolist(), *[0] * fill]))
        losses = jnp.full((self.width, self.steps), jnp.nan)
        given = jnp.asarray(rates), jnp.asarray(table), jnp.asarray(places)
        train = tuple(part[:SAMPLE] for part in self.task.data.train)
        whole = [self._whole(carry[0], train)]
        for start, end in zip((0, *ends), ends, strict=False):
            carry, losses = self._advance(carry, losses, *given, start, end)
            whole.append(self._whole(carry[0], train))
        held_out, training = np.moveaxis(np.array(whole), 0, -1)[:, :number]
        return np.asarray(losses)[:number, :length], held_out, training

    def _whole(self, params: Any, train: Any) -> tuple[Array, Array]:
        held_out = self._losses(params, self.task.data.held_out)
        return np.asarray(held_out), np.asarray(self._losses(params, train))
