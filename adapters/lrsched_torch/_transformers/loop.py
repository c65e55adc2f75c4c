"""The loop of a transformers Trainer as that of a range test."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from typing import Any

import torch
from transformers import Trainer, TrainerCallback
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from lrsched.range_test.running.losses import MOST_SKIPS
from lrsched_torch._range_test.embedded import EmbeddedTest, replaced
from lrsched_torch._range_test.wrappers import Wrapper

# What a Trainer and its subclasses log, save or publish with; it does nothing in a test.
OUTPUTS = ("log", "save_model", "save_state", "_save_checkpoint", "push_to_hub")


class TrainerLoop(TrainerCallback):
    """Makes a trainer's loop the one of a range test, for one part of it.

    Args:
        trainer: the trainer, whose state is restored by the caller.
        test: the test.
        stack: closes what the test has opened.

    Attributes:
        batches: the number of batches that the loop has used.
    """

    def __init__(self, trainer: Trainer, test: EmbeddedTest, stack: ExitStack) -> None:
        self.batches = 0
        self._trainer = trainer
        self._stack = stack
        self._test = test
        self._step = trainer.training_step
        self._passing = ExitStack()  # while updates are passed over
        self._losses: list[Any] = []
        self._groups = 0  # of accumulated batches since the last update
        changed: dict[str, Any] = dict.fromkeys(OUTPUTS, _nothing)
        changed |= {
            "args": _arguments_of_a_test(trainer, test.part.skipped + test.part.steps),
            "training_step": self._training_step,
            "lr_scheduler": _NoScheduler(trainer),
            "_created_lr_scheduler": False,  # else the trainer creates one again
        }
        for name, value in changed.items():
            setattr(trainer, name, value)
        self._scheduler = trainer.lr_scheduler
        trainer.callback_handler.callbacks = [self]

    def _training_step(self, *args: Any, **kwargs: Any) -> Any:
        self.batches += 1
        if self._test.skipped:
            return torch.zeros((), device=self._trainer.args.device)
        loss = self._step(*args, **kwargs)
        self._losses.append(loss)
        return loss

    def on_train_begin(self, *_: Any, **others: Any) -> None:
        """Set the rates of the optimizer, which is there now."""
        optimizer: Any = self._trainer.optimizer
        self._trainer.lr_scheduler = self._scheduler  # a subclass may always create one
        self._stack.enter_context(self._test.driving(Wrapper(optimizer).inner))
        if self._test.skipped:
            self._stack.enter_context(self._passing)
            for value, name, other in (
                (optimizer, "step", _nothing),  # a gradient scaler needs gradients
                (self._trainer.args, "max_grad_norm", 0.0),
            ):
                self._passing.enter_context(replaced(value, name, other))

    def on_step_begin(self, *_: Any, **others: Any) -> None:
        """Count the accumulated batches that the trainer divides by their number.

        There are two of them before an update where data without a length end between.
        """
        self._groups += 1

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> Any:
        """End an update: the losses of its batches are divided already, by their number."""
        losses, self._losses = self._losses, []
        groups, self._groups = self._groups, 0
        if self._test.skipped:
            self._test.pass_over()
            if not self._test.skipped:
                self._passing.close()
            return control
        loss = sum(losses[1:], losses[0])  # as the trainer adds them
        goes_on = self._test.end_batch(
            loss if groups == 1 else loss / groups,
            skipped=self._trainer.accelerator.optimizer_step_was_skipped,
        )
        control.should_training_stop = not goes_on
        return control


class _NoScheduler:
    """Takes the place of a scheduler, and leaves the learning rates as they are."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def step(self, *_: Any) -> None:
        """Do nothing."""

    def get_last_lr(self) -> list[Any]:
        """The learning rates that the param groups have."""
        optimizer: Any = self._trainer.optimizer
        return [group["lr"] for group in optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """No state."""
        return {}


def _arguments_of_a_test(trainer: Trainer, steps: int) -> Any:
    """The trainer's arguments for a training that ends when the test does, and writes nothing."""
    args = copy.copy(trainer.args)
    changed = {
        "max_steps": 2 * steps + MOST_SKIPS,  # with updates that a scaler skips
        "auto_find_batch_size": False,
        "eval_on_start": False,
        "eval_strategy": IntervalStrategy.NO,
        "load_best_model_at_end": False,
        "logging_strategy": IntervalStrategy.NO,
        "push_to_hub": False,
        "report_to": [],
        "save_strategy": SaveStrategy.NO,
    }
    for name, value in changed.items():
        setattr(args, name, value)
    return args


def _nothing(*_: Any, **others: Any) -> None:
    """Take the place of a method that writes."""
