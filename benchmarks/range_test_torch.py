"""Range tests in torch.

A test of 200 updates, the state before it kept and put back, with losses that never stop it. The
bare loop makes the same updates with the same rates and notes the losses, and that is all: nothing
can be faster. The peers use their defaults but for that; their logs and bars are off. The models
are small, for what a test adds to an update shows beside a short one. fastai, which the development
environment has not, asks for a torchvision that fits this torch; it is measured without.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import itertools
import logging
import math
import tempfile
import warnings
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import patch

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm.auto import tqdm

import lrsched
from benchmarks.measure import GPU_ONLY, Row, Section, in_turns, run_section
from lrsched_torch import range_test

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from ignite.engine import Engine
    from ignite.handlers import FastaiLRFinder
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.tuner import lr_finder
    from lightning.pytorch.tuner.tuning import Tuner

UPDATES, BATCH = 200, 64
LOW, DIVERGENCE_QUANTILE = 1e-6, 0.1
RAMP = lrsched.exponential_ramp(LOW, DIVERGENCE_QUANTILE, UPDATES - 1)
REPEATS = {"a multilayer perceptron": 15, "a small convolutional network": 9}

Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def convolutional() -> nn.Module:
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 8, 8))]
    for inputs, outputs in ((1, 8), (8, 16)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10))


class Training:
    """A model with its optimizer, and a step of training without the update."""

    def __init__(self, make: Callable[[], nn.Module], device: str) -> None:
        torch.manual_seed(0)
        self.device = device
        self.model = make().to(device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LOW, momentum=0.9)

    def step(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        loss = loss_of(self.model, [part.to(self.device) for part in batch])
        loss.backward()  # type: ignore[no-untyped-call]
        return loss


def loss_of(model: nn.Module, batch: Any) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def batches(ready: bool, device: str) -> Batches:
    digits = load_digits()
    inputs = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    data = TensorDataset(inputs, torch.tensor(digits.target))
    loader = DataLoader(data, BATCH, shuffle=True, drop_last=True)
    return [(x.to(device), y.to(device)) for x, y in loader] if ready else loader


def ours(training: Training, data: Batches) -> None:
    test = range_test(
        training.step,
        training.optimizer,
        data,
        RAMP,
        UPDATES,
        divergence=None,
        progress=False,
    )
    assert len(test.losses) == UPDATES


def bare(training: Training, data: Batches) -> None:
    losses = []
    without_end = itertools.chain.from_iterable(itertools.repeat(data))
    for update, batch in zip(range(UPDATES), without_end, strict=False):
        for group in training.optimizer.param_groups:
            group["lr"] = RAMP(update)
        training.optimizer.zero_grad()
        losses.append(training.step(batch).detach())
        training.optimizer.step()
    torch.stack(losses).tolist()  # which waits for the device


def ignite(training: Training, data: Batches, folder: str) -> Callable[[], None]:
    def update(engine: Engine, batch: Any) -> torch.Tensor:
        training.optimizer.zero_grad()
        loss = training.step(batch)
        training.optimizer.step()
        return loss

    def find() -> None:
        trainer, finder = Engine(update), FastaiLRFinder()
        kept = {"model": training.model, "optimizer": training.optimizer}
        with finder.attach(
            trainer,
            kept,
            num_iter=UPDATES,
            start_lr=LOW,
            end_lr=DIVERGENCE_QUANTILE,
            diverge_th=math.inf,
        ) as attached:
            attached.run(data, max_epochs=1, epoch_length=UPDATES)
        assert len(finder.get_results()["loss"]) == UPDATES

    return find


class Module(LightningModule):
    """The same training for Lightning."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def training_step(self, batch: Any) -> torch.Tensor:
        return loss_of(self.model, batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.model.parameters(), lr=LOW, momentum=0.9)


