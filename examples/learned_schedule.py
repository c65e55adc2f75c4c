"""Learn the hyperparameters of a schedule by gradients through the training that uses it.

A small network is trained on scikit-learn's handwritten digits, with a hundred updates in one
`jax.lax.scan`. A schedule is a pytree, so the held-out loss after the training has a gradient with
respect to the peak and end of the schedule, and an outer optimizer lowers that loss. The loss on a
third part of the digits, used by neither, is compared with that of the best constant rate.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

import lrsched
import lrsched_jax
from lrsched import Schedule

STEPS = 100  # of each training
TRAININGS = 30
BATCH_SIZE = 32
POOR = {"peak_value": 0.01, "end_value": 0.01}  # the first schedule: low and constant

SGD = functools.partial(optax.sgd, momentum=0.9)

Data = tuple[jax.Array, jax.Array]


def recipe(logarithms: Any) -> Schedule:
    """A warmup and an exponential decay, from the logarithms of its peak and end value."""
    peak, end = (jnp.exp(logarithms[name]) for name in POOR)
    return lrsched.warmup(lrsched.exponential_ramp(peak, end, STEPS - 10), 10)


def digits() -> tuple[Data, Data, Data]:
    """The batches of a training, the held-out part, and the part for the final comparison."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = jnp.asarray(images[order] / 16), jnp.asarray(labels[order])
    rows = np.random.default_rng(1).integers(0, 900, (STEPS, BATCH_SIZE))
    parts = rows, slice(900, 1350), slice(1350, None)
    train, held_out, rest = ((images[part], labels[part]) for part in parts)
    return train, held_out, rest


def initialise() -> Any:
    first, second = jax.random.split(jax.random.key(0))
    return {
        "in": jax.random.normal(first, (64, 32)) / 8,
        "out": jax.random.normal(second, (32, 10)) / 32**0.5,
    }


def loss_fn(params: Any, batch: Data) -> jax.Array:
    logits = jnp.tanh(batch[0] @ params["in"]) @ params["out"]
    loss: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()
    return loss


def trained(schedule: Schedule, batches: Data) -> Any:
    """Train once with the schedule, and return the parameters."""
    optimizer = SGD(schedule)

    def update(carry: Any, batch: Data) -> Any:
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss_fn)(params, batch), state)
        return (optax.apply_updates(params, updates), state), None

    params = initialise()
    (params, _), _ = jax.lax.scan(update, (params, optimizer.init(params)), batches)
    return params


def best_constant(batches: Data, held_out: Data, rest: Data) -> tuple[float, jax.Array, jax.Array]:
    """The constant rate with the lowest held-out loss, and its held-out and final losses."""
    rates = np.geomspace(0.01, 1.0, 21)
    separate = list(zip(*batches, strict=True))
    result = lrsched_jax.sweep(
        loss_fn, initialise(), separate, rates, SGD, steps=STEPS, keep_params=True
    )
    losses = [jax.vmap(loss_fn, (0, None))(result.params, part) for part in (held_out, rest)]
    best = int(jnp.nanargmin(losses[0]))
    return float(rates[best]), losses[0][best], losses[1][best]


def main() -> None:
    batches, held_out, rest = digits()

    def after_training(logarithms: Any) -> Any:
        params = trained(recipe(logarithms), batches)
        return loss_fn(params, held_out), loss_fn(params, rest)

    optimizer = optax.adam(lrsched.cosine_decay(0.4, TRAININGS))

    @jax.jit
    def learn(logarithms: Any, state: Any) -> Any:
        losses, gradient = jax.value_and_grad(after_training, has_aux=True)(logarithms)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(logarithms, updates), state, losses

    rate, *losses = best_constant(batches, held_out, rest)
    row = "{:16} {:>12} {:>12} {:>10} {:>10}"
    print(row.format("", "peak_value", "end_value", "held out", "the rest"))
    print(row.format("best constant", *(f"{x:.4f}" for x in (rate, rate, *losses))))
    logarithms: Any = {name: jnp.log(value) for name, value in POOR.items()}
    state = optimizer.init(logarithms)
    for number in range(TRAININGS + 1):
        rates = [jnp.exp(logarithms[name]) for name in POOR]
        logarithms, state, losses = learn(logarithms, state)
        if number % 10 == 0:
            name = f"{number} steps learned"
            print(row.format(name, *(f"{x:.4f}" for x in (*rates, *losses))))


if __name__ == "__main__":
    main()
