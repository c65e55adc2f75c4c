"""A Trainer of transformers that is the same each time, and range tests of it that go wrong."""

import os
import random
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("torch")
needs("transformers")

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments, default_data_collator

import lrsched
from lrsched_torch.transformers import range_test
from tests.torch.images import image, random_image
from tests.torch.training_run import Planned

RAMP = lrsched.exponential_ramp(1e-4, 0.5, 11)
EXAMPLES, UPDATES, STEPS = 22, 5, 30  # the last batch of an epoch is smaller
HIGH_AFTER = 20  # batches: a loss is high only after the first ten updates
FATES: list[Any] = ["finished", "diverged", "nonfinite", Planned, KeyboardInterrupt]
PLACES = ["loss", "collator", "data", "optimizer", "metrics", "log"]


class Net(nn.Module):
    """Dropout, a buffer that is assigned anew, a frozen weight and an attribute that changes."""

    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.norm = nn.LayerNorm(6)
        self.dropout = nn.Dropout(0.2)
        self.last = nn.Linear(6, 3)
        self.frozen = nn.Linear(3, 3).requires_grad_(False)
        self.register_buffer("mean", torch.zeros(4))
        self.calls = 0

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        self.calls += 1
        self.mean = self.mean * 0.9 + inputs.detach().mean(0)
        hidden = self.dropout(self.norm(self.first(inputs + self.mean).relu()))
        logits = self.frozen(self.last(hidden))
        return {"loss": nn.functional.cross_entropy(logits.float(), labels), "logits": logits}


class Plan:
    """What goes wrong, and where: nothing at first."""

    def __init__(self) -> None:
        self.fate: Any = None
        self.place, self.at = "", 0
        self.calls = dict.fromkeys(PLACES, 0)
        self.overflows = range(0)  # the calls of the loss whose gradients are infinite
        self.own: list[float] = []  # the losses of this process

    def come(self, place: str) -> bool:
        """Count a call of this place, and whether it is to go wrong now."""
        self.calls[place] += 1
        now = place == self.place and self.calls[place] > self.at
        if now and isinstance(self.fate, type):
            raise self.fate("planned")
        return now


class Data(Dataset[dict[str, torch.Tensor]]):
    """Examples with noise from generators of the data set's own."""

    def __init__(self, plan: Plan) -> None:
        self.inputs = torch.randn(EXAMPLES, 4, generator=torch.Generator().manual_seed(0))
        self.noise = np.random.default_rng(1)
        self.plan = plan

    def __len__(self) -> int:
        return EXAMPLES

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        self.plan.come("data")
        inputs = self.inputs[index] + 0.01 * float(self.noise.random())
        return {"inputs": inputs, "labels": inputs[:3].argmax()}


class Watcher(TrainerCallback):
    """A callback that must not run in a test."""

    def __init__(self) -> None:
        self.calls = 0

    def on_train_begin(self, *_: Any, **others: Any) -> None:
        self.calls += 1

    def on_step_end(self, *_: Any, **others: Any) -> None:
        self.calls += 1


class Noisy(Trainer):
    """Overrides the loss, draws from the global generators, keeps what it sees, and logs."""

    plan: Plan
    seen: list[float]

    def compute_loss(self, model: Any, inputs: Any, *rest: Any, **options: Any) -> Any:
        if not model.training:
            return super().compute_loss(model, inputs, *rest, **options)
        bad = self.plan.come("loss")
        inputs["inputs"] = inputs["inputs"] + 0.01 * (random.random() + float(np.random.rand()))
        loss: Any = super().compute_loss(model, inputs, *rest, **options)
        self.seen.append(loss.item())
        if self.plan.calls["loss"] in self.plan.overflows:
            loss.register_hook(lambda gradient: gradient * float("inf"))
        self.log({"own": 1.0})
        if bad and self.plan.fate in ("nonfinite", "diverged"):
            loss = loss * (1e3 if self.plan.fate == "diverged" else float("nan"))
        self.plan.own.append(loss.item())
        return loss


class World:
    """A trainer, the same each time it is made for a folder."""

    def __init__(
        self, folder: Path, optimizer: str = "none", prior: bool = False, **arguments: Any
    ) -> None:
        self.plan = Plan()
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        net, watcher = Net(), Watcher()
        given: Any = (None, None)
        if optimizer != "none":
            groups: list[dict[str, Any]] = [
                {"params": [*net.first.parameters()], "lr": 0.02},
                {"params": [net.last.weight]},
            ]
            made = torch.optim.SGD(groups, lr=0.05, momentum=0.9)
            given = (made, StepLR(made, 2, 0.5) if optimizer == "with a scheduler" else None)
        self.watcher = watcher
        self.folder = folder
        trainer = Noisy(
            net,
            training_arguments(folder, **arguments),
            data_collator=self.collate,
            train_dataset=Data(self.plan),
            eval_dataset=Data(Plan()),
            callbacks=[watcher],
            optimizers=given,
        )
        trainer.plan, trainer.seen = self.plan, []
        self.trainer = trainer
        if prior:
            self.train()

    def collate(self, examples: list[Any]) -> Any:
        self.plan.come("collator")
        return default_data_collator(examples)

    def train(self) -> Any:
        """Train, and return the losses, the weights and what else there is in the end."""
        trainer: Any = self.trainer
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return image([losses, trainer.model, trainer.optimizer.state_dict(), trainer.seen])

    def test(self, fate: Any, place: str, at: int, **options: Any) -> Any:
        """The range test in which something goes wrong."""
        plan = self.plan
        given: dict[str, Any] = {"schedule": RAMP, "steps": STEPS, **options}
        plan.fate, plan.place = fate, place
        plan.at = at + HIGH_AFTER if fate == "diverged" else at
        plan.calls = dict.fromkeys(PLACES, 0)
        handle = register_optimizer_step_pre_hook(self.before_update)
        try:
            return range_test(
                self.trainer,
                metrics=self.metrics,
                every=2,
                log=lambda *_: plan.come("log"),
                divergence=None if fate == "finished" else 50.0,
                progress=False,
                **given,
            )
        finally:
            handle.remove()
            plan.fate = None
            plan.place = ""

    def before_update(self, *_: Any) -> None:
        self.plan.come("optimizer")

    def metrics(self) -> dict[str, float]:
        torch.rand(3), random.random(), np.random.rand()
        self.plan.come("metrics")
        return {"one": 1.0}


def training_arguments(folder: Path, **given: Any) -> TrainingArguments:
    os.environ.pop("ACCELERATE_MIXED_PRECISION", None)  # transformers 4 leaves it set
    options: dict[str, Any] = {
        "max_steps": UPDATES,
        "per_device_train_batch_size": 4,
        "logging_steps": 1,
        "save_strategy": "no",
        "learning_rate": 0.01,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
    }
    return TrainingArguments(output_dir=str(folder), **(options | given))


def state_of(trainer: Trainer) -> Any:
    """The trainer with all that it refers to, and the global random states, as plain values."""
    return image(trainer, {}), random_image()