def lightning(training: Training, data: Batches, folder: str) -> Callable[[], None]:
    """Its module and trainer are made once."""
    module = Module(training.model)
    trainer = Trainer(
        accelerator="cpu" if training.device == "cpu" else "gpu",
        devices=1,
        max_epochs=-1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
    )

    def find() -> None:
        finder = Tuner(trainer).lr_find(
            module,
            data,
            min_lr=LOW,
            max_lr=DIVERGENCE_QUANTILE,
            num_training=UPDATES,
            early_stop_threshold=None,
            update_attr=False,
        )
        assert finder is not None
        assert len(finder.results["loss"]) == UPDATES

    return find


def torch_lr_finder(training: Training, data: Batches, folder: str) -> Callable[[], None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_lr_finder import LRFinder, lr_finder

    lr_finder.tqdm = NO_BAR

    def find() -> None:
        finder = LRFinder(
            training.model, training.optimizer, nn.CrossEntropyLoss(), training.device
        )
        with contextlib.redirect_stdout(io.StringIO()):
            finder.range_test(
                data,
                start_lr=LOW,
                end_lr=DIVERGENCE_QUANTILE,
                num_iter=UPDATES,
                diverge_th=math.inf,
            )
        finder.reset()
        assert len(finder.history["loss"]) == UPDATES

    return find


def fastai(training: Training, data: Batches, folder: str) -> Callable[[], None]:
    """Its learner is made once."""
    import fastai.callback.progress
    import fastai.callback.schedule  # noqa: F401  # both add methods to the learner
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import SGD

    learner = Learner(
        DataLoaders(data, data, device=training.device),
        training.model,
        nn.CrossEntropyLoss(),
        functools.partial(SGD, mom=0.9),
        path=folder,
    )

    def find() -> None:
        with learner.no_bar():
            learner.lr_find(LOW, DIVERGENCE_QUANTILE, UPDATES, stop_div=False, show_plot=False)
        assert len(learner.recorder.losses) == UPDATES

    return find


NO_BAR = functools.partial(tqdm, disable=True)
PEERS: dict[str, tuple[str, Callable[[Training, Batches, str], Callable[[], None]]]] = {
    "ignite": ("ignite's `FastaiLRFinder`", ignite),
    "lightning": ("Lightning's `Tuner.lr_find`", lightning),
    "torch_lr_finder": ("pytorch-lr-finder's `LRFinder`", torch_lr_finder),
    "fastai": ("fastai's `Learner.lr_find`", fastai),
}


def ended(work: Callable[[], None]) -> Callable[[], None]:
    """The work, and waiting for the GPU if there is one."""

    def run() -> None:
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return run


def measure(section: Section, device: str, folder: str) -> None:
    where = "" if device == "cpu" else " on the GPU"
    for name, make in zip(REPEATS, (perceptron, convolutional), strict=True):

        def add(feed: str, peer: str, theirs: Callable[[], None], goal: float) -> None:
            mine = Training(make, device)  # noqa: B023
            data = batches(feed == "ready batches", device)
            tested = ended(lambda: ours(mine, data))
            figure = in_turns(tested, ended(theirs), REPEATS[name], warmup=1)  # noqa: B023
            section.add(Row(f"{name}{where}, {feed}", peer, figure, goal))  # noqa: B023

        for feed in ("ready batches", "a `DataLoader`"):
            data, training = batches(feed == "ready batches", device), Training(make, device)
            add(feed, "the bare loop", lambda: bare(training, data), 1.03)  # noqa: B023
        for module, (peer, prepared) in PEERS.items():
            if importlib.util.find_spec(module) is not None:
                add(feed, peer, prepared(Training(make, device), data, folder), 1.0)


def fill(section: Section) -> None:
    for name in ("lightning.pytorch", "ignite"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with patch.object(lr_finder, "tqdm", NO_BAR), tempfile.TemporaryDirectory() as folder:
        if not GPU_ONLY:
            measure(section, "cpu", folder)
        if torch.cuda.is_available():
            measure(section, "cuda", folder)
        else:
            section.missing.append("range tests in torch on a GPU")
    for module, (peer, _) in PEERS.items():
        if importlib.util.find_spec(module) is None:
            section.missing.append(f"{peer}, which is not installed")


if __name__ == "__main__":
    run_section(fill)
