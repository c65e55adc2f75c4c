"""The Trainer of transformers steps the schedulers here, and its checkpoints resume them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("torch")
needs("transformers")

import pytest
import torch
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

import lrsched
from lrsched.controllers import reduce_on_plateau
from lrsched_torch import ControlledLR, lambda_lr

EXAMPLES = 24
EPOCHS = 5
RECIPE = lrsched.warmup(lrsched.cosine_decay(0.1, 24), 4)
PLATEAU = reduce_on_plateau(0.1, decay_rate=0.5, patience=0)
LOSSES = (2.0, 1.0, 1.0, 1.0, 1.0)  # after each epoch


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.weight * inputs).mean(), "logits": inputs}


class Ones(Dataset[dict[str, torch.Tensor]]):
    def __len__(self) -> int:
        return EXAMPLES

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"inputs": torch.ones(1), "labels": torch.ones(1)}


def scheduled(optimizer: torch.optim.Optimizer) -> Any:
    return lambda_lr(optimizer, RECIPE)


def plateau(optimizer: torch.optim.Optimizer) -> Any:
    return ControlledLR(optimizer, PLATEAU)


def trained(
    folder: Path,
    made: Callable[[torch.optim.Optimizer], Any],
    resume_from: str | None = None,
    **options: Any,
) -> list[float]:
    """The learning rates of the updates of a training run."""
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    rates: list[float] = []
    optimizer.register_step_pre_hook(
        lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"])
    )
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=4,
        per_device_eval_batch_size=EXAMPLES,
        metric_for_best_model="metric",
        greater_is_better=False,
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        **options,
    )
    trainer = Trainer(
        net,
        arguments,
        train_dataset=Ones(),
        eval_dataset=Ones(),
        compute_metrics=lambda _: {"metric": LOSSES[round(trainer.state.epoch) - 1]},
        optimizers=(optimizer, made(optimizer)),
    )
    trainer.train(resume_from_checkpoint=resume_from)
    return rates


@pytest.mark.parametrize("accumulated", [1, 4])
def test_a_schedule_is_stepped_once_an_update(accumulated: int, tmp_path: Path) -> None:
    """The last update of an epoch has the batches that are left."""
    updates = EPOCHS * -(-EXAMPLES // 4 // accumulated)
    wanted = [RECIPE(count) for count in range(updates)]
    found = trained(
        tmp_path, scheduled, gradient_accumulation_steps=accumulated, save_strategy="no"
    )
    assert found == wanted


def test_a_plateau_observes_the_metric_after_each_epoch(tmp_path: Path) -> None:
    state = PLATEAU.init()
    wanted = []
    for loss in LOSSES:
        wanted += [state.value] * (EXAMPLES // 4)
        state = PLATEAU.update(state, loss)
    assert len(set(wanted)) == 3
    assert trained(tmp_path, plateau, eval_strategy="epoch", save_strategy="no") == wanted


BOTH = lrsched.warmup(lrsched.cosine_decay(0.1, 40), 4) * reduce_on_plateau(
    decay_rate=0.5, patience=0
)


def both(optimizer: torch.optim.Optimizer) -> Any:
    return ControlledLR(optimizer, BOTH, count_updates=True)


def test_a_schedule_of_updates_and_a_metric_of_evaluations(tmp_path: Path) -> None:
    """The Trainer calls a plateau at evaluations alone; the warmup is of updates."""
    state, wanted = BOTH.init_state(), []
    for update in range(EPOCHS * EXAMPLES // 4):
        wanted.append(BOTH.with_state(state)(update))
        if (update + 1) % (EXAMPLES // 4) == 0:
            state = BOTH.observe(state, LOSSES[update // (EXAMPLES // 4)])
    assert trained(tmp_path, both, eval_strategy="epoch", save_strategy="no") == wanted


@pytest.mark.parametrize("accumulated", [1, 4])
@pytest.mark.parametrize(
    ("made", "saved"), [(scheduled, "steps"), (plateau, "epoch"), (both, "epoch")]
)
def test_resuming_changes_no_learning_rate(
    made: Any, saved: str, accumulated: int, tmp_path: Path
) -> None:
    """In the middle of an epoch and after one, which is evaluated before it is saved."""
    options: dict[str, Any] = {
        "eval_strategy": "epoch",
        "save_strategy": saved,
        "save_steps": 4 // accumulated,
        "gradient_accumulation_steps": accumulated,
    }
    wanted = trained(tmp_path, made, **options)
    assert len(set(wanted)) > 2
    steps = sorted(int(path.name.split("-")[1]) for path in tmp_path.iterdir())
    assert len(steps) >= EPOCHS
    for step in steps[:-1]:
        rates = trained(tmp_path / "again", made, str(tmp_path / f"checkpoint-{step}"), **options)
        assert rates == wanted[step:]
