"""Run range tests and train networks on handwritten digits, the same way in JAX and in torch.

One convolutional network, in Flax NNX and in torch, starts from the same weights and gets the same
batches. A range test in each framework suggests a learning rate; then both frameworks train with
the same four schedules. The figures, a summary and a page with all results are written to `demo/`.
"""

import argparse
import copy
import functools
import math
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpy.typing as npt
import optax
import torch
from data import digits as flat_digits
from digits_report import Report, Run
from flax import nnx
from torch import nn
from tqdm import tqdm

import lrsched
import lrsched_jax
import lrsched_torch
from lrsched import Schedule
from lrsched.range_test import RangeTest

Array = npt.NDArray[Any]
Batch = tuple[Array, Array]  # images of shape (N, 8, 8, 1) and their labels

BATCH_SIZE = 64
MOMENTUM = 0.9
RAMP_STEPS = 200
RAMP = lrsched.exponential_ramp(1e-4, 10.0, RAMP_STEPS - 1)


def schedules(peak: float, steps: int) -> dict[str, Schedule]:
    """The four schedules, for both frameworks."""
    warmup_steps = max(1, steps // 10)
    decay = lrsched.cosine_decay(peak, steps - warmup_steps)
    return {
        "constant": lrsched.constant(peak),
        "cyclic": lrsched.cyclic(peak / 4, peak, up_steps=math.ceil(steps / 6)),
        "cosine_restarts": lrsched.cosine_restarts(peak, math.ceil(steps / 7), period_mult=2),
        "warmup + cosine_decay": lrsched.warmup(decay, warmup_steps),
    }


def digits() -> tuple[Batch, Batch]:
    """The training part and the held-out part of the digits."""
    train, held_out = ((images.reshape(-1, 8, 8, 1), labels) for images, labels in flat_digits())
    return train, held_out


def batches(data: Batch, count: int, name: str) -> Iterator[Batch]:
    """Yield the same batches at every call, in a new order each epoch; show a progress bar."""
    images, labels = data
    generator = np.random.default_rng(0)
    number = len(labels) // BATCH_SIZE * BATCH_SIZE

    def rows() -> Iterator[Array]:
        while True:
            yield from generator.permutation(len(labels))[:number].reshape(-1, BATCH_SIZE)

    bar_format = "{desc:28}{percentage:4.0f}% |{bar}| {n_fmt}/{total_fmt} {elapsed}"
    with tqdm(desc=name, total=count, ncols=100, bar_format=bar_format) as bar:
        for batch_rows in islice(rows(), count):
            bar.update()
            yield images[batch_rows], labels[batch_rows]


def networks(images: Array) -> tuple[nnx.Sequential, nn.Sequential]:
    """The network in Flax NNX and in torch, with the same weights and so the same logits."""
    rngs = nnx.Rngs(0)
    pool = functools.partial(nnx.max_pool, window_shape=(2, 2), strides=(2, 2))
    flax_net = nnx.Sequential(
        *(nnx.Conv(1, 16, (3, 3), rngs=rngs), nnx.relu, pool),
        *(nnx.Conv(16, 32, (3, 3), rngs=rngs), nnx.relu, pool),
        lambda x: x.transpose(0, 3, 1, 2).reshape(len(x), -1),  # channels first, as in torch
        *(nnx.Linear(128, 64, rngs=rngs), nnx.relu, nnx.Linear(64, 10, rngs=rngs)),
    )
    torch_net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)),
    )
    for source, target in zip(flax_net.layers, torch_net, strict=True):
        if isinstance(source, (nnx.Conv, nnx.Linear)):
            # (height, width, in, out) to (out, in, height, width); (in, out) to (out, in).
            kernel = np.moveaxis(np.array(source.kernel), (-1, -2), (0, 1))
            weights = {"weight": kernel, "bias": np.array(source.bias)}
            target.load_state_dict({name: torch.tensor(x) for name, x in weights.items()})
    logits = jax_logits(*nnx.split(flax_net), images)
    np.testing.assert_allclose(torch_logits(torch_net, images).detach(), logits, atol=1e-5)
    return flax_net, torch_net


@functools.partial(jax.jit, static_argnums=0)
def jax_logits(graph: Any, params: Any, images: Array) -> Any:
    return nnx.merge(graph, params)(images)


def jax_loss(graph: Any, params: Any, batch: Batch) -> jax.Array:
    logits = jax_logits(graph, params, batch[0])
    loss: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()
    return loss


def jax_range_test(net: nnx.Sequential, batches: Iterable[Batch]) -> RangeTest:
    graph, params = nnx.split(net)
    loss = functools.partial(jax_loss, graph)
    sgd = functools.partial(optax.sgd, momentum=MOMENTUM)
    return lrsched_jax.range_test(loss, params, batches, sgd, RAMP, RAMP_STEPS, progress=False)


