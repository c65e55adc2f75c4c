"""Range tests in Lightning by a strategy that starts two processes."""

import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as pl

import lrsched
from lrsched_torch.lightning import RangeTestCallback, range_test

STEPS = 30


class Net(pl.LightningModule):
    """Notes in a file, of each process its own, the losses of its batches."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.folder = folder

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        (x,) = batch
        loss: torch.Tensor = ((self.net(x) - x.sum(1, keepdim=True)) ** 2).mean()
        with (self.folder / f"losses {self.global_rank}").open("a") as file:
            file.write(f"{loss.item()}\n")
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.net.parameters(), lr=0.1)


def image(module: nn.Module) -> list[bytes]:
    tensors = [*module.parameters(), torch.get_rng_state()]
    return [x.detach().numpy().tobytes() for x in tensors]


def own_losses(folder: Path) -> list[list[float]]:
    """The losses that the processes have noted, and forget them."""
    paths = [folder / f"losses {rank}" for rank in range(2)]
    losses = [[float(line) for line in path.read_text().splitlines()] for path in paths]
    for path in paths:
        path.unlink()
    return losses


def trainer_of(folder: Path, strategy: str, **options: Any) -> Any:
    return pl.Trainer(
        accelerator="cpu",
        devices=2,
        strategy=strategy,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **options,
    )


def main(folder: Path, strategy: str) -> None:
    torch.set_num_threads(1)
    inputs = torch.randn(40, 4, generator=torch.Generator().manual_seed(1))
    loader = DataLoader(TensorDataset(inputs), 4)
    module, trainer = Net(folder), trainer_of(folder, strategy)
    before, attributes = image(module), [vars(trainer).copy(), vars(trainer.strategy).copy()]
    found: dict[str, Any] = {"tests": [], "own": [], "restored": [], "fits": []}
    for high in (100.0, 0.1):
        ramp = lrsched.exponential_ramp(1e-3, high, STEPS - 1)
        options: Any = {"schedule": ramp, "steps": STEPS, "progress": False}
        found["tests"].append(range_test(trainer, module, loader, **options))
        found["own"].append(own_losses(folder))
        now = [vars(trainer), vars(trainer.strategy)]
        found["restored"].append(image(module) == before and now == attributes)
    refined: Any = {"low": 1e-2, "high": 10.0, "steps": 20, "refine": True, "probe_steps": 6}
    test = range_test(trainer, module, loader, **refined, max_steps=70, progress=False)
    found["refined"] = test, own_losses(folder), image(module) == before
    trainer.fit(module, loader)
    found["fits"].append(own_losses(folder))
    tests = RangeTestCallback(steps=STEPS, progress=False)
    trainer_of(folder, strategy, callbacks=[tests]).fit(Net(folder), loader)
    found["fits"].append(own_losses(folder))
    (folder / "result").write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    os.environ["MASTER_ADDR"] = "localhost"
    main(Path(sys.argv[1]), sys.argv[2] if sys.argv[2:] else "ddp_fork")
