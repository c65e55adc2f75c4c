"""Lightning's Trainer steps the schedulers here, and its checkpoints resume them."""

import functools
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import BaseFinetuning
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

import lrsched
from lrsched import Schedule
from lrsched.controllers import reduce_on_plateau
from lrsched_torch import ControlledLR, lambda_lr

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}")
    for message in (  # Lightning's
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",
        "The 'train_dataloader' does not have many workers",
        "You're resuming from a checkpoint that ended before the epoch ended",
    )
]

BATCHES = 6
EPOCHS = 5
LOSSES = (2.0, 1.0, 1.0, 1.0, 1.0)
RECIPE = lrsched.warmup(lrsched.cosine_decay(0.1, 12), 4)
IN_EPOCHS = lrsched.multi_step_decay(0.1, 0.5, (1, 2))


class Net(pl.LightningModule):
    """Records the learning rate of each update, and keeps a checkpoint after each in a folder."""

    def __init__(self, made: Any, folder: Path | None = None, **config: Any) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.made = made
        self.folder = folder
        self.config = config
        self.rates: list[float] = []

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        loss = LOSSES[self.current_epoch]
        self.log("loss", loss, on_step=False, on_epoch=True)
        return self.weight.sum() * batch[0].mean()

    def on_train_batch_end(self, *_: Any) -> None:
        if self.folder is not None:
            path = self.folder / f"{self.global_step}.ckpt"
            if not path.exists():  # an update was made
                self.trainer.save_checkpoint(path)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        optimizer.register_step_pre_hook(
            lambda optimizer, *_: self.rates.append(optimizer.param_groups[0]["lr"])
        )
        scheduler = self.made(optimizer)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, **self.config},
        }


def scheduled(schedule: Schedule) -> Any:
    return functools.partial(lambda_lr, schedule=schedule)


def fitted(net: Net, ckpt_path: Path | None = None, **options: Any) -> list[float]:
    """The learning rates of the updates of a training run."""
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    data: Any = DataLoader(TensorDataset(torch.ones(2 * BATCHES, 1)), batch_size=2)
    trainer.fit(net, data, ckpt_path=ckpt_path)
    return net.rates


def resumed(net: Net, folder: Path, **options: Any) -> list[list[float]]:
    """The learning rates of a run, and of what follows each of its checkpoints."""
    runs = [fitted(Net(net.made, folder, **net.config), **options)]
    for step in range(1, len(runs[0])):
        again = Net(net.made, **net.config)
        runs.append(fitted(again, folder / f"{step}.ckpt", **options))
    return runs


def test_a_schedule_is_stepped_once_an_update() -> None:
    wanted = [RECIPE(count) for count in range(EPOCHS * BATCHES)]
    assert fitted(Net(scheduled(RECIPE), interval="step")) == wanted


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        (IN_EPOCHS, "epoch"),
        (lrsched.from_epochs(IN_EPOCHS, BATCHES, stepwise=True), "step"),
    ],
)
def test_a_schedule_in_epochs(schedule: Schedule, interval: str) -> None:
    wanted = [IN_EPOCHS(epoch) for epoch in range(EPOCHS) for _ in range(BATCHES)]
    assert fitted(Net(scheduled(schedule), interval=interval)) == wanted


