"""Train in a plain torch loop, with a rate for each param group, and resume exactly.

A run on handwritten digits saves everything after half of its epochs, and goes on; a second run
loads that into new objects and trains the same second half. Both end with the same weights, and the
backbone has a tenth of the head's learning rate throughout:
`python examples/torch_loop.py` writes `demo/torch_loop.png`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from data import digits
from matplotlib import pyplot
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lrsched
import lrsched_torch


class Training:
    """Everything that a checkpoint holds: the model, optimizer, scheduler and random states."""

    def __init__(self, dataset: TensorDataset, epochs: int, seed: int) -> None:
        torch.manual_seed(seed)
        backbone, head = (
            nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout()),
            nn.Linear(64, 10),
        )
        self.model = nn.Sequential(backbone, head)
        slow = {"params": backbone.parameters(), "lr": 0.1}  # a tenth of the schedule's value
        self.optimizer = torch.optim.AdamW([slow, {"params": head.parameters(), "lr": 1.0}])
        self.generator = torch.Generator().manual_seed(seed)
        self.loader = DataLoader(dataset, 64, shuffle=True, generator=self.generator)
        steps = len(self.loader)  # in an epoch
        self.schedule = lrsched.warmup_cosine(0.02, epochs * steps, warmup_steps=steps)
        self.scheduler = lrsched_torch.lambda_lr(self.optimizer, self.schedule)

    def train(self, epochs: int) -> list[list[Any]]:
        """Train, and return the learning rates of the groups and the loss of each update."""
        history = []
        for _ in range(epochs):
            for images, labels in self.loader:
                rates = self.scheduler.get_last_lr()
                loss = nn.functional.cross_entropy(self.model(images), labels)
                self.optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
                self.scheduler.step()
                history.append([*rates, loss.item()])
        return history

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "loader": self.generator.get_state(),
            "torch": torch.get_rng_state(),  # of the dropout
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.generator.set_state(state["loader"])
        torch.set_rng_state(state["torch"])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train in a torch loop, and resume exactly.")
    parser.add_argument("--epochs", type=int, default=40, help="of the training (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("demo/torch_loop.png"))
    options = parser.parse_args(arguments)
    epochs, half = options.epochs, options.epochs // 2
    data, held_out = (TensorDataset(*map(torch.from_numpy, part)) for part in digits())
    training = Training(data, epochs, seed=0)
    print(f"schedule: {training.schedule!r}")
    first = training.train(half)
    with tempfile.TemporaryDirectory() as folder:
        torch.save(training.state_dict(), Path(folder) / "run.pt")
        second = training.train(epochs - half)
        resumed = Training(data, epochs, seed=1)  # as a new process would make it
        resumed.load_state_dict(torch.load(Path(folder) / "run.pt", weights_only=True))
    third = resumed.train(epochs - half)

    images, labels = held_out.tensors
    with torch.no_grad():
        pairs = zip(training.model.parameters(), resumed.model.parameters(), strict=True)
        difference = max(float((a - b).abs().max()) for a, b in pairs)
        accuracy = (training.model.eval()(images).argmax(1) == labels).float().mean()
    print(f"held-out accuracy: {accuracy:.3f}")
    print(f"largest difference of the resumed weights: {difference}")

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    backbone, head, losses = zip(*first, *second, strict=True)
    updates = range(len(first), len(losses))
    pale: Any = {"color": "#82b7e6", "lw": 3}
    dark: Any = {"color": "#a8380a", "lw": 1}
    left.plot(head, **pale, label="head")
    left.plot(backbone, **pale, ls=":", label="backbone")
    left.plot(updates, [each[:2] for each in third], **dark)
    left.set(xlabel="update", ylabel="learning rate")
    right.plot(losses, **pale, label="not stopped")
    right.plot(updates, [each[2] for each in third], **dark, label="resumed")
    right.set(xlabel="update", ylabel="loss", yscale="log")
    for ax in (left, right):
        ax.axvline(updates[0], color="0.6", ls="--", label="checkpoint")
        ax.legend(frameon=False)
    figure.suptitle("A torch loop with two param groups, resumed from its checkpoint")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=80)


if __name__ == "__main__":
    main()
