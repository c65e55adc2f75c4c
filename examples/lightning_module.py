"""Train a LightningModule with a schedule, at the rate that a range test suggests.

The range test of handwritten digits is a fit in Lightning's own loop that is undone afterwards; the
schedule of its result goes into `configure_optimizers`, with the step as its interval. A
LearningRateMonitor logs the rates, which are those of the schedule:
`python examples/lightning_module.py` writes `demo/lightning_module.png`.
"""

import argparse
import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from data import digits
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger
from matplotlib import pyplot
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lrsched
import lrsched_torch
import lrsched_torch.lightning


class Digits(LightningModule):
    """A network for handwritten digits, with a constant rate until it has a schedule."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        self.schedule: lrsched.Schedule = lrsched.constant(1e-3)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        images, labels = batch
        loss = nn.functional.cross_entropy(self.network(images), labels)
        self.log("loss", loss)
        return loss

    def test_step(self, batch: Any, batch_idx: int) -> None:
        images, labels = batch
        self.log("accuracy", (self.network(images).argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters())
        scheduler = lrsched_torch.lambda_lr(optimizer, self.schedule)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def logged(logger: CSVLogger, name: str) -> list[float]:
    """The numbers that were logged under a name."""
    with (Path(logger.log_dir) / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A range test and training in Lightning.")
    parser.add_argument("--steps", type=int, default=600, help="updates (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("demo/lightning_module.png"))
    options = parser.parse_args(arguments)
    seed_everything(0)
    data, held_out = (TensorDataset(*map(torch.from_numpy, part)) for part in digits())
    loader = DataLoader(data, 64, shuffle=True)
    module = Digits()
    run: Any = {"total_steps": options.steps, "epoch_steps": len(loader)}

    with tempfile.TemporaryDirectory() as folder:
        logger = CSVLogger(folder)
        trainer = Trainer(
            max_steps=options.steps,
            accelerator="cpu",
            callbacks=[LearningRateMonitor(logging_interval="step")],
            logger=logger,
            log_every_n_steps=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        test = lrsched_torch.lightning.range_test(trainer, module, loader, progress=False)
        print(f"range test: {test.summary}")
        module.schedule = test.warmup_cosine(**run)
        print(f"schedule: {module.schedule!r}")
        trainer.fit(module, loader)
        accuracy = trainer.test(module, DataLoader(held_out, 64), verbose=False)[0]["accuracy"]
        rates, losses = logged(logger, "lr-AdamW"), logged(logger, "loss")
    largest = max(abs(module.schedule(step) - rate) for step, rate in enumerate(rates))
    print(f"held-out accuracy: {accuracy:.3f}")
    print(f"largest difference of the logged rates from the schedule: {largest}")

    figure, axes = pyplot.subplot_mosaic("AA;BC", figsize=(8, 5.6), layout="constrained")
    test.plot(ax=axes["A"], shape="warmup_cosine", **run)
    axes["A"].legend(frameon=False, fontsize="small")
    axes["A"].set_title("Range test in Lightning, and what the fit after it logged")
    axes["B"].plot(rates)
    axes["B"].set(xlabel="update", ylabel="learning rate")
    axes["C"].plot(losses, lw=0.8)
    axes["C"].set(xlabel="update", ylabel="loss", yscale="log")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=80)


if __name__ == "__main__":
    main()
