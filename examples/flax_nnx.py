"""Train a Flax NNX model with optax, log the learning rate, and resume from a checkpoint exactly.

A run on handwritten digits saves its model and optimizer with Orbax after half of its updates, and
goes on; a second run restores them into new objects and makes the same second half. Both end with
the same weights, because the schedule follows the count in the optimizer's state:
`python examples/flax_nnx.py` writes `demo/flax_nnx.png`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp  # type: ignore[import-untyped]
from data import Pairs, digits
from flax import nnx
from matplotlib import pyplot

import lrsched
import lrsched_jax
from lrsched import Schedule


class Network(nnx.Module):
    """A hidden layer with dropout, whose random state is in the checkpoint too."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.hidden = nnx.Linear(64, 64, rngs=rngs)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.output = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, images: Any) -> jax.Array:
        return self.output(self.dropout(nnx.relu(self.hidden(images))))


def loss_fn(model: Network, batch: Pairs) -> jax.Array:
    images, labels = batch
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(model(images), labels))


@nnx.jit
def update(model: Network, optimizer: Any, schedule: Schedule, batch: Pairs) -> Any:
    """Make one update, and return its learning rate and its loss."""
    rate = lrsched_jax.current_lr(optimizer, schedule)
    loss, gradient = nnx.value_and_grad(loss_fn)(model, batch)
    optimizer.update(model, gradient)
    return rate, loss


def train(model: Network, optimizer: Any, schedule: Schedule, data: Pairs, steps: range) -> Any:
    """Train, and return an array with the learning rate and the loss of each update."""
    history = []
    for step in steps:
        # The batch depends on the step alone, so a run that is resumed gets the same ones.
        rows = np.random.default_rng(step).choice(len(data[1]), 64, replace=False)
        history.append(update(model, optimizer, schedule, (data[0][rows], data[1][rows])))
    return np.asarray(jax.device_get(history))


def save(path: Path, model: Network, optimizer: Any) -> None:
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, nnx.state((model, optimizer)))


def restore(path: Path, model: Network, optimizer: Any) -> None:
    with ocp.StandardCheckpointer() as checkpointer:
        state = checkpointer.restore(path, nnx.state((model, optimizer)))
    nnx.update((model, optimizer), state)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train a Flax NNX model, and resume it exactly.")
    parser.add_argument("--steps", type=int, default=600, help="updates (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("demo/flax_nnx.png"))
    options = parser.parse_args(arguments)
    steps, half = options.steps, options.steps // 2
    data, held_out = digits()
    schedule = lrsched.warmup_cosine(0.01, total_steps=steps, warmup_steps=steps // 10)
    print(f"schedule: {schedule!r}")

    def new(seed: int) -> tuple[Network, Any]:
        model = Network(nnx.Rngs(seed))
        return model, nnx.Optimizer(model, optax.adamw(schedule), wrt=nnx.Param)

    model, optimizer = new(seed=0)
    first = train(model, optimizer, schedule, data, range(half))
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "checkpoint", model, optimizer)
        second = train(model, optimizer, schedule, data, range(half, steps))
        resumed_model, resumed_optimizer = new(seed=1)  # as a new process would make them
        restore(Path(folder) / "checkpoint", resumed_model, resumed_optimizer)
    resumed = train(resumed_model, resumed_optimizer, schedule, data, range(half, steps))

    weights, others = (nnx.state(each, nnx.Param) for each in (model, resumed_model))
    differences = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), weights, others)
    model.eval()  # type: ignore[no-untyped-call]
    print(f"held-out accuracy: {np.mean(model(held_out[0]).argmax(1) == held_out[1]):.3f}")
    print(f"largest difference of the resumed weights: {max(jax.tree.leaves(differences))}")

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    whole = np.concatenate([first, second])
    for ax, column, name in zip(axes, (0, 1), ("learning rate", "loss"), strict=True):
        ax.plot(whole[:, column], color="#82b7e6", lw=3, label="not stopped")
        ax.plot(range(half, steps), resumed[:, column], color="#a8380a", lw=1, label="resumed")
        ax.axvline(half, color="0.6", ls=":", label="checkpoint")
        ax.set(xlabel="update", ylabel=name)
    axes[1].set_yscale("log")
    axes[1].legend(frameon=False)
    figure.suptitle("A Flax NNX model, resumed from its checkpoint")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=80)


if __name__ == "__main__":
    main()
