"""A network whose optimizers are given, and a range test of it in Lightning."""

import functools
from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import lightning.pytorch
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lrsched
from lrsched_torch.lightning import range_test
from tests.torch.lightning_trainer import quiet_trainer
from tests.torch.training_run import CLASSES, FEATURES

STEPS = 15
RAMP = lrsched.exponential_ramp(1e-3, 1.0, STEPS)


class Net(lightning.pytorch.LightningModule):
    """A small network whose optimizers are given."""

    def __init__(self, optimizers: Callable[[Any], Any] | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(FEATURES, 8), nn.Tanh(), nn.Linear(8, CLASSES))
        self.optimizers_of = optimizers or sgd
        self.lr = 0.1

    def loss(self, batch: Any) -> torch.Tensor:
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return self.loss(batch)

    def configure_optimizers(self) -> Any:
        return self.optimizers_of(self.net)


def sgd(net: nn.Sequential) -> torch.optim.Optimizer:
    groups: Any = [{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": 0.01}]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9)


def lbfgs(net: nn.Sequential) -> torch.optim.Optimizer:
    return torch.optim.LBFGS(net.parameters(), lr=0.1, max_iter=3)


def adam(net: nn.Sequential) -> torch.optim.Optimizer:
    return torch.optim.Adam(net.parameters(), lr=torch.tensor(0.1), foreach=False)


@functools.cache
def data(batches: int = 6) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(8 * batches, FEATURES, generator=generator)
    return DataLoader(TensorDataset(inputs, inputs[:, :CLASSES].argmax(1)), 8)


def found_in(module: Any, batches: Any = None, trainer: Any = None, **options: Any) -> Any:
    options = {"schedule": RAMP, "steps": STEPS, "progress": False, **options}
    return range_test(
        trainer or quiet_trainer(), module, data() if batches is None else batches, **options
    )
