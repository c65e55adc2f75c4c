"""One training in every stack: the same network, the same weights, the same batches.

A multilayer perceptron on sklearn's digits, 64-128-10, by gradient descent in the order of the
data. (Without momentum: Keras multiplies the learning rate into it, and so trains otherwise where
that changes.) Each function here makes the training of a stack afresh, and returns how to run a
range test of it, the bare training without one, and the finder that the stack has.
"""

from __future__ import annotations

import importlib
import itertools
import logging
import math
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

import lrsched
from lrsched.range_test import RangeTest

UPDATES, BATCH, HIDDEN = 200, 64, 128
LOW, HIGH = 1e-6, 0.1
RAMP = lrsched.exponential_ramp(LOW, HIGH, UPDATES - 1)
OPTIONS: dict[str, Any] = {"schedule": RAMP, "steps": UPDATES, "divergence": None}
OPTIONS |= {"progress": False}

Array = npt.NDArray[Any]


class Stack(NamedTuple):
    """A training in one stack.

    Attributes:
        test: runs the range test.
        bare: makes the same updates as the stack does without a test, with its own scheduler.
        finder: the name of the stack's own finder, "" for none.
        find: runs it.
    """

    test: Callable[[], RangeTest]
    bare: Callable[[], Any]
    finder: str = ""
    find: Callable[[], Any] | None = None


@cache
def data() -> tuple[Array, Array]:
    """The inputs and labels, as many as fill their batches."""
    digits = load_digits()
    number = len(digits.target) // BATCH * BATCH
    inputs = (digits.data / 16.0).astype(np.float32)[:number]
    return inputs, digits.target.astype(np.int64)[:number]


@cache
def weights() -> list[Array]:
    """The weights of the layers, of (inputs, outputs), each before its biases."""
    generator = np.random.default_rng(0)
    sizes = (64, HIDDEN, 10)
    made: list[Array] = []
    for inputs, outputs in itertools.pairwise(sizes):
        scale = math.sqrt(2.0 / inputs)
        made.append((scale * generator.normal(size=(inputs, outputs))).astype(np.float32))
        made.append(np.zeros(outputs, np.float32))
    return made


