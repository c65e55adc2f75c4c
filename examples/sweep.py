"""Sweep over peaks and shapes of schedules in JAX, all copies in one program, and read the choice.

`lrsched_jax.sweep` trains a copy of one network on handwritten digits under each schedule, in one
compiled update that `jax.vmap` batches over the copies. The table and the picture show the loss of
every shape at every peak, and the schedule with the lowest final loss is chosen:
`python examples/sweep.py` writes `demo/sweep.png`.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from data import digits
from matplotlib import pyplot

import lrsched
import lrsched_jax

BATCH_SIZE = 64
PEAKS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]


def shapes(steps: int) -> dict[str, Callable[[float], lrsched.Schedule]]:
    """The functions from a peak to a schedule of so many steps."""
    tenth, fifth = steps // 10, steps // 5
    return {
        "constant": lrsched.constant,
        "linear": lambda peak: lrsched.linear(peak, 0.0, steps),
        "warmup_cosine": lambda peak: lrsched.warmup_cosine(peak, steps, tenth),
        "warmup_stable_decay": lambda peak: lrsched.warmup_stable_decay(
            peak, tenth, steps - tenth - fifth, fifth
        ),
    }


def initialise(key: jax.Array) -> dict[str, jax.Array]:
    first, second = jax.random.split(key)
    initializer = jax.nn.initializers.he_normal()
    return {"first": initializer(first, (64, 64)), "second": initializer(second, (64, 10))}


def logits(params: Any, images: Any) -> Any:
    return jax.nn.relu(images @ params["first"]) @ params["second"]


def loss_fn(params: Any, batch: Any) -> jax.Array:
    images, labels = batch
    losses = optax.softmax_cross_entropy_with_integer_labels(logits(params, images), labels)
    return jnp.mean(losses)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A sweep over peaks and shapes of schedules.")
    parser.add_argument("--steps", type=int, default=300, help="of each training (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("demo/sweep.png"))
    options = parser.parse_args(arguments)
    (images, labels), held_out = digits()
    rows = np.random.default_rng(0).integers(0, len(labels), (options.steps, BATCH_SIZE))
    batches = [(images[each], labels[each]) for each in rows]

    made = shapes(options.steps)
    found = lrsched_jax.sweep(
        loss_fn,
        initialise(jax.random.key(0)),
        batches,
        [make(peak) for make in made.values() for peak in PEAKS],
        partial(optax.sgd, momentum=0.9),
        options.steps,
        keep_params=True,
    )
    final = found.final_losses().reshape(len(made), len(PEAKS))
    print(f"{'final loss at peak':20}", *(f"{peak:8.3g}" for peak in PEAKS))
    for name, losses in zip(made, final, strict=True):
        print(f"{name:20}", *(f"{loss:8.4f}" for loss in losses))

    correct = jax.vmap(logits, (0, None))(found.params, held_out[0]).argmax(-1) == held_out[1]
    accuracies = correct.mean(axis=1)
    choice = found.schedules.index(found.best())
    print(f"schedule: {found.best()!r}")
    print(
        f"its final loss: {final.ravel()[choice]:.4f}; held-out accuracy {accuracies[choice]:.3f}"
    )

    figure, ax = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, losses in zip(made, final, strict=True):
        ax.plot(PEAKS, losses, ".-", label=name)
    ax.plot(found.highest[choice], final.min(), "ko", ms=12, mfc="none", label="the choice")
    ax.set(xscale="log", yscale="log", xlabel="peak of the learning rate", ylabel="final loss")
    ax.set_title(f"{len(found.schedules)} trainings of {options.steps} updates in one program")
    ax.legend(frameon=False)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=80)


if __name__ == "__main__":
    main()
