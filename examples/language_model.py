"""Train a character-level language model in JAX, and cool it down twice from one checkpoint.

A run that stays at its peak after the warmup needs no planned end: a cooldown of any length, from
any of its steps, finishes the model. Here a short and a long cooldown start from one checkpoint,
and the long one is the same training as a `warmup_stable_decay` that was planned in full:
`python examples/language_model.py` writes `demo/language_model.png`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from data import Array, source_code
from matplotlib import pyplot

import lrsched

BATCH_SIZE, CONTEXT, WIDTH, HEADS, BLOCKS, PEAK = 16, 32, 64, 4, 2, 0.006


def initialise() -> Any:
    generator = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> jax.Array:
        return jnp.asarray(generator.normal(0, rows**-0.5, (rows, columns)), jnp.float32)

    shapes = {"qkv": (WIDTH, 3 * WIDTH), "out": (WIDTH, WIDTH)}
    shapes |= {"up": (WIDTH, 4 * WIDTH), "down": (4 * WIDTH, WIDTH)}
    blocks = [{name: matrix(*shape) for name, shape in shapes.items()} for _ in range(BLOCKS)]
    return {"tokens": matrix(WIDTH, 128).T, "places": matrix(WIDTH, CONTEXT).T, "blocks": blocks}


def norm(x: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-6)


@jax.jit
def loss_fn(params: Any, texts: jax.Array) -> jax.Array:
    """The mean loss of a small transformer that predicts each character from those before it."""
    x = params["tokens"][texts[:, :-1]] + params["places"]
    for block in params["blocks"]:
        heads = (norm(x) @ block["qkv"]).reshape(*x.shape[:2], 3, HEADS, -1)
        mixed = jax.nn.dot_product_attention(*jnp.moveaxis(heads, 2, 0), is_causal=True)
        x += mixed.reshape(x.shape) @ block["out"]
        x += jax.nn.relu(norm(x) @ block["up"]) @ block["down"]
    logits = norm(x) @ params["tokens"].T
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, texts[:, 1:]))


@jax.jit
def update(schedule: lrsched.Schedule, params: Any, state: Any, texts: jax.Array) -> Any:
    # A schedule is a pytree: this is compiled once for all schedules of one form.
    updates, state = optax.adam(schedule).update(jax.grad(loss_fn)(params, texts), state)
    return optax.apply_updates(params, updates), state


def texts_at(step: int, text: Array, number: int = BATCH_SIZE) -> Any:
    """Random parts of the text, which depend on the step alone."""
    starts = np.random.default_rng(step).integers(0, len(text) - CONTEXT, number)
    return text[starts[:, None] + np.arange(CONTEXT + 1)]


def train(schedule: lrsched.Schedule, start: Any, steps: range, every: int, text: Array) -> Any:
    """Train from parameters and a state; return the new ones, and held-out losses by step."""
    params, state = start
    text, rest = np.split(text, [len(text) * 9 // 10])
    losses = {}
    for step in steps:
        params, state = update(schedule, params, state, texts_at(step, text))
        if (step + 1) % every == 0:
            losses[step + 1] = float(loss_fn(params, texts_at(0, rest, 128)))
    return (params, state), losses


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Two cooldowns from one checkpoint.")
    parser.add_argument("--steps", type=int, default=600, help="of the longest run (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("demo/language_model.png"))
    options = parser.parse_args(arguments)
    every = max(1, options.steps // 60)
    warmup, short, long, end = (part * every for part in (3, 6, 18, 60))
    fork, data = end - long, (every, source_code(2_000_000))
    planned = lrsched.warmup_stable_decay(PEAK, warmup, fork - warmup, long, shape="1-sqrt")
    stable = lrsched.warmup(lrsched.constant(PEAK), warmup)
    params = initialise()
    start = params, optax.adam(stable).init(params)
    checkpoint, before = train(stable, start, range(fork), *data)  # arrays of JAX never change
    runs = {"planned in full": (planned, start, range(end))}
    runs["no cooldown"] = stable, checkpoint, range(fork, end)
    for steps in (short, long):
        schedule = lrsched.cooldown(stable, begin=fork, steps=steps, shape="1-sqrt")
        runs[f"cooldown of {steps} updates"] = schedule, checkpoint, range(fork, fork + steps)
    found = {name: train(*run, *data) for name, run in runs.items()}
    for name, (schedule, _, steps) in runs.items():
        print(f"{name}: held-out loss {found[name][1][steps.stop]:.4f}, {schedule!r}")
    (whole, in_full), *_, (cooled, longer) = found.values()
    losses = [abs(in_full[step] - loss) for step, loss in (before | longer).items()]
    weights = jax.tree.leaves(jax.tree.map(lambda a, b: float(abs(a - b).max()), whole, cooled))
    print(f"planned or cooled down: losses differ by {max(losses)}, weights by {max(weights)}")

    figure, axes = pyplot.subplots(2, figsize=(7, 5.4), sharex=True, layout="constrained")
    for name, (schedule, _, steps) in runs.items():
        style: Any = {"lw": 6, "alpha": 0.3} if steps.start == 0 else {"lw": 1.5}
        axes[0].plot(steps, schedule(np.array(steps)), label=name, **style)
        axes[1].plot(*zip(*found[name][1].items(), strict=True), **style)
    axes[0].set(ylabel="learning rate", title="One checkpoint of a language model, two cooldowns")
    axes[0].legend(frameon=False, loc="lower left")
    top = 1.3 * min(longer.values())
    axes[1].set(xlabel="update", ylabel="held-out loss (nats per character)", ylim=(None, top))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=80)


if __name__ == "__main__":
    main()
