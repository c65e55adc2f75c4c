"""The objects of each stack that the guide of range tests in trainers is given."""

import functools
from types import SimpleNamespace
from typing import Any

from tests.optional import needs

for library in ("jax", "keras", "lightning", "optax", "torch", "transformers"):
    needs(library)

import jax
import jax.numpy as jnp
import keras
import lightning.pytorch as pl
import numpy as np
import optax
import torch
import transformers

import lrsched_jax
import lrsched_keras
import lrsched_torch

STEPS = 30


class Module(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 1)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return torch.nn.functional.mse_loss(self.linear(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class WithLoss(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> Any:
        return {"loss": torch.nn.functional.mse_loss(self.linear(x), labels)}


def loss_fn(params: jax.Array, batch: Any) -> jax.Array:
    return jnp.mean((batch[0] @ params - batch[1]) ** 2)


def short(range_test: Any) -> Any:
    """The same range test, with a few updates: what it finds has tests elsewhere."""
    return functools.partial(range_test, steps=STEPS, max_steps=STEPS)


def objects() -> dict[str, Any]:
    """The objects by the names that the guide has for them."""
    x = np.random.default_rng(0).normal(size=(1920, 4)).astype(np.float32)
    y = x @ np.array([[1.0], [-2.0], [0.5], [3.0]], np.float32)
    data = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
    model, criterion = torch.nn.Linear(4, 1), torch.nn.MSELoss()

    def step(batch: Any) -> torch.Tensor:
        loss: torch.Tensor = criterion(model(batch[0]), batch[1])
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    arguments = transformers.TrainingArguments("unused", report_to="none", use_cpu=True)
    rows: Any = [
        {"x": inputs, "labels": target} for inputs, target in zip(*data.tensors, strict=True)
    ]
    keras_model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    keras_model.compile(keras.optimizers.SGD(0.1), loss="mse")
    quiet = ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing")
    options: dict[str, Any] = dict.fromkeys(quiet, False)
    return {
        "lrsched_jax": SimpleNamespace(range_test=short(lrsched_jax.range_test)),
        "lrsched_keras": SimpleNamespace(range_test=short(lrsched_keras.range_test)),
        "lrsched_torch": SimpleNamespace(
            range_test=short(lrsched_torch.range_test),
            range_test_model=short(lrsched_torch.range_test_model),
            lightning=SimpleNamespace(range_test=short(lrsched_torch.lightning.range_test)),
            transformers=SimpleNamespace(range_test=short(lrsched_torch.transformers.range_test)),
        ),
        "optax": optax,
        "model": model,
        "criterion": criterion,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "step": step,
        "loader": torch.utils.data.DataLoader(data, batch_size=64),
        "loss_fn": loss_fn,
        "params": jnp.zeros((4, 1)),
        "batches": [*zip(np.split(x, 30), np.split(y, 30), strict=True)],
        "pl_trainer": pl.Trainer(accelerator="cpu", **options),
        "module": Module(),
        "hf_trainer": transformers.Trainer(WithLoss(), arguments, train_dataset=rows),
        "keras_model": keras_model,
        "x": x,
        "y": y,
    }