def torch_net() -> Any:
    """The network in torch, which returns its loss where it is given labels."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(64, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10))
            for parameter, values in zip(self.parameters(), weights(), strict=True):
                with torch.no_grad():
                    parameter.copy_(torch.from_numpy(values.T))

        def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"loss": nn.functional.cross_entropy(self.layers(inputs), labels)}

    return Net()


def torch_data() -> Any:
    """The data set in torch."""
    import torch
    from torch.utils.data import TensorDataset

    return TensorDataset(*map(torch.from_numpy, data()))


def torch_loader() -> Any:
    """The batches in torch, in their order."""
    from torch.utils.data import DataLoader

    return DataLoader(torch_data(), BATCH)


def torch_optimizer(net: Any) -> Any:
    """The optimizer in torch."""
    import torch

    return torch.optim.SGD(net.parameters(), lr=LOW)


def torch_loop(
    step: Callable[[Any], Any], optimizer: Any, loader: Any, scheduler: Any = None
) -> list[float]:
    """Train as anybody does, and read the losses."""
    losses: list[float] = []
    without_end = itertools.chain.from_iterable(itertools.repeat(loader))
    for update, batch in zip(range(UPDATES), without_end, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = RAMP(update)
        optimizer.zero_grad()
        losses.append(step(batch).item())
        optimizer.step()
    return losses


def plain_torch() -> Stack:
    """A loop of torch; its finder is torch-lr-finder."""
    from torch import nn

    import lrsched_torch

    net, loader = torch_net(), torch_loader()
    optimizer = torch_optimizer(net)

    def step(batch: Any) -> Any:
        loss = net(*batch)["loss"]
        loss.backward()
        return loss

    def find() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torch_lr_finder import LRFinder, lr_finder

        with patch.object(lr_finder, "tqdm", lambda it, **_: it), patch("builtins.print"):
            finder = LRFinder(net.layers, optimizer, nn.CrossEntropyLoss())
            ends = {"start_lr": LOW, "end_lr": HIGH, "diverge_th": math.inf}
            finder.range_test(loader, num_iter=UPDATES, **ends)
            finder.reset()

    return Stack(
        lambda: lrsched_torch.range_test(step, optimizer, loader, **OPTIONS),
        lambda: torch_loop(step, optimizer, loader),
        "torch-lr-finder's `LRFinder`",
        find,
    )


def accelerate() -> Stack:
    """A loop of Accelerate, which has no finder."""
    import lrsched_torch

    accelerator = importlib.import_module("accelerate").Accelerator(cpu=True)
    net = torch_net()
    prepared = accelerator.prepare(net, torch_optimizer(net), torch_loader())
    net, optimizer, loader = prepared

    def step(batch: Any) -> Any:
        loss = net(*batch)["loss"]
        accelerator.backward(loss)
        return loss

    return Stack(
        lambda: lrsched_torch.range_test(step, optimizer, loader, **OPTIONS),
        lambda: torch_loop(step, optimizer, loader),
    )


def fabric() -> Stack:
    """A loop of Lightning Fabric, which has no finder."""
    from lightning.fabric import Fabric

    import lrsched_torch

    made = Fabric(accelerator="cpu", devices=1)
    net = torch_net()
    net, optimizer = made.setup(net, torch_optimizer(net))
    loader = made.setup_dataloaders(torch_loader())

    def step(batch: Any) -> Any:
        loss = net(*batch)["loss"]
        made.backward(loss)
        return loss

    return Stack(
        lambda: lrsched_torch.range_test(step, optimizer, loader, **OPTIONS),
        lambda: torch_loop(step, optimizer, loader),
    )


def lightning() -> Stack:
    """Lightning's Trainer, with its tuner."""
    import lightning.pytorch as pl
    from lightning.pytorch.tuner import lr_finder
    from lightning.pytorch.tuner.tuning import Tuner

    import lrsched_torch
    import lrsched_torch.lightning

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = torch_net()

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return self.net(*batch)["loss"]

        def configure_optimizers(self) -> Any:
            optimizer = torch_optimizer(self.net)
            scheduler = lrsched_torch.lambda_lr(optimizer, RAMP)
            return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

    def trainer(**options: Any) -> Any:
        quiet = ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing")
        options |= {"accelerator": "cpu", "devices": 1, **dict.fromkeys(quiet, False)}
        return pl.Trainer(**options)

    module, loader = Module(), torch_loader()
    ours, theirs = trainer(max_epochs=-1), trainer(max_epochs=-1)

    def find() -> None:
        with (
            patch.object(lr_finder, "tqdm", lambda *_, **__: _NoBar()),
            tempfile.TemporaryDirectory() as folder,
        ):
            theirs._default_root_dir = folder
            Tuner(theirs).lr_find(
                module,
                loader,
                min_lr=LOW,
                max_lr=HIGH,
                num_training=UPDATES,
                early_stop_threshold=None,
                update_attr=False,
            )

    return Stack(
        lambda: lrsched_torch.lightning.range_test(ours, module, loader, **OPTIONS),
        lambda: trainer(max_steps=UPDATES, max_epochs=-1).fit(Module(), loader),
        "Lightning's `Tuner.lr_find`",
        find,
    )


