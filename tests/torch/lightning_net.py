"""A small network for Lightning, its data, and fits with a callback."""

from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import lightning.pytorch
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lrsched_torch.lightning import RangeTestCallback
from tests.torch.lightning_trainer import quiet_trainer

FEATURES, STEPS = 16, 100


class Net(lightning.pytorch.LightningModule):
    """Two param groups, the second with an eighth of the rate, and a scheduler."""

    def __init__(self, schedule: Any = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(FEATURES, 32), nn.Tanh(), nn.Linear(32, 4))
        self.save_hyperparameters({"learning_rate": 0.1})
        self.schedule = schedule
        self.note: Any = [].append

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        rate = self.hparams["learning_rate"]
        second = {"params": self.net[2].parameters(), "lr": rate / 8}
        optimizer = torch.optim.SGD([{"params": self.net[0].parameters()}, second], lr=rate)
        note = self.note
        optimizer.register_step_pre_hook(
            lambda o, *_: note([float(group["lr"]) for group in o.param_groups])
        )
        if self.schedule is None:
            return optimizer
        scheduler = {"scheduler": self.schedule(optimizer), "interval": "step"}
        return [optimizer], [scheduler]


def data(flat: bool = False) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(320, FEATURES, generator=generator)
    labels = (inputs[:, :4] @ torch.eye(4)).argmax(1)
    return DataLoader(TensorDataset(inputs * (0 if flat else 1), labels * (0 if flat else 1)), 32)


def callback(**options: Any) -> RangeTestCallback:
    return RangeTestCallback(
        **{"steps": STEPS, "low": 1e-2, "high": 1e3, "progress": False} | options
    )


def fitted(module: Net, *callbacks: Any, loader: Any = None, steps: int = 4) -> list[list[float]]:
    """The rates of the updates of a fit."""
    rates: list[list[float]] = []
    module.note = rates.append
    trainer = quiet_trainer(max_steps=steps, max_epochs=-1, callbacks=[*callbacks])
    trainer.fit(module, data() if loader is None else loader)
    return rates[-steps:]
