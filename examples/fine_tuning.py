"""Fine-tune in torch with rates that fall with depth, and compare with one rate for all layers.

A network learns the digits 0 to 4, and is then fine-tuned on 100 images of 5 to 9 with a new head.
For each of several peaks the picture shows how well it knows the new digits, and, with its old
head, still the old ones; with `layerwise_groups` each layer has 0.6 times the rate of the next:
`python examples/fine_tuning.py` writes `demo/fine_tuning.png`.
"""

import argparse
import copy
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import digits
from matplotlib import pyplot
from torch import nn

import lrsched
import lrsched_torch

Pairs = tuple[torch.Tensor, torch.Tensor]  # images and labels

BATCH_SIZE = 32
EXAMPLES = 100  # of fine-tuning
PEAKS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1]
DECAY_RATES = {"one rate for all layers": 1.0, "layer-wise, 0.6 a layer": 0.6}


def new_model() -> nn.Sequential:
    hidden = [nn.Sequential(nn.Linear(64, 64), nn.ReLU()) for _ in range(3)]
    return nn.Sequential(*hidden, nn.Linear(64, 5))


def train(
    model: nn.Module, groups: Iterable[Any], schedule: lrsched.Schedule, data: Pairs, steps: int
) -> None:
    images, labels = data
    optimizer = torch.optim.AdamW(groups)
    scheduler = lrsched_torch.lambda_lr(optimizer, schedule)
    for _ in range(steps):
        rows = torch.randint(len(labels), (BATCH_SIZE,))
        loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        scheduler.step()


@torch.no_grad()
def accuracy(model: nn.Module, data: Pairs) -> float:
    return float((model(data[0]).argmax(1) == data[1]).float().mean())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Layer-wise rates in fine-tuning.")
    parser.add_argument("--steps", type=int, default=100, help="of a fine-tuning (%(default)s)")
    parser.add_argument("--repeats", type=int, default=8, help="with other images (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("demo/fine_tuning.png"))
    options = parser.parse_args(arguments)
    parts = [tuple(map(torch.from_numpy, part)) for part in digits()]
    old, old_held_out = ((x[y < 5], y[y < 5]) for x, y in parts)
    new, new_held_out = ((x[y >= 5], y[y >= 5] - 5) for x, y in parts)

    torch.manual_seed(0)
    pretrained = new_model()
    schedule = lrsched.warmup_cosine(0.003, total_steps=300, warmup_steps=30)
    train(pretrained, pretrained.parameters(), schedule, old, 300)
    print(f"pretraining: {schedule!r}, accuracy {accuracy(pretrained, old_held_out):.3f}")

    def fine_tuned(peak: float, decay_rate: float, seed: int) -> tuple[float, float]:
        """Accuracies after fine-tuning: on the new digits, and with the old head on the old."""
        torch.manual_seed(seed)
        model = copy.deepcopy(pretrained)
        model[-1] = nn.Linear(64, 5)
        groups = lrsched_torch.layerwise_groups(model, lr=1.0, decay_rate=decay_rate)
        schedule = lrsched.warmup_cosine(peak, options.steps, warmup_steps=options.steps // 10)
        rows = torch.randperm(len(new[1]))[:EXAMPLES]
        train(model, groups, schedule, (new[0][rows], new[1][rows]), options.steps)
        with_old_head = nn.Sequential(*list(model)[:-1], pretrained[-1])
        return accuracy(model, new_held_out), accuracy(with_old_head, old_held_out)

    figure, ax = pyplot.subplots(figsize=(7, 4.4), layout="constrained")
    print(f"{'accuracy on new, old digits; peak':34}", *(f"{peak:>11}" for peak in PEAKS))
    for name, decay_rate in DECAY_RATES.items():
        seeds = range(options.repeats)
        found = np.array([[fine_tuned(peak, decay_rate, n) for n in seeds] for peak in PEAKS])
        means = found.mean(axis=1)
        print(f"{name:34}", *(f"{on_new:.3f} {on_old:.3f}" for on_new, on_old in means))
        ax.plot(*means.T, "o-", label=name)
        is_left = decay_rate == 1.0
        side: Any = {
            "xytext": (-5, -10) if is_left else (5, 4),
            "ha": "right" if is_left else "left",
        }
        for place, peak in zip(means, PEAKS, strict=True):
            ax.annotate(f"{peak}", place, textcoords="offset points", fontsize="small", **side)
    ax.set(xlabel="held-out accuracy on the new digits", ylabel="accuracy kept on the old digits")
    ax.set_title(f"Fine-tuning on {EXAMPLES} images, by the peak of the learning rate")
    ax.legend(frameon=False)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=80)


if __name__ == "__main__":
    main()
