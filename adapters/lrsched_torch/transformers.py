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
from lrsched.range_test import DIVERGENCE, PROBE_REPEATS, RangeTest
from lrsched.range_test.running.monitor import Log
from lrsched.range_test.running.options import checked_options
from lrsched_torch._range_test.embedded import EmbeddedTest
from lrsched_torch._range_test.measurements import Metrics
from lrsched_torch._range_test.options import Options
from lrsched_torch._snapshot.reachable import reachable_state
from lrsched_torch._snapshot.storage import Location
from lrsched_torch._snapshot.training_state import modules_in, snapshot
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
    max_steps: int | None = None,
    divergence: float | None = DIVERGENCE,
    keep_ratios: bool = True,
    reference_group: int | None = None,
    memory: Location = "device",
    metrics: Metrics | None = None,
    every: int = 10,
    refine: bool = False,
    probe_steps: int | None = None,
    probe_repeats: int = PROBE_REPEATS,
    log: Log | None = None,
    progress: bool = True,
    label: str = "transformers",
) -> RangeTest:
    """Run `trainer.train()` with rising learning rates, record the losses, and undo everything.

    The trainer trains as it always does: with its own data, collator, accumulation, clipping,
    precision, optimizer and loss, and with what a subclass overrides. The rates of the first
    `steps` updates rise, over as many epochs as that takes. They stop earlier where the losses are
    too high, see `divergence`, at one that is not finite, and when the data end. Where they leave
    the best rate uncertain the test goes on, up to `max_steps` updates in all, each time by another
    `trainer.train()` from the state in which it began: with rates beyond the last one, or below the
    first, if the best may lie there; and with short trainings at constant rates around the
    suggestion. `RangeTest.summary` says what was done. The recorded rates are those that the
    updates used. The recorded loss is the one that the trainer logs for the update: the mean over
    its batches and processes, before the update.

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
        steps: the number of updates with rising rates.
        low: the first learning rate, by default 1e-7.
        high: the last learning rate, by default 10.
        max_steps: the most updates in all, by default 3 times `steps`; with a schedule of one's own
            `steps`; and with `refine` at least `steps` and 10 times `probe_steps`. With a list of
            schedules there are no more than `steps`.
        divergence: a multiple d, above 1. The rates stop to rise where most of the last 5 losses
            are above `m + max((d - 1) * abs(m), 2 * r)`, m the median and r the range of the first
            10 losses (in a longer test of 2 %, and of the first 5 %). None or infinity never stops
            for a finite loss.
        keep_ratios: whether param groups with different learning rates keep their ratios under one
            schedule; False gives all groups the schedule's value.
        reference_group: the index of the group whose lr is the schedule's value; by default that of
            the group with the largest lr.
        memory: where the copies of tensors are kept: "device" (beside the tensors), "cpu", or
            "disk" (a private temporary file, which is always removed).
        metrics: a function that returns numbers by name, recorded in `RangeTest.metrics` as rows of
            (update, value). It is called before update 0, `every`, ..., without gradients.
        every: the number of updates between two calls of `metrics`.
        refine: whether there are trainings in any case, also at rates that need none, on several
            orders of the batches.
        probe_steps: the updates of each training; by default 100 with `refine`, else a sixth of
            the updates that are left, at least 50.
        probe_repeats: the trainings at the best rates with `refine`, on different batches.
        log: called as `log({"learning_rate": rate, "loss": loss}, update)` for each update of the
            first `steps`.
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
    ...     found = range_test(trainer, steps=40, high=1e4, progress=False)
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
    limits = options.limits(max_steps, refine, probe_steps, probe_repeats)
    (memory,) = checked_options(_refuse, memory=memory)
    _check_trainer(trainer)
    objects = [trainer, *reachable_state(metrics, *_own_code(trainer), *vars(trainer).values())]
    data = [trainer.train_dataset, trainer.eval_dataset]
    saved = snapshot(objects, [], memory, PACKAGES, data=data)
    test = EmbeddedTest(options, modules_in([trainer.model]))

    def train() -> None:
        with ExitStack() as stack:
            loop = TrainerLoop(trainer, test, stack)
            trainer.train()
        if test.is_first and not loop.batches:
            _refuse("trainer.train_dataset", "at least one batch", trainer.train_dataset)

    with saved.restored(), torch.enable_grad():
        return test.run(train, saved.rewind, limits)


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
