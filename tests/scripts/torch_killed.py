"""Trainings in torch, in frameworks around it and in Keras, which are killed on the way.

    python torch_killed.py FOLDER EVERY STACK STEPS STACK STEPS ...

They log the learning rate of each update and its loss.
"""

import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

import lrsched
from lrsched_torch import lambda_lr
from tests.scripts.killed import Train, go_on

RECIPE = lrsched.warmup(lrsched.cosine_decay(0.1, 880), 10)
BATCHES = 8  # an epoch

if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="(keras|lightning|torch|transformers)\\.")
    os.environ["KERAS_BACKEND"] = "torch"  # which need not compile again in each process
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # Keras takes a while to import it


def batch(step: int) -> Any:
    """Inputs of the step, from whose sum the network is to learn."""
    return np.random.default_rng(step).normal(size=(4, 3)).astype(np.float32)


class Batches(torch.utils.data.Dataset[Any]):
    """An epoch of the same: Lightning begins it anew where it resumes in its midst."""

    def __len__(self) -> int:
        return BATCHES

    def __getitem__(self, index: int) -> Any:
        return {"inputs": batch(0)}


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(3, 1)

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.linear(inputs).squeeze(-1) - inputs.sum(-1)).square().mean()}


class Training:
    """A network, with an optimizer whose schedule is the recipe, and the log."""

    def __init__(self, log: TextIO) -> None:
        self.net = Net()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=1.0, momentum=0.5)
        self.scheduler = lambda_lr(self.optimizer, RECIPE)
        self.log = log
        self.rate = 0.0
        self.optimizer.register_step_pre_hook(self.note)

    def note(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        self.rate = optimizer.param_groups[0]["lr"]

    def write(self, step: int, loss: Any) -> None:
        print(step, self.rate, float(loss), file=self.log, flush=True)


def in_torch(folder: Path, log: TextIO, steps: int, every: int) -> None:
    training, path = Training(log), folder / "checkpoint"
    parts: list[Any] = [training.net, training.optimizer, training.scheduler]
    first = 0
    if path.exists():
        first, *states = torch.load(path)
        for part, state in zip(parts, states, strict=True):
            part.load_state_dict(state)
    for step in range(first, steps):
        training.optimizer.zero_grad()
        loss = training.net(torch.from_numpy(batch(step)))["loss"]
        loss.backward()
        training.optimizer.step()
        training.scheduler.step()
        training.write(step, loss.detach())
        if (step + 1) % every == 0:
            torch.save([step + 1, *(part.state_dict() for part in parts)], folder / "incomplete")
            os.replace(folder / "incomplete", path)


def lightning() -> Train:
    import lightning.pytorch as pl

    class Module(pl.LightningModule):
        def __init__(self, folder: Path, log: TextIO, every: int) -> None:
            super().__init__()
            self.folder, self.every = folder, every
            self.training_run = Training(log)
            self.net = self.training_run.net

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return self.net(batch["inputs"])["loss"]

        def configure_optimizers(self) -> Any:
            run = self.training_run
            return [run.optimizer], [{"scheduler": run.scheduler, "interval": "step"}]

        def on_train_batch_end(self, outputs: Any, *_: Any) -> None:
            self.training_run.write(self.global_step - 1, outputs["loss"])
            if self.global_step % self.every == 0:
                self.trainer.save_checkpoint(self.folder / "incomplete")
                os.replace(self.folder / "incomplete", self.folder / "checkpoint")

    def train(folder: Path, log: TextIO, steps: int, every: int) -> None:
        trainer = pl.Trainer(
            accelerator="cpu",
            max_steps=steps,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        data: Any = torch.utils.data.DataLoader(Batches(), batch_size=1)
        path = folder / "checkpoint"
        trainer.fit(Module(folder, log, every), data, ckpt_path=path if path.exists() else None)

    return train


def transformers() -> Train:
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Callback(TrainerCallback):
        """Knows when a checkpoint is complete."""

        def on_save(self, args: Any, state: Any, *_: Any, **__: Any) -> None:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / "complete").touch()

    class Logging(Trainer):
        """Keeps the loss of each update."""

        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            self.loss = super().training_step(*args, **kwargs)
            return self.loss

    def train(folder: Path, log: TextIO, steps: int, every: int) -> None:
        training = Training(log)
        arguments = TrainingArguments(
            output_dir=str(folder),
            max_steps=steps,
            per_device_train_batch_size=1,
            save_steps=every,
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        )
        trainer = Logging(
            training.net,
            arguments,
            train_dataset=Batches(),
            optimizers=(training.optimizer, training.scheduler),
            callbacks=[Callback()],
        )
        training.optimizer.register_step_post_hook(
            lambda *_: training.write(trainer.state.global_step, trainer.loss)
        )
        complete = [path.parent for path in folder.glob("checkpoint-*/complete")]
        last = max(complete, key=lambda path: int(path.name.split("-")[1]), default=None)
        trainer.train(resume_from_checkpoint=None if last is None else str(last))

    return train


def in_keras() -> Train:
    import keras

    from lrsched_keras import KerasSchedule

    def train(folder: Path, log: TextIO, steps: int, every: int) -> None:
        saved = sorted(folder.glob("*.keras"), key=lambda path: int(path.stem))
        if saved:
            model = keras.saving.load_model(saved[-1])
        else:
            model = keras.Sequential(
                [keras.layers.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")]
            )
            model.compile(keras.optimizers.SGD(KerasSchedule(RECIPE), momentum=0.5), loss="mse")
        first = int(saved[-1].stem) if saved else 0
        for step in range(first, steps):
            x, rate = batch(step), float(model.optimizer.learning_rate)
            loss = model.train_on_batch(x, x.sum(-1, keepdims=True))
            print(step, rate, float(loss), file=log, flush=True)
            if (step + 1) % every == 0:
                (folder / "incomplete").mkdir(exist_ok=True)
                name = f"{step + 1}.keras"
                model.save(folder / "incomplete" / name)
                os.replace(folder / "incomplete" / name, folder / name)

    return train


STACKS: dict[str, Callable[[], Train]] = {
    "torch": lambda: in_torch,
    "lightning": lightning,
    "transformers": transformers,
    "keras": in_keras,
}


def main(folder: Path, every: int, *plan: str) -> None:
    trainings = [
        (stack, STACKS[stack](), int(steps))
        for stack, steps in zip(plan[::2], plan[1::2], strict=True)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        in_torch(
            Path(scratch), io.StringIO(), 1, 1
        )  # so that torch has imported all that it imports then
    for stack, train, steps in trainings:
        go_on(train, folder / stack, steps, every)
    os._exit(0)  # see there


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
