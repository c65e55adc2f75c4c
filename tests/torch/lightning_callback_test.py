"""The range test at the beginning of a fit, the rate that it may set, and what is refused."""

import pickle
from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import lightning.pytorch
import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, SequentialLR, StepLR
from torch.utils.data import DataLoader, TensorDataset

import lrsched
from lrsched.range_test import RangeTest
from lrsched_torch import lambda_lr
from lrsched_torch._lightning.loop import Run
from lrsched_torch._range_test.embedded import Options
from lrsched_torch.lightning import RangeTestCallback, range_test
from tests.processes import outputs, start
from tests.torch.lightning_run import IGNORED, quiet_trainer

pytestmark = IGNORED

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


def halving(optimizer: Any) -> Any:
    return LambdaLR(optimizer, lambda count: 0.5**count)


def in_parts(optimizer: Any) -> Any:
    parts: list[Any] = [StepLR(optimizer, 1, 0.5), StepLR(optimizer, 100)]
    return SequentialLR(optimizer, parts, [2])


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (None, [1, 1, 1, 1]),
        (halving, [1, 0.5, 0.25, 0.125]),
        (in_parts, [1, 0.5, 1, 1]),
    ],
)
def test_the_suggested_rate_is_that_of_the_fit(schedule: Any, factors: list[float]) -> None:
    """In the hyperparameter, in the groups by their ratios, and in what schedulers multiply."""
    module, tests = Net(schedule), callback(update_attr=True)
    rates = fitted(module, tests)
    assert tests.result is not None
    suggested = tests.result.suggest().suggested
    assert suggested != 0.1
    assert module.hparams["learning_rate"] == suggested
    wanted = [[suggested * factor, suggested * factor / 8] for factor in factors]
    np.testing.assert_allclose(rates, wanted, rtol=1e-14)
    assert rates == fitted_with(suggested, schedule)


def fitted_with(rate: float, schedule: Any) -> list[list[float]]:
    """The rates of a fit of a module that has the rate from the beginning."""
    module = Net(schedule)
    module.hparams["learning_rate"] = rate
    return fitted(module)


class Halving:
    """A scheduler that is none of torch's."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def step(self, metric: Any = None) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] /= 2

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class WithHalving(Net):
    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        scheduler.step()


@pytest.mark.parametrize("schedule", [halving, Halving])
def test_the_rate_stays_unless_it_is_to_be_set(schedule: Any) -> None:
    plain = fitted(WithHalving(schedule))
    assert plain[1][0] == plain[0][0] / 2
    assert fitted(WithHalving(schedule), callback()) == plain


def test_a_schedule_of_ours_keeps_its_rates() -> None:
    def ours(optimizer: Any) -> Any:
        return lambda_lr(optimizer, lrsched.cosine_decay(0.1, 10))

    assert fitted(Net(ours), callback(update_attr=True)) == fitted(Net(ours))


def test_without_a_suggestion_the_rate_stays_with_a_warning() -> None:
    module, tests = Net(), callback(update_attr=True, high=2e-2)
    with pytest.warns(UserWarning, match=r"^RangeTestCallback leaves the learning rate: "):
        rates = fitted(module, tests, loader=data(flat=True))
    assert rates == fitted(Net())
    assert module.hparams["learning_rate"] == 0.1


class Again(RangeTestCallback):
    """Tests in the second epoch."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None: ...

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch == 1:
            self.run(trainer, pl_module)


class Noted(Net):
    """Notes the losses of its batches."""

    def __init__(self, schedule: Any, losses: list[float]) -> None:
        super().__init__(schedule)
        self.note_loss = losses.append

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = super().training_step(batch, batch_idx)
        self.note_loss(loss.item())
        return loss


def noted(schedule: Any, callbacks: list[Any], **loading: Any) -> list[float]:
    """The losses of the batches of a fit, and of the tests in it."""
    losses: list[float] = []
    module = Noted(None, losses)
    module.schedule = lambda optimizer: schedule(optimizer, module)
    loader = DataLoader(data().dataset, 32, shuffle=True, **loading)
    quiet_trainer(max_epochs=3, callbacks=callbacks).fit(module, loader)
    return losses


WORKERS = [{}, {"num_workers": 1, "persistent_workers": True}]


@pytest.mark.parametrize("loading", WORKERS)
@pytest.mark.filterwarnings("ignore:.*use of fork")
def test_a_test_in_the_middle_of_a_fit(loading: Any) -> None:
    """It begins with the weights of that moment, and the fit goes on as without it."""
    tests = Again(steps=5, low=1e-3, progress=False)
    plain, disturbed = (noted(lambda o, _: halving(o), each, **loading) for each in ([], [tests]))
    assert tests.result is not None
    assert tests.result.losses.tolist() == disturbed[10:15]
    assert disturbed[:10] + disturbed[15:] == plain


@pytest.mark.parametrize("loading", WORKERS)
@pytest.mark.filterwarnings("ignore:.*use of fork")
def test_data_that_is_loaded_before_the_fit_begins(loading: Any) -> None:
    """For the number of its batches, which the schedule needs."""

    def one_cycle(optimizer: Any, module: Any) -> Any:
        return OneCycleLR(optimizer, 0.1, module.trainer.estimated_stepping_batches)

    tests = callback(steps=5)
    plain, disturbed = (noted(one_cycle, each, **loading) for each in ([], [tests]))
    assert disturbed[5:] == plain


def test_a_callback_is_copied_with_its_result() -> None:
    """As where processes are spawned."""
    tests = Again(steps=5, progress=False)
    fitted(Net(), tests)
    copied = pickle.loads(pickle.dumps(tests))
    assert vars(copied).keys() == vars(tests).keys()
    assert type(copied) is type(tests)
    assert isinstance(copied, lightning.pytorch.Callback)


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


def test_what_a_spawned_process_gets_can_be_pickled() -> None:
    trainer, module = quiet_trainer(), Net()
    module.note = print
    run = Run(trainer, module, Options(), 0, None, "device")
    copied, _, same = pickle.loads(pickle.dumps((run, module, trainer)))
    assert copied._trainer is same


def test_two_processes_stop_together(tmp_path: Any) -> None:
    outputs(start("lightning_ranks.py", tmp_path, warnings="default"))
    whole = pickle.loads((tmp_path / "result").read_bytes())
    tests: list[RangeTest] = whole["tests"]
    assert [each.stopped for each in tests] == ["diverged", "finished"]
    for test, own in zip(tests, whole["own"], strict=True):
        assert own[0] != own[1]  # each has other batches
        np.testing.assert_array_equal(test.losses, np.mean(own, axis=0))
    assert whole["restored"] == [True, True]
    plain, after_callback = whole["fits"]
    assert [own[-len(fit) :] for own, fit in zip(after_callback, plain, strict=True)] == plain
    assert {len(own) - len(fit) for own, fit in zip(after_callback, plain, strict=True)} != {0}
