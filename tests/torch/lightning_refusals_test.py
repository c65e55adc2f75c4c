"""What range tests in Lightning refuse, by name."""

from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import lightning.pytorch
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lrsched
from lrsched_torch.lightning import range_test
from tests.torch.lightning_net import FEATURES, Net, callback, data, fitted
from tests.torch.lightning_trainer import IGNORED, quiet_trainer

pytestmark = IGNORED


class Without(Net):
    def configure_optimizers(self) -> Any:
        return None


class Logging(Net):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = super().training_step(batch, batch_idx)
        self.log("late", loss, on_step=False, on_epoch=True)
        return loss


class Lossless(Net):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        optimizer.step()


class Warming(Net):
    """Sets a rate in a hook that Lightning calls inside of `optimizer.step`."""

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        optimizer.param_groups[0]["lr"] = 0.3


class Nested(Net):
    def on_train_start(self) -> None:
        range_test(self.trainer, self, data(), steps=5)


EMPTY: Any = DataLoader(TensorDataset(torch.zeros(0, FEATURES)), 8)
REFUSED: list[tuple[Any, type[Exception], str]] = [
    ({"trainer": 1}, TypeError, "trainer must be a Trainer of Lightning, got 1"),
    ({"module": nn.Linear(1, 1)}, TypeError, "module must be a LightningModule of lightning"),
    ({"trainer": {"fast_dev_run": True}}, ValueError, "trainer.fast_dev_run must be False"),
    ({"module": Nested()}, ValueError, "trainer must be one that is not running, got 'fit'"),
    ({"data": None}, ValueError, "train_dataloaders must be given, for the module has no"),
    ({"data": EMPTY}, ValueError, "train_dataloaders must be data with at least one batch"),
    ({"data": iter(())}, ValueError, "train_dataloaders must be data with at least one batch"),
    ({"datamodule": 1}, TypeError, "datamodule must be a LightningDataModule, or None, got 1"),
    (
        {"datamodule": lightning.pytorch.LightningDataModule()},
        ValueError,
        "datamodule must be None with train_dataloaders",
    ),
    ({"optimizer": 1}, ValueError, "optimizer must be below 1, the number of optimizers, got 1"),
    ({"optimizer": -1}, ValueError, "optimizer must be the index of an optimizer in"),
    ({"optimizer": True}, TypeError, "optimizer must be the index of an optimizer in"),
    ({"optimizer": "Adam"}, ValueError, r"optimizer must be the name of the class of one .*SGD"),
    ({"module": Without()}, ValueError, "configure_optimizers must be a function that returns"),
    ({"monitor": 1}, TypeError, "monitor must be the name of a metric, or None, got 1"),
    ({"monitor": "loss"}, ValueError, "monitor must be the name of a metric that training_step"),
    (
        {"module": Logging(), "monitor": "late"},
        ValueError,
        "monitor must be the name of a metric that training_step logs, with on_step=True",
    ),
    ({"module": Lossless()}, ValueError, "monitor must be the name of a metric, for training_"),
    ({"module": Warming()}, ValueError, "the learning rates must be left to the test"),
    ({"steps": 0}, ValueError, "steps must be an integer >= 1"),
    ({"max_steps": 2}, ValueError, r"max_steps must be at least steps \(3\), or None, got 2"),
    ({"refine": None}, TypeError, "refine must be True or False, got None"),
    ({"probe_steps": 1.5}, TypeError, "probe_steps must be an integer"),
    ({"probe_repeats": 0}, ValueError, "probe_repeats must be an integer >= 1"),
    (
        {"schedule": [lrsched.constant(0.1)] * 2, "max_steps": 4},
        ValueError,
        r"max_steps must be steps \(3\) with a list of schedules, or None, got 4",
    ),
    ({"low": 2.0, "high": 1.0}, ValueError, "low must be below high"),
    ({"schedule": 0.1}, TypeError, "schedule must be a schedule"),
    ({"schedule": [lrsched.constant(0.1)]}, ValueError, "schedule must be a list of 2"),
    ({"memory": "tape"}, ValueError, "memory must be 'device' or 'cpu' or 'disk'"),
    ({"metrics": 1}, TypeError, "metrics must be a function"),
    ({"log": 1}, TypeError, "log must be a function"),
    ({"reference_group": 5}, ValueError, "reference_group must be below 2"),
]


@pytest.mark.parametrize(("given", "error", "message"), REFUSED)
@pytest.mark.filterwarnings("ignore:`LightningModule.configure_optimizers` returned `None`")
@pytest.mark.filterwarnings("ignore:Total length of .* across ranks is zero")
def test_what_is_refused(given: Any, error: type[Exception], message: str) -> None:
    """The trainer is as it was, and can be used."""
    given = {"data": data(), "module": Net(), "trainer": {}, "progress": False, "steps": 3} | given
    options = given.pop("trainer")
    trainer = quiet_trainer(max_epochs=1, **options) if isinstance(options, dict) else options
    module, loader = given.pop("module"), given.pop("data")
    with pytest.raises(error, match=f"^range_test: {message}"):
        range_test(trainer, module, loader, **given)
    if options == {}:
        assert trainer.callbacks == []
        range_test(trainer, Net(), data(), steps=2, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"update_attr": 1}, "update_attr must be True or False, got 1"),
        ({"attr_name": 1}, "attr_name must be a name, or None, got 1"),
        ({"steps": 0}, "steps must be an integer >= 1"),
        ({"memory": "tape"}, "memory must be"),
        ({"optimizer": -1}, "optimizer must be the index"),
        ({"monitor": 2}, "monitor must be the name of a metric, or None"),
        (
            {"update_attr": True, "low": None, "high": None, "schedule": [lrsched.constant(0.1)]},
            "schedule must be one schedule with update_attr",
        ),
    ],
)
def test_what_a_callback_refuses(options: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^range_test: {message}"):
        callback(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": 1}, "optimizer must be below 1"),
        ({"attr_name": "rate"}, "attr_name must be the name of an attribute .*, got 'rate'"),
    ],
)
def test_what_a_fit_with_a_callback_refuses(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^range_test: {message}"):
        fitted(Net(), callback(update_attr=True, **options))
    with pytest.raises(ValueError, match=r"^range_test: trainer.fast_dev_run must be False"):
        quiet_trainer(callbacks=[callback()], fast_dev_run=True).fit(Net(), data())