def test_accumulated_batches_are_one_update() -> None:
    """The last update of an epoch has the batches that are left."""
    updates = EPOCHS * -(-BATCHES // 4)
    wanted = [RECIPE(count) for count in range(updates)]
    net = Net(scheduled(RECIPE), interval="step")
    assert fitted(net, accumulate_grad_batches=4) == wanted


@pytest.mark.parametrize("accumulated", [1, 4])
@pytest.mark.parametrize(("schedule", "interval"), [(RECIPE, "step"), (IN_EPOCHS, "epoch")])
def test_resuming_changes_no_learning_rate(
    schedule: Schedule, interval: str, accumulated: int, tmp_path: Path
) -> None:
    """From a checkpoint after every update: in the middle of an epoch, and at its end."""
    net = Net(scheduled(schedule), interval=interval)
    wanted, *runs = resumed(net, tmp_path, accumulate_grad_batches=accumulated)
    assert len(set(wanted)) > 2
    for step, rates in enumerate(runs, start=1):
        assert rates == wanted[step:]


PLATEAU = reduce_on_plateau(0.1, decay_rate=0.5, patience=0)


def plateau(optimizer: torch.optim.Optimizer) -> ControlledLR:
    return ControlledLR(optimizer, PLATEAU)


def torchs_plateau(optimizer: torch.optim.Optimizer) -> ReduceLROnPlateau:
    return ReduceLROnPlateau(optimizer, factor=0.5, patience=0)


def test_a_plateau_observes_its_monitor_after_each_epoch() -> None:
    state = PLATEAU.init()
    wanted = []
    for loss in LOSSES:
        wanted += [state.value] * BATCHES
        state = PLATEAU.update(state, loss)
    assert len(set(wanted)) == 3
    assert fitted(Net(plateau, monitor="loss")) == wanted


def test_a_plateau_resumes_as_torchs(tmp_path: Path) -> None:
    """Lightning lets the metric of the epoch in which it was interrupted go unobserved."""
    found = []
    for made in (plateau, torchs_plateau):
        folder = tmp_path / made.__name__
        found.append(resumed(Net(made, monitor="loss"), folder))
    assert found[0] == found[1]
    wanted, *runs = found[0]
    last = BATCHES * (EPOCHS - 1)
    assert runs[last:] == [wanted[step:] for step in range(last + 1, len(wanted))]


BOTH = lrsched.warmup(lrsched.cosine_decay(0.1, 40), 4) * reduce_on_plateau(
    decay_rate=0.5, patience=0
)


def rates_of_both(observed: range) -> list[float]:
    """The rates of a run of `BOTH` that observes the loss of the epoch after these updates."""
    state, rates = BOTH.init_state(), []
    for update in range(EPOCHS * BATCHES):
        rates.append(BOTH.with_state(state)(update))
        if update in observed:
            state = BOTH.observe(state, LOSSES[update // BATCHES])
    return rates


def of_updates(optimizer: torch.optim.Optimizer) -> ControlledLR:
    return ControlledLR(optimizer, BOTH, count_updates=True)


def test_a_schedule_of_updates_and_a_monitor_of_epochs(tmp_path: Path) -> None:
    wanted = rates_of_both(range(BATCHES - 1, EPOCHS * BATCHES, BATCHES))
    assert fitted(Net(of_updates, monitor="loss")) == wanted
    rates, *runs = resumed(Net(of_updates, monitor="loss"), tmp_path)
    assert rates == wanted
    last = BATCHES * (EPOCHS - 1)
    assert runs[last:] == [wanted[step:] for step in range(last + 1, len(wanted))]


def test_a_monitor_of_steps() -> None:
    """Both are then of updates, and one `step(metric)` an update is all that Lightning calls."""

    class Logged(Net):
        def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
            self.log("loss", LOSSES[self.current_epoch], on_step=True, on_epoch=False)
            return self.weight.sum() * batch[0].mean()

    def of_steps(optimizer: torch.optim.Optimizer) -> ControlledLR:
        return ControlledLR(optimizer, BOTH)

    wanted = rates_of_both(range(EPOCHS * BATCHES))
    assert fitted(Logged(of_steps, monitor="loss", interval="step")) == wanted


class Unfreezing(BaseFinetuning):
    """Trains the backbone from the second epoch on, at a tenth of the rate of that moment."""

    def freeze_before_training(self, pl_module: Any) -> None:
        self.freeze(pl_module.backbone)

    def finetune_function(self, pl_module: Any, epoch: int, optimizer: Any) -> None:
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.backbone, optimizer, initial_denom_lr=10)


class Finetuned(Net):
    """A net with a backbone, that records the learning rates of all groups."""

    def __init__(self, made: Any, folder: Path | None = None, **config: Any) -> None:
        super().__init__(made, folder, **config)
        self.backbone = torch.nn.Linear(1, 1)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD([self.weight], lr=0.7)
        optimizer.register_step_pre_hook(
            lambda optimizer, *_: self.rates.append([g["lr"] for g in optimizer.param_groups])  # type: ignore[arg-type]  # all groups, not the first
        )
        scheduler = self.made(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, **self.config}}


def test_a_backbone_that_is_unfrozen_keeps_a_tenth_of_the_rate(tmp_path: Path) -> None:
    """Lightning#8720, on a curve that is not flat; and from every checkpoint."""
    fall = lrsched.cosine_decay(0.1, EPOCHS * BATCHES, 0.001)
    made = scheduled(fall)
    rates: Any = fitted(Finetuned(made, tmp_path, interval="step"), callbacks=[Unfreezing()])
    for count, found in enumerate(rates):
        wanted = [fall(count), *([fall(count) / 10] if count >= BATCHES else [])]
        assert found == pytest.approx(wanted, rel=1e-14, abs=0)
    steps = [*range(1, len(rates))]
    steps.remove(BATCHES)  # Lightning does not call the callback when it resumes there
    for step in steps:
        net = Finetuned(made, interval="step")
        resumed_rates = fitted(net, tmp_path / f"{step}.ckpt", callbacks=[Unfreezing()])
        assert resumed_rates == rates[step:]
