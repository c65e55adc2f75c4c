"""Examples of the set-up functions that `lrsched range-test` takes."""

EXAMPLES = {
    "torch": """\
# lrsched range-test train:setup
import torch


def setup():
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    inputs = torch.randn(640, 4)
    data = torch.utils.data.TensorDataset(inputs, inputs.sum(1, keepdim=True))
    loader = torch.utils.data.DataLoader(data, batch_size=32, shuffle=True)
    return {
        "model": model,
        "loss_fn": torch.nn.functional.mse_loss,  # of outputs and targets
        "optimizer": optimizer,
        "loader": loader,
    }
""",
    "torch-step": """\
# lrsched range-test train:setup
import torch


def setup():
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    batches = [torch.randn(32, 4) for _ in range(20)]

    def step(batch):  # the test calls optimizer.step()
        loss = (model(batch) - batch.sum(1, keepdim=True)).square().mean()
        loss.backward()
        return loss

    return {"step": step, "optimizer": optimizer, "batches": batches}
""",
    "jax": """\
# lrsched range-test train:setup
import jax.numpy as jnp
import numpy as np
import optax


def setup():
    def loss_fn(params, batch):
        return jnp.mean((batch @ params["w"] + params["b"] - batch.sum(1)) ** 2)

    return {
        "loss_fn": loss_fn,
        "params": {"w": jnp.zeros(4), "b": jnp.zeros(())},
        "batches": np.random.default_rng(0).normal(size=(20, 32, 4)),
        "optimizer": optax.adamw,
    }
""",
    "keras": """\
# lrsched range-test train:setup
import keras
import numpy as np


def setup():
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss="mse")
    x = np.random.default_rng(0).normal(size=(640, 4))
    return {"model": model, "x": x, "y": x.sum(1), "batch_size": 32}
""",
    "lightning": """\
# lrsched range-test train:setup
import lightning.pytorch as pl
import torch


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = torch.nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        return (self.model(batch) - batch.sum(1, keepdim=True)).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def setup():
    loader = torch.utils.data.DataLoader(torch.randn(640, 4), batch_size=32)
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    return {"trainer": trainer, "module": Module(), "train_dataloaders": loader}
""",
    "transformers": """\
# lrsched range-test train:setup
import torch
import transformers


def setup():
    config = transformers.GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=32, n_positions=8)
    tokens = [torch.randint(0, 32, (8,)) for _ in range(200)]
    trainer = transformers.Trainer(
        transformers.GPT2LMHeadModel(config),
        transformers.TrainingArguments("out", report_to="none", use_cpu=True),
        train_dataset=[{"input_ids": row, "labels": row} for row in tokens],
    )
    return trainer
""",
}
