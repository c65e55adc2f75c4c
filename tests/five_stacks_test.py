"""One recipe, as JSON, trains the same model with the same learning rates in five stacks."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")
needs("torch")
needs("keras")
needs("lightning")
needs("transformers")

import jax
import jax.numpy as jnp
import keras
import lightning.pytorch as pl
import numpy as np
import optax
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from transformers import Trainer, TrainingArguments

import lrsched
from lrsched_keras import KerasSchedule
from lrsched_torch import lambda_lr

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}")
    for message in (  # Lightning's
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",
        "The 'train_dataloader' does not have many workers",
    )
]

EPOCHS, BATCHES, BATCH = 4, 6, 2
UPDATES = EPOCHS * BATCHES
# All rows are the same, so that it does not matter who shuffles them.
INPUTS = np.tile(np.array([1.0, -0.5, 2.0], np.float32), (BATCHES * BATCH, 1))
TARGETS = np.ones((BATCHES * BATCH, 1), np.float32)
RECIPE = lrsched.warmup(lrsched.cosine_decay(0.01, 21, 0.001), 4, 0.0005)
JSON = RECIPE.to_json()
RATES = [RECIPE(count) for count in range(UPDATES)]


@dataclass
class Run:
    """The learning rate of each update, and the weights after it."""

    rates: list[float] = field(default_factory=list)
    weights: list[list[float]] = field(default_factory=list)


def with_optax(_: Path) -> Run:
    optimizer = optax.sgd(lrsched.from_json(JSON))
    run, weights = Run(), {"w": jnp.zeros((3, 1)), "seen": jnp.float32(0)}

    def loss(weights: Any) -> Any:
        # The gradient of `seen` is one, so that what it changes by is the rate itself.
        x, y = INPUTS[:BATCH], TARGETS[:BATCH]
        return jnp.mean((x @ weights["w"] - y) ** 2) + weights["seen"]

    @jax.jit
    def update(weights: Any, state: Any) -> Any:
        updates, state = optimizer.update(jax.grad(loss)(weights), state, weights)
        return optax.apply_updates(weights, updates), state, -updates["seen"]

    state = optimizer.init(weights)
    for _update in range(UPDATES):
        weights, state, rate = update(weights, state)
        run.rates.append(float(rate))
        run.weights.append(np.ravel(weights["w"]).tolist())
    return run


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 1, bias=False)
        torch.nn.init.zeros_(self.linear.weight)

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": torch.nn.functional.mse_loss(self.linear(inputs), labels)}


def recorded(net: Net, run: Run) -> Any:
    """The optimizer and the scheduler."""
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)

    def before(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        run.rates.append(optimizer.param_groups[0]["lr"])

    def after(*_: Any) -> None:
        run.weights.append(net.linear.weight.detach().ravel().tolist())

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)
    return optimizer, lambda_lr(optimizer, lrsched.from_json(JSON))


DATA = TensorDataset(torch.from_numpy(INPUTS), torch.from_numpy(TARGETS))


def with_torch(_: Path) -> Run:
    net, run = Net(), Run()
    optimizer, scheduler = recorded(net, run)
    for _epoch in range(EPOCHS):
        for inputs, labels in DataLoader(DATA, BATCH):
            optimizer.zero_grad()
            net(inputs, labels)["loss"].backward()
            optimizer.step()
            scheduler.step()
    return run


class Module(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net, self.run = Net(), Run()

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss: torch.Tensor = self.net(*batch)["loss"]
        return loss

    def configure_optimizers(self) -> Any:
        optimizer, scheduler = recorded(self.net, self.run)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


def with_lightning(_: Path) -> Run:
    module = Module()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data: Any = DataLoader(DATA, BATCH)
    trainer.fit(module, data)
    return module.run


def with_transformers(folder: Path) -> Run:
    net, run = Net(), Run()
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        max_grad_norm=0.0,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    rows: Any = [
        {"inputs": inputs, "labels": labels} for inputs, labels in zip(*DATA.tensors, strict=True)
    ]
    Trainer(net, arguments, train_dataset=rows, optimizers=recorded(net, run)).train()
    return run


class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.run = Run()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.run.rates.append(float(self.model.optimizer.learning_rate))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.run.weights.append(np.ravel(self.model.layers[0].kernel.value).tolist())


def with_keras(_: Path) -> Run:
    assert keras.backend.backend() == "jax"
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.layers.Input((3,)), dense])
    model.compile(keras.optimizers.SGD(KerasSchedule(lrsched.from_json(JSON))), loss="mse")
    recorder = Recorder()
    options: dict[str, Any] = {"epochs": EPOCHS, "batch_size": BATCH, "verbose": 0}
    model.fit(INPUTS, TARGETS, callbacks=[recorder], **options)
    return recorder.run


STACKS: dict[str, Callable[[Path], Run]] = {
    "optax": with_optax,
    "torch": with_torch,
    "lightning": with_lightning,
    "transformers": with_transformers,
    "keras": with_keras,
}
SINGLE = ("optax", "keras")  # whose learning rates are of float32


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return {name: train(tmp_path_factory.mktemp(name)) for name, train in STACKS.items()}


@pytest.mark.parametrize("name", STACKS)
def test_every_update_has_the_rate_of_the_recipe(runs: dict[str, Run], name: str) -> None:
    """To the last bit in Python's floats, and to 2 units in the last place of float32."""
    if name in SINGLE:
        np.testing.assert_allclose(runs[name].rates, RATES, rtol=2 * 2.0**-23)
    else:
        assert runs[name].rates == RATES


@pytest.mark.parametrize("name", STACKS)
def test_every_update_moves_the_weights_as_in_torch(runs: dict[str, Run], name: str) -> None:
    """So the rates that were recorded are those that were used."""
    assert np.shape(runs[name].weights) == (UPDATES, 3)
    np.testing.assert_allclose(runs[name].weights, runs["torch"].weights, rtol=1e-5)


def test_a_shift_by_one_update_would_show() -> None:
    """Nowhere are the rates of two updates in a row equal within a thousand tolerances."""
    assert min(abs(a / b - 1) for a, b in itertools.pairwise(RATES)) > 1e-3
    assert lrsched.from_json(JSON) == RECIPE