def jax_train(net: Any, schedule: Schedule, batches: Iterable[Batch], held_out: Batch) -> Run:
    graph, params = nnx.split(net)
    optimizer = optax.sgd(schedule, momentum=MOMENTUM)
    state = optimizer.init(params)

    @jax.jit
    def update(params: Any, state: Any, batch: Batch) -> Any:
        loss, gradient = jax.value_and_grad(jax_loss, 1)(graph, params, batch)
        rate = schedule(optax.tree.get(state, "count"))  # the rate that the optimizer uses
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, updates), state, rate, loss

    start = time.perf_counter()
    images, labels = held_out
    step = update.lower(params, state, (images[:BATCH_SIZE], labels[:BATCH_SIZE])).compile()
    compiled = time.perf_counter()
    rates, losses = [], []
    for batch in batches:
        params, state, rate, loss = step(params, state, batch)
        rates.append(float(rate))
        losses.append(float(loss))
    end = time.perf_counter()
    correct = np.asarray(jax_logits(graph, params, images)).argmax(1) == labels
    return Run(rates, losses, float(correct.mean()), end - compiled, compiled - start)


def torch_logits(net: nn.Module, images: Array) -> torch.Tensor:
    logits: torch.Tensor = net(torch.from_numpy(images).permute(0, 3, 1, 2))
    return logits


def torch_loss(net: nn.Module, batch: Batch) -> torch.Tensor:
    """The loss of a batch; the gradients are left in the parameters."""
    net.zero_grad()
    loss = nn.functional.cross_entropy(torch_logits(net, batch[0]), torch.from_numpy(batch[1]))
    loss.backward()  # type: ignore[no-untyped-call]
    return loss


def torch_range_test(net: nn.Module, batches: Iterable[Batch]) -> RangeTest:
    optimizer = torch.optim.SGD(net.parameters(), momentum=MOMENTUM)
    loss = functools.partial(torch_loss, net)
    return lrsched_torch.range_test(loss, optimizer, batches, RAMP, RAMP_STEPS, progress=False)


def torch_train(
    net: nn.Module, schedule: Schedule, batches: Iterable[Batch], held_out: Batch
) -> Run:
    net = copy.deepcopy(net)
    optimizer = torch.optim.SGD(net.parameters(), momentum=MOMENTUM)
    scheduler = lrsched_torch.lambda_lr(optimizer, schedule)
    start = time.perf_counter()
    rates, losses = [], []
    for batch in batches:
        rates.append(optimizer.param_groups[0]["lr"])
        losses.append(torch_loss(net, batch).item())
        optimizer.step()
        scheduler.step()
    end = time.perf_counter()
    correct = torch_logits(net, held_out[0]).argmax(1).numpy() == held_out[1]
    return Run(rates, losses, float(correct.mean()), end - start)


def main() -> None:
    parser = argparse.ArgumentParser(description="Range tests and training in JAX and in torch.")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for the results")
    parser.add_argument("--epochs", type=int, default=30, help="of each training (%(default)s)")
    options = parser.parse_args()
    # Both frameworks run on the CPU, with the same arithmetic.
    jax.config.update("jax_platforms", "cpu")  # type: ignore[no-untyped-call]
    torch.set_num_threads(1)  # as fast as two threads for so small a network

    data, held_out = digits()
    flax_net, torch_net = networks(held_out[0])
    range_tests = {
        "JAX": jax_range_test(flax_net, batches(data, RAMP_STEPS, "JAX range test")),
        "torch": torch_range_test(torch_net, batches(data, RAMP_STEPS, "torch range test")),
    }
    first, second = (test.suggest().suggested for test in range_tests.values())
    peak = math.sqrt(first * second)
    steps = options.epochs * (len(data[1]) // BATCH_SIZE)
    recipes = schedules(float(f"{peak:.2g}"), steps)
    runs = {}
    for name, schedule in recipes.items():
        jax_batches = batches(data, steps, f"JAX {name}")
        torch_batches = batches(data, steps, f"torch {name}")
        runs[name] = {
            "JAX": jax_train(flax_net, schedule, jax_batches, held_out),
            "torch": torch_train(torch_net, schedule, torch_batches, held_out),
        }

    report = Report(range_tests, recipes, runs, options.epochs)
    report.write(options.out)
    for row in report.table():
        print(f"{row[0]:22}", *(f"{cell:>18}" for cell in row[1:]))
    print(f"See {options.out.resolve() / 'report.html'}; beside it summary.json and the figures.")


if __name__ == "__main__":
    main()
