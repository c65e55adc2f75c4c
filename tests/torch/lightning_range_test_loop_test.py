"""Range tests in Lightning's loop: which losses and rates they record, for every way to train."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import lightning.pytorch
import numpy as np
import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from lightning.pytorch.tuner import lr_finder
from lightning.pytorch.tuner.tuning import Tuner
from torch import nn
from tqdm.auto import tqdm

import lrsched
import lrsched_torch
from lrsched_torch.lightning import RangeTestCallback
from tests.torch.lightning_run import Fit
from tests.torch.lightning_small import RAMP, STEPS, Net, adam, data, found_in, lbfgs, sgd
from tests.torch.lightning_trainer import IGNORED, quiet_trainer

pytestmark = IGNORED


class Manual(Net):
    """The same training with manual optimization."""

    def __init__(self, optimizers: Any = None) -> None:
        super().__init__(optimizers)
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        optimizer: Any = self.optimizers()
        loss = self.loss(batch)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        return {"loss": loss}


@pytest.mark.parametrize(
    ("make", "optimizers", "options"),
    [
        (Net, sgd, {}),
        (Net, adam, {}),
        (Net, lbfgs, {}),
        (Net, sgd, {"accumulate_grad_batches": 3}),
        (Net, sgd, {"gradient_clip_val": 0.1}),
        (Net, sgd, {"precision": "bf16-mixed"}),
        (Manual, sgd, {}),
        (Manual, sgd, {"precision": "bf16-mixed"}),
    ],
)
def test_the_losses_and_rates_are_those_of_range_test(
    make: Any, optimizers: Any, options: dict[str, Any]
) -> None:
    """To the last bit, with the same model, batches and rates."""
    found = found_in(make(optimizers), trainer=quiet_trainer(**options))
    module = Net(optimizers)
    optimizer = module.configure_optimizers()
    accumulate = options.get("accumulate_grad_batches", 1)
    is_mixed = "precision" in options

    def step(batch: Any) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=is_mixed, cache_enabled=False):
            loss = module.loss(batch)
        (loss / accumulate).backward()
        return loss

    def clip() -> None:
        nn.utils.clip_grad_norm_(module.parameters(), options["gradient_clip_val"])

    wanted = lrsched_torch.range_test(
        *(step, optimizer, data(), RAMP, STEPS),
        accumulate=accumulate,
        before_update=clip if "gradient_clip_val" in options else None,
        progress=False,
    )
    np.testing.assert_array_equal(found.losses, wanted.losses)
    np.testing.assert_array_equal(found.learning_rates, wanted.learning_rates)
    assert found.stopped == wanted.stopped == "finished"


def test_the_losses_are_those_of_lightnings_own_finder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """It shows them smoothed, with a correction of its own, and has another grid of rates."""
    monkeypatch.setattr(lr_finder, "tqdm", functools.partial(tqdm, disable=True))
    low, high, steps = 1e-4, 1.0, 20
    module = Net(lambda net: torch.optim.SGD(net.parameters(), lr=0.1))
    trainer = quiet_trainer(default_root_dir=tmp_path, max_epochs=-1)
    theirs = Tuner(trainer).lr_find(
        *(module, data()),
        min_lr=low,
        max_lr=high,
        num_training=steps,
        early_stop_threshold=None,
        update_attr=False,
    )
    assert theirs is not None
    rates = [low, *(low * (high / low) ** ((k + 1) / steps) for k in range(1, steps))]
    table = lrsched.piecewise_constant(rates, range(1, steps))
    ours = found_in(module, trainer=trainer, schedule=table, steps=steps, divergence=None)
    assert ours.learning_rates.tolist() == theirs.results["lr"]
    average, smoothed = 0.0, []
    for made, loss in enumerate(ours.losses.tolist(), start=1):
        average = 0.98 * average + (1 - 0.98) * loss
        smoothed.append(average / (1 - 0.98 ** (made + 1)))
    assert smoothed == theirs.results["loss"]


class Adversarial(Net):
    """Two optimizers, the second stepped several times for each batch, and two schedulers."""

    def __init__(self, kinds: Any, note: Callable[[Any], object]) -> None:
        super().__init__(self.both)
        self.kinds, self.note = kinds, note
        self.automatic_optimization = False

    def both(self, net: nn.Sequential) -> Any:
        first = self.kinds[0](net[0].parameters(), lr=0.3)
        second = self.kinds[1](net[2].parameters(), lr=0.02)
        for optimizer in (first, second):
            optimizer.register_step_pre_hook(lambda o, *_: self.note(o.param_groups[0]["lr"]))
        self.held = torch.optim.lr_scheduler.StepLR(second, 1, 0.5)
        return [first, second], [torch.optim.lr_scheduler.StepLR(first, 1, 0.5)]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        for optimizer, times in zip(self.optimizers(), (1, 3), strict=True):
            self.toggle_optimizer(optimizer)
            for _ in range(times):
                optimizer.zero_grad()
                loss = self.loss(batch)
                self.manual_backward(loss)
                optimizer.step()
            self.untoggle_optimizer(optimizer)
        self.log_dict({"twice": 2 * loss})
        self.log("loss", loss, on_step=True, on_epoch=True)
        scheduler: Any = self.lr_schedulers()
        scheduler.step()
        self.held.step()


BOTH = torch.optim.SGD, torch.optim.Adam


@pytest.mark.parametrize(("optimizer", "which"), [(0, 0), (1, 1), ("SGD", 0), ("Adam", 1)])
def test_the_rate_of_one_optimizer_of_several_rises(optimizer: Any, which: int) -> None:
    """The other keeps its rate, schedulers do nothing, and the steps of a batch share a rate."""
    used: list[float] = []
    module = Adversarial(BOTH, used.append)
    found = found_in(module, optimizer=optimizer, monitor="twice", divergence=None)
    rates = found.learning_rates.tolist()
    assert rates == [RAMP(update) for update in range(STEPS)]
    wanted = [[rate, *[0.02] * 3] if which == 0 else [0.3, *[rate] * 3] for rate in rates]
    assert np.array(used).reshape(-1, 4).tolist() == wanted


def test_a_logged_metric_stands_for_the_loss() -> None:
    once, twice = (
        found_in(Adversarial(BOTH, [].append), monitor=name, divergence=None)
        for name in ("loss_step", "twice")
    )
    np.testing.assert_array_equal(2 * once.losses, twice.losses)


def test_updates_that_a_scaler_skips_are_repeated() -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30)
    precision = MixedPrecision("16-mixed", "cpu", scaler)
    before = scaler.state_dict()
    found = found_in(Net(), trainer=quiet_trainer(plugins=[precision]))
    assert scaler.state_dict() == before
    module = Net()

    def step(batch: Any) -> torch.Tensor:
        with torch.autocast("cpu", torch.half, cache_enabled=False):
            loss = module.loss(batch)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer = module.configure_optimizers()
    wanted = lrsched_torch.range_test(
        *(step, optimizer, data(), RAMP, STEPS), scaler=scaler, progress=False
    )
    assert (found.stopped, len(found.losses)) == ("finished", STEPS)
    np.testing.assert_array_equal(found.losses, wanted.losses)
    np.testing.assert_array_equal(found.learning_rates, wanted.learning_rates)


def test_the_log_and_the_metrics_of_updates(tmp_path: Any) -> None:
    seen: list[Any] = []
    trainer = quiet_trainer(default_root_dir=tmp_path, enable_checkpointing=True, logger=True)
    found = found_in(
        *(Net(), data(), trainer),
        log=lambda values, update: seen.append((update, *values.values())),
        metrics=lambda: {"one": 1.0},
        every=5,
        label="mine",
    )
    rates, losses = found.learning_rates.tolist(), found.losses.tolist()
    assert seen == [*zip(range(STEPS), rates, losses, strict=True)]
    assert found.metrics["one"].tolist() == [[0, 1], [5, 1], [10, 1]]
    assert found.label == "mine"
    assert not [*tmp_path.iterdir()]


def test_limits_of_the_trainer_are_seen_by_configure_optimizers() -> None:
    """A schedule over the planned updates can be made, though the test has no such limit."""

    def one_cycle(net: nn.Sequential) -> Any:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        total = int(module.trainer.estimated_stepping_batches)
        note(total)
        return [optimizer], [torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total)]

    totals: list[int] = []
    note = totals.append
    module = Net(one_cycle)
    found_in(module, trainer=quiet_trainer(max_epochs=1))
    assert totals == [6]


def test_a_compiled_module() -> None:
    module = torch.compile(Net(), backend="eager")
    np.testing.assert_array_equal(found_in(module).losses, found_in(Net()).losses)


@pytest.mark.filterwarnings("ignore:.*pkg_resources")
def test_the_older_package() -> None:
    older: ModuleType = needs("pytorch_lightning")
    runs = [Fit("manual", package=package) for package in (lightning.pytorch, older)]
    found = [fit.test(("finished", "", 0)) for fit in runs]
    np.testing.assert_array_equal(found[0].losses, found[1].losses)
    assert runs[0].image() == runs[1].image()
    callback = RangeTestCallback(schedule=RAMP, steps=STEPS, progress=False)
    assert isinstance(callback, (lightning.pytorch.Callback, older.Callback))
    fit = Fit("automatic", package=older, callback=callback)
    fit.fit()
    assert callback.result is not None
    assert len(callback.result.losses) == STEPS