class _NoBar:
    """A progress bar that shows nothing."""

    def update(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def transformers() -> Stack:
    """The Trainer of transformers, which has no finder."""
    import transformers
    from torch.utils.data import SequentialSampler

    import lrsched_torch
    import lrsched_torch.transformers

    class Trainer(transformers.Trainer):
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            rows: Any = self.train_dataset
            return SequentialSampler(rows)

    rows: Any = [{"inputs": x, "labels": y} for x, y in zip(*torch_data().tensors, strict=True)]

    def trainer(**options: Any) -> Any:
        net = torch_net()
        optimizer = torch_optimizer(net)
        arguments = transformers.TrainingArguments(
            "unused",
            per_device_train_batch_size=BATCH,
            max_grad_norm=0.0,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            **options,
        )
        pair: Any = (optimizer, lrsched_torch.lambda_lr(optimizer, RAMP))
        made = Trainer(net, arguments, train_dataset=rows, optimizers=pair)
        made.remove_callback(transformers.PrinterCallback)
        return made

    ours = trainer()
    return Stack(
        lambda: lrsched_torch.transformers.range_test(ours, **OPTIONS),
        lambda: trainer(max_steps=UPDATES).train(),
    )


def jax() -> Stack:
    """A loop of JAX and optax; its finder is the loop that reads each loss."""
    import jax as library
    import jax.numpy as jnp
    import optax

    import lrsched_jax

    inputs, labels = data()
    batches = list(
        zip(inputs.reshape(-1, BATCH, 64), labels.astype(np.int32).reshape(-1, BATCH), strict=True)
    )
    params = [jnp.asarray(each) for each in weights()]

    def loss_fn(params: Any, batch: Any) -> Any:
        first, first_bias, second, second_bias = params
        hidden = library.nn.relu(batch[0] @ first + first_bias)
        logits = hidden @ second + second_bias
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

    made = optax.sgd(RAMP)

    @library.jit
    def update(params: Any, state: Any, batch: Any) -> Any:
        loss, gradient = library.value_and_grad(loss_fn)(params, batch)
        updates, state = made.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    def loop(read: Callable[[Any], Any]) -> Callable[[], list[float]]:
        def train() -> list[float]:
            weights, state, losses = params, made.init(params), []
            for count in range(UPDATES):
                batch = batches[count % len(batches)]
                weights, state, loss = update(weights, state, batch)
                losses.append(read(loss))
            return [float(loss) for loss in losses]

        return train

    return Stack(
        lambda: lrsched_jax.range_test(loss_fn, params, batches, **OPTIONS),
        loop(lambda loss: loss),
        "a loop that reads each loss",
        loop(float),
    )


def keras() -> Stack:
    """Keras's `fit`, on the backend that it has; its finder is a callback as in many notebooks."""
    import keras as library

    import lrsched_keras

    inputs, labels = data()
    layers = library.layers

    def model(learning_rate: Any) -> Any:
        made = library.Sequential(
            [layers.Input((64,)), layers.Dense(HIDDEN, "relu"), layers.Dense(10)]
        )
        made.set_weights(weights())
        loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
        made.compile(library.optimizers.SGD(learning_rate), loss=loss)
        return made

    class Finder(library.callbacks.Callback):  # type: ignore[misc]
        """Sets the rate before each batch, and keeps the running mean that Keras logs."""

        def __init__(self) -> None:
            super().__init__()
            self.losses: list[float] = []

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self.model.optimizer.learning_rate = RAMP(len(self.losses))

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.losses.append(float(logs["loss"]))
            self.model.stop_training = len(self.losses) == UPDATES

    options: dict[str, Any] = {"batch_size": BATCH, "shuffle": False}
    epochs = -(-UPDATES // (len(labels) // BATCH))
    ours, found = model(LOW), model(LOW)
    scheduled = model(lrsched_keras.KerasSchedule(RAMP))
    fit: dict[str, Any] = options | {"epochs": epochs, "verbose": 0}

    def find() -> list[float]:
        found.set_weights(weights())
        finder = Finder()
        found.fit(inputs, labels, callbacks=[finder], **fit)
        return finder.losses

    return Stack(
        lambda: lrsched_keras.range_test(ours, inputs, labels, **options, **OPTIONS),
        lambda: scheduled.fit(inputs, labels, **fit),
        "a callback that sets the rate",
        find,
    )


STACKS: dict[str, Callable[[], Stack]] = {
    "torch": plain_torch,
    "Lightning": lightning,
    "transformers": transformers,
    "Accelerate": accelerate,
    "Fabric": fabric,
    "JAX": jax,
    "Keras": keras,
}


def quiet() -> None:
    """Turn off what the stacks print."""
    for name in ("lightning.pytorch", "lightning.fabric", "transformers"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
