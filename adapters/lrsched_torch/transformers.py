"""A learning-rate range test of a Trainer of transformers, which restores everything."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from transformers import Trainer

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import DIVERGENCE, RangeTest
from lrsched.range_test.monitor import Log
from lrsched.range_test.options import checked_options
from lrsched_torch._range_test.embedded import Options
from lrsched_torch._range_test.measurements import Metrics
from lrsched_torch._snapshot.reachable import reachable_state
from lrsched_torch._snapshot.storage import Location
from lrsched_torch._snapshot.training_state import snapshot
from lrsched_torch._transformers.loop import TrainerLoop

__all__ = ["range_test"]

_refuse = Refusal("range_test")

PACKAGES = ("transformers", "accelerate")


def range_test(
    trainer: Trainer,
    *,
    schedule: Schedule | Sequence[Schedule] | None = None,
    steps: int = 200,
    low: float | None = None,
    high: float | None = None,
    divergence: float | None = DIVERGENCE,
    keep_ratios: bool = True,
    reference_group: int | None = None,
    memory: Location = "device",
    metrics: Metrics | None = None,
    every: int = 10,
    log: Log | None = None,
    progress: bool = True,
    label: str = "transformers",
) -> RangeTest:
    """Run `trainer.train()` with rising learning rates, record the losses, and undo everything.

    The trainer trains as it always does: with its own data, collator, accumulation, clipping,
    precision, optimizer and loss, and with what a subclass overrides. The test makes `steps`
    updates, over as many epochs as that takes. It stops earlier at the second loss in a row above
    `divergence` times the first one, at a loss that is not finite, and when the data end. The
    recorded rates are those that the updates used. The recorded loss is the one that the trainer
    logs for the update: the mean over its batches and processes, before the update.

    In the test no callback runs but the test's own. Nothing is evaluated, logged, saved or pushed,
    and the batch size is not searched for.

    Afterwards everything is restored, also after an exception or an interrupt, so that training
    continues as if there had been no test: the trainer with all of its attributes, its arguments,
    state, callbacks, scheduler and Accelerator; the model with its config; `.grad`; the optimizer,
    which is None again if it was; gradient scalers; and the random generators of torch, its
    devices, NumPy, Python, and of what the trainer refers to. Of the data sets only their
    generators are restored.

    Args:
        trainer: the `transformers.Trainer`, before or after a training.
        schedule: the learning rate of update 0, 1, ..., or a list with one schedule for each param
            group; by default `exponential_ramp(low, high, steps - 1)`. It takes the place of the
            trainer's scheduler.
        steps: the number of updates.
        low: the first learning rate, by default 1e-7.
        high: the last learning rate, by default 10.
        divergence: a multiple of the first loss, above 1; None or infinity never stops for a finite
            loss.
        keep_ratios: whether param groups with different learning rates keep their ratios under one
            schedule; False gives all groups the schedule's value.
        reference_group: the index of the group whose lr is the schedule's value; by default that of
            the group with the largest lr.
        memory: where the copies of tensors are kept: "device" (beside the tensors), "cpu", or
            "disk" (a private temporary file, which is always removed).
        metrics: a function that returns numbers by name, recorded in `RangeTest.metrics` as rows of
            (update, value). It is called before update 0, `every`, ..., without gradients.
        every: the number of updates between two calls of `metrics`.
        log: called as `log({"learning_rate": rate, "loss": loss}, update)` for each update.
        progress: whether to show a progress bar in terminals and notebooks, if tqdm is installed.
        label: the name of the test in figures.

    Returns:
        The test. In several processes each returns the same one.

    Raises:
        TypeError, ValueError: an argument is wrong; the trainer has no training data, uses
            DeepSpeed or FSDP, or is training; or something else sets the learning rates. What the
            training raises is raised too. Everything is restored.
        RuntimeError: part of the state could not be restored (the rest is).

    Elsewhere: transformers has no range test. For a model without a Trainer there are
    `lrsched_torch.range_test` and `lrsched_torch.range_test_model`.

    >>> import tempfile, torch, transformers
    >>> class Model(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.weight = torch.nn.Parameter(torch.ones(3))
    ...     def forward(self, x):
    ...         return {"loss": ((self.weight - x) ** 2).mean()}
    >>> data = [{"x": torch.zeros(3)}] * 8
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     arguments = transformers.TrainingArguments(folder, report_to="none", use_cpu=True)
    ...     trainer = transformers.Trainer(Model(), arguments, train_dataset=data)
    ...     found = range_test(trainer, steps=30, progress=False)
    >>> found.stopped, found.losses[0], trainer.model.weight.tolist(), trainer.optimizer
    ('diverged', np.float64(1.0), [1.0, 1.0, 1.0], None)
    """
    options = Options(
        schedule=schedule,
        steps=steps,
        low=low,
        high=high,
        divergence=divergence,
        keep_ratios=keep_ratios,
        reference_group=reference_group,
        metrics=metrics,
        every=every,
        log=log,
        progress=progress,
        label=label,
    )
    (memory,) = checked_options(_refuse, memory=memory)
    _check_trainer(trainer)
    objects = [trainer, *reachable_state(metrics, *_own_code(trainer), *vars(trainer).values())]
    data = [trainer.train_dataset, trainer.eval_dataset]
    saved = snapshot(objects, [], memory, PACKAGES, data=data)
    with saved.restored(), torch.enable_grad(), ExitStack() as stack:
        loop = TrainerLoop(trainer, options, stack)
        trainer.train()
    return loop.result()


def _check_trainer(trainer: Any) -> None:
    """Refuse what is no trainer, or one that cannot be tested."""
    if not isinstance(trainer, Trainer):
        expected = "a transformers.Trainer (lrsched_torch.range_test_model takes a model)"
        _refuse("trainer", expected, trainer, TypeError)
    shards = ("deepspeed", "fsdp", "fsdp_xla")
    if any(getattr(trainer, f"is_{name}_enabled", False) for name in shards) or getattr(
        trainer, "is_distributed_loading_by_transformers", False
    ):
        _refuse("trainer", "one without DeepSpeed and FSDP", trainer)
    if trainer.is_in_train and _is_running(trainer):
        _refuse("trainer", "one that is not training", trainer)
    if trainer.train_dataset is None and not _has_own(trainer, "get_train_dataloader"):
        _refuse("trainer.train_dataset", "the training data", None)


def _is_running(trainer: Trainer) -> bool:
    """Whether this is called by the trainer's training: `is_in_train` stays set after an error."""
    return any(
        frame.f_code.co_name == "train" and frame.f_locals.get("self") is trainer
        for frame, _ in traceback.walk_stack(None)
    )


def _has_own(trainer: Trainer, method: str) -> bool:
    """Whether a method is not the Trainer's own."""
    return getattr(getattr(trainer, method), "__func__", None) is not getattr(Trainer, method)


def _own_code(trainer: Trainer) -> list[Any]:
    """The functions of the trainer's classes that are not of transformers."""
    classes = [each for each in type(trainer).__mro__ if each not in Trainer.__mro__]
    return [
        value
        for each in classes
        if not each.__module__.startswith("transformers.")
        for value in vars(each).values()
        if callable(value)
    ]
